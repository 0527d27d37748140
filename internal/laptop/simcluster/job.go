package simcluster

import (
	"cmp"
	"time"
)

// The states of a refresh. The last two are terminal.
const (
	Pending    = "RefreshPending"
	InProgress = "RefreshInProgress"
	Completed  = "RefreshCompleted"
	Failed     = "RefreshFailed"
)

// The ends that only one kind has; see Job.Ends.
const (
	Uncommitted = "Uncommitted" // of an import
	Canceled    = "CANCELED"    // of a cloud job
)

// LeakedAccessKey is the fake secret that every description of a refresh
// carries in externalSpec, as a real server's does. It must show up nowhere behind
// the client: tests search what was logged, queued and published for it.
const LeakedAccessKey = "fake-access-key-that-must-not-leak"

const externalSpec = `{"format":"parquet","extfs":{"access_key_id":"fake-access-key-id","access_key_value":"` +
	LeakedAccessKey + `"}}`

// Job is a job and the course it takes. Durations count from its submission,
// which is when it is added, unless they say otherwise.
type Job struct {
	Kind Kind
	// ID is an int64 in digits, or the text of a cloud job or of a refresh.
	ID             string
	CollectionName string
	// Database is that of the collection. "" is default.
	Database string
	// ExternalSource is a refresh's: a JSON text or a URL; may be empty.
	ExternalSource string
	// Type is a cloud job's. "" = IMPORT.
	Type string
	// Rows are those in an import's files.
	Rows int64
	// NoSegments makes a restore's progress 100, whatever its state.
	NoSegments bool

	// VisibleAfter is when the job is first found: a real server hands out the
	// id before it writes the record.
	VisibleAfter time.Duration
	// NeverVisible is for an id that was handed out but never gets a record
	// (milvus-io/milvus#49231).
	NeverVisible bool

	// PendingFor is how long the job is pending: its files are listed.
	PendingFor time.Duration
	// PendingReason is the reason shown meanwhile: newer servers tell the first
	// cause why a job cannot start.
	PendingReason string
	// RunsFor is how long it runs after that.
	RunsFor time.Duration
	// Shape is how progress rises as it runs. nil = Linear.
	Shape Shape
	// Fails, if not empty, is the reason the job ends with as failed, at the
	// progress at which its Shape ends; an import, at 0.
	Fails string
	// Ends, if not empty, is the state the job ends in instead.
	Ends string
	// ReasonAfter is how long after its failure a refresh is saved as failed: its
	// tasks' states make it RefreshFailed before, without reason and endTime.
	ReasonAfter time.Duration
	// Hangs keeps the job in progress for ever after RunsFor, where its Shape
	// ended (milvus-io/milvus#53629). Use with LinearTo(42) to hang at 42.
	Hangs bool

	// Inconsistent makes every list that it is in an error.
	Inconsistent bool

	// Faults are answers given in the job's stead, visible or not: each to one
	// describe, in this order. slices.Repeat makes many of one.
	Faults []Answer
}

// Ref names the job.
func (j Job) Ref() Ref { return Ref{cmp.Or(j.Kind, ExternalCollection), j.ID} }

// At returns what the server knows of the job at an age since its submission.
// Not found is what it says until VisibleAfter; that finished jobs are
// forgotten is the Cluster's doing.
func (j Job) At(age time.Duration) (state string, progress int, found bool) {
	if j.NeverVisible || age < j.VisibleAfter {
		return "", 0, false
	}
	row, ran := kinds[j.Ref().Kind], age-j.PendingFor
	switch {
	case ran < 0:
		state = row.pending
	case ran < j.RunsFor || j.Hangs:
		state, progress = row.running, j.progress(ran)
		if before := row.before[j.Ends]; before != "" && 2*ran >= j.RunsFor {
			state = before
		}
	default:
		state, progress = j.end(row), j.progress(ran)
		if at, fixed := row.endsAt[state]; fixed {
			progress = at
		}
	}
	if j.NoSegments || state == row.completed {
		progress = 100
	}
	return state, progress, true
}

func (j Job) end(row row) string {
	switch {
	case j.Ends != "":
		return j.Ends
	case j.Fails != "":
		return row.failed
	}
	return row.completed
}

// progress holds any Shape to 0..99, as the server reports 100 only for a job
// that has completed.
func (j Job) progress(ran time.Duration) int {
	shape, fraction := j.Shape, 1.0
	if shape == nil {
		shape = Linear
	}
	if ran < j.RunsFor {
		fraction = float64(ran) / float64(j.RunsFor)
	}
	return min(max(shape(fraction), 0), 99)
}

// EndsAt is the age at which the job's end is saved, if it has one: with it come
// endTime and a failure's reason.
func (j Job) EndsAt() time.Duration {
	ends := j.PendingFor + j.RunsFor
	if j.Fails != "" {
		ends += j.ReasonAfter
	}
	return ends
}

// submission is a job that was added to a Cluster, which guards it.
type submission struct {
	Job       // its Faults are those still to come
	at        time.Time
	describes int
}

// answer answers one describe of the job.
func (s *submission) answer(row row, now time.Time, retention time.Duration) Answer {
	s.describes++
	age := now.Sub(s.at)
	if len(s.Faults) > 0 && age >= s.Faults[0].After {
		fault := s.Faults[0]
		s.Faults = s.Faults[1:]
		return fault
	}
	v, found := s.view(row, now, retention)
	if !found {
		return row.missing(s.ID)
	}
	return success(row.describe(s, v))
}

// ended reports whether the job's end is saved.
func (s *submission) ended(now time.Time) bool { return now.Sub(s.at) >= s.EndsAt() && !s.Hangs }

// view is what the cluster knows of the job, if it knows it.
func (s *submission) view(row row, now time.Time, retention time.Duration) (v view, found bool) {
	age := now.Sub(s.at)
	state, progress, found := s.At(age)
	ended := s.ended(now)
	if !found || ended && age-s.EndsAt() > retention {
		return view{}, false
	}
	v = view{state: state, progress: progress}
	switch {
	case ended:
		v.end, v.reason, v.completed = s.at.Add(s.EndsAt()), s.Fails, state == row.completed
	case state == row.pending:
		v.reason = s.PendingReason
	}
	return v, true
}

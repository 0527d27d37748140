package simcluster

import (
	"fmt"
	"time"
)

// The states a job goes through. The last two are terminal.
const (
	Pending    = "RefreshPending"
	InProgress = "RefreshInProgress"
	Completed  = "RefreshCompleted"
	Failed     = "RefreshFailed"
)

// LeakedAccessKey is the fake secret that every description of a job carries
// in externalSpec, as a real server's does. It must show up nowhere behind the
// client: tests search what was logged, queued and published for it.
const LeakedAccessKey = "fake-access-key-that-must-not-leak"

const externalSpec = `{"format":"parquet","extfs":{"access_key_id":"fake-access-key-id","access_key_value":"` +
	LeakedAccessKey + `"}}`

// Job is a refresh job and the course it takes. Durations count from its
// submission, which is when it is added, unless they say otherwise.
type Job struct {
	ID             int64
	CollectionName string
	// ExternalSource is a JSON text or a URL; may be empty.
	ExternalSource string

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
	// Fails, if not empty, is the reason the job ends with as RefreshFailed, at
	// the progress at which its Shape ends.
	Fails string
	// ReasonAfter is how long after its failure the job is saved as failed: its
	// tasks' states make it RefreshFailed before, without reason and endTime.
	ReasonAfter time.Duration
	// Hangs keeps the job in progress for ever after RunsFor, where its Shape
	// ended (milvus-io/milvus#53629). Use with LinearTo(42) to hang at 42.
	Hangs bool

	// Faults are answers given in the job's stead, visible or not: each to one
	// describe, in this order. slices.Repeat makes many of one.
	Faults []Answer
}

// At returns what the server knows of the job at an age since its submission.
// Not found is what it says until VisibleAfter; that finished jobs are
// forgotten is the Cluster's doing.
func (j Job) At(age time.Duration) (state string, progress int, found bool) {
	ran := age - j.PendingFor
	switch {
	case j.NeverVisible || age < j.VisibleAfter:
		return "", 0, false
	case ran < 0:
		return Pending, 0, true
	case ran < j.RunsFor || j.Hangs:
		return InProgress, j.progress(ran), true
	case j.Fails != "":
		return Failed, j.progress(ran), true
	}
	return Completed, 100, true
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

// description is the API's view of a job. The times are Unix milliseconds.
type description struct {
	JobID          int64  `json:"jobId"`
	CollectionName string `json:"collectionName"`
	State          string `json:"state"`
	Progress       int    `json:"progress"`
	ExternalSource string `json:"externalSource"`
	ExternalSpec   string `json:"externalSpec"`
	StartTime      int64  `json:"startTime"`
	EndTime        int64  `json:"endTime"`
	Reason         string `json:"reason,omitempty"`
}

// answer answers one describe of the job.
func (s *submission) answer(now time.Time, retention time.Duration) Answer {
	s.describes++
	age := now.Sub(s.at)
	if len(s.Faults) > 0 && age >= s.Faults[0].After {
		fault := s.Faults[0]
		s.Faults = s.Faults[1:]
		return fault
	}
	state, progress, found := s.At(age)
	ended := (state == Completed || state == Failed) && age >= s.EndsAt()
	if !found || ended && age-s.EndsAt() > retention {
		return notFound(s.ID)
	}
	d := description{
		JobID:          s.ID,
		CollectionName: s.CollectionName,
		State:          state,
		Progress:       progress,
		ExternalSource: s.ExternalSource,
		StartTime:      s.at.UnixMilli(),
	}
	switch {
	case ended:
		d.EndTime, d.Reason = s.at.Add(s.EndsAt()).UnixMilli(), s.Fails
	case state == Pending:
		d.Reason = s.PendingReason
	}
	return success(d)
}

func notFound(id int64) Answer {
	return Failure(codeNotFound, fmt.Sprintf("refresh job %d not found", id))
}

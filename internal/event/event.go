// Package event is what subscribers see: the detail of the EventBridge events
// about a watched job, and the id they de-duplicate on.
package event

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// The poller's own terminal states, beside the API's, and their outcomes.
const (
	// StateNotFound: still unknown to the server after the grace period.
	StateNotFound                = "JobNotFound"
	NotFound      milvus.Outcome = "notFound"
	// StateExpired: no terminal state before the watch's deadline.
	StateExpired                = "WatchExpired"
	Expired      milvus.Outcome = "expired"
	// StateNotStarted: the refresh that was asked for never started. There is no job.
	StateNotStarted                = "RefreshNotStarted"
	NotStarted      milvus.Outcome = "notStarted"
)

const version = "1"

// Detail is an event's detail. A field that isn't known is left out.
type Detail struct {
	Version string `json:"version"`
	// ID is the same for every duplicate of an event, and no other's.
	ID   string         `json:"id"`
	Kind milvus.JobKind `json:"kind"`
	// JobID is a string, because EventBridge matches numbers as float64.
	JobID    string `json:"jobId,omitempty"`
	State    string `json:"state"`
	Terminal bool   `json:"terminal"`
	// Outcome is what the end means; empty without one.
	Outcome         milvus.Outcome  `json:"outcome,omitempty"`
	JobType         string          `json:"jobType,omitempty"`
	CollectionName  string          `json:"collectionName,omitempty"`
	DBName          string          `json:"dbName,omitempty"`
	Progress        *int            `json:"progress,omitempty"`
	Reason          string          `json:"reason,omitempty"`
	ExternalSource  string          `json:"externalSource,omitempty"`
	ImportedRows    *int64          `json:"importedRows,omitempty"`
	TotalRows       *int64          `json:"totalRows,omitempty"`
	ClusterEndpoint string          `json:"clusterEndpoint,omitempty"`
	StartTime       string          `json:"startTime,omitempty"`
	EndTime         string          `json:"endTime,omitempty"`
	DurationMs      *int64          `json:"durationMs,omitempty"`
	Watch           Watch           `json:"watch"`
	Context         json.RawMessage `json:"context,omitempty"`

	// Time is when the job ended, where that is known and credible, else when the
	// event was made.
	Time time.Time `json:"-"`
}

// Watch is what an event says of the watch that brought it.
type Watch struct {
	ID    string `json:"id"`
	Since string `json:"since"`
	Polls int    `json:"polls"`
	// DetectionLagMs is from the job's end, if that is credible, to the event, by
	// two clocks; 0 where the cluster's is ahead.
	DetectionLagMs *int64 `json:"detectionLagMs,omitempty"`
	// Joined says that another had started the refresh that the message asked for.
	Joined bool `json:"joined,omitempty"`
}

// New returns the detail about a job that has come to state, as the watch m
// knows it after its last poll. The state is terminal if it has an outcome. The
// job may be one that is only half known.
func New(m watch.Message, job milvus.Job, state string, outcome milvus.Outcome, endpoint string, now time.Time) *Detail {
	terminal := outcome != ""
	d := &Detail{
		Version:         version,
		ID:              id(m, state, terminal),
		Kind:            m.Kind,
		JobID:           m.Ref().ID,
		State:           state,
		Terminal:        terminal,
		Outcome:         outcome,
		JobType:         job.Type,
		CollectionName:  cmp.Or(job.CollectionName, m.Refresh.Name),
		DBName:          m.Refresh.Database,
		Progress:        job.Progress,
		Reason:          job.Reason,
		ExternalSource:  job.ExternalSource,
		ImportedRows:    job.ImportedRows,
		TotalRows:       job.TotalRows,
		ClusterEndpoint: endpoint,
		StartTime:       timestamp(job.StartTime),
		EndTime:         timestamp(job.EndTime),
		Watch:           Watch{ID: m.Watch.ID, Since: timestamp(m.Watch.Since), Polls: m.Watch.Polls, Joined: m.Watch.Joined},
		Context:         m.Context,
		Time:            now,
	}
	if credible(job.EndTime, m.Watch.Since, now) {
		d.Time = job.EndTime
		if d.Time.After(now) {
			d.Time = now
		}
		d.Watch.DetectionLagMs = new(now.Sub(d.Time).Milliseconds())
		if start := job.StartTime; !start.Before(m.Watch.Since.Add(-longestJob)) && !start.After(now.Add(maxAhead)) {
			d.DurationMs = new(max(job.EndTime.Sub(job.StartTime).Milliseconds(), 0))
		}
	}
	return d
}

// A job's end is by the cluster's clock, which may be off or in another unit. It
// may lie so long before the watch began, as a job is found (milvus-io/milvus,
// dataCoord.externalCollectionJobRetention), and so far ahead.
const (
	maxBefore = 24 * time.Hour
	maxAhead  = 5 * time.Minute
	// longestJob is how long before the watch began its job may have begun, for its
	// two times to be in one unit.
	longestJob = 365 * 24 * time.Hour
)

func credible(end, since, now time.Time) bool {
	return !end.Before(since.Add(-maxBefore)) && !end.After(now.Add(maxAhead))
}

// id is made from what tells one event of a watch from another: a state ends a
// watch once; before that, a job that falls back may pass the same progress
// again.
func id(m watch.Message, state string, terminal bool) string {
	parts := fmt.Sprintf("%s\x00%s\x00%s", m.Watch.ID, m.Ref().ID, state)
	if !terminal {
		progress := "unknown"
		if p := m.Watch.Job.Progress; p != nil {
			progress = strconv.Itoa(*p)
		}
		parts += fmt.Sprintf("\x00%s\x00%d", progress, m.Watch.Restarts)
	}
	sum := sha256.Sum256([]byte(parts))
	return hex.EncodeToString(sum[:16])
}

// JSON returns the detail as PutEvents takes it.
func (d *Detail) JSON() string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		// Only a Context that is not JSON can do this, and watch lets none in.
		panic(err)
	}
	return deliverable.Replace(strings.TrimSuffix(b.String(), "\n"))
}

// deliverable replaces the two characters in texts of the cluster that SQS, as
// the target of a rule, takes in no form (API reference, SendMessage).
var deliverable = strings.NewReplacer("\uFFFE", "\uFFFD", "\uFFFF", "\uFFFD")

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

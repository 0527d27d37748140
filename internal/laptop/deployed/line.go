package deployed

import (
	"encoding/json"
	"log/slog"
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// Line is a line of the poller's log. Others may write to the log group, so its
// numbers are kept in their ranges and its texts short; these may hold anything.
type Line struct {
	// Time is when it was written, by CloudWatch.
	Time time.Time `json:"-"`

	Level slog.Level
	Msg   string
	// The others are those of a poll, which has a WatchID, and a JobID or the Collection
	// whose refresh is asked for; or empty.
	Kind           milvus.JobKind
	JobID, WatchID string
	Since          time.Time
	Poll           int
	State          string
	Outcome        milvus.Outcome
	Collection     string
	Progress       *int
	// DelaySeconds is nil in a watch's last line.
	DelaySeconds *int
	ErrorKind    milvus.ErrorKind
	Error        string
	Reason       string
}

// polled is what the line of a poll says; others may name a job, and tell nothing
// of how its watch goes on.
const polled = "job polled"

// parseLine reads a line. What Lambda has written itself is none, nor are metrics.
func parseLine(text string, at time.Time) (Line, bool) {
	l := Line{Time: at}
	if json.Unmarshal([]byte(text), &l) != nil || l.Msg == "" {
		return Line{}, false
	}
	if l.Msg != polled {
		return Line{Time: at, Level: l.Level, Msg: watch.Bounded(l.Msg), JobID: watch.Bounded(l.JobID), Error: watch.Bounded(l.Error), Reason: watch.Bounded(l.Reason)}, true
	}
	if l.JobID == "" && l.Collection == "" || l.WatchID == "" || l.Poll < 0 || outside(l.Progress, 100) || outside(l.DelaySeconds, 900) {
		return Line{}, false
	}
	for _, text := range []*string{&l.JobID, &l.WatchID, &l.State, &l.Collection, &l.Error, &l.Reason, (*string)(&l.Kind), (*string)(&l.Outcome), (*string)(&l.ErrorKind)} {
		*text = watch.Bounded(*text)
	}
	return l, true
}

func outside(n *int, most int) bool { return n != nil && (*n < 0 || *n > most) }

// Ended reports whether it is the last line of a watch.
func (l Line) Ended() bool { return l.WatchID != "" && l.DelaySeconds == nil }

// Record returns the line as the poller has logged it.
func (l Line) Record() slog.Record {
	r := slog.NewRecord(l.Time, l.Level, l.Msg, 0)
	for name, text := range map[string]string{
		"kind": string(l.Kind), "jobId": l.JobID, "watchId": l.WatchID, "state": l.State, "collection": l.Collection,
		"errorKind": string(l.ErrorKind), "error": l.Error, "reason": l.Reason,
	} {
		if text != "" {
			r.AddAttrs(slog.String(name, text))
		}
	}
	if l.WatchID != "" {
		r.AddAttrs(slog.Int("poll", l.Poll))
	}
	if !l.Since.IsZero() {
		r.AddAttrs(slog.Time("since", l.Since))
	}
	if l.Progress != nil {
		r.AddAttrs(slog.Int("progress", *l.Progress))
	}
	if l.DelaySeconds != nil {
		r.AddAttrs(slog.Int("delaySeconds", *l.DelaySeconds))
	}
	return r
}

// Event returns the detail of the event that a watch has ended with, as far as its
// last line tells it: with the same id, and without the context, the times, the
// source, and what only jobs of some kinds have. It returns "" for another line, and
// one that an earlier version of the poller wrote, which says less.
func (l Line) Event(clusterEndpoint string) string {
	if !l.Ended() || l.Outcome == "" || l.Since.IsZero() {
		return ""
	}
	m := watch.Message{Kind: l.Kind, JobID: l.JobID, Watch: watch.State{ID: l.WatchID, Since: l.Since, Polls: l.Poll}}
	job := milvus.Job{CollectionName: l.Collection, Progress: l.Progress, Reason: l.Reason}
	return event.New(m, job, l.State, l.Outcome, clusterEndpoint, l.Time).JSON()
}

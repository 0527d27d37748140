package poller

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// The rule of a message that asks for a refresh. It is served by any refresh of its
// collection that began after the message was sent, completed or failed, whoever
// started it. Else, if one runs, that may have looked at the files already: its end
// is waited for. Else one is started, but
//   - not before every start is sure to count as after, so that what a crash or a
//     lost answer leaves behind is found;
//   - not while an earlier start may still become visible;
//   - not after the deadline.

const (
	// margin is how long after the message a job has to begin by the cluster's clock,
	// beyond which lies what that clock is uncertain by.
	margin = 2 * time.Second
	// settled is how long after the message the first start may be made. A later look
	// at the clock may be wrong by its whole uncertainty, and servers of one cluster
	// may differ a little.
	settled = margin + milvus.MaxClockError + 500*time.Millisecond
)

// step is what the rule asks for.
type step string

const (
	serve step = "serve" // watch the job
	wait  step = "wait"  // look again, at until at the latest
	start step = "start" // start a refresh
	stop  step = "stop"  // start none, ever
)

// plan is a step and all that it needs.
type plan struct {
	step   step
	job    milvus.Listed
	joined bool
	known  []string
	// These are of wait; zero for until leaves it to the schedule. idle says that to
	// look before is of no use.
	reason string
	until  time.Time
	idle   bool
}

// rule says what serves a message, given a list that was made just before now.
func rule(s Settings, m watch.Message, list milvus.List, now time.Time) plan {
	w := m.Watch
	retry := w.Started.Add(s.startGrace())
	switch job, other := serving(w, list), unfinished(list); {
	case job != nil:
		return plan{step: serve, job: *job, joined: joined(w, *job, list.Clock)}
	case !list.Clock.Known && w.Known == nil:
		return plan{step: wait, until: now.Add(s.MinDelay), known: newest(list), reason: "by the cluster's clock no refresh can be told from an earlier one: the next list shows which are new"}
	case other != nil:
		return plan{step: wait, reason: fmt.Sprintf("job %s has to end first: it began before the message, and may have looked at the files already", other.ID)}
	case !now.Before(s.deadline(m)):
		return plan{step: wait, reason: "nothing is started after the deadline"}
	case now.Before(w.Since.Add(settled)):
		return plan{step: wait, until: w.Since.Add(settled), idle: true, reason: "a refresh that starts so soon could not be told from an earlier one"}
	case !w.Started.IsZero() && now.Before(retry):
		return plan{step: wait, until: retry, reason: "the refresh that was asked for may become visible yet"}
	case !s.StartRefreshes:
		return plan{step: stop}
	}
	return plan{step: start}
}

// serving returns the first job that began after the message was sent, or nil. All
// chains of polls of one watch choose the same.
func serving(w watch.State, list milvus.List) *milvus.Listed {
	var first *milvus.Listed
	from := w.Since.Add(list.Clock.Ahead + margin)
	for i, job := range list.Jobs {
		switch {
		case !list.Clock.Known && (w.Known == nil || slices.Contains(w.Known, job.ID)):
			return first // those behind it are older
		case list.Clock.Known && job.StartTime.Before(from):
		case first == nil || !first.StartTime.Before(job.StartTime):
			first = &list.Jobs[i]
		}
	}
	return first
}

// unfinished returns a job that has not ended, or nil.
func unfinished(list milvus.List) *milvus.Listed {
	for i, job := range list.Jobs {
		if !job.Terminal() || job.Unexplained {
			return &list.Jobs[i]
		}
	}
	return nil
}

// joined reports whether another than the watch has started the job: it has if it
// asked for none, or did so after the job began.
func joined(w watch.State, job milvus.Listed, clock milvus.Clock) bool {
	return w.Started.IsZero() || clock.Known && job.StartTime.Before(w.Started.Add(clock.Ahead-milvus.MaxClockError))
}

// newest returns the ids that a watch keeps of its first list.
func newest(list milvus.List) []string {
	ids := []string{}
	for _, job := range list.Jobs[:min(len(list.Jobs), watch.MaxKnown)] {
		ids = append(ids, job.ID)
	}
	return ids
}

// startGrace is how long after a start another one has to wait, for the first may
// not be visible yet.
func (s Settings) startGrace() time.Duration { return max(s.Grace, apart) }

// deadline is when the message's watch has to end.
func (s Settings) deadline(m watch.Message) time.Time {
	return m.Watch.Since.Add(cmp.Or(m.Deadline, s.Deadline))
}

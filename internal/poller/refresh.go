package poller

import (
	"cmp"
	"fmt"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// found returns the state of a watch for which that was found.
func found(w watch.State, f Finding) watch.State {
	w.JobID, w.Joined = f.JobID, f.Joined
	if f.Known != nil {
		w.Known = f.Known
	}
	if !f.Started.IsZero() {
		w.Started = f.Started
	}
	return w
}

// withoutJob is the state of a watch whose job never became visible: it goes back
// to the rule.
func withoutJob(w watch.State) watch.State {
	w.JobID, w.Joined, w.NotFoundSince = "", false, time.Time{}
	return w
}

// began is when a watch began, or last asked for a start.
func began(w watch.State) time.Time {
	if !w.Started.IsZero() {
		return w.Started
	}
	return w.Since
}

// started reports whether the cluster has started a refresh.
func (a Answer) started() bool {
	return a.Finding != nil && a.Finding.JobID != "" && !a.Finding.Started.IsZero()
}

// notStarted is the job of a watch that has none.
func notStarted(s Settings, m watch.Message, a Answer) milvus.Job {
	if a.failed(milvus.Impossible) {
		return milvus.Job{Reason: "no such refresh will start: " + a.Failure.Error()}
	}
	reason := fmt.Sprintf("nothing was started within the deadline of %s", span(cmp.Or(m.Deadline, s.Deadline)))
	if m.Watch.Turns == 1 {
		reason = fmt.Sprintf("the message was first read after its deadline of %s, so nothing was started", span(cmp.Or(m.Deadline, s.Deadline)))
	}
	if a.Finding != nil && a.Finding.Reason != "" {
		reason += "; " + a.Finding.Reason
	}
	if m.Watch.LastError != "" {
		reason += "; last error: " + m.Watch.LastError
	}
	return milvus.Job{Reason: reason}
}

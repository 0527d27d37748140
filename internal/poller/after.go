package poller

import (
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// after returns the state of a watch after an answer to a request made at asked.
func after(m watch.Message, a Answer, asked, deadline time.Time) watch.State {
	w := m.Watch
	if m.AsksForRefresh() {
		w.Turns = counted(w.Turns)
	}
	if a.Finding != nil {
		w = found(w, *a.Finding)
	}
	if !a.NotReached {
		w.Polls = counted(w.Polls)
		if asked.Before(deadline) { // which may have been put off
			w.OverdueSince = time.Time{}
		} else {
			w.OverdueSince = first(w.OverdueSince, asked)
		}
	}
	switch {
	case a.Failure != nil && a.Failure.Kind == milvus.NotFound:
		// An answer like any other, as long as the grace lasts.
		w.Failures, w.LastError = 0, a.Failure.Error()
		w.NotFoundSince = first(w.NotFoundSince, asked)
	case a.Failure != nil:
		w.Failures, w.LastError = counted(w.Failures), a.Failure.Error()
	case a.Finding != nil && !a.NotReached && !a.answered():
		w.Failures, w.LastError = 0, ""
	case a.answered():
		w.Failures, w.LastError, w.NotFoundSince = 0, "", time.Time{}
		w.Known = nil // there is a job that will be found
		w = saw(m.Kind, w, a.Job, asked)
	}
	return w
}

// saw returns the state of a watch that saw the job so. A failure that was seen
// is not forgotten for a state that is none.
func saw(kind milvus.JobKind, w watch.State, job milvus.Job, at time.Time) watch.State {
	if !w.UnexplainedSince.IsZero() && !job.Terminal() {
		return w
	}
	sight := watch.Sight{
		State: job.State, Progress: job.Progress, CollectionName: job.CollectionName,
		Reason: watch.Bounded(job.Reason), StartTime: job.StartTime, SeenAt: at,
	}
	if job.Unexplained {
		w.UnexplainedSince = first(w.UnexplainedSince, at)
		sight.ExternalSource = job.ExternalSource
	}
	if fellBack(kind, w.Job, sight) {
		w.Restarts = counted(w.Restarts)
	}
	w.Job = sight
	return w
}

// first is when something was first seen that is seen at now too. A clock that
// was set back since puts nothing off.
func first(before, now time.Time) time.Time {
	if before.IsZero() || before.After(now) {
		return now
	}
	return before
}

// counted keeps a count that a forged watch may have begun with in what can be
// read again.
func counted(n int) int { return min(n+1, watch.MaxCount) }

// changed reports whether a poll saw another state or progress than the last.
func changed(before, now watch.Sight) bool {
	return before.State != now.State || percent(before) != percent(now)
}

// fellBack reports whether a job may come by a state and progress again that it
// had before.
func fellBack(kind milvus.JobKind, before, now watch.Sight) bool {
	left := before.State != now.State && before.State != "" && !kind.Begins(before.State)
	return left || percent(now) < percent(before)
}

func percent(s watch.Sight) int {
	if s.Progress == nil {
		return -1
	}
	return *s.Progress
}

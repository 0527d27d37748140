package poller

import (
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/schedule"
	"refresh-poller/internal/watch"
)

// Settings are what the decision depends on beside message, answer and clock.
type Settings struct {
	// MinDelay and MaxDelay bound the delay between two polls, 1 s to 900 s.
	MinDelay, MaxDelay time.Duration
	// Deadline is how long a watch may last if its message doesn't say.
	Deadline time.Duration
	// Grace is how long after a watch began a job may be unknown.
	Grace time.Duration
	// StartRefreshes lets messages start refreshes.
	StartRefreshes bool
	// PublishProgress asks for events before the terminal one.
	PublishProgress bool
	// ClusterEndpoint is named in every event.
	ClusterEndpoint string
	// Pace is the schedule's tuned constant; 0 means schedule.Pace.
	Pace float64
}

// Answer is what came of asking about a job: a Job, or a Failure, or neither
// when time or the rate limit didn't let the poller reach it.
type Answer struct {
	Job     milvus.Job
	Failure *milvus.Error
	// NotReached says that the cluster was not asked; a Failure then says why,
	// unless it is for want of time or of a request.
	NotReached bool
	// Held is how long a job that was not reached has to wait at least.
	Held time.Duration
	// Asked is when the request that brought the answer began; zero means at the
	// decision. The batch's other jobs may put that off by seconds.
	Asked time.Time
	// Took is how long each request was under way. Nothing is decided by it.
	Took []time.Duration
	// Finding is for a message that asks for a refresh and has no job yet. The Job, if
	// there is one, is the one found.
	Finding *Finding
}

// answered reports whether there is a Job.
func (a Answer) answered() bool { return a.Failure == nil && !a.NotReached && a.Job.State != "" }

// ended reports whether there is a Job, which has ended.
func (a Answer) ended() bool { return a.answered() && a.Job.Terminal() }

// failed reports whether there is a Failure of that kind.
func (a Answer) failed(kind milvus.ErrorKind) bool { return a.Failure != nil && a.Failure.Kind == kind }

// Action is what becomes of a message.
type Action string

const (
	// Reenqueue sends the message on to its next poll.
	Reenqueue Action = "re-enqueue"
	// Publish ends the watch with an event.
	Publish Action = "publish"
	// Reject sends a message that can't be read to the dead-letter queue.
	Reject Action = "reject"
	// Drop deletes a message whose watch goes on, or has ended, without it.
	Drop Action = "drop"
)

// Decision is an action and all that it needs.
type Decision struct {
	Action Action
	// Next is the message after this poll.
	Next watch.Message
	// Delay is for Reenqueue, in whole seconds.
	Delay time.Duration
	// Event is for Publish; with Reenqueue it tells of progress, or is nil.
	Event *event.Detail
	// Reason says why, for Reject, Drop and a watch that did not complete.
	Reason string
}

const (
	// apart lies at least between two polls of which the second is to confirm, or
	// to complete, the answer of the first.
	apart = 5 * time.Second
	// maxUnexplained is how long the reason of a failed job is waited for. A server
	// that could not save it tries again after 10 s (milvus-io/milvus,
	// internal/datacoord/external_collection_refresh_checker.go).
	maxUnexplained = 15 * time.Second
	// maxThrottled is how long the cluster may put off the last poll of a watch,
	// from when the watch was first found overdue.
	maxThrottled = 15 * time.Minute
)

// Decide says what becomes of a message, given the answer about its job. It is
// exported for the simulator, whose figures are to be this code's.
//
// A watch ends by what a request brought, be it nothing, that was made at its
// deadline or later; before that only by the end of its job.
func Decide(s Settings, m watch.Message, a Answer, now time.Time) Decision {
	asked := a.Asked
	if asked.IsZero() {
		asked = now
	}
	deadline := s.deadline(m)
	overdue := !asked.Before(deadline)
	next := m
	next.Watch = after(m, a, asked, deadline)
	w := next.Watch
	moment := momentOf(s, m.Watch.Job, next, a, deadline, now)
	if left := moment.Left(); left > 0 {
		next.Watch.Job.EndsAt = now.Add(left)
	}
	goneFrom := goneFrom(s, w, overdue)
	if !w.UnexplainedSince.IsZero() && (a.Failure == nil || !a.NotReached) {
		moment.Min = max(apart, s.MinDelay)
		moment.Max = moment.Min
	}

	switch {
	case a.ended() && !a.Job.Unexplained:
		return end(s, next, a.Job, a.Job.State, a.Job.Outcome, now)
	case a.NotReached:
	case a.failed(milvus.Impossible):
		return end(s, next, notStarted(s, next, a), event.StateNotStarted, event.NotStarted, now)
	case !w.UnexplainedSince.IsZero():
		until := w.UnexplainedSince.Add(max(maxUnexplained, s.MinDelay))
		if overdue || !asked.Before(until) {
			return end(s, next, remembered(next), w.Job.State, milvus.Failed, now)
		}
		if moment.RetryAfter == 0 {
			moment.Until = min(moment.Until, until.Sub(now))
		}
	case a.failed(milvus.NotFound) && !asked.Before(goneFrom) && next.AsksForRefresh() && w.Job.State == "":
		next.Watch = withoutJob(w)
		moment.Until = s.MinDelay
	case a.failed(milvus.NotFound) && !asked.Before(goneFrom):
		return end(s, next, gone(next, asked), event.StateNotFound, event.NotFound, now)
	case overdue && a.failed(milvus.Throttled) && asked.Before(w.OverdueSince.Add(maxThrottled)):
		moment.Until = w.OverdueSince.Add(maxThrottled).Sub(now)
	case overdue && next.Seeks():
		return end(s, next, notStarted(s, next, a), event.StateNotStarted, event.NotStarted, now)
	case overdue:
		return end(s, next, expired(s, next, a), event.StateExpired, event.Expired, now)
	case a.failed(milvus.NotFound):
		moment.Until = min(moment.Until, goneFrom.Sub(now))
	}
	if f := a.Finding; f != nil && !f.Until.IsZero() {
		left := max(f.Until.Sub(now), s.MinDelay)
		moment.Until = min(moment.Until, left)
		if f.Idle {
			moment.Min = left
		}
	}
	if !a.NotReached {
		// What passed since the cluster was asked is to be polled after at once.
		moment.Until = max(moment.Until, time.Nanosecond)
	}
	d := Decision{Action: Reenqueue, Next: next, Delay: schedule.Next(moment), Reason: whyOn(w, a)}
	if s.PublishProgress && a.answered() && w.UnexplainedSince.IsZero() && changed(m.Watch.Job, w.Job) {
		d.Event = event.New(next, a.Job, a.Job.State, "", s.ClusterEndpoint, now)
	}
	return d
}

// goneFrom is when the cluster has to be asked, or later, for its word that it
// knows no such job to be the end: the grace is over, and it has said so before.
func goneFrom(s Settings, w watch.State, overdue bool) time.Time {
	from := began(w).Add(s.Grace)
	if confirmed := w.NotFoundSince.Add(max(apart, s.MinDelay)); !overdue && confirmed.After(from) {
		return confirmed
	}
	return from
}

// whyOn says why a message goes on that another answer would have ended, or "".
func whyOn(w watch.State, a Answer) string {
	switch {
	case a.NotReached && a.Failure == nil:
		return "not reached: no time or no request was left for it"
	case !w.UnexplainedSince.IsZero():
		return "the job failed, and the cluster has not said why yet"
	case a.Finding != nil:
		return a.Finding.Reason
	}
	return ""
}

// momentOf is what the schedule has to know of a message that is to go on as next,
// and whose job was last seen as before.
func momentOf(s Settings, before watch.Sight, next watch.Message, a Answer, deadline, now time.Time) schedule.Moment {
	w := next.Watch
	m := schedule.Moment{
		WatchID: w.ID, Polls: w.Polls,
		Min: s.MinDelay, Max: s.MaxDelay, Until: deadline.Sub(now),
		Watched: now.Sub(began(w)), Progress: max(percent(w.Job), 0),
		RetryAfter: a.Held, Pace: s.Pace,
	}
	if !next.Seeks() {
		m.Expected = next.Expected
	}
	if !w.Job.StartTime.IsZero() {
		m.Running = now.Sub(w.Job.StartTime)
	}
	switch {
	case a.Failure != nil:
		m.Failures = w.Failures
		m.RetryAfter = a.Failure.RetryAfter
		m.Slow = a.failed(milvus.Refused) || a.failed(milvus.Misconfigured)
	case a.answered():
		m.Gained, m.Within = gained(before, w.Job)
		if !before.EndsAt.IsZero() {
			m.Ends = before.EndsAt.Sub(now)
		}
	}
	return m
}

// gained is what a job's progress rose by between two describes, and in what
// time.
func gained(before, now watch.Sight) (int, time.Duration) {
	if before.SeenAt.IsZero() || before.Progress == nil || now.Progress == nil {
		return 0, 0
	}
	return *now.Progress - *before.Progress, now.SeenAt.Sub(before.SeenAt)
}

package poller

import (
	"cmp"
	"fmt"
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
	Job        milvus.Job
	Failure    *milvus.Error
	NotReached bool
	// Held is how long a job that was not reached has to wait at least.
	Held time.Duration
	// Asked is when the request that brought the answer began; zero means at the
	// decision. The batch's other jobs may put that off by seconds.
	Asked time.Time
	// Took is how long each request was under way. Nothing is decided by it.
	Took []time.Duration
}

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

// unreachableGrace is how long past its deadline a watch waits for a last poll
// that the rate limit does not let happen, before it ends without one.
const unreachableGrace = schedule.MaxDelay

// Decide says what becomes of a message, given the answer about its job. It is
// exported for the simulator, whose figures are to be this code's.
func Decide(s Settings, m watch.Message, a Answer, now time.Time) Decision {
	deadline := m.Watch.Since.Add(cmp.Or(m.Deadline, s.Deadline))
	if a.NotReached {
		if now.After(deadline.Add(unreachableGrace)) {
			return expire(s, m, a, now)
		}
		moment := momentOf(s, m.Watch, deadline, now)
		if moment.Until <= 0 {
			moment.Until = deadline.Add(unreachableGrace).Sub(now) + 1
		}
		moment.RetryAfter = a.Held
		return Decision{
			Action: Reenqueue,
			Next:   m,
			Delay:  schedule.Next(moment),
			Reason: "not reached: no time or no request was left for it",
		}
	}

	next := m
	next.Watch = after(m.Watch, a, now)
	asked := a.Asked
	if asked.IsZero() {
		asked = now
	}
	graceEnd := m.Watch.Since.Add(s.Grace)
	unknown := a.Failure != nil && a.Failure.Kind == milvus.NotFound
	switch {
	case a.Failure == nil && a.Job.Terminal():
		job := a.Job
		if job.State == milvus.StateCompleted {
			job.Reason = "" // it tells why a job did not complete
		}
		return end(s, next, job, job.State, now)
	case unknown && !asked.Before(graceEnd):
		job := remembered(next)
		job.Reason = fmt.Sprintf("the cluster knows no job %d, %s after the watch began%s", m.JobID, span(asked.Sub(m.Watch.Since)), lastSeen(next))
		return end(s, next, job, event.StateNotFound, now)
	case !asked.Before(deadline):
		return expire(s, next, a, now)
	}

	d := Decision{Action: Reenqueue, Next: next}
	moment := momentOf(s, next.Watch, deadline, now)
	moment.Failures = next.Watch.Failures
	if unknown {
		moment.Until = min(moment.Until, graceEnd.Sub(now))
	}
	// What passed since the cluster was asked is to be polled after at once.
	moment.Until = max(moment.Until, time.Nanosecond)
	if a.Failure == nil {
		moment.Gained, moment.Within = gained(m.Watch.Job, next.Watch.Job)
	} else {
		moment.RetryAfter = a.Failure.RetryAfter
		moment.Slow = a.Failure.Kind == milvus.Refused || a.Failure.Kind == milvus.Misconfigured
	}
	d.Delay = schedule.Next(moment)
	if s.PublishProgress && a.Failure == nil && changed(m.Watch.Job, next.Watch.Job) {
		d.Event = event.New(next, a.Job, a.Job.State, false, s.ClusterEndpoint, now)
	}
	return d
}

// momentOf is what the schedule has to know of every watch.
func momentOf(s Settings, w watch.State, deadline, now time.Time) schedule.Moment {
	m := schedule.Moment{
		WatchID: w.ID, Polls: w.Polls,
		Min: s.MinDelay, Max: s.MaxDelay, Until: deadline.Sub(now),
		Watched: now.Sub(w.Since), Progress: max(percent(w.Job), 0),
		Pace: s.Pace,
	}
	if !w.Job.StartTime.IsZero() {
		m.Running = now.Sub(w.Job.StartTime)
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

// end makes the terminal event of a watch.
func end(s Settings, m watch.Message, job milvus.Job, state string, now time.Time) Decision {
	return Decision{
		Action: Publish,
		Next:   m,
		Event:  event.New(m, job, state, true, s.ClusterEndpoint, now),
		Reason: job.Reason,
	}
}

func expire(s Settings, m watch.Message, a Answer, now time.Time) Decision {
	job := a.Job
	if job.State == "" {
		job = remembered(m)
	}
	job.Reason = fmt.Sprintf("no terminal state within the deadline of %s%s", span(cmp.Or(m.Deadline, s.Deadline)), lastSeen(m))
	if m.Watch.LastError != "" {
		job.Reason += "; last error: " + m.Watch.LastError
	}
	return end(s, m, job, event.StateExpired, now)
}

// after returns the state of a watch after a poll.
func after(w watch.State, a Answer, now time.Time) watch.State {
	w.Polls = counted(w.Polls)
	w.LastError = ""
	switch {
	case a.Failure == nil:
		sight := watch.Sight{State: a.Job.State, Progress: a.Job.Progress, CollectionName: a.Job.CollectionName, StartTime: a.Job.StartTime, SeenAt: now}
		if fellBack(w.Job, sight) {
			w.Restarts = counted(w.Restarts)
		}
		w.Failures, w.Job = 0, sight
	case a.Failure.Kind == milvus.NotFound:
		// An answer like any other, as long as the grace lasts.
		w.Failures, w.LastError = 0, a.Failure.Error()
	default:
		w.Failures = counted(w.Failures)
		w.LastError = a.Failure.Error()
	}
	return w
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
func fellBack(before, now watch.Sight) bool {
	left := before.State != now.State && before.State != "" && before.State != milvus.StatePending
	return left || percent(now) < percent(before)
}

func percent(s watch.Sight) int {
	if s.Progress == nil {
		return -1
	}
	return *s.Progress
}

// remembered is the job as the watch last saw it.
func remembered(m watch.Message) milvus.Job {
	s := m.Watch.Job
	return milvus.Job{State: s.State, Progress: s.Progress, CollectionName: s.CollectionName, StartTime: s.StartTime}
}

func lastSeen(m watch.Message) string {
	s := m.Watch.Job
	switch {
	case s.State == "":
		return "; it was never seen"
	case s.Progress == nil:
		return "; last seen " + s.State
	}
	return fmt.Sprintf("; last seen %s at %d %%", s.State, *s.Progress)
}

// span writes a duration in seconds, the unit of the template's parameters.
func span(d time.Duration) string { return fmt.Sprintf("%d s", int64(d/time.Second)) }

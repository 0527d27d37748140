package poller

import (
	"context"
	"errors"
	"time"

	"refresh-poller/internal/milvus"
)

// Finding is what came of looking for a refresh that serves a message.
type Finding struct {
	// JobID is the job to watch from now on, or empty; Joined says that another had
	// started it.
	JobID  string
	Joined bool
	// Started is when a start was asked for that may have had an effect; else zero.
	Started time.Time
	// Known are jobs that began before the message, of the first list of those whose
	// times decide nothing, or of the one before a start.
	Known []string
	// Reason says why there is no job. The next look is at Until at the latest, or, if
	// Idle, at the earliest too; zero leaves it to the schedule.
	Reason string
	Until  time.Time
	Idle   bool
}

// seek looks for what serves each of the messages that ask for one collection's
// refresh. They share one list, and one start if any of them needs it.
func (a asker) seek(ctx context.Context, of milvus.Collection, sharing []*item) {
	list, listed := a.list(ctx, of)
	var starting []*item
	for _, it := range sharing {
		it.answer = listed
		if !listed.listed() {
			continue
		}
		p := rule(a.p.Settings, it.message, list, time.Now())
		if p.step == start {
			starting = append(starting, it)
		} else {
			it.answer = planned(listed, p)
		}
	}
	if len(starting) == 0 {
		return
	}
	var cancel context.CancelFunc
	a.starts, cancel = context.WithDeadline(a.starts, a.lastStart(starting))
	defer cancel()
	answer := a.start(ctx, of)
	if answer.failed(milvus.Busy) {
		a.join(ctx, of, list.Clock, answer, starting)
		return
	}
	answer.Finding.Known = newest(list) // the next list may come with no clock
	for _, it := range starting {
		it.answer = answer
	}
}

// lastStart is when the last deadline of the messages comes: the limit may put a start
// off, and a refused one is asked for once more.
func (a asker) lastStart(starting []*item) (last time.Time) {
	for _, it := range starting {
		if at := a.p.Settings.deadline(it.message); at.After(last) {
			last = at
		}
	}
	return last
}

// listed reports whether the collection's jobs are known.
func (a Answer) listed() bool { return a.Failure == nil && !a.NotReached }

// planned is the answer to a message for which nothing is started.
func planned(a Answer, p plan) Answer {
	a.Job = milvus.Job{} // another's, unless it serves
	switch p.step {
	case serve:
		a.Job = p.job.Job
		a.Finding = &Finding{JobID: p.job.ID, Joined: p.joined}
	case stop:
		a.Failure = &milvus.Error{Kind: milvus.Impossible, Message: "the refresh that was asked for has not come, and StartRefreshes is false by now"}
	default:
		a.Finding = &Finding{Known: p.known, Reason: p.reason, Until: p.until, Idle: p.idle}
	}
	return a
}

func (a asker) list(ctx context.Context, of milvus.Collection) (list milvus.List, answer Answer) {
	a.send = func(ctx context.Context, token string, _ milvus.Ref) (_ milvus.Job, err error) {
		list, err = a.p.Refreshes.List(ctx, token, of)
		return milvus.Job{}, err
	}
	answer = a.about(ctx, milvus.Ref{})
	answer.Took = nil
	return list, answer
}

// start asks for a refresh. That is done once more only where the first was refused
// for its credential.
func (a asker) start(ctx context.Context, of milvus.Collection) Answer {
	var id string
	var asked time.Time
	a.send = func(ctx context.Context, token string, _ milvus.Ref) (milvus.Job, error) {
		at := time.Now()
		started, err := a.p.Refreshes.Start(ctx, token, of)
		if failure, ok := errors.AsType[*milvus.Error](err); !ok || failure.Unsure {
			asked = at
		}
		id = started
		return milvus.Job{}, err
	}
	answer := a.about(ctx, milvus.Ref{})
	answer.Took = nil
	answer.Finding = &Finding{JobID: id, Started: asked}
	switch {
	case answer.listed():
		answer.Finding.Reason = "the refresh was started"
	case !asked.IsZero():
		answer.Finding.Reason = "whether the refresh was started is not known"
	}
	return answer
}

// join looks at the job for which the cluster starts no other, and at the list where
// that can't be seen or has another name, which may be the collection's too: an
// alias. Without either the message goes on as with any failure that passes.
func (a asker) join(ctx context.Context, of milvus.Collection, clock milvus.Clock, busy Answer, starting []*item) {
	list := milvus.List{Clock: clock}
	seen := Answer{NotReached: true}
	if id := busy.Failure.JobID; id != "" {
		seen = a.about(ctx, milvus.Ref{Kind: milvus.ExternalCollection, ID: id})
		list.Jobs = []milvus.Listed{{ID: id, Job: seen.Job}}
	}
	if !seen.answered() || seen.Job.CollectionName != of.Name {
		list, seen = a.list(ctx, of)
	}
	for _, it := range starting {
		if !seen.listed() {
			it.answer = busy
			continue
		}
		p := rule(a.p.Settings, it.message, list, time.Now())
		if p.step == start {
			p = plan{step: wait, until: time.Now().Add(a.p.Settings.MinDelay), reason: "another refresh was running"}
		}
		it.answer = planned(seen, p)
	}
}

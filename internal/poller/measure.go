package poller

import (
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/metric"
)

// measure counts what came of a batch whose sending ended at now. Every message
// counts once as re-enqueued, rejected, dropped, failed or in a terminal event.
func measure(items []*item, now time.Time) *metric.Batch {
	b := &metric.Batch{}
	polled, started := make(map[subject]bool, len(items)), map[subject]bool{}
	for _, it := range items {
		// The messages about one job share one answer, and those about one collection one
		// start.
		about := subjectOf(it.message)
		if !polled[about] && it.decision.Action != Drop {
			polled[about] = true
			measureAnswer(b, it.answer)
		}
		if it.answer.started() && !started[about] {
			started[about] = true
			b.Count(metric.RefreshesStarted)
		}
		switch {
		case it.err != nil:
			b.Count(metric.FailedItems)
			continue
		case it.decision.Action == Reject:
			b.Count(metric.Rejected)
		case it.decision.Action == Drop:
			b.Count(metric.Dropped)
		case it.decision.Action == Reenqueue:
			b.Count(metric.Reenqueued)
			if it.answer.NotReached && it.answer.Failure == nil {
				b.Count(metric.NotReached)
			}
		}
		if e := it.decision.Event; e != nil {
			measureEvent(b, e, now)
		}
	}
	return b
}

// measureAnswer counts nothing for a job that was not asked about.
func measureAnswer(b *metric.Batch, a Answer) {
	switch {
	case a.Failure != nil:
		b.Count(metric.Polls)
		b.Count(metric.DescribeErrors(a.Failure.Kind))
	case a.Job.State != "" || a.Finding != nil && !a.NotReached:
		b.Count(metric.Polls)
		b.Count(metric.Succeeded)
	}
	for _, took := range a.Took {
		b.Observe(metric.DescribeLatency, took.Milliseconds())
	}
}

func measureEvent(b *metric.Batch, e *event.Detail, published time.Time) {
	if !e.Terminal { // its state is the cluster's word, and may be one of the poller's
		b.Count(metric.EventsProgress)
		return
	}
	b.Count(metric.Ended(e.State, e.Outcome))
	b.Observe(metric.PollsPerJob, int64(e.Watch.Polls))
	if e.Watch.DetectionLagMs == nil {
		return // the job's end is not known, or not credible
	}
	b.Observe(metric.DetectionLag, published.Sub(e.Time).Milliseconds())
	if e.DurationMs != nil {
		b.Observe(metric.JobDuration, *e.DurationMs)
	}
}

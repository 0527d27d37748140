package poller

import (
	"cmp"
	"fmt"
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// end makes the terminal event of a watch.
func end(s Settings, m watch.Message, job milvus.Job, state string, outcome milvus.Outcome, now time.Time) Decision {
	if outcome == milvus.Succeeded {
		job.Reason = "" // it tells why a job did not complete
	}
	return Decision{
		Action: Publish,
		Next:   m,
		Event:  event.New(m, job, state, outcome, s.ClusterEndpoint, now),
		Reason: job.Reason,
	}
}

// gone is the job of a watch whose cluster knows no such job any more.
func gone(m watch.Message, asked time.Time) milvus.Job {
	job := remembered(m)
	job.Reason = fmt.Sprintf("the cluster knows no job %s, %s after the watch began%s", m.Ref().ID, span(asked.Sub(m.Watch.Since)), lastSeen(m))
	return job
}

// expired is the job of a watch at its deadline.
func expired(s Settings, m watch.Message, a Answer) milvus.Job {
	job := a.Job
	if job.State == "" {
		job = remembered(m)
	}
	job.Reason = fmt.Sprintf("no terminal state within the deadline of %s%s", span(cmp.Or(m.Deadline, s.Deadline)), lastSeen(m))
	if m.Watch.LastError != "" {
		job.Reason += "; last error: " + m.Watch.LastError
	}
	return job
}

// remembered is the job as the watch last saw it.
func remembered(m watch.Message) milvus.Job {
	s := m.Watch.Job
	return milvus.Job{State: s.State, Progress: s.Progress, CollectionName: s.CollectionName, Reason: s.Reason, ExternalSource: s.ExternalSource, StartTime: s.StartTime}
}

// lastSeen tells where the job stood, with the reason that the cluster gave.
func lastSeen(m watch.Message) string {
	s := m.Watch.Job
	if s.State == "" {
		return "; it was never seen"
	}
	text := "; last seen " + s.State
	if s.Progress != nil {
		text += fmt.Sprintf(" at %d %%", *s.Progress)
	}
	if s.Reason != "" {
		text += ", for the reason: " + s.Reason
	}
	return text
}

// span writes a duration in seconds, the unit of the template's parameters.
func span(d time.Duration) string { return fmt.Sprintf("%d s", int64(d/time.Second)) }

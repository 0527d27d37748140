package poller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// check returns what is wrong: what was seen in a call, a watch that is lost, a
// message that can't be read and is nowhere, too many describes.
func (w *world) check() error {
	for _, m := range w.watches {
		live := slices.ContainsFunc(w.queue, func(d *delivery) bool { return d.message.Watch.ID == m.Watch.ID })
		if !live && !w.ended[m.Watch.ID] {
			w.fail("watch %s is lost", m.Watch.ID)
		}
	}
	for _, body := range w.bodies {
		bad := strings.HasPrefix(body, "bad")
		queued := slices.ContainsFunc(w.queue, func(d *delivery) bool { return d.body == body })
		if rejected := slices.Contains(w.letters, body); bad && !queued && !rejected || !bad && rejected {
			w.fail("%q was rejected: %v", body, rejected)
		}
	}
	w.judgeStarts()
	if n := w.arriving(); w.share > 0 && n > len(w.executions)*int(w.share) {
		w.fail("%d describes may reach the cluster in one second", n)
	}
	return errors.Join(w.wrong...)
}

// arriving is how many describes may reach the cluster now, or did within the
// second before: each does so at any time until it is answered.
func (w *world) arriving() (n int) {
	count := func(answered []time.Time) {
		for _, at := range answered {
			if time.Since(at) < time.Second {
				n++
			}
		}
	}
	count(w.described)
	for _, e := range w.executions {
		count(e.described)
		for _, c := range e.calls {
			if c.describes() {
				n++
			}
		}
	}
	return n
}

// publish checks an event against the message that brought it and what the
// cluster said.
func (w *world) publish(e *execution, d event.Detail) {
	from := e.foremost(d.Watch.ID)
	if from == nil {
		w.fail("an event is of watch %s, of which there is no message", d.Watch.ID)
		return
	}
	w.identify(from, d)
	if !d.Terminal {
		return
	}
	if w.ended[d.Watch.ID] && w.left == w.faults {
		w.fail("nothing went wrong, and watch %s ends twice", d.Watch.ID)
	}
	w.ended[d.Watch.ID] = true
	right := func(c request) bool {
		if w.life == nil {
			return w.endsRefresh(from, d, c)
		}
		return c.name == "describe "+d.JobID && w.rightEnd(from, d.State, c.at, c.chosen.reply)
	}
	if !slices.ContainsFunc(e.past, right) {
		w.fail("no answer was one by which watch %s may end as %s, %s after it began", d.Watch.ID, d.State, time.Since(from.message.Watch.Since))
	}
}

// lineage is that of a message which the execution sends on.
func (e *execution) lineage(of watch.Message) lineage {
	from := e.foremost(of.Watch.ID)
	l := from.lineage
	if percent(of.Watch.Job) < percent(from.message.Watch.Job) {
		l.falls++
	}
	for _, c := range e.past {
		if job, ok := c.chosen.reply.(milvus.Job); ok && job.Unexplained && c.name == "describe "+of.Ref().ID {
			l.failed = first(l.failed, c.at)
		}
	}
	if at, asked := e.asked[from]; asked {
		l.asked = at
	}
	return l
}

// foremost is the message of a watch that is not dropped for another.
func (e *execution) foremost(watch string) (found *delivery) {
	for _, d := range e.batch {
		if d.message.Watch.ID == watch && (found == nil || d.message.Turn() > found.message.Turn()) {
			found = d
		}
	}
	return found
}

// rightEnd reports whether a watch may end so, by an answer to a request made at
// asked.
func (w *world) rightEnd(from *delivery, state string, asked time.Time, answer any) bool {
	s := from.message.Watch
	job, _ := answer.(milvus.Job)
	failure, _ := answer.(*milvus.Error)
	failed := func(kind milvus.ErrorKind) bool { return failure != nil && failure.Kind == kind }
	overdue := !asked.Before(s.Since.Add(w.deadline))
	since := func(t time.Time, d time.Duration) bool { return !t.IsZero() && !asked.Before(t.Add(d)) }
	switch state {
	case event.StateNotFound:
		return failed(milvus.NotFound) && since(s.Since, w.grace) && (overdue || since(s.NotFoundSince, apart))
	case event.StateExpired:
		return overdue && !job.Terminal() && from.lineage.failed.IsZero() && (!failed(milvus.Throttled) || since(s.OverdueSince, maxThrottled))
	case "RefreshFailed":
		explained := job.State == state && !job.Unexplained
		seen := job.State == state || !from.lineage.failed.IsZero()
		return explained || seen && (overdue || since(from.lineage.failed, maxUnexplained))
	}
	return job.State == state && job.Terminal()
}

// identify holds an event against all others of the schedule: those with its id
// say the same, and those of the same end, or of the same message and saying the
// same, have its id.
func (w *world) identify(from *delivery, d event.Detail) {
	says := fmt.Sprint(d.Watch.ID, " ", d.State, " ", d.JobID)
	brought := says
	if !d.Terminal {
		s, falls := from.message.Watch, from.lineage.falls
		brought = fmt.Sprint(says, " at ", *d.Progress, " after ", s.Polls, " ", s.Job.State, percent(s.Job), falls)
		if *d.Progress < percent(s.Job) {
			falls++
		}
		says += fmt.Sprintf(" at %d, having fallen %d times", *d.Progress, falls)
	}
	if other, known := w.says[d.ID]; known && other != says {
		w.fail("two events have one id: %s, and %s", other, says)
	}
	if other, known := w.ids[brought]; known && other != d.ID {
		w.fail("one event has two ids: %s", says)
	}
	w.says[d.ID], w.ids[brought] = says, d.ID
}

package poller

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// judgeStarts holds each start that is asked for against what the cluster has told:
// none is asked for while a refresh is known to run, or that no message needs.
func (w *world) judgeStarts() {
	for _, e := range w.executions {
		for _, c := range e.calls {
			if c.name == "start" && !c.judged {
				c.judged = true
				e.judge(c.at)
			}
		}
	}
	// With no fault and no race of lasting calls, one refresh serves all that was sent
	// before it.
	ours := 0
	for _, r := range w.refreshes {
		if r.ours {
			ours++
		}
	}
	moments := 1 + len(w.watches) - len(w.bodies)
	if w.life == nil && w.left == w.faults && w.lasts <= worldDelay && ours > moments {
		w.fail("nothing went wrong, and %d refreshes were started for messages of %d moments", ours, moments)
	}
}

func (e *execution) judge(now time.Time) {
	list, known := e.lastList()
	if !known {
		e.world.fail("a refresh is started, and none were listed")
		return
	}
	if job := unfinished(list); job != nil {
		e.world.fail("a refresh is started while %s is known to run", job.ID)
	}
	e.needing = nil
	var errs []error
	for _, d := range e.batch {
		if !d.message.Seeks() {
			continue
		}
		if err := e.needless(d, list, now); err != nil {
			errs = append(errs, err)
		} else {
			e.needing = append(e.needing, d)
		}
	}
	if len(e.needing) == 0 {
		e.world.fail("a refresh is started that no message needs: %w", errors.Join(errs...))
	}
}

// lastList is the last that this invocation got.
func (e *execution) lastList() (list milvus.List, known bool) {
	for _, c := range slices.Backward(e.past) {
		if list, known = c.chosen.reply.(milvus.List); known {
			break
		}
	}
	return list, known
}

// needless says why the rule asks for no refresh for a message.
func (e *execution) needless(d *delivery, list milvus.List, now time.Time) error {
	w, s := e.world, d.message.Watch
	age := now.Sub(s.Since)
	if at, asked := e.asked[d]; asked {
		return fmt.Errorf("%s asked for one %s before, in this batch", d.name, now.Sub(at))
	}
	if at := d.lineage.asked; !at.IsZero() && now.Before(at.Add(w.grace)) {
		return fmt.Errorf("%s asked for one %s before", d.name, now.Sub(at))
	}
	switch {
	case age <= margin:
		return fmt.Errorf("%s was sent %s before", d.name, age)
	case age >= w.deadline:
		return fmt.Errorf("%s has been over for %s", d.name, age-w.deadline)
	case !list.Clock.Known && s.Known == nil:
		return fmt.Errorf("%s has seen no list before", d.name)
	}
	for _, job := range list.Jobs {
		if w.tells(s, list.Clock, job) {
			return fmt.Errorf("%s is served by %s", d.name, job.ID)
		}
	}
	return nil
}

// serves reports whether a job began late enough for a message of that time. Without
// the cluster's clock, nobody knows better than the world.
func (w *world) serves(job milvus.Listed, dated bool, since time.Time) bool {
	if dated {
		since = since.Add(margin)
	}
	return !job.StartTime.Before(since)
}

// tells reports whether a watch can tell that a job serves it.
func (w *world) tells(s watch.State, clock milvus.Clock, job milvus.Listed) bool {
	return w.serves(job, clock.Known, s.Since) && (clock.Known || s.Known != nil && !slices.Contains(s.Known, job.ID))
}

// endsRefresh reports whether a watch of a refresh may end so, by that call.
func (w *world) endsRefresh(from *delivery, d event.Detail, c request) bool {
	if !c.describes() {
		return false
	}
	m := from.message
	overdue := !c.at.Before(m.Watch.Since.Add(w.deadline))
	failure, _ := c.chosen.reply.(*milvus.Error)
	if failure != nil && failure.Kind == milvus.Throttled && c.at.Before(m.Watch.OverdueSince.Add(maxThrottled)) {
		overdue = false
	}
	list, _ := c.chosen.reply.(milvus.List)
	serving := slices.IndexFunc(list.Jobs, func(job milvus.Listed) bool {
		return w.tells(m.Watch, list.Clock, job)
	})
	if d.State == event.StateNotStarted {
		impossible := failure != nil && failure.Kind == milvus.Impossible
		return d.JobID == "" && m.Seeks() && (impossible || overdue && serving < 0)
	}
	job, _ := c.chosen.reply.(milvus.Job)
	if i := slices.IndexFunc(list.Jobs, func(job milvus.Listed) bool { return job.ID == d.JobID }); i >= 0 {
		job = list.Jobs[i].Job
	} else if c.name != "describe "+d.JobID {
		return false
	}
	switch d.State {
	case event.StateExpired:
		unseen := failure != nil && failure.Kind == milvus.NotFound && !c.at.Before(from.lineage.asked.Add(w.grace))
		return overdue && !job.Terminal() && !unseen
	case done:
		return job.State == done && w.servedBy(from, d)
	}
	return false
}

// servedBy reports whether the refresh that an event tells of began after its
// message was sent, and was started by whom it says.
func (w *world) servedBy(from *delivery, d event.Detail) bool {
	i := slices.IndexFunc(w.refreshes, func(r *begunRefresh) bool { return r.id == d.JobID })
	if i < 0 {
		return false
	}
	r := w.refreshes[i]
	asked := from.lineage.asked
	// Of one that began since it asked, a watch can't tell whose it is.
	told := d.Watch.Joined || r.ours || !asked.IsZero() && !r.at.Before(asked)
	return told && w.serves(milvus.Listed{Job: milvus.Job{StartTime: r.at}}, !w.undated && w.left == w.faults, from.message.Watch.Since)
}

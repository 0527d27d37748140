package poller

import (
	"fmt"
	"slices"
	"time"
)

// choice is one thing that may happen next.
type choice struct {
	words func() string
	fault bool
	take  func()
}

// said are words, put together if they are wanted.
func said(format string, args ...any) func() string {
	return func() string { return fmt.Sprintf(format, args...) }
}

// environment is all that may happen, what a fair course takes first. What more
// the poller calls is more answers; what more comes from outside is one more row.
var environment = []func(w *world, offer func(choice)){(*world).answers, (*world).receives, (*world).passes, (*world).sends, (*world).startsOther}

// answers are the outcomes of the calls that wait. Of an execution's describes
// only the first is answered: which comes before the other can't matter, for they
// are about two jobs.
func (w *world) answers(offer func(choice)) {
	for _, e := range w.executions {
		described := false
		for _, c := range e.calls {
			if described && c.describes() {
				continue
			}
			described = described || c.describes()
			for _, o := range c.outcomes() {
				offer(choice{said("%s, %s: %s", e, c.name, o.label), o.fault, func() { e.conclude(c, o) }})
			}
		}
	}
}

// receives hands one or two messages to an execution. It is a fault if SQS hands
// one of them out once more meanwhile, if the execution dies before it has done
// anything, and if it can't read the secret.
func (w *world) receives(offer func(choice)) {
	var visible []*delivery
	for _, d := range w.queue {
		if !d.visible.After(time.Now()) {
			visible = append(visible, d)
		}
	}
	hindmost := w.hindmost()
	for i, e := range w.executions {
		if e.busy() || i > 0 && !w.executions[0].busy() && w.executions[0].memory(hindmost) == e.memory(hindmost) {
			continue // it would be the same with the other one
		}
		for _, batch := range batches(visible) {
			w.hands(e, batch, offer)
		}
	}
}

// batches are of one message, or of two. Their order can't matter, unless they
// are of one watch.
func batches(visible []*delivery) (all [][]*delivery) {
	for i, d := range visible {
		all = append(all, []*delivery{d})
		for j, other := range visible {
			if j > i || j < i && other.message.Watch.ID == d.message.Watch.ID {
				all = append(all, []*delivery{d, other})
			}
		}
	}
	return all
}

func (w *world) hands(e *execution, batch []*delivery, offer func(choice)) {
	receives := func(how string) func() string { return said("%s receives %s%s", e, names(batch), how) }
	offer(choice{receives(""), false, func() { e.receive(batch) }})
	if w.left == 0 {
		return
	}
	offer(choice{receives(" and dies"), true, func() { e.receive(batch); e.die() }})
	offer(choice{receives(" and can't read the secret"), true, func() { e.secretless = true; e.receive(batch) }})
	for _, d := range batch {
		again := func(twin bool) func() {
			return func() {
				e.receive(batch)
				other := *d
				other.name, other.by, other.visible = w.unlike(d.name), nil, time.Now()
				d.twin, other.twin = d.twin || twin, twin
				w.queue = append(w.queue, &other)
			}
		}
		offer(choice{receives(", and SQS hands out " + d.name + " again until it is deleted"), true, again(true)})
		offer(choice{receives(", and SQS hands out " + d.name + " again, be it deleted or not"), true, again(false)})
	}
}

// unlike returns a name for a copy that no message in the queue has.
func (w *world) unlike(name string) string {
	for slices.ContainsFunc(w.queue, func(d *delivery) bool { return d.name == name }) {
		name += "'"
	}
	return name
}

func names(batch []*delivery) string {
	text := batch[0].name
	for _, d := range batch[1:] {
		text += " and " + d.name
	}
	return text
}

// passes lets time pass until something may be otherwise, if no invocation lasts
// too long then.
func (w *world) passes(offer func(choice)) {
	now := time.Now()
	var next time.Duration
	moment := func(t time.Time) {
		if d := t.Sub(now); d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	for _, d := range w.queue {
		moment(d.visible)
		if !d.read() {
			continue
		}
		s := d.message.Watch
		moment(began(s).Add(w.grace))
		moment(s.Since.Add(w.deadline))
		for since, limit := range map[time.Time]time.Duration{s.NotFoundSince: apart, s.UnexplainedSince: maxUnexplained, s.OverdueSince: maxThrottled} {
			if !since.IsZero() {
				moment(since.Add(limit))
			}
		}
	}
	latest := time.Duration(1 << 62)
	for _, e := range w.executions {
		if !e.busy() {
			continue
		}
		latest = min(latest, e.invoked.Add(min(worldTimeout, w.lasts)).Sub(now))
		if len(e.calls) == 0 {
			next = worldDelay // it waits for its limiter
		}
	}
	if next > 0 && next < latest {
		offer(choice{said("%s pass", next), false, func() { time.Sleep(next) }})
	}
}

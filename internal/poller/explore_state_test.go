package poller

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"refresh-poller/internal/ledger"
	"refresh-poller/internal/watch"
)

// State tells two worlds apart from which different things may follow. What only
// gets into the texts of events, or into a delay within its bounds, which are one
// here, is left out: errors, the number of failures, when a job was last seen.
// Times count by their distance, up to where they have no effect any more, polls by
// how far they are from those of the watch's hindmost message. Which of the two
// executions does something doesn't count.
func (w *world) State() string {
	hindmost := w.hindmost()
	var common strings.Builder
	fmt.Fprint(&common, w.left, w.jobs, len(w.letters) > 0, w.collection.state(w), len(w.later))
	// fmt writes maps in their order.
	fmt.Fprint(&common, w.says)
	if w.progress {
		fmt.Fprint(&common, w.ids)
	}
	var recent []int64
	for _, at := range w.described {
		if age := time.Since(at); w.share > 0 && age < time.Second {
			recent = append(recent, int64(age))
		}
	}
	slices.Sort(recent)
	fmt.Fprintln(&common, recent)
	first, second := w.seen(hindmost, 0, 1), w.seen(hindmost, 1, 0)
	return common.String() + min(first, second)
}

// hindmost has the fewest polls, or turns, of a message, for each watch that has one.
func (w *world) hindmost() map[string]int {
	polls := map[string]int{}
	for _, d := range w.deliveries() {
		if n, known := polls[d.message.Watch.ID]; !known || d.message.Turn() < n {
			polls[d.message.Watch.ID] = d.message.Turn()
		}
	}
	return polls
}

// seen is the queue and the executions, in that order.
func (w *world) seen(hindmost map[string]int, order ...int) string {
	var executions []string
	for _, number := range order {
		executions = append(executions, w.executions[number].state(hindmost))
	}
	copies := map[string][]string{}
	for _, d := range w.deliveries() {
		text, under := fmt.Sprint(age(d.visible, 0), d.twin, slices.Contains(w.queue, d)), time.Duration(0)
		if d.by != nil {
			under = time.Since(d.by.invoked)
			text += fmt.Sprint(" in ", order[d.by.number], " at ", slices.Index(d.by.batch, d))
		}
		text += fmt.Sprint(" ", d.lineage.falls, age(d.lineage.failed, 1), age(d.lineage.asked, under+w.grace))
		copies[d.id] = append(copies[d.id], text+" "+w.content(d.message, hindmost, under))
	}
	var messages []string
	for _, texts := range copies {
		slices.Sort(texts)
		messages = append(messages, strings.Join(texts, " = "))
	}
	slices.Sort(messages)
	return strings.Join(messages, "\n") + "\n" + strings.Join(executions, "\n")
}

// age is how long ago something was, or -1; more than limit counts as that.
func age(t time.Time, limit time.Duration) time.Duration {
	if t.IsZero() {
		return -1
	}
	return min(time.Since(t), limit)
}

// content is what a message says that has been in flight for that time: the moment
// that counts may be the one at which it was received.
func (w *world) content(m watch.Message, hindmost map[string]int, under time.Duration) string {
	s := m.Watch
	text := fmt.Sprint(m.Ref().ID, " ", s.ID, " ", m.Turn()-hindmost[s.ID], age(s.Since, under+max(w.deadline, w.grace)),
		age(s.NotFoundSince, under+apart), age(s.UnexplainedSince, under+maxUnexplained), age(s.OverdueSince, under+maxThrottled))
	if m.AsksForRefresh() {
		text += fmt.Sprint(s.Joined, age(s.Started, under+w.grace), s.Known == nil, s.Known, s.Job.State)
	}
	if w.progress {
		text += fmt.Sprint(s.Job.State, percent(s.Job), s.Restarts)
	}
	return text
}

// memory is what an execution knows from one invocation to the next, as far as
// there are messages that it may matter for.
func (e *execution) memory(hindmost map[string]int) string {
	w, text := e.world, ""
	for i, m := range w.watches {
		if n, some := hindmost[m.Watch.ID]; some {
			text += fmt.Sprint(max(e.known(w.origins[i])-n, 0), " ")
		}
	}
	if w.share > 0 {
		var recent []time.Duration
		for _, at := range append([]time.Time{e.began}, e.described...) {
			if age := time.Since(at); age < time.Second {
				recent = append(recent, age)
			}
		}
		text += fmt.Sprint(recent)
	}
	return text + fmt.Sprint(e.poller.Limiter.Held())
}

// known is the fewest polls with which a message is not behind.
func (e *execution) known(watch ledger.Origin) int {
	const most = 1000 // more than a watch comes to
	polls := 0
	if e.poller.ledger.Behind(watch, most) {
		return most + 1
	}
	for e.poller.ledger.Behind(watch, polls) {
		polls++
	}
	return polls
}

// state is that of the memory, and of the invocation. Once messages are made for
// the answers, these have no effect any more.
func (e *execution) state(hindmost map[string]int) string {
	text := e.memory(hindmost)
	if !e.busy() {
		return text
	}
	text += fmt.Sprint(" since ", time.Since(e.invoked))
	for i, d := range e.batch {
		if at, asked := e.asked[d]; asked {
			text += fmt.Sprint(" asked for ", i, " ", time.Since(at))
		}
	}
	waits := slices.ContainsFunc(e.calls, (*request).describes) || len(e.calls) == 0
	early := e.world.progress && slices.ContainsFunc(e.calls, func(c *request) bool { return c.name == "publish" })
	for _, c := range e.past {
		if !c.describes() || waits || early {
			text += "\n" + e.world.request(&c, hindmost) + c.chosen.label
		}
	}
	for _, c := range e.calls {
		text += "\nwaits " + e.world.request(c, hindmost)
	}
	return text
}

func (w *world) request(c *request, hindmost map[string]int) string {
	text := c.name
	if c.describes() {
		text += fmt.Sprint(time.Since(c.at))
	}
	for _, p := range c.parts {
		text += "\n" + p.text
		if p.message.Watch.ID != "" {
			text += w.content(p.message, hindmost, 0)
		}
	}
	return text
}

package poller

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"refresh-poller/internal/milvus"
)

// asks is the part of a scope whose messages ask for refreshes, all of one
// collection.
type asks struct {
	// running says that a refresh runs that began before them, others how many more
	// somebody else may start.
	running bool
	others  int
	// later are bodies that may be sent after the others.
	later []string
	// hides is how long a refresh that began may not be visible.
	hides time.Duration
	// undated is a cluster that never tells its time.
	undated bool
}

// outside is for how long more messages may be sent, and others' refreshes started.
const outside = 10 * time.Second

// stage is how far a refresh has come.
type stage int

const (
	hidden stage = iota
	underWay
	over
)

var stages = map[stage]milvus.Job{
	underWay: {CollectionName: "books", State: runs},
	over:     {CollectionName: "books", State: done, Outcome: milvus.Succeeded},
}

// begunRefresh is one that the cluster has begun.
type begunRefresh struct {
	id    string
	at    time.Time
	stage stage
	ours  bool
}

// collection is what the cluster knows. Of its refreshes all but the last are over.
type collection struct {
	refreshes []*begunRefresh
	// handed counts the ids that were handed out, some of no refresh.
	handed int
}

func (a asks) collection() (c collection) {
	if a.running {
		c.begin(false).at = time.Now().Add(-worldDelay)
		c.refreshes[0].stage = underWay
	}
	return c
}

func (c *collection) begin(ours bool) *begunRefresh {
	c.handed++
	r := &begunRefresh{id: strconv.Itoa(c.handed), at: time.Now(), ours: ours}
	c.refreshes = append(c.refreshes, r)
	return r
}

// unended returns the refresh that is not over, or nil.
func (c *collection) unended() *begunRefresh {
	if n := len(c.refreshes); n > 0 && c.refreshes[n-1].stage != over {
		return c.refreshes[n-1]
	}
	return nil
}

func (c *collection) state(w *world) (text string) {
	for _, r := range c.refreshes {
		text += fmt.Sprint(r.id, " ", time.Since(r.at), r.stage, r.ours, ", ")
	}
	if len(w.later) > 0 || w.others > 0 {
		text += fmt.Sprint(min(time.Since(w.began), outside+1), w.others)
	}
	return text + fmt.Sprint(c.handed)
}

// sends has somebody send one more message.
func (w *world) sends(offer func(choice)) {
	if len(w.later) == 0 || time.Since(w.began) > outside {
		return
	}
	name := string(rune('a' + len(w.bodies) + len(w.watches)))
	offer(choice{said("%s is sent", name), false, func() {
		w.enqueue(w.later[0], name)
		w.later = w.later[1:]
	}})
}

// startsOther has somebody start a refresh, as long as there are messages.
func (w *world) startsOther(offer func(choice)) {
	if w.others == 0 || time.Since(w.began) > outside || w.unended() != nil || len(w.queue) == 0 {
		return
	}
	offer(choice{said("another starts a refresh"), false, func() { w.others--; w.begin(false) }})
}

// stagesOf are those in which the cluster may find the refresh that is not over.
func (w *world) stagesOf(r *begunRefresh) (all []stage) {
	age := time.Since(r.at)
	if r.stage == hidden && age < w.hides {
		all = append(all, hidden)
	}
	all = append(all, underWay)
	if age > 0 {
		all = append(all, over)
	}
	return all
}

// told are the answers about a job.
func (w *world) told(id string) (all []outcome) {
	for _, r := range w.refreshes {
		switch {
		case r.id != id:
		case r.stage == over:
			all = append(all, outcome{label: "it is completed", reply: stages[over]})
		default:
			for _, stage := range w.stagesOf(r) {
				o := outcome{label: "not found", effect: func() { r.stage = stage }, reply: unknown}
				if job, visible := stages[stage]; visible {
					o.label, o.reply = job.State, job
				}
				all = append(all, o)
			}
		}
	}
	if len(all) == 0 {
		all = append(all, outcome{label: "not found", reply: unknown})
	}
	return append(all, faulty(milvus.Temporary), faulty(milvus.Throttled), faulty(milvus.Refused))
}

func (e *execution) List(ctx context.Context, _ string, _ milvus.Collection) (milvus.List, error) {
	w := e.world
	reply := e.ask(ctx, &request{name: "list", outcomes: func() (all []outcome) {
		if r := w.unended(); r != nil {
			for _, stage := range w.stagesOf(r) {
				o := w.listed(stage, !w.undated)
				o.effect = func() { r.stage = stage }
				all = append(all, o)
			}
		} else {
			all = append(all, w.listed(over, !w.undated))
		}
		if n := len(all) - 1; !w.undated {
			o := all[n]
			o.fault, o.label = true, o.label+" without a Date"
			list := o.reply.(milvus.List)
			list.Clock.Known = false
			o.reply = list
			all = append(all, o)
		}
		return append(all, faulty(milvus.Temporary), faulty(milvus.Throttled), faulty(milvus.Refused), faulty(milvus.Impossible))
	}})
	list, _ := reply.(milvus.List)
	err, _ := reply.(error)
	return list, err
}

// listed is an answer in which the last refresh is at that stage.
func (w *world) listed(last stage, dated bool) outcome {
	list := milvus.List{Jobs: []milvus.Listed{}, Clock: milvus.Clock{Known: dated}}
	var words []string
	for i, r := range slices.Backward(w.refreshes) {
		at := r.stage
		if i == len(w.refreshes)-1 {
			at = last
		}
		if job, visible := stages[at]; visible {
			job.StartTime = r.at
			list.Jobs = append(list.Jobs, milvus.Listed{ID: r.id, Job: job})
			words = append(words, r.id+" "+job.State)
		}
	}
	return outcome{label: "[" + strings.Join(words, ", ") + "]", reply: list}
}

func (e *execution) Start(ctx context.Context, _ string, _ milvus.Collection) (string, error) {
	reply := e.ask(ctx, &request{name: "start", outcomes: e.starts})
	id, _ := reply.(string)
	err, _ := reply.(error)
	return id, err
}

// starts are the outcomes of a start. While another refresh is not over, some servers
// refuse it, and the older ones hand out an id that never appears.
func (e *execution) starts() (all []outcome) {
	w := e.world
	// perhaps is an outcome of which the poller can't know, or does, that it began one.
	perhaps := func(label string, fault bool, effect func(), reply any) {
		all = append(all, outcome{label, fault, func() { effect(); e.hasAsked() }, reply})
	}
	lost := error(&milvus.Error{Kind: milvus.Temporary, Message: "a fault", Unsure: true})
	id := strconv.Itoa(w.handed + 1)
	begin, nothing := func() { w.begin(true) }, func() {}
	if r := w.unended(); r != nil {
		begin = nothing
		perhaps("the id "+id+", which never appears", false, func() { w.handed++ }, id)
		if r.stage != hidden {
			busy := func(id string) outcome {
				return outcome{label: "busy " + id, reply: error(&milvus.Error{Kind: milvus.Busy, Code: 703, JobID: id, Message: "a refresh runs"})}
			}
			all = append(all, busy(r.id), busy(""))
		}
	} else {
		perhaps("the id "+id, false, begin, id)
	}
	perhaps("the answer is lost", true, begin, lost)
	perhaps("it is lost", true, nothing, lost)
	perhaps("the function dies after", true, begin, nil)
	all = append(all, outcome{"the function dies before", true, nil, nil})
	return append(all, faulty(milvus.Temporary), faulty(milvus.Throttled), faulty(milvus.Refused), faulty(milvus.Impossible))
}

// hasAsked takes down that a start may have had an effect.
func (e *execution) hasAsked() {
	for _, c := range e.calls {
		if c.name == "start" {
			for _, d := range e.needing {
				e.asked[d] = c.at
			}
		}
	}
}

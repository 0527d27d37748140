package poller

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"testing/synctest"
	"time"

	"refresh-poller/internal/ledger"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/explore"
	"refresh-poller/internal/watch"
)

// scope is a small world: what is in it, and how much may go wrong.
type scope struct {
	// bodies are in the queue at the start. Those that can't be read begin with "bad".
	bodies []string
	// faults is how many there may be: crashes, copies, refusals, lost answers.
	faults int
	// fewer is how many of them the scope is spared, for what it takes.
	fewer int
	// visibility is the queue's. No invocation lasts as long, nor for lasts.
	visibility time.Duration
	lasts      time.Duration
	deadline   time.Duration
	grace      time.Duration
	life       life
	progress   bool // is published
	// asks is for messages that ask for a refresh; then there is no life.
	asks
	// share is that of an execution in the limit of describes, which is checked if
	// there is one.
	share float64
	// mutant is what is wrong with the poller, on purpose.
	mutant mutant
}

// All delays are of 5 s, so that all moments are alike.
const (
	worldDelay = 5 * time.Second
	// worldTimeout is when sending has to be over (newBudget).
	worldTimeout = modelTimeout * 98 / 100
)

// world is one schedule of two executions of the real poller. All that happens
// in it happens in Take: the pollers' calls wait until their outcome is chosen.
type world struct {
	scope
	collection
	began      time.Time
	executions [2]*execution
	queue      []*delivery
	letters    []string // bodies
	jobs       map[milvus.Ref]int
	watches    []watch.Message // as they began
	origins    []ledger.Origin
	ended      map[string]bool   // by the watch's id
	left       int               // of the faults
	described  []time.Time       // what was answered to executions that died
	sent       int               // messages, by the executions
	says, ids  map[string]string // of events by their id, and ids by what brought them
	offered    []choice
	wrong      []error
}

// delivery is a message as SQS may hand it out; of one message there may be
// several.
type delivery struct {
	modelMessage
	message watch.Message // unless it can't be read
	name    string
	lineage lineage
	twin    bool       // deleted with the others of its id
	by      *execution // that has it in flight
}

// lineage is what a message's chain of polls was told and did, whatever the message
// says.
type lineage struct {
	falls  int       // of the progress
	failed time.Time // when a failure without a reason was first asked for
	asked  time.Time // when a start was last asked for that may have had an effect
}

func newSystem(within func(func()), s scope) explore.System {
	return explore.System{Within: within, New: func() explore.World { return newWorld(s) }}
}

func newWorld(s scope) *world {
	w := &world{scope: s, collection: s.asks.collection(), began: time.Now(), left: s.faults, jobs: map[milvus.Ref]int{}, ended: map[string]bool{}, says: map[string]string{}, ids: map[string]string{}}
	for i := range w.executions {
		w.executions[i] = w.newExecution(i)
	}
	for i, body := range s.bodies {
		w.enqueue(body, string(rune('a'+i)))
	}
	return w
}

func (w *world) newExecution(number int) *execution {
	e := &execution{world: w, number: number, began: time.Now()}
	s := settings
	s.MinDelay, s.MaxDelay, s.Deadline, s.Grace, s.PublishProgress = worldDelay, worldDelay, w.deadline, w.grace, w.progress
	s.StartRefreshes = true
	limit := limiter.New(64) // more than an execution asks for in a second
	if w.share > 0 {
		limit = limiter.New(w.share)
		limit.Spend()
	}
	e.poller = &Poller{
		Settings: s, JobQueueURL: jobQueue, DeadLetterQueueURL: deadLetterQueue,
		JobKind: milvus.ExternalCollection, EventBusName: "bus", EventSource: "refresh-poller",
		Cluster: e, Refreshes: e, Tokens: e, SQS: e, EventBridge: e, Limiter: limit,
		Log: slog.New(slog.DiscardHandler), Metrics: io.Discard, Stack: "stack-1",
	}
	if w.mutant.build != nil {
		w.mutant.build(e)
	}
	return e
}

// enqueue has a producer send a message, which may be one that can't be read.
func (w *world) enqueue(body, id string) {
	now := time.Now()
	d := &delivery{name: id, modelMessage: modelMessage{id: id, body: body, sent: now, visible: now}}
	d.message, _ = watch.Parse(body, id, now, milvus.ExternalCollection)
	w.queue = append(w.queue, d)
	if d.read() {
		w.watches = append(w.watches, d.message)
		w.origins = append(w.origins, ledger.OriginOf(d.message))
	}
}

// read reports whether the message can be read.
func (d *delivery) read() bool { return d.message.Watch.ID != "" }

// sendOn enqueues a message of a watch, for an execution. It comes late rather than between the
// moments at which all else happens.
func (w *world) sendOn(e *execution, body string, message watch.Message, delay time.Duration) {
	w.sent++
	now, id := time.Now(), strconv.Itoa(w.sent)
	since := now.Add(delay).Sub(message.Watch.Since)
	delay += (worldDelay - since%worldDelay) % worldDelay
	w.queue = append(w.queue, &delivery{name: id, message: message, lineage: e.lineage(message), modelMessage: modelMessage{id: id, body: body, sent: now, visible: now.Add(delay)}})
}

func (w *world) Choices() int {
	w.offered = w.offered[:0]
	for _, offer := range environment {
		offer(w, func(c choice) {
			if !c.fault || w.left > 0 {
				w.offered = append(w.offered, c)
			}
		})
	}
	if len(w.offered) == 0 && len(w.queue) > 0 {
		w.offered = append(w.offered, choice{words: said("nothing"), take: func() { w.fail("%d messages are left, and nothing more happens", len(w.queue)) }})
	}
	return len(w.offered)
}

func (w *world) Words(i int) string { return w.offered[i].words() }

func (w *world) Take(i int) error {
	c := w.offered[i]
	if c.fault {
		w.left--
	}
	for _, e := range w.executions {
		e.fence()
	}
	c.take()
	synctest.Wait()
	w.answer()
	return w.check()
}

func (w *world) Close() {
	for _, e := range w.executions {
		e.stop()
	}
}

// answer has SQS delete what executions that are done have dealt with. When they
// answer can't matter: until then SQS hands nothing of it out.
func (w *world) answer() {
	for _, e := range w.executions {
		if !e.done {
			continue
		}
		if w.mutant.after != nil {
			w.mutant.after(e)
		}
		failed := map[string]bool{}
		for _, f := range e.response.BatchItemFailures {
			failed[f.ItemIdentifier] = true
			if !slices.ContainsFunc(e.batch, func(d *delivery) bool { return d.id == f.ItemIdentifier }) {
				w.fail("the response names %q, which is not in the batch", f.ItemIdentifier)
			}
		}
		for _, d := range e.batch {
			d.by = nil
			if !failed[d.id] {
				w.remove(d)
			}
		}
		e.cancel()
		e.invocation = invocation{}
	}
}

func (w *world) remove(d *delivery) {
	w.queue = slices.DeleteFunc(w.queue, func(other *delivery) bool {
		return other == d || d.twin && other.twin && other.id == d.id
	})
}

// deliveries are those of the queue, and those in flight that another copy was
// deleted with.
func (w *world) deliveries() []*delivery {
	all := slices.Clone(w.queue)
	for _, e := range w.executions {
		for _, d := range e.batch {
			if !slices.Contains(w.queue, d) {
				all = append(all, d)
			}
		}
	}
	return all
}

func (w *world) fail(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Errorf(format, args...))
}

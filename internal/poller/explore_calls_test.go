package poller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// execution is an environment of the function: a poller with its memory, the
// invocation under way, and all that the poller calls.
type execution struct {
	world  *world
	number int
	poller *Poller
	began  time.Time
	// described is when describes were answered.
	described []time.Time

	invocation
}

// invocation is empty while there is none.
type invocation struct {
	batch      []*delivery
	invoked    time.Time
	cancel     context.CancelFunc
	secretless bool
	past       []request // that were answered
	// needing are those that the start asked for last is for, asked when one was asked
	// for that may have had an effect.
	needing []*delivery
	asked   map[*delivery]time.Time

	mu       sync.Mutex // guards what the poller's goroutines write
	calls    []*request
	done     bool
	response events.SQSEventResponse
}

// request waits for its outcome.
type request struct {
	name     string
	at       time.Time
	outcomes func() []outcome
	parts    []part
	chosen   outcome
	judged   bool // whether a start is asked for
	reply    chan any
}

// part is one entry of a batch call: a message, unless that is text.
type part struct {
	message watch.Message
	text    string
}

// outcome is what becomes of a call: effect, which may be nil, then the reply. If
// it has none, the execution dies instead.
type outcome struct {
	label  string
	fault  bool
	effect func()
	reply  any
}

func (e *execution) String() string { return fmt.Sprintf("execution %d", e.number+1) }

func (e *execution) busy() bool { return e.batch != nil }

func (e *execution) receive(batch []*delivery) {
	now := time.Now()
	e.batch, e.invoked, e.asked = batch, now, map[*delivery]time.Time{}
	var event events.SQSEvent
	for _, d := range batch {
		d.by, d.visible = e, now.Add(e.world.visibility)
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: d.id, Body: d.body,
			Attributes: map[string]string{"SentTimestamp": fmt.Sprint(d.sent.UnixMilli())},
		})
	}
	if e.world.mutant.before != nil {
		e.world.mutant.before(e)
	}
	ctx, cancel := context.WithTimeout(context.Background(), modelTimeout)
	e.cancel = cancel
	go func() {
		response, err := e.poller.Handle(ctx, event)
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.done, e.response = true, response; err != nil {
			e.response.BatchItemFailures = []events.SQSBatchItemFailure{{ItemIdentifier: err.Error()}}
		}
	}()
}

// fence tells the race detector that what was read until now was read before the
// poller's goroutines go on.
func (e *execution) fence() {
	e.mu.Lock()
	defer e.mu.Unlock()
}

// stop has the invocation's calls fail, without an effect.
func (e *execution) stop() {
	if e.busy() {
		e.cancel()
		synctest.Wait()
	}
}

// die puts an execution that remembers nothing in the place of this one.
func (e *execution) die() {
	synctest.Wait()
	w := e.world
	for _, c := range e.calls {
		if c.describes() {
			w.described = append(w.described, time.Now())
		}
	}
	w.described = append(w.described, e.described...)
	e.stop()
	for _, d := range e.batch {
		d.by = nil
	}
	w.executions[e.number] = w.newExecution(e.number)
}

// ask waits until the outcome of a call is chosen, or ctx is done.
func (e *execution) ask(ctx context.Context, c *request) any {
	c.at, c.reply = time.Now(), make(chan any)
	e.mu.Lock()
	e.calls = append(e.calls, c)
	slices.SortFunc(e.calls, func(a, b *request) int { return strings.Compare(a.name, b.name) })
	e.mu.Unlock()
	select {
	case reply := <-c.reply:
		return reply
	case <-ctx.Done():
		e.answered(c, outcome{label: "no answer", reply: ctx.Err()})
		return ctx.Err()
	}
}

func (e *execution) answered(c *request, o outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = slices.DeleteFunc(e.calls, func(other *request) bool { return other == c })
	if c.describes() {
		e.described = append(e.described, time.Now())
	}
	c.chosen = o
	e.past = append(e.past, *c)
}

// describes reports whether the cluster is asked.
func (c *request) describes() bool {
	return strings.HasPrefix(c.name, "describe") || c.name == "list" || c.name == "start"
}

func (e *execution) conclude(c *request, o outcome) {
	if o.effect != nil {
		o.effect()
	}
	e.answered(c, o)
	if o.reply == nil {
		e.die()
		return
	}
	c.reply <- o.reply
}

func (e *execution) Token(context.Context, time.Time) (string, error) {
	if e.secretless {
		return "", errModel
	}
	return "token", nil
}

func (e *execution) Describe(ctx context.Context, _ string, job milvus.Ref) (milvus.Job, error) {
	w := e.world
	reply := e.ask(ctx, &request{name: "describe " + job.ID, outcomes: func() (all []outcome) {
		if w.life == nil {
			return w.told(job.ID)
		}
		for _, phase := range w.life[w.jobs[job]].next {
			p := w.life[phase]
			all = append(all, outcome{label: p.label, effect: func() { w.jobs[job] = phase }, reply: p.reply})
		}
		return append(all, faulty(milvus.Temporary), faulty(milvus.Throttled), faulty(milvus.Refused),
			outcome{label: "a panic", fault: true, reply: "a bug"})
	}})
	switch reply := reply.(type) {
	case milvus.Job:
		return reply, nil
	case error:
		return milvus.Job{}, reply
	}
	panic(reply)
}

// faulty is a fault of the cluster.
func faulty(kind milvus.ErrorKind) outcome {
	return outcome{label: string(kind), fault: true, reply: error(&milvus.Error{Kind: kind, Message: "a fault"})}
}

// verdict says what a batch call answers.
type verdict struct {
	refused uint // a bit for each entry
	silent  bool // of all entries
	err     error
}

// send is a batch call: effect is that of one entry.
func (e *execution) send(ctx context.Context, name string, parts []part, effect func(i int)) verdict {
	some := func(refused uint, times int) func() {
		return func() {
			for range times {
				for i := range parts {
					if refused>>i&1 == 0 {
						effect(i)
					}
				}
			}
		}
	}
	all, none := some(0, 1), func() {}
	outcomes := []outcome{
		{"taken", false, all, verdict{}},
		{"the answer is lost", true, all, verdict{err: errModel}},
		{"the answer names no entry", true, all, verdict{silent: true}},
		{"it fails", true, none, verdict{err: errModel}},
		{"taken twice", true, some(0, 2), verdict{}},
		{"the function dies before", true, none, nil},
		{"the function dies after", true, all, nil},
	}
	for refused := uint(1); refused < 1<<len(parts); refused++ {
		label := "refused"
		for i := range parts {
			if refused>>i&1 == 1 {
				label += fmt.Sprintf(" %d", i)
			}
		}
		outcomes = append(outcomes, outcome{label, true, some(refused, 1), verdict{refused: refused}})
	}
	reply := e.ask(ctx, &request{name: name, parts: parts, outcomes: func() []outcome { return outcomes }})
	if err, ok := reply.(error); ok {
		return verdict{err: err}
	}
	return reply.(verdict)
}

func (e *execution) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	name, w := "send", e.world
	parts := make([]part, len(in.Entries))
	for i, entry := range in.Entries {
		parts[i].text = fmt.Sprint(entry.DelaySeconds)
		parts[i].message, _ = watch.Parse(*entry.MessageBody, "", time.Now(), milvus.ExternalCollection)
	}
	effect := func(i int) {
		entry := in.Entries[i]
		w.sendOn(e, *entry.MessageBody, parts[i].message, time.Duration(entry.DelaySeconds)*time.Second)
	}
	if *in.QueueUrl == deadLetterQueue {
		name, effect = "reject", func(i int) { w.letters = append(w.letters, *in.Entries[i].MessageBody) }
	}
	t := e.send(ctx, name, parts, effect)
	out := &sqs.SendMessageBatchOutput{}
	for i, entry := range in.Entries {
		switch {
		case t.silent:
		case t.refused>>i&1 == 1:
			out.Failed = append(out.Failed, sqstypes.BatchResultErrorEntry{Id: entry.Id, Code: aws.String("InternalError")})
		default:
			out.Successful = append(out.Successful, sqstypes.SendMessageBatchResultEntry{Id: entry.Id})
		}
	}
	return out, t.err
}

func (e *execution) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	parts := make([]part, len(in.Entries))
	for i, entry := range in.Entries {
		parts[i].text = detailOf(entry).ID
	}
	t := e.send(ctx, "publish", parts, func(i int) { e.world.publish(e, detailOf(in.Entries[i])) })
	out := &eventbridge.PutEventsOutput{}
	for i := range in.Entries {
		result := eventtypes.PutEventsResultEntry{}
		if t.refused>>i&1 == 1 {
			result.ErrorCode = aws.String("InternalFailure")
		}
		if !t.silent {
			out.Entries = append(out.Entries, result)
		}
	}
	return out, t.err
}

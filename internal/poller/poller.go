// Package poller is the loop's one turn: a batch of messages in, one describe
// for each job, and each message re-enqueued, ended by an event, or rejected to
// the dead-letter queue.
//
// This file tells the story; decide.go holds the decision, which is pure.
package poller

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"refresh-poller/internal/ledger"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/metric"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// Poller handles batches. All exported fields must be set; it is then safe for
// concurrent use, and made once for the process.
type Poller struct {
	Settings Settings

	// JobQueueURL and DeadLetterQueueURL are SQS standard queues.
	JobQueueURL, DeadLetterQueueURL string
	// JobKind is that of a message that names none.
	JobKind milvus.JobKind
	// EventBusName and EventSource address the events.
	EventBusName, EventSource string

	Cluster interface {
		Describe(ctx context.Context, token string, job milvus.Ref) (milvus.Job, error)
	}
	// Refreshes is asked for what messages ask that have no job yet.
	Refreshes interface {
		List(ctx context.Context, token string, of milvus.Collection) (milvus.List, error)
		Start(ctx context.Context, token string, of milvus.Collection) (string, error)
	}
	Tokens interface {
		Token(ctx context.Context, newerThan time.Time) (string, error)
	}
	SQS interface {
		SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	}
	EventBridge interface {
		PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
	}
	Limiter *limiter.Limiter
	Log     *slog.Logger
	// Metrics takes one line a batch, in one Write; it is of the stack named
	// Stack.
	Metrics io.Writer
	Stack   string
	// ConfigurationFaults is how many parameters are wrong, 0 at best; each line
	// has them.
	ConfigurationFaults int

	ledger ledger.Ledger
}

// item is one message on its way through the batch.
type item struct {
	record   events.SQSMessage
	message  watch.Message
	answer   Answer
	decision Decision
	// err fails the batch item, so that SQS delivers the message again.
	err error
	// origin tells its watch from others, once the message is read.
	origin ledger.Origin
}

// Handle polls every message of the batch once. Its error is always nil: only
// the messages that it names as failures are delivered again, and they are those
// that SQS or EventBridge would not take, or that made it panic.
func (p *Poller) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	budget := newBudget(ctx, time.Now())
	log := p.Log
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		log = log.With("awsRequestId", lc.AwsRequestID)
	}
	if id := recordedTrace(traceHeader(ctx)); id != "" {
		log = log.With("traceId", id)
	}

	items := make([]*item, len(batch.Records))
	for i, record := range batch.Records {
		items[i] = &item{record: record}
		items[i].guard(func() { items[i].read(p.JobKind, p.Settings.StartRefreshes) })
	}
	p.dropForks(items)
	p.describe(ctx, log, budget, items)
	for _, it := range items {
		it.guard(func() {
			it.decide(p.Settings)
			it.log(ctx, log)
		})
	}
	p.send(ctx, log, budget, items)
	p.enter(items)
	end := time.Now()
	measured := measure(items, end)
	for range p.ConfigurationFaults {
		measured.Count(metric.ConfigurationFaults)
	}
	// Whoever can't write here can't log it either.
	_, _ = p.Metrics.Write(measured.Line(p.Stack, end))
	return respond(ctx, log, items), nil
}

// guard keeps a panic in one message's handling from the others. The message
// comes back, and goes to the dead-letter queue if it panics every time.
func (it *item) guard(handle func()) {
	defer func() {
		if r := recover(); r != nil {
			it.err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	if it.err == nil {
		handle()
	}
}

func (it *item) read(kind milvus.JobKind, startRefreshes bool) {
	sent := time.Now()
	// SQS always says; a sample event written by hand may not.
	if ms, err := strconv.ParseInt(it.record.Attributes["SentTimestamp"], 10, 64); err == nil && ms > 0 {
		sent = time.UnixMilli(ms).UTC()
	}
	message, err := watch.Parse(it.record.Body, it.record.MessageId, sent, kind)
	if err == nil {
		err = message.Permitted(startRefreshes)
	}
	if err != nil {
		it.decision = Decision{Action: Reject, Reason: err.Error()}
		return
	}
	it.message = message
}

// decided reports whether there is no job to describe.
func (it *item) decided() bool { return it.err != nil || it.decision.Action != "" }

func (it *item) decide(s Settings) {
	if !it.decided() {
		it.decision = Decide(s, it.message, it.answer, time.Now())
	}
}

// log writes the line of the decision. It never holds a body.
func (it *item) log(ctx context.Context, log *slog.Logger) {
	d := it.decision
	kind, jobID := string(it.message.Kind), cmp.Or(d.Next.Ref().ID, it.message.Ref().ID)
	switch d.Action {
	case Reject:
		log.WarnContext(ctx, "message rejected", "action", d.Action, "messageId", it.record.MessageId, "reason", d.Reason)
		return
	case Drop:
		log.InfoContext(ctx, "message dropped", "kind", kind, "jobId", jobID, "watchId", it.message.Watch.ID, "poll", it.message.Watch.Polls+1,
			"action", d.Action, "messageId", it.record.MessageId, "reason", d.Reason)
		return
	}
	w := d.Next.Watch
	attrs := []slog.Attr{
		slog.String("kind", kind),
		slog.String("jobId", jobID),
		slog.String("watchId", w.ID),
		slog.Time("since", w.Since),
		slog.Int("poll", w.Polls),
		slog.String("action", string(d.Action)),
	}
	state := w.Job.State
	if d.Event != nil {
		state = d.Event.State
		attrs = append(attrs, slog.String("eventId", d.Event.ID))
		if d.Event.Terminal {
			attrs = append(attrs, slog.String("outcome", string(d.Event.Outcome)))
		}
	}
	if state != "" {
		attrs = append(attrs, slog.String("state", state))
	}
	if collection := cmp.Or(w.Job.CollectionName, it.message.Refresh.Name); collection != "" {
		attrs = append(attrs, slog.String("collection", collection))
	}
	if w.Job.Progress != nil {
		attrs = append(attrs, slog.Int("progress", *w.Job.Progress))
	}
	if d.Action == Reenqueue {
		attrs = append(attrs, slog.Int64("delaySeconds", int64(d.Delay/time.Second)))
	}
	if d.Reason != "" {
		attrs = append(attrs, slog.String("reason", d.Reason))
	}
	level := slog.LevelInfo
	if f := it.answer.Failure; f != nil {
		attrs = append(attrs, slog.String("errorKind", string(f.Kind)), slog.String("error", f.Error()))
		if f.Kind == milvus.Refused || f.Kind == milvus.Misconfigured || f.Kind == milvus.Impossible {
			level = slog.LevelWarn
		}
	}
	log.LogAttrs(ctx, level, "job polled", attrs...)
}

func respond(ctx context.Context, log *slog.Logger, items []*item) events.SQSEventResponse {
	failures := []events.SQSBatchItemFailure{}
	for _, it := range items {
		if it.err == nil {
			continue
		}
		log.ErrorContext(ctx, "batch item failed", "messageId", it.record.MessageId, "error", it.err.Error())
		failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: it.record.MessageId})
	}
	return events.SQSEventResponse{BatchItemFailures: failures}
}

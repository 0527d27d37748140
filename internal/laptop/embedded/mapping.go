package embedded

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// Mapping feeds a handler from a queue, as Lambda's event source mapping does
// with ReportBatchItemFailures. One difference to know: Lambda kills a function
// that overruns its timeout. A goroutine can't be killed, so an overdue handler
// keeps its place until it returns, and its answer then counts for nothing.
type Mapping struct {
	Queues   *Queues
	QueueURL string
	// BatchSize is how many messages a handler gets at most. Zero means 10.
	BatchSize int
	// BatchWindow is how long to wait for a batch to fill up, from its first
	// message on. Zero means not at all.
	BatchWindow time.Duration
	// MaximumConcurrency is how many batches are handled at once. Zero means 2.
	MaximumConcurrency int
	// FunctionTimeout is the deadline of one invocation. Zero means 30 s. As in
	// AWS, it must not be above the queue's visibility timeout.
	FunctionTimeout time.Duration
	// Handler is the Lambda function.
	Handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)
	// Log gets one error for each batch that failed whole. Nil means nowhere.
	Log *slog.Logger
}

// Run invokes the handler until ctx is done, lets the invocations that are under
// way finish, each within its own deadline, and returns nil. It returns an error
// at once if AWS would not create the mapping.
func (m Mapping) Run(ctx context.Context) error {
	m.BatchSize = cmp.Or(m.BatchSize, 10)
	m.MaximumConcurrency = cmp.Or(m.MaximumConcurrency, 2)
	m.FunctionTimeout = cmp.Or(m.FunctionTimeout, 30*time.Second)
	m.Log = cmp.Or(m.Log, slog.New(slog.DiscardHandler))
	visibility, err := m.Queues.visibilityTimeout(m.QueueURL)
	if err != nil {
		return fmt.Errorf("map queue to function: %w", err)
	}
	if visibility < m.FunctionTimeout {
		return fmt.Errorf("map queue to function: visibility timeout %s is less than function timeout %s", visibility, m.FunctionTimeout)
	}

	var running sync.WaitGroup
	defer running.Wait()
	// A place is taken before messages are: whoever waits for a place must not
	// use up the visibility timeout and receive count of messages in hand.
	places := make(chan struct{}, m.MaximumConcurrency)
	for {
		select {
		case <-ctx.Done():
			return nil
		case places <- struct{}{}:
		}
		batch := m.collect(ctx)
		if ctx.Err() != nil {
			return nil // what was collected becomes visible again
		}
		running.Go(func() {
			defer func() { <-places }()
			m.invoke(ctx, batch)
		})
	}
}

// collect waits for messages and returns a batch, empty only if ctx is done.
func (m Mapping) collect(ctx context.Context) (batch []Message) {
	for len(batch) == 0 {
		if m.Queues.Wait(ctx, m.QueueURL) != nil {
			return nil
		}
		batch = m.Queues.Receive(m.QueueURL, m.BatchSize)
	}
	window, cancel := context.WithTimeout(ctx, m.BatchWindow)
	defer cancel()
	for len(batch) < m.BatchSize && m.Queues.Wait(window, m.QueueURL) == nil {
		batch = append(batch, m.Queues.Receive(m.QueueURL, m.BatchSize-len(batch))...)
	}
	return batch
}

// invoke hands a batch to the handler and deletes what it dealt with. The rest
// comes back by itself after the visibility timeout.
func (m Mapping) invoke(ctx context.Context, batch []Message) {
	requestID := newID()
	ctx = lambdacontext.NewContext(context.WithoutCancel(ctx), &lambdacontext.LambdaContext{AwsRequestID: requestID})
	ctx, cancel := context.WithTimeout(ctx, m.FunctionTimeout)
	defer cancel()
	failed, err := m.handle(ctx, batch)
	if err != nil {
		m.Log.Error("batch failed", "error", err, "requestId", requestID, "messages", len(batch))
		return
	}
	for _, msg := range batch {
		if !failed[msg.ID] {
			m.Queues.Delete(m.QueueURL, msg.ReceiptHandle)
		}
	}
}

// handle returns the ids of the messages that the handler reported as failed,
// or an error if that makes the whole batch fail.
func (m Mapping) handle(ctx context.Context, batch []Message) (failed map[string]bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	event, sent := events.SQSEvent{}, map[string]bool{}
	for _, msg := range batch {
		event.Records = append(event.Records, m.record(msg))
		sent[msg.ID] = true
	}
	response, err := m.Handler(ctx, event)
	if err != nil {
		return nil, fmt.Errorf("handler: %w", err)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("handler timed out after %s", m.FunctionTimeout)
	}
	failed = map[string]bool{}
	for _, f := range response.BatchItemFailures {
		if !sent[f.ItemIdentifier] {
			return nil, fmt.Errorf("handler reported an unknown itemIdentifier %q", f.ItemIdentifier)
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

// record returns the message in the form in which Lambda delivers it.
func (m Mapping) record(msg Message) events.SQSMessage {
	r := events.SQSMessage{
		MessageId:         msg.ID,
		ReceiptHandle:     msg.ReceiptHandle,
		Body:              msg.Body,
		Md5OfBody:         md5OfBody(msg.Body),
		Attributes:        msg.Attributes,
		MessageAttributes: map[string]events.SQSMessageAttribute{},
		EventSourceARN:    fmt.Sprintf("arn:aws:sqs:%s:%s:%s", region, account, path.Base(m.QueueURL)),
		EventSource:       "aws:sqs",
		AWSRegion:         region,
	}
	if len(msg.MessageAttributes) > 0 {
		r.Md5OfMessageAttributes = md5OfAttributes(msg.MessageAttributes)
	}
	for name, a := range msg.MessageAttributes {
		r.MessageAttributes[name] = events.SQSMessageAttribute{
			StringValue:      a.StringValue,
			BinaryValue:      a.BinaryValue,
			StringListValues: []string{},
			BinaryListValues: [][]byte{},
			DataType:         aws.ToString(a.DataType),
		}
	}
	return r
}

// Package e2e deploys template.yaml, as a release packages it, into an AWS
// emulator and drives the real binary there, from a message in the queue to an
// event on the bus. Only the event source mapping is in the plain package; the
// rest has the build tag e2e and is run by `make e2e`.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Mapping feeds a function from a queue over the SQS API, as Lambda's event
// source mapping does. Four differences to know: it asks an empty queue every
// Pause instead of waiting in a long poll; one receiver fills one batch after
// another, where Lambda has several; it never throttles; and what was not dealt
// with comes back after Again instead of the visibility timeout, minutes later.
type Mapping struct {
	Queue interface {
		ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
		DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
		ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	}
	QueueURL, QueueARN string
	// BatchSize is the most messages of an invocation: at most 10, what one
	// receive brings.
	BatchSize int
	// BatchWindow is how long to wait for a batch to fill up, from its first
	// message on.
	BatchWindow time.Duration
	// ReportBatchItemFailures has the function's response say what failed.
	// Without it, only an error fails anything.
	ReportBatchItemFailures bool
	// Environments are the execution environments, as many as
	// MaximumConcurrency. Each gets one batch at a time.
	Environments []Environment
	// Pause is how long to wait after a receive that brought nothing.
	Pause time.Duration
	// Again is when a message that failed comes back, in whole seconds.
	Again time.Duration
	// Log gets one error for each batch that failed whole, and for each call of
	// SQS that failed.
	Log *slog.Logger
}

// Environment is an execution environment of the function.
type Environment interface {
	Invoke(ctx context.Context, payload []byte) (response []byte, err error)
}

// Run invokes the function until ctx is done, and returns when the invocations
// that are under way have finished.
func (m Mapping) Run(ctx context.Context) {
	free := make(chan Environment, len(m.Environments))
	for _, environment := range m.Environments {
		free <- environment
	}
	var running sync.WaitGroup
	defer running.Wait()
	for {
		// A place is taken before messages are: whoever waits for a place must
		// not use up the visibility timeout of messages in hand.
		var environment Environment
		select {
		case <-ctx.Done():
			return
		case environment = <-free:
		}
		batch := m.collect(ctx)
		if ctx.Err() != nil {
			return // what was collected becomes visible again
		}
		running.Go(func() {
			defer func() { free <- environment }()
			m.invoke(context.WithoutCancel(ctx), environment, batch)
		})
	}
}

// collect waits for messages and returns a batch, empty only if ctx is done.
func (m Mapping) collect(ctx context.Context) []types.Message {
	batch := m.receive(ctx, m.BatchSize)
	for len(batch) == 0 && sleep(ctx, m.Pause) {
		batch = m.receive(ctx, m.BatchSize)
	}
	window, cancel := context.WithTimeout(ctx, m.BatchWindow)
	defer cancel()
	for len(batch) < m.BatchSize && sleep(window, m.Pause) {
		batch = append(batch, m.receive(ctx, m.BatchSize-len(batch))...)
	}
	return batch
}

func (m Mapping) receive(ctx context.Context, limit int) []types.Message {
	out, err := m.Queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &m.QueueURL, MaxNumberOfMessages: int32(limit),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		if ctx.Err() == nil {
			m.Log.Error("receive failed", "error", err)
		}
		return nil
	}
	return out.Messages
}

// sleep reports whether d passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// invoke hands a batch to the function and deletes what it dealt with. The rest
// comes back.
func (m Mapping) invoke(ctx context.Context, environment Environment, batch []types.Message) {
	failed, err := m.handle(ctx, environment, batch)
	if err != nil {
		m.Log.Error("batch failed", "error", err, "messages", len(batch))
	}
	var done []types.DeleteMessageBatchRequestEntry
	var again []types.ChangeMessageVisibilityBatchRequestEntry
	for i, message := range batch {
		id := aws.String(strconv.Itoa(i))
		if err != nil || failed[*message.MessageId] {
			again = append(again, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: id, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: int32(m.Again.Seconds()),
			})
		} else {
			done = append(done, types.DeleteMessageBatchRequestEntry{Id: id, ReceiptHandle: message.ReceiptHandle})
		}
	}
	if err := m.delete(ctx, done); err != nil {
		m.Log.Error("delete failed", "error", err)
	}
	if err := m.giveBack(ctx, again); err != nil {
		m.Log.Error("change of visibility failed", "error", err)
	}
}

func (m Mapping) delete(ctx context.Context, entries []types.DeleteMessageBatchRequestEntry) error {
	if len(entries) == 0 {
		return nil
	}
	out, err := m.Queue.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &m.QueueURL, Entries: entries})
	if err != nil {
		return err
	}
	return refusal(out.Failed)
}

func (m Mapping) giveBack(ctx context.Context, entries []types.ChangeMessageVisibilityBatchRequestEntry) error {
	if len(entries) == 0 {
		return nil
	}
	out, err := m.Queue.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &m.QueueURL, Entries: entries})
	if err != nil {
		return err
	}
	return refusal(out.Failed)
}

func refusal(failed []types.BatchResultErrorEntry) error {
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d messages: %s", len(failed), aws.ToString(failed[0].Message))
}

// handle returns the ids of the messages that the function reported as failed,
// or an error if that makes the whole batch fail.
func (m Mapping) handle(ctx context.Context, environment Environment, batch []types.Message) (failed map[string]bool, err error) {
	var event events.SQSEvent
	for _, message := range batch {
		event.Records = append(event.Records, m.record(message))
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	response, err := environment.Invoke(ctx, payload)
	if err != nil || !m.ReportBatchItemFailures {
		return nil, err
	}
	return failures(response, batch)
}

// failures reads a response by Lambda's rules: an empty or null response, or
// list, is a complete success; what is no such list, or names a message that
// the batch doesn't have, is a complete failure (Lambda developer guide, "Success
// and failure conditions" of Amazon SQS).
func failures(response []byte, batch []types.Message) (map[string]bool, error) {
	failed := map[string]bool{}
	if len(bytes.TrimSpace(response)) == 0 {
		return failed, nil
	}
	var reported struct {
		BatchItemFailures []struct {
			ItemIdentifier *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(response, &reported); err != nil {
		return nil, fmt.Errorf("the response can't be read: %w", err)
	}
	for _, item := range reported.BatchItemFailures {
		if item.ItemIdentifier == nil {
			return nil, errors.New("the response has a failure without an itemIdentifier")
		}
		known := func(message types.Message) bool { return *message.MessageId == *item.ItemIdentifier }
		if !slices.ContainsFunc(batch, known) {
			return nil, fmt.Errorf("the response has an unknown itemIdentifier %q", *item.ItemIdentifier)
		}
		failed[*item.ItemIdentifier] = true
	}
	return failed, nil
}

// record returns the message in the form in which Lambda delivers it.
func (m Mapping) record(message types.Message) events.SQSMessage {
	r := events.SQSMessage{
		MessageId:              aws.ToString(message.MessageId),
		ReceiptHandle:          aws.ToString(message.ReceiptHandle),
		Body:                   aws.ToString(message.Body),
		Md5OfBody:              aws.ToString(message.MD5OfBody),
		Md5OfMessageAttributes: aws.ToString(message.MD5OfMessageAttributes),
		Attributes:             message.Attributes,
		MessageAttributes:      map[string]events.SQSMessageAttribute{},
		EventSourceARN:         m.QueueARN,
		EventSource:            "aws:sqs",
		AWSRegion:              strings.Split(m.QueueARN+":::", ":")[3],
	}
	for name, a := range message.MessageAttributes {
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

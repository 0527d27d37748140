package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// fakeQueue hands out what was put in it, once, and notes what was deleted and
// what was given back, with its visibility timeout.
type fakeQueue struct {
	mu        sync.Mutex
	waiting   []types.Message
	deleted   []string
	givenBack []string
	// fail, if not nil, answers every call.
	fail error
}

func (q *fakeQueue) put(bodies ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, body := range bodies {
		q.waiting = append(q.waiting, types.Message{
			MessageId: aws.String("id of " + body), ReceiptHandle: aws.String(body), Body: aws.String(body),
			MD5OfBody: aws.String("md5"), Attributes: map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1712832000000"},
		})
	}
}

func (q *fakeQueue) ReceiveMessage(_ context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), int(in.MaxNumberOfMessages))
	out := &sqs.ReceiveMessageOutput{Messages: q.waiting[:n]}
	q.waiting = q.waiting[n:]
	return out, q.fail
}

func (q *fakeQueue) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range in.Entries {
		q.deleted = append(q.deleted, *entry.ReceiptHandle)
	}
	return &sqs.DeleteMessageBatchOutput{}, q.fail
}

func (q *fakeQueue) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range in.Entries {
		q.givenBack = append(q.givenBack, fmt.Sprint(*entry.ReceiptHandle, " in ", entry.VisibilityTimeout))
	}
	return &sqs.ChangeMessageVisibilityBatchOutput{}, q.fail
}

type environmentFunc func(event events.SQSEvent) (string, error)

func (f environmentFunc) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	response, err := f(event)
	return []byte(response), err
}

// run has the mapping serve the queue for d, and returns its log.
func run(q *fakeQueue, d, window time.Duration, environments ...Environment) string {
	var log bytes.Buffer
	m := Mapping{
		Queue: q, QueueURL: "https://sqs/jobs", QueueARN: "arn:aws:sqs:eu-west-1:123456789012:jobs", BatchSize: 3,
		BatchWindow: window, ReportBatchItemFailures: true, Environments: environments,
		Pause: 100 * time.Millisecond, Again: 3 * time.Second, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	m.Run(ctx)
	return log.String()
}

func TestOnlyMessagesThatFailedAreLeft(t *testing.T) {
	tests := map[string]struct {
		response string
		err      error
		deleted  string
		log      string
	}{
		"none of them after an empty list":      {`{"batchItemFailures": []}`, nil, "a b", ""},
		"none of them after a null list":        {`{"batchItemFailures": null}`, nil, "a b", ""},
		"none of them after an empty object":    {`{}`, nil, "a b", ""},
		"none of them after null":               {`null`, nil, "a b", ""},
		"none of them after nothing":            {``, nil, "a b", ""},
		"the one reported":                      {`{"batchItemFailures": [{"itemIdentifier": "id of a"}]}`, nil, "b", ""},
		"both reported":                         {`{"batchItemFailures": [{"itemIdentifier": "id of a"}, {"itemIdentifier": "id of b"}]}`, nil, "", ""},
		"all after an unknown identifier":       {`{"batchItemFailures": [{"itemIdentifier": "id of a"}, {"itemIdentifier": "other"}]}`, nil, "", "unknown itemIdentifier"},
		"all after an empty identifier":         {`{"batchItemFailures": [{"itemIdentifier": ""}]}`, nil, "", "unknown itemIdentifier"},
		"all after a null identifier":           {`{"batchItemFailures": [{"itemIdentifier": null}]}`, nil, "", "without an itemIdentifier"},
		"all after an identifier under another": {`{"batchItemFailures": [{"messageId": "id of a"}]}`, nil, "", "without an itemIdentifier"},
		"all after what is no JSON":             {`ok`, nil, "", "can't be read"},
		"all after another form":                {`["id of a"]`, nil, "", "can't be read"},
		"all after an error":                    {``, errors.New("broken"), "", "broken"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueue{}
				q.put("a", "b")
				log := run(q, time.Minute, 0, environmentFunc(func(events.SQSEvent) (string, error) { return tt.response, tt.err }))
				if got := strings.Join(q.deleted, " "); got != tt.deleted {
					t.Errorf("deleted %q, want %q", got, tt.deleted)
				}
				if want := map[string]string{"": "a in 3 b in 3", "b": "a in 3", "a b": ""}[tt.deleted]; strings.Join(q.givenBack, " ") != want {
					t.Errorf("given back %q, want %q", q.givenBack, want)
				}
				if (tt.log == "") != (log == "") || !strings.Contains(log, tt.log) {
					t.Errorf("log %q, want %q", log, tt.log)
				}
			})
		})
	}
}

func TestTheFunctionGetsMessagesAsLambdaDeliversThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		q.put("a")
		q.waiting[0].MessageAttributes = map[string]types.MessageAttributeValue{
			"text":   {DataType: aws.String("String"), StringValue: aws.String("v")},
			"binary": {DataType: aws.String("Binary.gz"), BinaryValue: []byte{0, 1}},
		}
		var got events.SQSEvent
		run(q, time.Minute, 0, environmentFunc(func(e events.SQSEvent) (string, error) { got = e; return "", nil }))
		want := events.SQSEvent{Records: []events.SQSMessage{{
			MessageId: "id of a", ReceiptHandle: "a", Body: "a", Md5OfBody: "md5",
			Attributes: map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1712832000000"},
			MessageAttributes: map[string]events.SQSMessageAttribute{
				"text":   {DataType: "String", StringValue: aws.String("v"), StringListValues: []string{}, BinaryListValues: [][]byte{}},
				"binary": {DataType: "Binary.gz", BinaryValue: []byte{0, 1}, StringListValues: []string{}, BinaryListValues: [][]byte{}},
			},
			EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:jobs", AWSRegion: "eu-west-1",
		}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	})
}

func TestABatchIsHandedOverWhenItIsFullOrItsWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, began := &fakeQueue{}, time.Now()
		q.put("a", "b")
		time.AfterFunc(500*time.Millisecond, func() { q.put("c", "d") })
		var got []string
		run(q, time.Minute, time.Second, environmentFunc(func(e events.SQSEvent) (string, error) {
			got = append(got, fmt.Sprint(len(e.Records), " after ", time.Since(began).Round(time.Second/2)))
			return "", nil
		}))
		if diff := cmp.Diff([]string{"3 after 500ms", "1 after 1.5s"}, got); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

func TestEachEnvironmentHasOneBatchAtATimeAndFinishesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, began := &fakeQueue{}, time.Now()
		q.put("a", "b", "c", "d", "e", "f", "g")
		var busy [2]bool
		var environments []Environment
		for i := range busy {
			environments = append(environments, environmentFunc(func(events.SQSEvent) (string, error) {
				if busy[i] {
					t.Error("two batches at once in one environment")
				}
				busy[i] = true
				time.Sleep(10 * time.Second)
				busy[i] = false
				return "", nil
			}))
		}
		run(q, time.Second, 0, environments...)
		if took := time.Since(began); took != 10*time.Second || len(q.deleted) != 6 || len(q.waiting) != 1 {
			t.Errorf("after %s %d are deleted and %d wait, want 10s, 6 and 1", took, len(q.deleted), len(q.waiting))
		}
	})
}

func TestFailedCallsAreLoggedAndRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{fail: errors.New("unavailable")}
		if log := run(q, 250*time.Millisecond, 0, environmentFunc(nil)); strings.Count(log, "receive failed") < 2 {
			t.Errorf("log %q", log)
		}
	})
}

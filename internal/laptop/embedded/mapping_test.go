package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

type (
	event    = events.SQSEvent
	response = events.SQSEventResponse
)

// failing is a handler's answer that reports these messages, or none, as failed.
func failing(ids ...string) (response, error) {
	var r response
	for _, id := range ids {
		r.BatchItemFailures = append(r.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	return r, nil
}

// start runs the mapping on jobs. The function returned stops it, waits for it
// and fails the test if Run returned an error.
func start(t *testing.T, m Mapping) (stop func()) {
	t.Helper()
	m.QueueURL = jobs
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
}

func TestTheHandlerGetsMessagesAsLambdaDeliversThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		e := entry("a", "body")
		e.MessageAttributes = attributes{
			"text":   text("v"),
			"number": types.MessageAttributeValue{DataType: aws.String("Number.int"), StringValue: aws.String("1")},
			"binary": types.MessageAttributeValue{DataType: aws.String("Binary"), BinaryValue: []byte{1}},
		}
		if _, err := send(q, e); err != nil {
			t.Fatal(err)
		}
		var got []events.SQSMessage
		stop := start(t, Mapping{Queues: q, Handler: func(_ context.Context, e event) (response, error) {
			got = e.Records
			return failing(e.Records[0].MessageId)
		}})
		synctest.Wait()
		stop()

		m := q.Messages(jobs)[0]
		want := []events.SQSMessage{{
			MessageId: m.ID, ReceiptHandle: m.ReceiptHandle, Body: "body", Attributes: m.Attributes,
			Md5OfBody:              "841a2d689ad86bd1611447453c22c6fc",
			Md5OfMessageAttributes: md5OfAttributes(e.MessageAttributes),
			MessageAttributes: map[string]events.SQSMessageAttribute{
				"text":   {DataType: "String", StringValue: aws.String("v"), StringListValues: []string{}, BinaryListValues: [][]byte{}},
				"number": {DataType: "Number.int", StringValue: aws.String("1"), StringListValues: []string{}, BinaryListValues: [][]byte{}},
				"binary": {DataType: "Binary", BinaryValue: []byte{1}, StringListValues: []string{}, BinaryListValues: [][]byte{}},
			},
			EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:local:000000000000:jobs", AWSRegion: "local",
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		// Lambda's form has the lists, empty (aws-lambda-go, events/testdata/sqs-event.json).
		const binary = `{"binaryValue":"AQ==","stringListValues":[],"binaryListValues":[],"dataType":"Binary"}`
		if text, err := json.Marshal(got[0].MessageAttributes["binary"]); err != nil || string(text) != binary {
			t.Errorf("%s, %v, want %s", text, err, binary)
		}
	})
}

func TestTheHandlersContextCarriesTheDeadlineAndARequestIDOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		q.Send(jobs, "a", 0)
		q.Send(jobs, "b", 0)
		var ids []string
		stop := start(t, Mapping{Queues: q, BatchSize: 1, MaximumConcurrency: 1, FunctionTimeout: time.Minute,
			Handler: func(ctx context.Context, _ event) (response, error) {
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != time.Minute {
					t.Errorf("deadline %v, want one in a minute", deadline)
				}
				if lc, ok := lambdacontext.FromContext(ctx); ok {
					ids = append(ids, lc.AwsRequestID)
				}
				return failing()
			}})
		synctest.Wait()
		stop()
		if len(ids) != 2 || ids[0] == "" || ids[0] == ids[1] {
			t.Errorf("request ids %q, want two different ones", ids)
		}
	})
}

func TestOnlyMessagesThatFailedAreLeft(t *testing.T) {
	tests := map[string]struct {
		handler func(context.Context, event) (response, error)
		left    []string
		log     string
	}{
		"none of them": {
			handler: func(context.Context, event) (response, error) { return failing() },
		},
		"the one reported": {
			handler: func(_ context.Context, e event) (response, error) { return failing(e.Records[1].MessageId) },
			left:    []string{"b"},
		},
		"all after an error": {
			handler: func(context.Context, event) (response, error) { return response{}, errors.New("broken") },
			left:    []string{"a", "b"}, log: "broken",
		},
		"all after a panic": {
			handler: func(context.Context, event) (response, error) { panic("oops") },
			left:    []string{"a", "b"}, log: "panicked: oops",
		},
		"all after a timeout": {
			handler: func(ctx context.Context, _ event) (response, error) { <-ctx.Done(); return failing() },
			left:    []string{"a", "b"}, log: "timed out after 30s",
		},
		"all after an empty itemIdentifier": {
			handler: func(context.Context, event) (response, error) { return failing("") },
			left:    []string{"a", "b"}, log: "unknown itemIdentifier",
		},
		"all after an unknown itemIdentifier": {
			handler: func(_ context.Context, e event) (response, error) { return failing(e.Records[0].MessageId, "other") },
			left:    []string{"a", "b"}, log: "unknown itemIdentifier",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newTestQueues()
				q.Send(jobs, "a", 0)
				q.Send(jobs, "b", 0)
				var log bytes.Buffer
				stop := start(t, Mapping{Queues: q, Handler: tt.handler, Log: slog.New(slog.NewTextHandler(&log, nil))})
				synctest.Wait()
				stop()
				wantBodies(t, "messages left", q.Messages(jobs), tt.left...)
				if (tt.log == "") != (log.Len() == 0) || !strings.Contains(log.String(), tt.log) {
					t.Errorf("log %q, want %q", log.String(), tt.log)
				}
			})
		})
	}
}

func TestAFailedMessageComesBackUntilItIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		q.Send(jobs, "a", 0)
		began := time.Now()
		var seen []string
		stop := start(t, Mapping{Queues: q, MaximumConcurrency: 1, Handler: func(_ context.Context, e event) (response, error) {
			seen = append(seen, fmt.Sprint(e.Records[0].Attributes["ApproximateReceiveCount"], " after ", time.Since(began)))
			return failing(e.Records[0].MessageId)
		}})
		time.Sleep(10 * time.Minute)
		stop()
		if diff := cmp.Diff([]string{"1 after 0s", "2 after 1m0s"}, seen); diff != "" {
			t.Errorf("receives (-want +got):\n%s", diff)
		}
		wantBodies(t, "jobs", q.Messages(jobs))
		wantBodies(t, "dead letters", q.Messages(dead), "a")
	})
}

func TestABatchIsHandedOverWhenItIsFullOrItsWindowEnds(t *testing.T) {
	tests := map[string]struct {
		size   int
		window time.Duration
		want   []string
	}{
		"without a window, whatever is there":  {0, 0, []string{"0s [now]", "2s [2s 2s]", "20s [20s]"}},
		"with a window, what comes within it":  {0, 10 * time.Second, []string{"10s [now 2s 2s]", "30s [20s]"}},
		"a full batch, before the window ends": {2, 10 * time.Second, []string{"2s [now 2s]", "12s [2s]", "30s [20s]"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newTestQueues()
				q.Send(jobs, "now", 0)
				for _, delay := range []time.Duration{2 * time.Second, 2 * time.Second, 20 * time.Second} {
					q.Send(jobs, delay.String(), delay)
				}
				began := time.Now()
				var got []string
				stop := start(t, Mapping{Queues: q, BatchSize: tt.size, BatchWindow: tt.window, MaximumConcurrency: 1,
					Handler: func(_ context.Context, e event) (response, error) {
						var batch []string
						for _, r := range e.Records {
							batch = append(batch, r.Body)
						}
						got = append(got, fmt.Sprint(time.Since(began), " ", batch))
						return failing()
					}})
				time.Sleep(time.Minute)
				stop()
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTwoBatchesRunAtOnceByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		for i := range 50 {
			q.Send(jobs, fmt.Sprint(i), 0)
		}
		sizes := make(chan int, 5)
		stop := start(t, Mapping{Queues: q, Handler: func(_ context.Context, e event) (response, error) {
			sizes <- len(e.Records)
			time.Sleep(time.Second)
			return failing()
		}})
		synctest.Wait()
		if len(sizes) != 2 {
			t.Errorf("%d batches at once, want 2", len(sizes))
		}
		if free := q.Receive(jobs, 50); len(free) != 30 {
			t.Errorf("%d messages are free to other consumers, want the 30 that wait", len(free))
		}
		time.Sleep(time.Hour)
		stop()
		close(sizes)
		for n := range sizes {
			if n != 10 {
				t.Errorf("a batch of %d messages, want 10", n)
			}
		}
		wantBodies(t, "messages left", q.Messages(jobs))
	})
}

func TestRunLetsAnInvocationFinishAndStartsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		q.Send(jobs, "under way", 0)
		q.Send(jobs, "waits for its window", 2*time.Second)
		began := time.Now()
		stop := start(t, Mapping{Queues: q, BatchWindow: time.Second, Handler: func(ctx context.Context, _ event) (response, error) {
			time.Sleep(10 * time.Second)
			return failing()
		}})
		time.Sleep(2500 * time.Millisecond)
		stop()
		if got := time.Since(began); got != 11*time.Second {
			t.Errorf("Run returned after %s, want 11s", got)
		}
		wantBodies(t, "messages left", q.Messages(jobs), "waits for its window")
	})
}

func TestRunStopsWhileEveryPlaceIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		q.Send(jobs, "a", 0)
		q.Send(jobs, "b", 0)
		stop := start(t, Mapping{Queues: q, BatchSize: 1, MaximumConcurrency: 1, Handler: func(context.Context, event) (response, error) {
			time.Sleep(time.Second)
			return failing()
		}})
		synctest.Wait()
		stop()
		wantBodies(t, "messages left", q.Messages(jobs), "b")
	})
}

func TestRunRefusesAMappingThatAWSWouldNotCreate(t *testing.T) {
	err := Mapping{Queues: newTestQueues(), QueueURL: "nowhere"}.Run(t.Context())
	if missing := (*types.QueueDoesNotExist)(nil); !errors.As(err, &missing) {
		t.Errorf("unknown queue: error %v, want %T", err, missing)
	}
	err = Mapping{Queues: newTestQueues(), QueueURL: jobs, FunctionTimeout: time.Minute + 1}.Run(t.Context())
	if err == nil {
		t.Error("no error for a function timeout above the visibility timeout")
	}
}

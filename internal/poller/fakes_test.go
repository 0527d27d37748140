package poller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/event"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/leak"
	"refresh-poller/internal/tests/schematest"
)

const (
	jobQueue        = "https://sqs.example/1/JobQueue"
	deadLetterQueue = "https://sqs.example/1/JobDeadLetterQueue"
)

type fakeCluster func(ctx context.Context, token string, jobID int64) (milvus.Job, error)

func (f fakeCluster) Describe(ctx context.Context, token string, job milvus.Ref) (milvus.Job, error) {
	id, _ := strconv.ParseInt(job.ID, 10, 64)
	return f(ctx, token, id)
}

type fakeTokens func(ctx context.Context, newerThan time.Time) (string, error)

func (f fakeTokens) Token(ctx context.Context, newerThan time.Time) (string, error) {
	return f(ctx, newerThan)
}

// fakeAWS takes what is sent, unless refuse says otherwise of an entry. What the
// schemas do not describe fails the test.
type fakeAWS struct {
	t                   testing.TB
	mu                  sync.Mutex
	messages            map[string][]sqstypes.SendMessageBatchRequestEntry // by queue
	published           []eventtypes.PutEventsRequestEntry
	sendCalls, putCalls int
	// refuseMessage and refuseEvent may be nil; they see a body or a detail.
	refuseMessage, refuseEvent func(text string) bool
	err                        error // of every call
	sendTakes                  time.Duration
	mostBytes                  int // of the details in one call
}

func (f *fakeAWS) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sendCalls++
	if f.err != nil {
		return nil, f.err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(f.sendTakes):
	}
	out := &sqs.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		if *in.QueueUrl == jobQueue {
			schematest.Message(f.t, *e.MessageBody)
		}
		if f.refuseMessage != nil && f.refuseMessage(*e.MessageBody) {
			out.Failed = append(out.Failed, sqstypes.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError"), Message: aws.String("try again")})
			continue
		}
		out.Successful = append(out.Successful, sqstypes.SendMessageBatchResultEntry{Id: e.Id})
		f.messages[*in.QueueUrl] = append(f.messages[*in.QueueUrl], e)
	}
	return out, nil
}

func (f *fakeAWS) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.putCalls++
	if f.err != nil {
		return nil, f.err
	}
	out := &eventbridge.PutEventsOutput{}
	bytes := 0
	defer func() { f.mostBytes = max(f.mostBytes, bytes) }()
	for _, e := range in.Entries {
		bytes += len(*e.Detail)
		schematest.Detail(f.t, *e.Detail)
		result := eventtypes.PutEventsResultEntry{EventId: aws.String("event")}
		if f.refuseEvent != nil && f.refuseEvent(*e.Detail) {
			result = eventtypes.PutEventsResultEntry{ErrorCode: aws.String("ThrottlingException"), ErrorMessage: aws.String("try again")}
			out.FailedEntryCount++
		} else {
			f.published = append(f.published, e)
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

// details returns what was published, by job.
func (f *fakeAWS) details(t *testing.T) map[string]event.Detail {
	t.Helper()
	byJob := map[string]event.Detail{}
	for _, e := range f.published {
		var d event.Detail
		if err := json.Unmarshal([]byte(*e.Detail), &d); err != nil {
			t.Fatal(err)
		}
		byJob[d.JobID] = d
	}
	return byJob
}

// bodies returns the bodies sent to a queue.
func (f *fakeAWS) bodies(queue string) []string {
	var bodies []string
	for _, e := range f.messages[queue] {
		bodies = append(bodies, *e.MessageBody)
	}
	return bodies
}

// The tokens of the tests, of characters that encoders escape.
const (
	token        = `root:p"a's/s\%2B+w ö&<r>d‹🔑`
	rotatedToken = `root:r"o't/a\%2B+t e&<d>‹🔑`
)

// harness is a poller on fakes: a cluster whose jobs are all completed, and an
// AWS that takes everything. Whatever a test does with it, no credential may
// come out of it.
type harness struct {
	*Poller
	aws          *fakeAWS
	log, metrics *bytes.Buffer

	mu          sync.Mutex
	credentials []string
	// written are further places to look for them.
	written map[string]func() string
}

func newHarness(t testing.TB) *harness {
	h := &harness{
		aws: &fakeAWS{t: t, messages: map[string][]sqstypes.SendMessageBatchRequestEntry{}},
		log: &bytes.Buffer{}, metrics: &bytes.Buffer{},
		written: map[string]func() string{},
	}
	h.written["the log"], h.written["the metrics"] = h.log.String, h.metrics.String
	h.written["a message"] = func() string { return inFull(h.aws.messages) }
	h.written["an event"] = func() string { return inFull(h.aws.published) }
	t.Cleanup(func() {
		for place, text := range h.written {
			for _, credential := range leak.Find(text(), h.credentials...) {
				t.Errorf("the credential %s is in %s", credential, place)
			}
		}
	})
	s := settings
	s.Deadline = 10 * 365 * 24 * time.Hour // the messages below are from 2024
	h.Poller = &Poller{
		Settings: s, JobQueueURL: jobQueue, DeadLetterQueueURL: deadLetterQueue,
		JobKind: milvus.ExternalCollection, EventBusName: "bus", EventSource: "refresh-poller",
		Cluster:     fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return completed.Job, nil }),
		Tokens:      fakeTokens(func(context.Context, time.Time) (string, error) { return token, nil }),
		SQS:         h.aws,
		EventBridge: h.aws,
		Limiter:     limiter.New(1000),
		Log:         slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics:     h.metrics,
		Stack:       "stack-1",
	}
	return h
}

// Handle is the Poller's. It remembers the tokens that are handed out, and what
// is returned.
func (h *harness) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	tokens := h.Tokens
	defer func() { h.Tokens = tokens }()
	h.Tokens = fakeTokens(func(ctx context.Context, newerThan time.Time) (string, error) {
		token, err := tokens.Token(ctx, newerThan)
		h.mu.Lock()
		defer h.mu.Unlock()
		if token != "" && !slices.Contains(h.credentials, token) {
			h.credentials = append(h.credentials, token)
		}
		return token, err
	})
	response, err := h.Poller.Handle(ctx, batch)
	returned := inFull(response) + fmt.Sprint(err)
	h.written["what is returned for "+returned] = func() string { return returned }
	return response, err
}

// inFull writes all of a value: JSON follows its pointers.
func inFull(v any) string {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // or much of the time goes into undoing it
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return text.String()
}

// handle returns the ids of the failed items: the bodies' numbers, from 0.
func (h *harness) handle(t *testing.T, bodies ...string) []string {
	t.Helper()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	response, err := h.Handle(ctx, batchOf(bodies...))
	if err != nil {
		t.Fatalf("a returned error fails the whole batch: %v", err)
	}
	if response.BatchItemFailures == nil {
		t.Error("batchItemFailures is null in JSON")
	}
	var failed []string
	for _, f := range response.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

func batchOf(bodies ...string) events.SQSEvent {
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId:  strconv.Itoa(i),
			Body:       body,
			Attributes: map[string]string{"SentTimestamp": fmt.Sprint(begun.UnixMilli()), "ApproximateReceiveCount": "1"},
		})
	}
	return batch
}

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/tests/runtimeapi"
)

// patience is how long anything may take that is waited for.
const patience = time.Minute

// stack is a deployed stack at work, and what has come out of it.
type stack struct {
	deployment
	cluster  *cluster
	emulator *emulator
	sqs      *sqs.Client
	// printed is what each execution environment has printed.
	printed []*output
	// faults is what the mapping complains of.
	faults *output
	// resumer is nil where there is none; resumed is what it has printed.
	resumer *runtimeapi.Function
	resumed *output
	// stop ends the mapping and the functions.
	stop func()
	// catch is the URL of the queue that its events are sent on to.
	catch string

	mu       sync.Mutex
	events   []event
	dead     []sqstypes.Message
	received []string // bodies, by the function
}

// witness is the job queue as the mapping sees it, and notes what comes out.
type witness struct {
	*sqs.Client
	stack *stack
}

func (w witness) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, options ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	out, err := w.Client.ReceiveMessage(ctx, in, options...)
	if err != nil {
		return nil, err
	}
	w.stack.mu.Lock()
	defer w.stack.mu.Unlock()
	for _, m := range out.Messages {
		w.stack.received = append(w.stack.received, *m.Body)
	}
	return out, nil
}

// event is an event as a rule's target gets it.
type event struct {
	Source     string
	DetailType string `json:"detail-type"`
	Time       time.Time
	// Detail has its numbers as json.Number.
	Detail map[string]any
	text   string
}

// job is the one that the event is about; those that other programs publish in
// the tests may leave out its kind.
func (e event) job() simcluster.Ref {
	id, _ := e.Detail["jobId"].(string)
	kind, _ := e.Detail["kind"].(string)
	return simcluster.Job{Kind: simcluster.Kind(kind), ID: id}.Ref()
}

// output is what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start sets a deployed stack to work: a rule catches its events, the function
// runs in as many environments as may run at once, and the queue feeds it.
func start(t *testing.T, e *emulator, b binaries, d deployment, c *cluster) *stack {
	t.Helper()
	s := &stack{deployment: d, cluster: c, emulator: e, sqs: sqs.NewFromConfig(e.client()), faults: &output{}, resumed: &output{}}
	s.catch = s.catchEvents(t, s.Outputs["EventBusName"], "events-of-"+s.Outputs["PollerFunctionName"], fmt.Sprintf(`{"source": [%q]}`, d.Function.Environment["EVENT_SOURCE"]))

	mapping := Mapping{
		Queue: witness{s.sqs, s}, QueueURL: d.Outputs["JobQueueUrl"], QueueARN: d.Outputs["JobQueueArn"],
		BatchSize: d.Mapping.BatchSize, BatchWindow: time.Duration(d.Mapping.MaximumBatchingWindowInSeconds) * time.Second,
		ReportBatchItemFailures: slices.Contains(d.Mapping.FunctionResponseTypes, "ReportBatchItemFailures"),
		Pause:                   100 * time.Millisecond, Again: 2 * time.Second, Log: slog.New(slog.NewTextHandler(s.faults, nil)),
	}
	var environments []*runtimeapi.Function
	for i := range d.Mapping.ScalingConfig.MaximumConcurrency {
		number := strconv.Itoa(i)
		environment, printed := e.run(t, b["PollerFunction"], d.Function, pollerKeyID+number)
		s.printed = append(s.printed, printed)
		environments = append(environments, environment)
		if c.breaker != nil {
			mapping.Environments = append(mapping.Environments, mortal{environment, c.breaker, number})
		} else {
			mapping.Environments = append(mapping.Environments, environment)
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	if d.Resumer != nil {
		s.resumer, s.resumed = e.run(t, b["ResumeFunction"], *d.Resumer, resumerKeyID+"0")
		environments = append(environments, s.resumer)
		running.Go(func() { s.handOver(ctx) })
	}
	running.Go(func() { mapping.Run(ctx) })
	running.Go(func() { s.collect(ctx) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		for _, environment := range environments {
			environment.Close()
		}
	})
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			for _, printed := range s.printed {
				t.Logf("an environment of %s printed:\n%s", d.Outputs["PollerFunctionName"], printed)
			}
			t.Logf("the resumer printed:\n%s", s.resumed)
		}
	})
	return s
}

// run starts an execution environment of a function, with a key of its role.
func (e *emulator) run(t *testing.T, binary string, f function, keyID string) (*runtimeapi.Function, *output) {
	t.Helper()
	printed := &output{}
	config := runtimeapi.Config{
		Bootstrap: binary, ARN: f.FunctionArn, Handler: f.Handler, MemoryMB: f.MemorySize,
		LogFormat: f.LogFormat, LogLevel: f.LogLevel, Timeout: time.Duration(f.Timeout) * time.Second,
		Environment: maps.Clone(f.Environment), Output: printed,
	}
	config.Environment["AWS_ACCESS_KEY_ID"] = keyID
	config.Environment["AWS_SECRET_ACCESS_KEY"] = functionSecretKey
	config.Environment["AWS_SESSION_TOKEN"] = functionSessionToken
	config.Environment["AWS_ENDPOINT_URL"] = e.URL // the one variable that no deployed function has
	environment, err := runtimeapi.Start(t.Context(), config)
	if err != nil {
		t.Fatalf("the function does not start: %v\n%s", err, printed)
	}
	return environment, printed
}

// catchEvents has a rule send the events that a pattern matches on to a queue of
// the rule's name, and returns its URL. In AWS the queue would need a policy that
// lets the rule do so.
func (s *stack) catchEvents(t *testing.T, bus, name, pattern string) (url string) {
	t.Helper()
	queue, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	events := eventbridge.NewFromConfig(s.emulator.client())
	if _, err := events.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &name, EventBusName: &bus, EventPattern: &pattern}); err != nil {
		t.Fatalf("%v: %s", err, pattern)
	}
	if _, err := events.PutTargets(t.Context(), &eventbridge.PutTargetsInput{
		Rule: &name, EventBusName: &bus,
		Targets: []eventtypes.Target{{Id: aws.String("queue"), Arn: aws.String("arn:aws:sqs:" + region + ":" + account + ":" + name)}},
	}); err != nil {
		t.Fatal(err)
	}
	return *queue.QueueUrl
}

// collect empties the queue of events and the dead-letter queue until ctx is
// done.
func (s *stack) collect(ctx context.Context) {
	for sleep(ctx, 200*time.Millisecond) {
		for _, m := range s.take(ctx, s.catch) {
			e := event{text: *m.Body}
			decoder := json.NewDecoder(strings.NewReader(*m.Body))
			decoder.UseNumber()
			if err := decoder.Decode(&e); err != nil {
				e.Detail = map[string]any{"unreadable": err.Error()}
			}
			s.mu.Lock()
			s.events = append(s.events, e)
			s.mu.Unlock()
		}
		dead := s.take(ctx, s.Outputs["DeadLetterQueueUrl"])
		s.mu.Lock()
		s.dead = append(s.dead, dead...)
		s.mu.Unlock()
	}
}

// take receives messages and returns those that it could delete; others come back.
func (s *stack) take(ctx context.Context, url string) (taken []sqstypes.Message) {
	out, err := s.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAll},
	})
	if err != nil {
		return nil
	}
	for _, m := range out.Messages {
		if _, err := s.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err == nil {
			taken = append(taken, m)
		}
	}
	return taken
}

// send enqueues up to 10 messages in one batch and returns their ids.
func (s *stack) send(t *testing.T, bodies ...string) (ids []string) {
	t.Helper()
	var entries []sqstypes.SendMessageBatchRequestEntry
	for i, body := range bodies {
		entries = append(entries, sqstypes.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body})
	}
	out, err := s.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(s.Outputs["JobQueueUrl"]), Entries: entries})
	if err != nil || len(out.Failed) > 0 {
		t.Fatalf("send: %v, %v", err, out)
	}
	for _, sent := range out.Successful {
		ids = append(ids, *sent.MessageId)
	}
	return ids
}

// caught returns the events about a refresh so far.
func (s *stack) caught(jobID string) (events []event) {
	return s.caughtOf(simcluster.Job{ID: jobID}.Ref())
}

// caughtOf returns the events about a job so far, each id once: delivery is at
// least once, and subscribers de-duplicate on it.
func (s *stack) caughtOf(job simcluster.Ref) (events []event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[any]bool{}
	for _, e := range s.events {
		if e.job() == job && !seen[e.Detail["id"]] {
			seen[e.Detail["id"]] = true
			events = append(events, e)
		}
	}
	return events
}

// end waits for the terminal event about a refresh.
func (s *stack) end(t *testing.T, jobID string) event {
	t.Helper()
	return s.endOf(t, simcluster.Job{ID: jobID}.Ref())
}

// endOf waits for the terminal event about a job.
func (s *stack) endOf(t *testing.T, job simcluster.Ref) (found event) {
	t.Helper()
	await(t, fmt.Sprint("the terminal event about ", job), func() bool {
		for _, e := range s.caughtOf(job) {
			if e.Detail["terminal"] == true {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// deadLetters returns those with this body.
func (s *stack) deadLetters(body string) (found []sqstypes.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.dead {
		if *m.Body == body {
			found = append(found, m)
		}
	}
	return found
}

// lines returns the lines that the function has logged with this message.
func (s *stack) lines(msg string) (found []map[string]any) {
	for _, printed := range s.printed {
		for line := range strings.Lines(printed.String()) {
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == msg {
				found = append(found, fields)
			}
		}
	}
	return found
}

// await waits until ok.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come within %s", what, patience)
		}
	}
}

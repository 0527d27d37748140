package poller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// The template's: the queue's attributes and the function's timeout.
const (
	modelVisibility = 190 * time.Second
	modelReceives   = 5
	modelTimeout    = 30 * time.Second
)

// model is a stack in which whatever may go wrong does: a job queue, what came
// to the dead-letter queue and the bus, and executions of the real poller.
type model struct {
	began    time.Time
	pollers  [3]*Poller
	progress bool

	queue     []*modelMessage
	dead      []modelLetter
	published map[string][]string       // the states of a watch's terminal events
	kinds     map[string]milvus.JobKind // that of the last of them
	refreshes *refreshes
	asked     map[string]time.Time // when a watch's refresh was asked for
	served    map[string][]string  // the jobs with which the watch of a refresh ended
	// count numbers the messages. SQS's clock is off by skew, and the functions'
	// behind it by behind.
	count        int
	skew, behind time.Duration

	faults faults // of the invocation under way
	calls  struct{ send, reject, put int }
}

type modelMessage struct {
	id, body      string
	sent, visible time.Time
	receives      int
}

// modelLetter is a dead letter; without a reason it was received too often.
type modelLetter struct{ watchID, body, reason string }

// watchID is that of the watch that the message is of, or begins.
func (m *modelMessage) watchID() string {
	if parsed, err := watch.Parse(m.body, m.id, m.sent, milvus.ExternalCollection); err == nil {
		return parsed.Watch.ID
	}
	return ""
}

func newModel(progress bool) *model {
	m := &model{began: time.Now(), progress: progress, published: map[string][]string{}, kinds: map[string]milvus.JobKind{}, refreshes: newModelRefreshes(), asked: map[string]time.Time{}, served: map[string][]string{}}
	m.refreshes.behind = &m.behind
	for i := range m.pollers {
		m.restart(i)
	}
	return m
}

// restart puts an execution that remembers nothing in the place of another.
func (m *model) restart(i int) {
	s := settings
	s.Deadline, s.Grace, s.PublishProgress, s.StartRefreshes = 20*time.Minute, time.Minute, m.progress, true
	m.pollers[i] = &Poller{
		Settings: s, JobQueueURL: jobQueue, DeadLetterQueueURL: deadLetterQueue, JobKind: milvus.ExternalCollection, EventBusName: "bus", EventSource: "refresh-poller",
		Cluster: modelCluster{m}, Refreshes: modelRefreshes{m},
		Tokens: fakeTokens(func(context.Context, time.Time) (string, error) { return "token", nil }),
		SQS:    modelSQS{m}, EventBridge: modelBus{m},
		Limiter: limiter.New(1000), // jobs are not reached while a throttled answer holds it
		Log:     slog.New(slog.DiscardHandler), Metrics: io.Discard, Stack: "stack-1",
	}
}

// ends returns the state in which the cluster has a job end: the jobs 1 and 2 never
// do, and 3 is never found.
func ends(job int) string {
	return []string{"", "", "", "RefreshCompleted", "RefreshFailed", "CANCELED"}[job-1]
}

type modelCluster struct{ m *model }

func (c modelCluster) Describe(ctx context.Context, _ string, ref milvus.Ref) (milvus.Job, error) {
	m, job := c.m, slices.Index(modelJobs, ref)+1
	if job == 0 {
		return modelRefreshes{m}.Describe(ctx, "", ref)
	}
	age, fault := time.Since(m.began), m.faults.describe(job)
	// The order in which goroutines run must not tell: the describes start
	// together, and a throttled answer comes before the others.
	if fault == "throttled" {
		time.Sleep(10 * time.Millisecond)
		return milvus.Job{}, &milvus.Error{Kind: milvus.Throttled, Message: "a fault", RetryAfter: 2 * time.Minute}
	}
	time.Sleep(20 * time.Millisecond)
	switch fault {
	case "no answer":
		<-ctx.Done()
		return milvus.Job{}, &milvus.Error{Kind: milvus.Temporary, Message: "no answer"}
	case "panic":
		panic("a bug")
	case "":
	default:
		return milvus.Job{}, &milvus.Error{Kind: milvus.ErrorKind(fault), Message: "a fault"}
	}
	if job == 3 {
		return milvus.Job{}, &milvus.Error{Kind: milvus.NotFound, Message: "no such job"}
	}
	found := milvus.Job{State: "runs", Progress: new(int(max(age, 0).Seconds()) % 100)}
	if end := ends(job); end != "" && age > time.Duration(job)*time.Minute {
		found.State, found.Outcome = end, ref.Kind.Outcome(end)
	}
	return found, nil
}

// enqueue returns the id of the message.
func (m *model) enqueue(body string, delay time.Duration) string {
	m.count++
	now := time.Now()
	m.queue = append(m.queue, &modelMessage{id: strconv.Itoa(m.count), body: body, sent: now.Add(m.behind + m.skew), visible: now.Add(delay)})
	return strconv.Itoa(m.count)
}

// setClock has the functions' clock jump by d. This one can't be moved: the rest of
// the world moves the other way, and what functions have written down stays as
// far from it as it was.
func (m *model) setClock(d time.Duration) {
	m.began = m.began.Add(-d)
	for _, job := range m.refreshes.jobs {
		job.at = job.at.Add(-d)
	}
	m.behind -= d
	for _, msg := range m.queue {
		began := !strings.Contains(msg.body, `"watch"`)
		parsed, err := watch.Parse(msg.body, msg.id, msg.sent, milvus.ExternalCollection)
		msg.sent = msg.sent.Add(-d)
		if began || err != nil {
			continue
		}
		w := &parsed.Watch
		for _, t := range []*time.Time{&w.Since, &w.Job.StartTime, &w.Job.SeenAt, &w.Started} {
			if !t.IsZero() {
				*t = t.Add(-d)
			}
		}
		msg.body = parsed.Body()
	}
}

// visible returns the messages that may be received.
func (m *model) visible() (all []*modelMessage) {
	for _, msg := range m.queue {
		if !msg.visible.After(time.Now()) {
			all = append(all, msg)
		}
	}
	return all
}

func (m *model) remove(msg *modelMessage) {
	m.queue = slices.DeleteFunc(m.queue, func(other *modelMessage) bool { return other == msg })
}

// deliver hands messages to an execution, as Lambda does, and deletes those that
// were dealt with.
func (m *model) deliver(execution int, batch []*modelMessage, f faults) error {
	var event events.SQSEvent
	byID := map[string]*modelMessage{}
	for _, msg := range batch {
		if msg.receives++; msg.receives > modelReceives {
			m.remove(msg)
			m.dead = append(m.dead, modelLetter{watchID: msg.watchID(), body: msg.body})
			continue
		}
		msg.visible = time.Now().Add(modelVisibility)
		byID[msg.id] = msg
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: msg.id, Body: msg.body,
			Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(msg.sent.UnixMilli(), 10)},
		})
	}
	m.faults, m.calls = f, struct{ send, reject, put int }{}
	ctx, cancel := context.WithTimeout(context.Background(), modelTimeout)
	defer cancel()
	response, err := m.pollers[execution].Handle(ctx, event)
	switch {
	case err != nil:
		return fmt.Errorf("an error fails the whole batch: %w", err)
	case ctx.Err() != nil:
		return errors.New("the function ran into its timeout")
	case f.Crash:
		m.restart(execution)
		return nil
	}
	for _, failed := range response.BatchItemFailures {
		if byID[failed.ItemIdentifier] == nil {
			return fmt.Errorf("the response names %q, which is not in the batch", failed.ItemIdentifier)
		}
		delete(byID, failed.ItemIdentifier)
	}
	for _, msg := range byID {
		if f.Again {
			msg.visible = time.Now()
		} else {
			m.remove(msg)
		}
	}
	return nil
}

// modelSQS and modelBus are called side by side: what each writes is its own.
type modelSQS struct{ m *model }

func (s modelSQS) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	m, faults, calls := s.m, s.m.faults.Send, &s.m.calls.send
	if *in.QueueUrl == deadLetterQueue {
		faults, calls = m.faults.Reject, &m.calls.reject
	}
	effect, refused, err := m.faults.of(faults, *calls)
	*calls++
	out := &sqs.SendMessageBatchOutput{}
	for i, e := range in.Entries {
		if refused>>i&1 == 1 {
			out.Failed = append(out.Failed, sqstypes.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
			continue
		}
		out.Successful = append(out.Successful, sqstypes.SendMessageBatchResultEntry{Id: e.Id})
		switch {
		case !effect:
		case *in.QueueUrl == jobQueue:
			m.enqueue(*e.MessageBody, time.Duration(e.DelaySeconds)*time.Second)
		default:
			m.dead = append(m.dead, modelLetter{body: *e.MessageBody, reason: *e.MessageAttributes[attributeReason].StringValue})
		}
	}
	return out, err
}

type modelBus struct{ m *model }

func (b modelBus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	effect, refused, err := b.m.faults.of(b.m.faults.Put, b.m.calls.put)
	b.m.calls.put++
	out := &eventbridge.PutEventsOutput{}
	for i, e := range in.Entries {
		if refused>>i&1 == 1 {
			out.Entries = append(out.Entries, eventtypes.PutEventsResultEntry{ErrorCode: aws.String("InternalFailure")})
			continue
		}
		out.Entries = append(out.Entries, eventtypes.PutEventsResultEntry{})
		if d := detailOf(e); effect && d.Terminal {
			b.m.served[d.Watch.ID] = append(b.m.served[d.Watch.ID], d.JobID)
			b.m.published[d.Watch.ID], b.m.kinds[d.Watch.ID] = append(b.m.published[d.Watch.ID], d.State), d.Kind
		}
	}
	return out, err
}

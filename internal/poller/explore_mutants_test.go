package poller

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/ledger"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/explore"
)

// mutant has executions do wrong: build once they are made, before when they
// receive a batch, after when they have dealt with it and not answered yet.
type mutant struct {
	build, before, after func(*execution)
}

// planted is a mutant in a scope, with the words in which it has to be found.
type planted struct {
	scope  scope
	faults int
	mutant
	want string
}

// mutants are faults that a poller may have.
var mutants = map[string]planted{
	"a message counts as sent that was not": {
		refreshing, 1, mutant{build: func(e *execution) { e.poller.SQS = credulousSQS{e} }}, "watch a is lost",
	},
	"an end counts as published that was not": {
		refreshing, 1, mutant{build: func(e *execution) { e.poller.EventBridge = credulousBus{e} }}, "watch a is lost",
	},
	"failed items are not named": {
		refreshing, 1, mutant{after: func(e *execution) { e.response.BatchItemFailures = nil }}, "watch a is lost",
	},
	"an answer comes before the send": {
		refreshing, 0, mutant{before: func(e *execution) {
			for _, d := range e.batch {
				e.world.remove(d)
			}
		}}, "watch a is lost",
	},
	"the foremost message is dropped": {
		refreshing, 0, mutant{after: func(e *execution) { e.remember(2) }}, "watch a is lost",
	},
	"a message is remembered that was not sent": {
		refreshing, 1, mutant{after: func(e *execution) { e.remember(1) }}, "watch a is lost",
	},
	"a fork's messages are all dropped": {
		refreshing, 1, mutant{before: func(e *execution) {
			if len(e.batch) == 2 {
				e.remember(1)
			}
		}}, "watch a is lost",
	},
	"an id is each execution's own": {
		refreshing, 1, mutant{build: func(e *execution) { e.poller.EventBridge = renamingBus{e} }}, "one event has two ids: a RefreshCompleted 1",
	},
	"the deadline comes too early": {
		refreshing, 0, mutant{build: func(e *execution) { e.poller.Settings.Deadline -= worldDelay }}, "no answer was one by which watch a may end as JobNotFound, 5s after it began",
	},
	"there is no deadline": {
		refreshing, 0, mutant{build: func(e *execution) { e.poller.Settings.Deadline = time.Hour }}, "this may never end: the same state comes again",
	},
	"a failure is published before its reason": {
		scopes["a job that fails early"], 0, mutant{build: func(e *execution) { e.poller.Cluster = hastyCluster{e} }}, "no answer was one by which watch a may end as RefreshFailed, 0s after it began",
	},
	"an execution takes twice its share": {
		scope{bodies: []string{"1", "1"}, life: refresh, share: 1}, 1, mutant{build: func(e *execution) { e.poller.Limiter = limiter.New(2 * e.world.share) }}, "3 describes may reach the cluster in one second",
	},
}

func TestTheExplorerFindsEveryMutant(t *testing.T) {
	all := maps.Clone(mutants)
	maps.Copy(all, startMutants)
	for name, tt := range all {
		t.Run(name, func(t *testing.T) {
			s := tt.scope.with(tt.faults)
			s.mutant = tt.mutant
			system, began := newSystem(inBubble(t), s), time.Now()
			r := system.Search(0)
			if r.Failure == nil || r.Failure.Err.Error() != tt.want {
				t.Fatalf("found %v", r.Failure)
			}
			t.Logf("%d steps, after %d schedules and %s", len(r.Failure.Schedule), r.Schedules, time.Since(began).Round(time.Millisecond))
			if err := system.Replay(r.Failure.Schedule); r.Failure.Err != explore.ErrEndless && (err == nil || err.Error() != tt.want) {
				t.Errorf("replayed: %v", err)
			}
		})
	}
}

// remember has the ledger believe that the messages in flight were sent on, with so
// many polls more.
func (e *execution) remember(polls int) {
	for _, d := range e.batch {
		e.poller.ledger.Sent(ledger.OriginOf(d.message), d.message.Watch.Polls+polls)
	}
}

// credulousSQS takes every answer for a good one.
type credulousSQS struct{ *execution }

func (e credulousSQS) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, options ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	_, _ = e.execution.SendMessageBatch(ctx, in, options...)
	out := &sqs.SendMessageBatchOutput{}
	for _, entry := range in.Entries {
		out.Successful = append(out.Successful, sqstypes.SendMessageBatchResultEntry{Id: entry.Id})
	}
	return out, nil
}

type credulousBus struct{ *execution }

func (e credulousBus) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, options ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	_, _ = e.execution.PutEvents(ctx, in, options...)
	return &eventbridge.PutEventsOutput{Entries: make([]eventtypes.PutEventsResultEntry, len(in.Entries))}, nil
}

type renamingBus struct{ *execution }

func (e renamingBus) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, options ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	for i, entry := range in.Entries {
		d := detailOf(entry)
		d.ID += e.String()
		in.Entries[i].Detail = aws.String(d.JSON())
	}
	return e.execution.PutEvents(ctx, in, options...)
}

// hastyCluster takes a failure for explained.
type hastyCluster struct{ *execution }

func (e hastyCluster) Describe(ctx context.Context, token string, ref milvus.Ref) (milvus.Job, error) {
	job, err := e.execution.Describe(ctx, token, ref)
	job.Unexplained = false
	return job, err
}

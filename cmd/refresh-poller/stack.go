package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"refresh-poller/internal/config"
	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/embedded"
	"refresh-poller/internal/laptop/screen"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

const (
	jobQueue        = "https://sqs.embedded/000000000000/JobQueue"
	deadLetterQueue = "https://sqs.embedded/000000000000/JobDeadLetterQueue"
	// localSecretARN stands where a deployed stack has its secret's.
	localSecretARN = "arn:aws:secretsmanager:local:000000000000:secret:embedded"
)

// stack is the deployed stack in one process: the same poller, on an embedded
// queue and bus.
type stack struct {
	queues  *embedded.Queues
	bus     *embedded.Bus
	mapping embedded.Mapping
}

// loadConfig reads the stack's parameters from environ, without those that only
// AWS has.
func loadConfig(environ map[string]string) (config.Config, error) {
	local := map[string]string{}
	maps.Copy(local, environ)
	local["JOB_QUEUE_URL"] = jobQueue
	local["DEAD_LETTER_QUEUE_URL"] = deadLetterQueue
	local["EVENT_BUS_NAME"] = "embedded"
	local["CLUSTER_TOKEN_SECRET_ARN"] = localSecretARN
	local["STACK_NAME"] = "embedded"
	// Unused here, and often meant for another program.
	delete(local, "LOG_LEVEL")
	return config.Load(local)
}

type staticToken string

func (t staticToken) Token(context.Context, time.Time) (string, error) { return string(t), nil }

// cluster is the API that the poller asks.
type cluster interface {
	Describe(ctx context.Context, token string, job milvus.Ref) (milvus.Job, error)
	List(ctx context.Context, token string, of milvus.Collection) (milvus.List, error)
	Start(ctx context.Context, token string, of milvus.Collection) (string, error)
}

// newStack returns a stack as configured that asks the cluster with the token.
func newStack(c config.Config, token string, asked cluster, log slog.Handler) *stack {
	const functionTimeout, visibility, receives = 30 * time.Second, 190 * time.Second, 5 // as in template.yaml
	s := &stack{queues: embedded.NewQueues(), bus: &embedded.Bus{}}
	s.queues.Create(deadLetterQueue, embedded.QueueConfig{})
	s.queues.Create(jobQueue, embedded.QueueConfig{VisibilityTimeout: visibility, MaxReceiveCount: receives, DeadLetterURL: deadLetterQueue})
	p := c.Poller()
	p.Cluster, p.Refreshes, p.Tokens = asked, asked, staticToken(token)
	p.SQS, p.EventBridge = s.queues, s.bus
	p.Limiter = limiter.New(c.DescribeRateLimit)
	p.Log = slog.New(log)
	p.Metrics = io.Discard // stdout is for the events
	s.mapping = embedded.Mapping{
		Queues: s.queues, QueueURL: jobQueue, FunctionTimeout: functionTimeout,
		MaximumConcurrency: c.MaximumConcurrency, Handler: p.Handle, Log: slog.New(log),
	}
	return s
}

// showEvents shows each event, and hands the terminal ones on. It ends the run
// where the output takes no event.
func (s *stack) showEvents(show *screen.Screen, end func(), onEnd func(event.Detail)) {
	s.bus.Subscribe(func(e events.EventBridgeEvent) {
		if show.Event(string(e.Detail)) != nil {
			end()
			return
		}
		var detail event.Detail
		if json.Unmarshal(e.Detail, &detail) == nil && detail.Terminal {
			onEnd(detail)
		}
	})
}

// eachDeadLetter hands on the job of each message that comes to the dead-letter
// queue, until ctx is done. Of a message that can be read, only a fault of the
// poller's own brings it there.
func (s *stack) eachDeadLetter(ctx context.Context, given func(jobID string)) {
	for s.queues.Wait(ctx, deadLetterQueue) == nil {
		for _, m := range s.queues.Receive(deadLetterQueue, 10) {
			s.queues.Delete(deadLetterQueue, m.ReceiptHandle)
			message, _ := watch.Parse(m.Body, m.ID, time.Now(), milvus.ExternalCollection)
			given(message.JobID)
		}
	}
}

// run follows the queue until ctx is done. A handler that is under way is then
// called off: the queue ends with the process anyway.
func (s *stack) run(ctx context.Context) error {
	handle := s.mapping.Handler
	s.mapping.Handler = func(inner context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
		inner, cancel := context.WithCancel(inner)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return handle(inner, batch)
	}
	return s.mapping.Run(ctx)
}

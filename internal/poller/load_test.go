package poller_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"refresh-poller/internal/config"
	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/embedded"
	"refresh-poller/internal/poller"
)

// What config does not know of template.yaml.
const (
	batchSize       = 10
	functionTimeout = 30 * time.Second
	visibility      = 190 * time.Second
	receives        = 5
)

// loads are the ways in which jobs come. Out of order, the queue gives about any
// of the first two hundred visible messages.
var loads = map[string]struct {
	within   time.Duration // they are enqueued evenly
	disorder float64       // of the queue
}{
	"all at once":                    {},
	"all at once, out of order":      {disorder: 100},
	"within two hours, out of order": {within: 2 * time.Hour, disorder: 100},
}

// TestUnderLoadTheLimitHoldsAndNoJobStarves follows LOAD_JOBS jobs by what one
// stack may run at a time, at the template's defaults: `make load` has 10 000,
// with no number it is 200. A job starves if it waits for a poll for more than
// two fair shares; crowd says what that is.
func TestUnderLoadTheLimitHoldsAndNoJobStarves(t *testing.T) {
	const maxShares = 2
	count := 200
	if text := os.Getenv("LOAD_JOBS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil || count < 1 {
			t.Fatalf("LOAD_JOBS must be a number of jobs above 0, not %q", text)
		}
	}
	for name, load := range loads {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(count)
				s := newStack(t, c, load.disorder)
				s.run(t, c, load.within)

				t.Logf("%d jobs, %d describes: at most %d in a second, %.1f on average in the first half; longest interval %.0f s; at most %.2f fair shares",
					count, len(c.arrivals), c.peak, c.rate(), c.longest.Seconds(), c.shares)
				if c.peak > describeLimit || load.within == 0 && c.peak < describeLimit {
					t.Errorf("at most %d describes reached the cluster in one second, want its limit, %d", c.peak, describeLimit)
				}
				if c.shares > maxShares {
					t.Errorf("a job waited for a poll for %.2f fair shares, at most %d", c.shares, maxShares)
				}
				for id, j := range c.jobs {
					if len(j.ends) != 1 || j.ends[0] != j.want {
						t.Errorf("job %s: terminal events %q, want one: %s", id, j.ends, j.want)
					}
				}
				if left, dead := s.queues.Depth(s.JobQueueUrl), s.queues.Depth(s.DeadLetterQueueUrl); left+dead > 0 {
					t.Errorf("%d messages are left, and %d dead letters", left, dead)
				}
			})
		})
	}
}

// stack is a deployed stack on embedded parts.
type stack struct {
	config.Config
	queues  *embedded.Queues
	mapping embedded.Mapping
}

// newStack has as many pollers, each with a limiter of its own, as Lambda would
// have execution environments.
func newStack(t *testing.T, c *crowd, disorder float64) *stack {
	t.Helper()
	cfg, err := config.Load(map[string]string{
		"CLUSTER_ENDPOINT":         "https://cluster.example",
		"CLUSTER_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:local:000000000000:secret:token",
		"JOB_QUEUE_URL":            "https://sqs.example/1/JobQueue",
		"DEAD_LETTER_QUEUE_URL":    "https://sqs.example/1/JobDeadLetterQueue",
		"EVENT_BUS_NAME":           "bus",
		"STACK_NAME":               "stack",
	})
	if err != nil {
		t.Fatal(err)
	}
	queues, bus := embedded.NewQueues(), &embedded.Bus{}
	queues.Create(cfg.DeadLetterQueueUrl, embedded.QueueConfig{})
	queues.Create(cfg.JobQueueUrl, embedded.QueueConfig{
		VisibilityTimeout: visibility, MaxReceiveCount: receives, DeadLetterURL: cfg.DeadLetterQueueUrl,
		Disorder: disorder,
	})
	bus.Subscribe(func(e events.EventBridgeEvent) {
		var d event.Detail
		if err := json.Unmarshal(e.Detail, &d); err != nil || !d.Terminal {
			t.Errorf("event %s: %v", e.Detail, err)
			return
		}
		c.end(d)
	})
	idle := make(chan *poller.Poller, cfg.MaximumConcurrency)
	for range cfg.MaximumConcurrency {
		p := cfg.Poller()
		p.Cluster, p.Tokens = c, token("token")
		p.SQS, p.EventBridge = queues, bus
		p.Limiter = cfg.Limiter()
		p.Log, p.Metrics = slog.New(slog.DiscardHandler), io.Discard
		idle <- p
	}
	return &stack{cfg, queues, embedded.Mapping{
		Queues: queues, QueueURL: cfg.JobQueueUrl, BatchSize: batchSize,
		MaximumConcurrency: cfg.MaximumConcurrency, FunctionTimeout: functionTimeout,
		Handler: func(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
			p := <-idle
			defer func() { idle <- p }()
			return p.Handle(ctx, batch)
		},
	}}
}

type token string

func (t token) Token(context.Context, time.Time) (string, error) { return string(t), nil }

// run enqueues the jobs and returns when every watch has ended, or a day after
// the last should have.
func (s *stack) run(t *testing.T, c *crowd, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within+s.Settings().Deadline+24*time.Hour)
	defer cancel()
	c.allEnded = cancel
	go func() {
		for id := range c.jobs {
			c.begin(id)
			s.queues.Send(s.JobQueueUrl, id, 0)
			time.Sleep(within / time.Duration(len(c.jobs)))
		}
	}()
	if err := s.mapping.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"refresh-poller/internal/config"
	"refresh-poller/internal/laptop/embedded"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// written is what the function writes to its log in one invocation.
type written struct {
	polls, metrics []string // its lines, of polls and of metrics
}

// slogTime is the time of a line, without the zeros at its end.
var slogTime = regexp.MustCompile(`"time":"[^"]*"`)

// size is what CloudWatch Logs counts of the lines, each time at its longest.
func size(lines []string) (bytes int) {
	for _, line := range lines {
		bytes += len(slogTime.ReplaceAllString(line, `"time":"2006-01-02T15:04:05.999999999Z"`)) + perLine
	}
	return bytes
}

// names returns the metrics that CloudWatch makes of the lines.
func names(lines []string) []string {
	var all []string
	for _, line := range lines {
		var embedded struct {
			AWS struct {
				CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &embedded); err != nil {
			panic(err) // the poller's own line
		}
		for _, directive := range embedded.AWS.CloudWatchMetrics {
			for _, m := range directive.Metrics {
				all = append(all, m.Name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

const (
	jobQueue, deadLetterQueue = "https://sqs.us-east-1.amazonaws.com/123456789012/JobQueue", "https://sqs.us-east-1.amazonaws.com/123456789012/Dead"
	requestID                 = "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa"
	// traceHeader is one of a function whose Tracing is PassThrough.
	traceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
	// describeTakes gives each latency its usual three digits.
	describeTakes = 120 * time.Millisecond
	// age is how long ago the watches began: less than the mean, so that a delay
	// has two digits.
	age, polls = 5 * time.Minute, 9
)

// answers is a cluster that gives each job the same answer.
type answers milvus.Job

func (a answers) Describe(context.Context, string, milvus.Ref) (milvus.Job, error) {
	time.Sleep(describeTakes)
	return milvus.Job(a), nil
}

type token string

func (t token) Token(context.Context, time.Time) (string, error) { return string(t), nil }

// running and completed are what a cluster says of a job.
var (
	running   = milvus.Job{State: "RefreshInProgress", Progress: new(42)}
	completed = milvus.Job{State: "RefreshCompleted", Outcome: milvus.Succeeded, Progress: new(100)}
)

// invoke has the poller, as it is deployed, handle a batch of messages about jobs
// of which the cluster says this, in the middle of their watches.
func invoke(messages int, job milvus.Job) (written, error) {
	now := time.Now().Truncate(time.Second).Add(-time.Millisecond) // its milliseconds have three digits
	job.CollectionName, job.StartTime = "ext_books", now.Add(-age)
	if job.Outcome != "" {
		job.EndTime = now.Add(-time.Second)
	}
	c, err := config.Load(map[string]string{
		"CLUSTER_ENDPOINT":         "https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530",
		"CLUSTER_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:refresh-poller/token-a1b2c3",
		"JOB_QUEUE_URL":            jobQueue, "DEAD_LETTER_QUEUE_URL": deadLetterQueue,
		"EVENT_BUS_NAME": "refresh-poller", "STACK_NAME": "refresh-poller",
	})
	if err != nil {
		return written{}, err
	}
	queues := embedded.NewQueues()
	queues.Create(jobQueue, embedded.QueueConfig{})
	var log, metrics bytes.Buffer
	p := c.Poller()
	p.Cluster, p.Tokens, p.SQS, p.EventBridge = answers(job), token("t"), queues, &embedded.Bus{}
	p.Limiter = limiter.New(1000) // waits for nothing
	p.Log, p.Metrics = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: c.LogLevel})), &metrics

	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: requestID})
	ctx = context.WithValue(ctx, "x-amzn-trace-id", traceHeader) //lint:ignore SA1029 the key is aws-lambda-go's
	response, err := p.Handle(ctx, batch(messages, now))
	if err == nil && len(response.BatchItemFailures) > 0 {
		err = fmt.Errorf("items of the batch failed: %s", &log)
	}
	return written{lines(&log), lines(&metrics)}, err
}

func lines(b *bytes.Buffer) []string {
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// batch is of messages that the poller itself has sent on.
func batch(messages int, now time.Time) (b events.SQSEvent) {
	for i := range messages {
		m := watch.Message{Kind: milvus.ExternalCollection, JobID: fmt.Sprint(449503829274509313 + i), Context: json.RawMessage(`{"pipeline":"nightly"}`)}
		id := fmt.Sprintf("059f36b4-87a3-44ab-83d2-%012d", i)
		m.Watch = watch.State{ID: id, Since: now.Add(-age), Polls: polls}
		b.Records = append(b.Records, events.SQSMessage{
			MessageId: id, Body: m.Body(), Attributes: map[string]string{"SentTimestamp": fmt.Sprint(now.UnixMilli())},
		})
	}
	return b
}

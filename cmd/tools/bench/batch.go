package main

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"refresh-poller/internal/awscall"
	"refresh-poller/internal/config"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/poller"
	"refresh-poller/internal/secret"
)

const (
	batchSize = 10
	region    = "eu-central-1"
	// completedDigit is the last one of the job ids that have completed.
	completedDigit = "9"
)

// variables are the function's, as the template sets them.
func variables(u *upstream) map[string]string {
	return map[string]string{
		"CLUSTER_ENDPOINT":         u.clusterURL,
		"CLUSTER_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:" + region + ":123456789012:secret:token",
		"JOB_QUEUE_URL":            u.awsURL + "/123456789012/JobQueue",
		"DEAD_LETTER_QUEUE_URL":    u.awsURL + "/123456789012/JobDeadLetterQueue",
		"EVENT_BUS_NAME":           "bus",
		"STACK_NAME":               "bench",
		// The limiter would make a batch wait for the slots of the one before,
		// which are taken for a second after their requests arrived. With this many none
		// waits below 1000 batches a second.
		"DESCRIBE_RATE_LIMIT": "20000",
		"MAXIMUM_CONCURRENCY": "2",
	}
}

// newBatch returns ten messages, of which one is about a job that has completed.
// Those of another number are of other watches: a watch that was sent on is not
// polled again.
func newBatch(number int) events.SQSEvent {
	var batch events.SQSEvent
	for i := range batchSize {
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId:  fmt.Sprintf("059f36b4-87a3-44ab-83d2-%012d", number*batchSize+i),
			Body:       fmt.Sprintf(`{"jobId":%d,"context":{"pipeline":"nightly"}}`, 449503829274509310+i),
			Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(time.Now().UnixMilli(), 10)},
		})
	}
	return batch
}

// newPoller is wired as the function is, to the SDK's own clients.
func newPoller(environ map[string]string, awsURL string) (*poller.Poller, error) {
	c, err := config.Load(environ)
	if err != nil {
		return nil, err
	}
	cfg := aws.Config{
		Region: region, BaseEndpoint: &awsURL,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient:  awscall.NewClient(awshttp.NewBuildableClient()),
	}
	p := c.Poller()
	cluster, tokens := c.Cluster(), secret.NewReader(secretsmanager.NewFromConfig(cfg), c.ClusterTokenSecretArn)
	tokens.Trusting = cluster.Trust
	p.Cluster, p.Refreshes, p.Tokens = cluster, cluster, tokens
	p.SQS = sqs.NewFromConfig(cfg)
	p.EventBridge = eventbridge.NewFromConfig(cfg)
	p.Limiter = limiter.New(c.DescribeRateShare())
	p.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	p.Metrics = io.Discard
	return p, nil
}

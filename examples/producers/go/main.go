// Command go is an example of a producer: it enqueues refresh jobs.
//
//	JOB_QUEUE_URL=… go run ./examples/producers/go PIPELINE JOB_ID…
//
// It needs a role with the stack's EnqueuePolicyArn.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	maxEntries = 10 // the most that SendMessageBatch takes
	attempts   = 5
)

// message is what starts a watch. The context comes back in the job's events.
type message struct {
	JobID   int64             `json:"jobId"`
	Context map[string]string `json:"context"`
}

func main() {
	queueURL := os.Getenv("JOB_QUEUE_URL")
	if len(os.Args) < 3 || queueURL == "" {
		fmt.Fprintln(os.Stderr, "usage: JOB_QUEUE_URL=… go run ./examples/producers/go PIPELINE JOB_ID…")
		os.Exit(2)
	}
	if err := run(context.Background(), queueURL, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, queueURL, pipeline string, jobs []string) error {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := sqs.NewFromConfig(settings)
	var entries []types.SendMessageBatchRequestEntry
	for i, job := range jobs {
		id, err := strconv.ParseInt(job, 10, 64)
		// ParseInt takes a sign and leading zeros too.
		if err != nil || id < 1 || strconv.FormatInt(id, 10) != job {
			return fmt.Errorf("%q is no job id: it must be digits, from 1 to %d, without a leading zero", job, math.MaxInt64)
		}
		body, err := json.Marshal(message{id, map[string]string{"pipeline": pipeline}})
		if err != nil {
			return err
		}
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(body))})
	}
	var errs []error
	for batch := range slices.Chunk(entries, maxEntries) {
		errs = append(errs, send(ctx, client, queueURL, batch))
	}
	return errors.Join(errs...)
}

// send sends a batch, and again those of its entries that failed: an answer
// without an error can hold some.
func send(ctx context.Context, client *sqs.Client, queueURL string, left []types.SendMessageBatchRequestEntry) error {
	var refused []error
	for attempt := range attempts {
		time.Sleep(time.Duration(attempt) * time.Second) // none before the first
		out, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &queueURL, Entries: left})
		if err != nil {
			return fmt.Errorf("enqueue %d jobs: %w", len(left), err)
		}
		again := false
		failed := map[string]types.BatchResultErrorEntry{}
		for _, f := range out.Failed {
			failed[*f.Id] = f
			again = again || !f.SenderFault
		}
		refused = nil
		left = slices.DeleteFunc(slices.Clone(left), func(e types.SendMessageBatchRequestEntry) bool {
			f, isLeft := failed[*e.Id]
			if isLeft {
				refused = append(refused, fmt.Errorf("not enqueued: %s: %s", *e.MessageBody, cmp.Or(aws.ToString(f.Message), *f.Code)))
			}
			return !isLeft
		})
		if !again {
			break // none is left, or none that another attempt can help
		}
	}
	return errors.Join(refused...)
}

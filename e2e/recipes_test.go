//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/laptop/simcluster"
)

// refreshing is the example of a workflow that has a collection refreshed.
const refreshing = "refresh-workflow"

// recipes has each example that asks for refreshes do so, by what S3, Glue, a
// schedule and a workflow would send, and reads what its topics tell. It begins when it
// is checked, as workflows does.
func recipes(t *testing.T, s *stack) func(t *testing.T) {
	return func(t *testing.T) {
		jobQueue, bus := s.Outputs["JobQueueArn"], s.Outputs["EventBusName"]
		deployed := s.emulator.deployExamples(t, map[string]exampleOrder{
			"files-landed": {account, map[string]any{
				"CollectionName": "asked_landed", "BucketName": "the-bucket", "Keys": "books/*.parquet", "JobQueueArn": jobQueue,
			}},
			"glue-succeeded": {account, map[string]any{"CollectionName": "asked_glued", "GlueJobName": "write books", "JobQueueArn": jobQueue}},
			"nightly-refresh": {account, map[string]any{
				"CollectionName": "asked_nightly", "EventBusName": bus, "JobQueueArn": jobQueue, "EnqueuePolicyArn": s.Outputs["EnqueuePolicyArn"],
			}},
			"failures-to-slack": {account, map[string]any{"EventBusName": bus, "SlackWorkspaceId": "T0123ABCDEF", "SlackChannelId": "C0123ABCDEF"}},
			refreshing:          {account, map[string]any{"JobQueueUrl": s.Outputs["JobQueueUrl"], "EnqueuePolicyArn": s.Outputs["EnqueuePolicyArn"]}},
		})
		for _, name := range []string{"asked_landed", "asked_glued", "asked_awaited"} {
			s.cluster.AddCollection(simcluster.Collection{Name: name, Course: func(int) simcluster.Job {
				return simcluster.Job{RunsFor: 6 * time.Second}
			}})
		}
		mails, slack := s.subscribe(t, deployed["nightly-refresh"]), s.subscribe(t, deployed["failures-to-slack"])
		s.publishAsAWS(t, "aws.glue", "Glue Job State Change",
			`{"jobName": "write books", "state": "FAILED", "jobRunId": "jr_1"}`,
			`{"jobName": "another", "state": "SUCCEEDED", "jobRunId": "jr_2"}`,
			`{"jobName": "write books", "severity": "INFO", "state": "SUCCEEDED", "jobRunId": "jr_3"}`)
		nightly := s.send(t, `{"refresh": {"collectionName": "asked_nightly"}, "context": {"schedule": "nightly-refresh"}}`)[0]
		s.land(t, "books/1.parquet")
		client := sfn.NewFromConfig(s.emulator.client())
		execution, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{
			StateMachineArn: aws.String(machineARN(refreshing)), Name: aws.String("refresh"), Input: aws.String(`{"collectionName": "asked_awaited"}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the refresh of the first file", func() bool { return s.cluster.Refreshes("", "asked_landed") == 1 })
		s.land(t, "books/2.parquet", `books/3 \"or\" so.parquet`, "books/more/4.parquet", "books/4.csv", "other/5.parquet")

		s.awaitCompleted(t, "asked_landed", 4)
		if n := s.cluster.Refreshes("", "asked_landed"); n != 2 {
			t.Errorf("%d refreshes for one file, and three that landed meanwhile", n)
		}
		if context := s.awaitCompleted(t, "asked_glued", 1).Detail["context"]; !cmp.Equal(context, any(map[string]any{"glueJobRunId": "jr_3"})) {
			t.Errorf("context of Glue's refresh: %v", context)
		}
		s.wantSucceeded(t, client, execution.ExecutionArn, s.awaitCompleted(t, "asked_awaited", 1))
		reason := fmt.Sprint(s.endOfWatch(t, nightly).Detail["reason"])
		as := deployed["nightly-refresh"].Credentials
		want := "\"asked_nightly was not refreshed: RefreshNotStarted\"\n\"Job: \"\n\"Cluster: " + s.cluster.URL + "\"\n\"Reason: " + reason + "\""
		if diff := cmp.Diff([]string{want}, notified(t, s.messages(t, as, mails))); diff != "" {
			t.Errorf("mails (-want +got):\n%s", diff)
		}
		s.wantSlack(t, reason, notified(t, s.messages(t, as, slack)))
	}
}

// publishAsAWS puts events of a service of AWS on the default bus, as moto lets
// anyone do.
func (s *stack) publishAsAWS(t *testing.T, source, detailType string, details ...string) {
	t.Helper()
	var entries []eventtypes.PutEventsRequestEntry
	for _, detail := range details {
		entries = append(entries, eventtypes.PutEventsRequestEntry{Source: &source, DetailType: &detailType, Detail: &detail})
	}
	out, err := eventbridge.NewFromConfig(s.emulator.client()).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
	if err != nil || out.FailedEntryCount > 0 {
		t.Fatal(err, out)
	}
}

// land has S3 tell of objects that were written to the bucket, and to another
// (Amazon S3 User Guide, "EventBridge event message structure").
func (s *stack) land(t *testing.T, keys ...string) {
	t.Helper()
	var details []string
	for _, key := range append(keys, "books/none.parquet") {
		bucket := "the-bucket"
		if key == "books/none.parquet" {
			bucket = "another"
		}
		details = append(details, fmt.Sprintf(`{"version": "0", "bucket": {"name": %q}, "object": {"key": "%s", "size": 5}, "reason": "PutObject"}`, bucket, key))
	}
	s.publishAsAWS(t, "aws.s3", "Object Created", details...)
}

// awaitCompleted waits until so many watches of a collection's refreshes have ended
// and no more, all with success, and returns the last event.
func (s *stack) awaitCompleted(t *testing.T, collection string, watches int) (last event) {
	t.Helper()
	ended := map[string]bool{}
	await(t, fmt.Sprint(watches, " ends of ", collection), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.events {
			if e.Detail["collectionName"] == collection && e.Detail["terminal"] == true {
				ended[e.watchID()], last = true, e
				if e.Detail["state"] != "RefreshCompleted" {
					t.Errorf("%s", e.text)
				}
			}
		}
		return len(ended) >= watches
	})
	if len(ended) != watches {
		t.Errorf("%d watches of %s, not %d", len(ended), collection, watches)
	}
	return last
}

// subscribe has a queue hear of the example's topic, and returns its URL.
func (s *stack) subscribe(t *testing.T, of example) (url string) {
	t.Helper()
	topic := of.Outputs["TopicArn"]
	name := "subscriber-" + topic[strings.LastIndex(topic, ":")+1:]
	queue, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	stdout(t, s.emulator.command("aws", "sns", "subscribe", "--topic-arn", topic,
		"--protocol", "sqs", "--notification-endpoint", "arn:aws:sqs:"+region+":"+account+":"+name))
	return *queue.QueueUrl
}

// notified returns the different texts about the collection that is not there.
func notified(t *testing.T, messages []string) (texts []string) {
	t.Helper()
	for _, m := range messages {
		var notification struct{ Message string }
		decode(t, m, &notification)
		if strings.Contains(notification.Message, "asked_nightly") && !slices.Contains(texts, notification.Message) {
			texts = append(texts, notification.Message)
		}
	}
	return texts
}

// wantSlack checks that Amazon Q Developer gets its own format.
func (s *stack) wantSlack(t *testing.T, reason string, texts []string) {
	t.Helper()
	if len(texts) != 1 {
		t.Fatalf("messages for Slack: %q", texts)
	}
	var got map[string]any
	decode(t, texts[0], &got)
	want := map[string]any{"version": "1.0", "source": "custom", "content": map[string]any{
		"title":       "The refresh did not complete: RefreshNotStarted asked_nightly",
		"description": "Job  of " + s.cluster.URL + ". The reason:",
		"nextSteps":   []any{reason},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message for Slack (-want +got):\n%s", diff)
	}
}

//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/simcluster"
)

// otherAccount is where the events of cross-account-sender go.
const otherAccount = "210987654321"

// The jobs that the subscribers are to hear of. The silent one is no job of the
// cluster: its event tells less than any that the poller publishes of one.
const (
	nightlyJob   = "449503829274600001"
	hourlyJob    = "449503829274600002"
	silentJob    = "449503829274600003"
	submittedJob = "449503829274600004"
	// Those of examples/events.json are 449503829274600005 and 449503829274600006.
)

// example is a deployed example, and who can see it.
type example struct {
	Outputs     map[string]string
	Credentials aws.Credentials
}

// exampleOrder is a stack of an example to deploy.
type exampleOrder struct {
	Account    string         `json:"account"`
	Parameters map[string]any `json:"parameters"`
}

// deployExamples deploys examples.
func (e *emulator) deployExamples(t *testing.T, orders map[string]exampleOrder) (deployed map[string]example) {
	t.Helper()
	order, err := json.Marshal(orders)
	if err != nil {
		t.Fatal(err)
	}
	script := e.command(python(), "examples.py")
	script.Stdin = bytes.NewReader(order)
	if err := json.Unmarshal(stdout(t, script), &deployed); err != nil {
		t.Fatal(err)
	}
	return deployed
}

// deploySubscribers deploys the examples that need no more than a bus.
func deploySubscribers(t *testing.T, s *stack) map[string]example {
	t.Helper()
	bus := s.Outputs["EventBusName"]
	return s.emulator.deployExamples(t, map[string]exampleOrder{
		"ended-to-queue":         {account, map[string]any{"EventBusName": bus}},
		"failures-to-topic":      {account, map[string]any{"EventBusName": bus}},
		"completed-to-workflow":  {account, map[string]any{"EventBusName": bus}},
		"one-pipeline":           {account, map[string]any{"EventBusName": bus, "PipelineName": "nightly"}},
		"cross-account-receiver": {otherAccount, map[string]any{"SenderAccountId": account}},
		"cross-account-sender": {account, map[string]any{
			"EventBusName": bus, "ReceiverBusArn": map[string]string{"of": "cross-account-receiver", "output": "EventBusArn"},
		}},
		"refresh-submitted": {account, map[string]any{
			"EventBusName": bus, "ProducerSource": "orders", "JobQueueArn": s.Outputs["JobQueueArn"],
		}},
	})
}

// command is a program that calls AWS.
func (e *emulator) command(program string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(program, arguments...)
	cmd.Env = e.environ()
	return cmd
}

// stdout runs a command and returns what it prints.
func stdout(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.Bytes())
	}
	return out
}

// subscribers has each example hear of its own, and of no other's: jobs that the
// poller watches, and events put on its bus by hand.
func subscribers(t *testing.T, s *stack) func(t *testing.T) {
	deployed := deploySubscribers(t, s)
	inbox, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("inbox")})
	if err != nil {
		t.Fatal(err)
	}
	stdout(t, s.emulator.command("aws", "sns", "subscribe", "--topic-arn", deployed["failures-to-topic"].Outputs["TopicArn"],
		"--protocol", "sqs", "--notification-endpoint", "arn:aws:sqs:"+region+":"+account+":inbox"))

	s.cluster.Add(simcluster.Job{ID: nightlyJob, CollectionName: "ext_books"})
	s.cluster.Add(simcluster.Job{ID: hourlyJob, CollectionName: "ext_orders", Fails: "read \"orders.parquet\": no such object"})
	s.cluster.Add(simcluster.Job{ID: submittedJob})
	s.send(t,
		fmt.Sprintf(`{"jobId": %s, "context": {"pipeline": "nightly"}}`, nightlyJob),
		fmt.Sprintf(`{"jobId": %s, "context": {"pipeline": "hourly"}}`, hourlyJob))
	const detailType = "External Collection Refresh Job State Change"
	silent := detailOf(silentJob, `"state": "RefreshFailed", "terminal": true`)
	s.publish(t, "refresh-poller", detailType, detailOf(nightlyJob, `"state": "RefreshInProgress", "terminal": false, "context": {"pipeline": "nightly"}`))
	s.publish(t, "refresh-poller", detailType, silent)
	s.publish(t, "another-program", detailType, silent)
	s.publishSamples(t)
	s.publish(t, "another-program", "Refresh submitted", fmt.Sprintf(`{"jobId": %q}`, silentJob))
	s.publish(t, "orders", "Refresh submitted", fmt.Sprintf(`{"jobId": %q}`, submittedJob))

	return func(t *testing.T) {
		// The emulator has an event at all of its targets before its next call.
		for _, job := range []string{nightlyJob, hourlyJob, submittedJob} {
			s.end(t, job)
		}
		const nightly, hourly = "449503829274600001 RefreshCompleted", "449503829274600002 RefreshFailed"
		const silent, submitted = "449503829274600003 RefreshFailed", "449503829274600004 RefreshCompleted"
		const completed, failed = "449503829274600005 RefreshCompleted", "449503829274600006 RefreshFailed"
		want := map[string][]string{
			"ended-to-queue":         {nightly, hourly, silent, submitted, completed, failed},
			"one-pipeline":           {nightly, "449503829274600001 RefreshInProgress", completed},
			"cross-account-receiver": {nightly, hourly, silent, submitted, completed, failed},
			"completed-to-workflow":  {nightly, submitted, completed}, // the one submitted has no collection
		}
		got := map[string][]string{"completed-to-workflow": summaries(t, s.executions(t, deployed["completed-to-workflow"]))}
		for _, name := range []string{"ended-to-queue", "one-pipeline", "cross-account-receiver"} {
			got[name] = summaries(t, s.messages(t, deployed[name].Credentials, deployed[name].Outputs["QueueUrl"]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the examples got (-want +got):\n%s", diff)
		}
		s.wantNotifications(t, s.messages(t, deployed["failures-to-topic"].Credentials, *inbox.QueueUrl))
	}
}

// wantNotifications checks that the topic told of the failed jobs, and of no
// completed one, in a text to be read.
func (s *stack) wantNotifications(t *testing.T, messages []string) {
	t.Helper()
	want := []string{
		`"The refresh did not complete: RefreshFailed, job 449503829274600002"
"Collection: ext_orders"
"Cluster: ` + s.cluster.URL + `"
"Reason: read "orders.parquet": no such object"`,
		`"The refresh did not complete: RefreshFailed, job 449503829274600003"
"Collection: "
"Cluster: https://cluster.example"
"Reason: "`,
		`"The refresh did not complete: RefreshFailed, job 449503829274600006"
"Collection: ext_orders"
"Cluster: https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530"
"Reason: read "orders.parquet": no such object"`,
	}
	var got []string
	for _, m := range messages {
		var notification struct{ Message string }
		if err := json.Unmarshal([]byte(m), &notification); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(notification.Message, "job 4495038292746") {
			got = append(got, notification.Message)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
}

// detailOf is the detail of an event with the least that the poller tells.
func detailOf(job, more string) string {
	return fmt.Sprintf(`{"version": "1", "id": "23cff968e159d6a031c7c6f01ec9853c", "jobId": %q, %s,
		"clusterEndpoint": "https://cluster.example", "watch": {"id": "059f36b4-87a3-44ab-83d2-661975830a7d", "since": "2024-04-11T10:39:58.120Z", "polls": 1}}`, job, more)
}

// publishSamples puts the events on the stack's bus that examples/README.md has
// its readers try an example with.
func (s *stack) publishSamples(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../examples/events.json")
	if err != nil {
		t.Fatal(err)
	}
	var samples []eventtypes.PutEventsRequestEntry
	if err := json.Unmarshal(text, &samples); err != nil {
		t.Fatal(err)
	}
	for _, sample := range samples {
		s.publish(t, *sample.Source, *sample.DetailType, *sample.Detail)
	}
}

// publish puts an event on the stack's bus.
func (s *stack) publish(t *testing.T, source, detailType, detail string) {
	t.Helper()
	out, err := eventbridge.NewFromConfig(s.emulator.client()).PutEvents(t.Context(), &eventbridge.PutEventsInput{
		Entries: []eventtypes.PutEventsRequestEntry{{
			EventBusName: aws.String(s.Outputs["EventBusName"]), Source: &source, DetailType: &detailType, Detail: &detail,
		}},
	})
	if err != nil || out.FailedEntryCount > 0 {
		t.Fatalf("publish: %v, %v", err, out)
	}
}

// messages empties a queue, as one who has those credentials, and returns the
// bodies.
func (s *stack) messages(t *testing.T, as aws.Credentials, url string) (bodies []string) {
	t.Helper()
	config := s.emulator.client()
	config.Credentials = credentials.StaticCredentialsProvider{Value: as}
	reader := &stack{sqs: sqs.NewFromConfig(config)}
	for {
		taken := reader.take(t.Context(), url)
		if len(taken) == 0 {
			return bodies
		}
		for _, m := range taken {
			bodies = append(bodies, *m.Body)
		}
	}
}

// executions returns the inputs of the workflow's executions, once they have
// ended, and checks that the output of each is the event's detail.
func (s *stack) executions(t *testing.T, workflow example) (inputs []string) {
	t.Helper()
	client := sfn.NewFromConfig(s.emulator.client())
	pages := sfn.NewListExecutionsPaginator(client, &sfn.ListExecutionsInput{StateMachineArn: aws.String(workflow.Outputs["WorkflowArn"])})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, execution := range page.Executions {
			var input event
			ended := s.ended(t, client, execution.ExecutionArn)
			decode(t, aws.ToString(ended.Input), &input)
			var output map[string]any
			decode(t, aws.ToString(ended.Output), &output)
			if diff := cmp.Diff(input.Detail, output); diff != "" {
				t.Errorf("output (-event's detail +got):\n%s", diff)
			}
			inputs = append(inputs, *ended.Input)
		}
	}
	return inputs
}

// decode reads a JSON text, its numbers as json.Number.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("%v: %q", err, text)
	}
}

// summaries returns job and state of the events about the subscribers' jobs,
// sorted.
func summaries(t *testing.T, events []string) (summaries []string) {
	t.Helper()
	for _, text := range events {
		var e struct{ Detail struct{ JobID, State string } }
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Detail.JobID, "44950382927460000") {
			summaries = append(summaries, e.Detail.JobID+" "+e.Detail.State)
		}
	}
	slices.Sort(summaries)
	return summaries
}

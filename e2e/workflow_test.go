//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/laptop/simcluster"
)

// workflow is the name of the state machine: its stack's, which is the example's.
const workflow = "step-functions"

func machineARN(name string) string {
	return "arn:aws:states:" + region + ":" + account + ":stateMachine:" + name
}

// workflows deploys the example and executes it from the answer to its refresh
// call on; moto makes no HTTP calls. The rest is done by moto, the poller, the
// bus and the resumer. It begins when it is checked: moto takes seconds to read a
// state machine, in which the others' first polls would come late.
func workflows(t *testing.T, s *stack) func(t *testing.T) {
	return func(t *testing.T) {
		client := sfn.NewFromConfig(s.emulator.client())
		deployed := s.emulator.deployExamples(t, map[string]exampleOrder{workflow: {account, map[string]any{
			"ClusterEndpoint": "https://cluster.example", "ClusterTokenSecretArn": s.Function.Environment["CLUSTER_TOKEN_SECRET_ARN"],
			"JobQueueUrl": s.Outputs["JobQueueUrl"], "EnqueuePolicyArn": s.Outputs["EnqueuePolicyArn"],
		}}})
		machine := deployed[workflow].Outputs["WorkflowArn"]
		if want := machineARN(workflow); machine != want {
			t.Fatalf("the output WorkflowArn is %s, want %s", machine, want)
		}
		execute := func(name, answer string) *string {
			t.Helper()
			input := `{"http": {"StatusCode": 200, "ResponseBody": ` + answer + `}}`
			execution, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{
				StateMachineArn: &machine, Name: &name, Input: &input, // moto makes up no names
			})
			if err != nil {
				t.Fatal(err)
			}
			return execution.ExecutionArn
		}
		s.cluster.Add(simcluster.Job{ID: awaitedJob, RunsFor: 3 * time.Second})
		s.cluster.Add(simcluster.Job{ID: awaitedFailure, Fails: "no such object"})
		refusals := &atomic.Int64{}
		s.emulator.setFault(refuseSendOf(awaitedJob, refusals)) // the one of deadLetter has done its work
		completed := execute("completed", fmt.Sprintf(`{"code": 0, "data": {"jobId": %s}}`, awaitedJob))
		failed := execute("failed", fmt.Sprintf(`{"code": "0", "data": {"jobId": %q}}`, awaitedFailure))
		refused := execute("refused", `{"code": 1100, "message": "collection not found"}`)

		s.wantSucceeded(t, client, completed, s.end(t, awaitedJob))
		if n := refusals.Load(); n != 1 {
			t.Errorf("%d sendings were refused, not one", n)
		}
		s.wantFailed(t, client, failed, "RefreshFailed", `"Error":"RefreshFailed"`)
		s.wantFailed(t, client, refused, "RefreshNotStarted", "collection not found")
		if _, err := s.resumer.Invoke(t.Context(), []byte(s.end(t, awaitedJob).text)); err != nil {
			t.Errorf("a duplicate of the event fails: %v", err)
		}
		// What the function prints may come after its answer.
		await(t, "the line about the duplicate", func() bool { return strings.Contains(s.resumed.String(), "workflow waits no longer") })
		s.wantAnswers(t)
		s.wantLines(t)
	}
}

// refuseSendOf has the first message about a job fail, in a way that the client
// within moto does not try again.
func refuseSendOf(jobID string, refusals *atomic.Int64) fault {
	return func(c call, forward func([]byte) answer) answer {
		if c.Target == "AmazonSQS.SendMessage" && bytes.Contains(c.Body, []byte(jobID)) && refusals.CompareAndSwap(0, 1) {
			return awsAnswer(http.StatusBadRequest, map[string]string{"__type": "OverLimit", "message": "refused by the test"})
		}
		return forward(c.Body)
	}
}

// ended waits for the end of an execution.
func (s *stack) ended(t *testing.T, client *sfn.Client, execution *string) (found *sfn.DescribeExecutionOutput) {
	t.Helper()
	await(t, "the end of "+*execution, func() bool {
		out, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: execution})
		if err != nil {
			t.Fatal(err)
		}
		found = out
		return out.Status != sfntypes.ExecutionStatusRunning
	})
	return found
}

// wantSucceeded checks that an execution's output is the event's detail.
func (s *stack) wantSucceeded(t *testing.T, client *sfn.Client, execution *string, e event) {
	t.Helper()
	end := s.ended(t, client, execution)
	var output map[string]any
	if decode(t, aws.ToString(end.Output), &output); end.Status != sfntypes.ExecutionStatusSucceeded {
		t.Errorf("%s with the output %s", end.Status, aws.ToString(end.Output))
	}
	if diff := cmp.Diff(e.Detail, output); diff != "" {
		t.Errorf("output (-event's detail +got):\n%s", diff)
	}
}

func (s *stack) wantFailed(t *testing.T, client *sfn.Client, execution *string, failure, cause string) {
	t.Helper()
	end := s.ended(t, client, execution)
	if end.Status != sfntypes.ExecutionStatusFailed || aws.ToString(end.Error) != failure || !strings.Contains(aws.ToString(end.Cause), cause) {
		t.Errorf("%s with the error %s, %s, want %s with %q in its cause", end.Status, aws.ToString(end.Error), aws.ToString(end.Cause), failure, cause)
	}
}

// wantAnswers checks what moto does not show, the cause that it drops, and that
// no token is in the log.
func (s *stack) wantAnswers(t *testing.T) {
	t.Helper()
	var causes []string
	for _, c := range s.emulator.called() {
		var answer struct{ TaskToken, Cause string }
		if c.KeyID != resumerKeyID {
			continue
		}
		if err := json.Unmarshal(c.Body, &answer); err != nil || answer.TaskToken == "" || strings.Contains(s.resumed.String(), answer.TaskToken) {
			t.Errorf("the call %s %s has no token, or one that is logged: %v", c.Target, c.Body, err)
		}
		if c.Target == "AWSStepFunctions.SendTaskFailure" {
			causes = append(causes, answer.Cause)
		}
	}
	if diff := cmp.Diff([]string{"no such object"}, slices.Compact(causes)); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
}

// wantLines checks the resumer's log: the two events, as none came before the
// end, and the duplicate. The poller may publish an event twice, too.
func (s *stack) wantLines(t *testing.T) {
	t.Helper()
	var messages []string
	for line := range strings.Lines(s.resumed.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["awsRequestId"] == nil || fields["watchId"] == nil {
			t.Errorf("log line %q: %v", line, err)
			continue
		}
		messages = append(messages, fmt.Sprint(fields["msg"], " ", fields["state"]))
	}
	slices.Sort(messages)
	messages = slices.Compact(messages)
	want := []string{"workflow resumed RefreshCompleted", "workflow resumed RefreshFailed", "workflow waits no longer RefreshCompleted"}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// handOver invokes the resumer with each event that the rule has delivered, until
// ctx is done. In AWS it is EventBridge and Lambda's queue that do.
func (s *stack) handOver(ctx context.Context) {
	for sleep(ctx, 200*time.Millisecond) {
		for _, m := range s.take(ctx, s.Outputs["ResumeDeliveriesUrl"]) {
			if _, err := s.resumer.Invoke(context.WithoutCancel(ctx), []byte(*m.Body)); err != nil {
				fmt.Fprintf(s.faults, "the resumer failed: %v\n", err)
			}
		}
	}
}

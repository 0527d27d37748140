//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// The commands as they stand in the runbook, by whichever AWS CLI there is:
// version 1 and 2 differ in how they read a payload.
func TestTheRunbooksLoopHandsAnEventOverAgain(t *testing.T) {
	t.Parallel()
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(runbook), "aws lambda invoke")
	if !found {
		t.Fatal("the runbook invokes no function")
	}
	loop := before[strings.LastIndex(before, "```sh\n")+6:] + "aws lambda invoke" + after[:strings.Index(after, "```")]

	e := startEmulator(t)
	queues := sqs.NewFromConfig(e.client())
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("dead-letters")})
	if err != nil {
		t.Fatal(err)
	}
	const event = `{"detail": {"jobId": "449503829274509313", "reason": "tab\tand \"quotes\" \\ ‹é›"}}`
	if _, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: new(event)}); err != nil {
		t.Fatal(err)
	}
	var payload string
	e.setFault(func(c call, forward func([]byte) answer) answer { // moto would want Docker
		if c.Header.Get("X-Amz-Invocation-Type") != "Event" {
			return forward(c.Body)
		}
		payload = string(c.Body)
		return answer{Status: http.StatusAccepted}
	})
	output := fmt.Sprintf("output() { case $1 in ResumeDeadLetterQueueUrl) echo %q;; ResumeFunctionName) echo resumer;; esac; }\n", *queue.QueueUrl)
	sh := exec.Command("sh", "-c", output+loop)
	sh.Env = append(e.environ(), "PATH="+awsCLI(t, e)+":"+os.Getenv("PATH"))
	said, err := sh.CombinedOutput()
	if err != nil || payload != event {
		t.Errorf("handed over: %q, %v\n%s", payload, err, said)
	}
	left, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil || left.Attributes["ApproximateNumberOfMessages"]+left.Attributes["ApproximateNumberOfMessagesNotVisible"] != "00" {
		t.Errorf("the message is still there: %v, %v", left.Attributes, err)
	}
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// hiddenBriefly stands for the half hour that a redrive hides letters for.
const hiddenBriefly = 3 * time.Second

// redrive has letters that the function rejected and others that SQS moved go back,
// with a run that is killed between sending ten and deleting them.
func (c commanded) redrive(t *testing.T) {
	rejected := []string{`{"jobId": 1, "context": 5}`, "4.495e17", "4.496e17"}
	for _, body := range rejected {
		c.sendOwn(t, body)
	}
	await(t, "the rejected letters", func() bool { return c.messagesIn(t, c.dead) == len(rejected) })
	c.stop() // nobody takes the messages that go back
	var moved []string
	for i := range 12 {
		moved = append(moved, fmt.Sprintf(`{"jobId": %d}`, i+1))
		c.sendOwn(t, moved[i])
	}
	await(t, "the letters that SQS moves", func() bool {
		c.receive(t, c.Outputs["JobQueueUrl"])
		return c.messagesIn(t, c.dead) == len(rejected)+len(moved)
	})

	_, stderr, status := c.run(t, "redrive", "--stack=commanded", "--yes", "--reason=exponent")
	want := "15 dead letters:\n     12  not handled: received too often\n      2  the body has an exponent\n      1  context is a number\n" +
		"2 with a reason that contains \"exponent\"\n2 moved to the job queue, 13 left\n"
	if diff := cmp.Diff(want, stderr); diff != "" || status != 0 {
		t.Errorf("status %d%s", status, diff)
	}

	c.redriveAndKill(t)
	time.Sleep(hiddenBriefly)
	again := exec.Command("make", "-s", "-C", "..", "redrive", "STACK=commanded")
	again.Env = c.emulator.environ()
	if out, err := again.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "13 moved to the job queue, 0 left\n") {
		t.Errorf("make redrive: %v\n%s", err, out)
	}
	c.wantBack(t, append(rejected, moved...))
}

// sendOwn enqueues a message with an attribute of its producer.
func (c commanded) sendOwn(t *testing.T, body string) {
	t.Helper()
	if _, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(c.Outputs["JobQueueUrl"]), MessageBody: &body,
		MessageAttributes: map[string]sqstypes.MessageAttributeValue{"tenant": {DataType: aws.String("String"), StringValue: aws.String("t" + body)}},
	}); err != nil {
		t.Fatal(err)
	}
}

// receive receives messages, which show again after the shortest time that the SDK
// can ask for.
func (c commanded) receive(t *testing.T, url string) {
	t.Helper()
	if _, err := c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 1}); err != nil {
		t.Fatal(err)
	}
}

// redriveAndKill kills a redrive at its first call that would delete.
func (c commanded) redriveAndKill(t *testing.T) {
	t.Helper()
	command := c.command(t, "redrive", "--stack=commanded", "--yes")
	c.emulator.setFault(func(made call, forward func([]byte) answer) answer {
		switch made.Target {
		case "AmazonSQS.DeleteMessageBatch":
			command.Process.Kill()
			return answer{Cut: true}
		case "AmazonSQS.ReceiveMessage":
			var in map[string]any
			if json.Unmarshal(made.Body, &in) == nil && in["VisibilityTimeout"] == 1800.0 {
				in["VisibilityTimeout"] = hiddenBriefly.Seconds()
				made.Body, _ = json.Marshal(in)
			}
		}
		return forward(made.Body)
	})
	defer c.emulator.setFault(nil)
	if err := command.Run(); command.ProcessState == nil {
		t.Fatal(err)
	}
	if left := c.messagesIn(t, c.dead); command.ProcessState.ExitCode() >= 0 || left != 13 {
		t.Errorf("%v, and %d letters are left of 13", command.ProcessState, left)
	}
}

// wantBack checks that each letter is in the job queue, at least once, with its own
// attribute only, and no other.
func (c commanded) wantBack(t *testing.T, bodies []string) {
	t.Helper()
	times := map[string]int{}
	for {
		messages := c.take(t.Context(), c.Outputs["JobQueueUrl"])
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			times[*m.Body]++
			if len(m.MessageAttributes) != 1 || aws.ToString(m.MessageAttributes["tenant"].StringValue) != "t"+*m.Body {
				t.Errorf("%s came back with %v", *m.Body, m.MessageAttributes)
			}
		}
	}
	all := 0
	for body, n := range times {
		if all += n; n > 2 || !slices.Contains(bodies, body) {
			t.Errorf("%s came back %d times", body, n)
		}
	}
	if len(times) != len(bodies) || all != len(bodies)+10 || c.messagesIn(t, c.dead) != 0 {
		t.Errorf("%d of %d came back, in %d messages; %d are left", len(times), len(bodies), all, c.messagesIn(t, c.dead))
	}
}

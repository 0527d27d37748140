//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/tests/leak"
	"refresh-poller/internal/tests/schematest"
)

// everyCredential has all that were used, and those that the cluster sent.
var everyCredential = []string{
	plainToken, tokenBeforeRotation, tokenAfterRotation, password, faultsToken,
	pollerKeyID, resumerKeyID, functionSecretKey, functionSessionToken,
	sourceSecret, reasonSecret, simcluster.LeakedAccessKey,
}

// signature is where the function's own credentials belong.
var signature = map[string]bool{"Authorization": true, "X-Amz-Security-Token": true}

// afterwards checks what has to hold whatever happened on the stack.
func (s *stack) afterwards(t *testing.T) {
	await(t, "the last message's end", func() bool { return s.messagesIn(t, s.Outputs["JobQueueUrl"]) == 0 })
	s.stop()
	for line := range strings.Lines(s.faults.String()) {
		if !strings.Contains(line, errKilled.Error()) {
			t.Errorf("the event source mapping had to say: %s", line)
		}
	}
	limit, _ := strconv.Atoi(s.Function.Environment["DESCRIBE_RATE_LIMIT"])
	peak := s.cluster.peak(time.Second)
	t.Logf("at most %d describes in any second, of %d allowed", peak, limit)
	if peak > limit {
		t.Errorf("%d describes within a second, with a limit of %d", peak, limit)
	}
	s.cluster.wantDocumented(t)
	s.wantSchemas(t)
	s.wantCleanLogs(t)
	s.wantCalls(t)
	for name, text := range s.written() {
		for _, credential := range leak.Find(text, everyCredential...) {
			t.Errorf("the credential %q is in %s", credential, name)
		}
	}
}

// wantNothingTwice checks that each job has one terminal event, duplicates apart,
// and each bad message one dead letter.
func (s *stack) wantNothingTwice(t *testing.T) {
	for job := range s.cluster.Counts().PerJob {
		ends := 0
		for _, e := range s.caughtOf(job) {
			if e.Detail["terminal"] == true {
				ends++
			}
		}
		if ends > 1 || ends == 0 && job.ID != doomedJob {
			t.Errorf("%v has %d terminal events", job, ends)
		}
	}
	for _, m := range s.dead {
		if n := len(s.deadLetters(*m.Body)); n > 1 {
			t.Errorf("%d dead letters %q", n, *m.Body)
		}
	}
}

// messagesIn returns how many messages a queue holds, delayed and hidden ones
// included.
func (s *stack) messagesIn(t *testing.T, url string) (n int) {
	t.Helper()
	out, err := s.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, attribute := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible"} {
		count, err := strconv.Atoi(out.Attributes[attribute])
		if err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}

// wantSchemas checks what came of the stack by the schemas.
func (s *stack) wantSchemas(t *testing.T) {
	t.Helper()
	for _, e := range s.events {
		if hasSchema(e) {
			schematest.Event(t, enveloped(t, e.text))
		}
	}
	for _, body := range s.reenqueued() {
		schematest.Message(t, body)
	}
	// The producers' messages: programs, a rule, a workflow.
	for _, body := range s.received {
		if err := schematest.MessageFault(body); err != nil && len(s.deadLetters(body)) == 0 {
			t.Errorf("not a message of schemas/message.json: %v\n%s", err, body)
		}
	}
	if len(s.received) == 0 {
		t.Error("no message was received")
	}
}

// enveloped returns an event with what it has around its detail in AWS: moto leaves
// the account out, kumo the resources, and kumo adds the bus.
func enveloped(t *testing.T, text string) string {
	t.Helper()
	var event map[string]json.RawMessage
	decode(t, text, &event)
	event["account"] = json.RawMessage(strconv.Quote(account))
	if event["resources"] == nil {
		event["resources"] = json.RawMessage("[]")
	}
	delete(event, "event-bus-name")
	all, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// hasSchema reports whether schemas/event.json describes the event: only those of
// refreshes, as yet.
func hasSchema(e event) bool { return e.DetailType == detailTypes[simcluster.ExternalCollection] }

// wantCleanLogs checks that every line is a JSON object with what the log
// promises, and that the metrics among them are the stack's.
func (s *stack) wantCleanLogs(t *testing.T) {
	t.Helper()
	polls, metrics := 0, 0
	for _, printed := range s.printed {
		for line := range strings.Lines(printed.String()) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err != nil || !strings.HasSuffix(line, "\n") {
				t.Errorf("log line %q: %v", line, err)
				continue
			}
			if fields["_aws"] != nil && fields["Stack"] == s.Function.Environment["STACK_NAME"] {
				metrics++
			}
			if fields["msg"] != "job polled" {
				continue
			}
			polls++
			for _, key := range []string{"time", "level", "jobId", "watchId", "poll", "action", "awsRequestId"} {
				if fields[key] == nil {
					t.Errorf("log line without %s: %s", key, line)
				}
			}
		}
	}
	if polls == 0 || metrics == 0 {
		t.Errorf("%d polls and %d lines of metrics were logged", polls, metrics)
	}
}

// wantCalls checks that each function calls nothing but what its role allows, and
// leaves the trace by which Lambda knows a loop.
func (s *stack) wantCalls(t *testing.T) {
	t.Helper()
	allowed := map[string][]string{
		pollerKeyID:  {sendMessages, putEvents, getSecret},
		resumerKeyID: {"AWSStepFunctions.SendTaskSuccess", "AWSStepFunctions.SendTaskFailure"},
	}
	for _, c := range s.emulator.called() {
		if !slices.Contains(allowed[c.KeyID], c.Target) || !strings.HasPrefix(c.Trace, "Root=1-") {
			t.Errorf("a function called %q with the trace %q", c.Target, c.Trace)
		}
	}
}

// written is all that the function wrote, or that came of it.
func (s *stack) written() map[string]string {
	texts := map[string]*strings.Builder{"a log": {}, "a call of AWS": {}, "an event": {}, "a dead letter": {}}
	for _, printed := range append(s.printed, s.resumed) {
		texts["a log"].WriteString(printed.String())
	}
	for _, c := range s.emulator.called() {
		c.Header.WriteSubset(texts["a call of AWS"], signature)
		texts["a call of AWS"].Write(c.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		texts["an event"].WriteString(e.text)
	}
	for _, m := range s.dead {
		text, _ := json.Marshal(m)
		texts["a dead letter"].Write(text)
	}
	all := map[string]string{}
	for name, text := range texts {
		all[name] = text.String()
	}
	return all
}

// sentOn returns the bodies of the re-enqueued messages about a job.
func (s *stack) sentOn(jobID string) (bodies []string) {
	for _, body := range s.reenqueued() {
		if strings.HasPrefix(body, `{"jobId":`+jobID+`,`) || strings.HasPrefix(body, `{"jobId":"`+jobID+`",`) {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// reenqueued returns the bodies of the messages that the poller sent to its queue.
func (s *stack) reenqueued() (bodies []string) {
	for _, c := range s.emulator.called() {
		var batch struct {
			QueueURL string
			Entries  []struct{ MessageBody string }
		}
		if c.Target != sendMessages || json.Unmarshal(c.Body, &batch) != nil || batch.QueueURL != s.Outputs["JobQueueUrl"] {
			continue
		}
		for _, entry := range batch.Entries {
			bodies = append(bodies, entry.MessageBody)
		}
	}
	return bodies
}

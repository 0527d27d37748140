//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"refresh-poller/internal/simcluster"
)

func badInput(t *testing.T, s *stack) func(t *testing.T) {
	text, err := os.ReadFile("../events/bad.json")
	if err != nil {
		t.Fatal(err)
	}
	var sample events.SQSEvent
	if err := json.Unmarshal(text, &sample); err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, record := range sample.Records {
		bodies = append(bodies, record.Body)
	}
	s.cluster.Add(simcluster.Job{ID: goodJob})
	// The good one is among the others of one batch.
	ids := s.send(t, append([]string{goodJob}, bodies[1:]...)...)
	good := ids[0]
	ids[0] = s.send(t, bodies[0])[0]

	return func(t *testing.T) {
		for i, body := range bodies {
			await(t, fmt.Sprintf("the dead letter %q", body), func() bool { return len(s.deadLetters(body)) > 0 })
			letters := s.deadLetters(body)
			if len(letters) > 1 {
				t.Errorf("%d dead letters %q", len(letters), body)
			}
			attributes := letters[0].MessageAttributes
			if reason := aws.ToString(attributes["RejectReason"].StringValue); len(reason) < 20 {
				t.Errorf("%q is rejected because %q", body, reason)
			}
			if id := aws.ToString(attributes["OriginalMessageId"].StringValue); id != ids[i] {
				t.Errorf("%q was message %q, not %q", body, ids[i], id)
			}
		}
		batches := map[any]bool{}
		for _, line := range s.lines("job polled") {
			if line["watchId"] == good {
				batches[line["awsRequestId"]] = true
			}
		}
		for _, line := range s.lines("message rejected") {
			if line["messageId"] != ids[0] {
				batches[line["awsRequestId"]] = true
			}
		}
		if len(batches) != 1 {
			t.Errorf("the good message and the bad ones beside it came in %d batches", len(batches))
		}
		if end := s.end(t, goodJob).Detail; end["state"] != "RefreshCompleted" || len(s.cluster.describes(goodJob)) != 1 {
			t.Errorf("the good job ended as %v after %d describes", end["state"], len(s.cluster.describes(goodJob)))
		}
	}
}

func rateLimit(t *testing.T, s *stack) func(t *testing.T) {
	const wait = 6 * time.Second // beyond MaxPollDelaySeconds and the batching window
	s.cluster.Add(simcluster.Job{ID: throttledJob, Faults: []simcluster.Answer{
		simcluster.Failure(1807, "request is rejected by limiter"), simcluster.RateLimited(wait), simcluster.GatewayPage(),
	}})
	s.send(t, throttledJob)
	return func(t *testing.T) {
		if end := s.end(t, throttledJob).Detail; end["state"] != "RefreshCompleted" {
			t.Errorf("the job ended as %v", end["state"])
		}
		describes := s.cluster.describes(throttledJob)
		if len(describes) != 4 {
			t.Fatalf("%d describes, not three that failed and one more", len(describes))
		}
		if waited := describes[2].Sub(describes[1]); waited < wait {
			t.Errorf("asked again after %s, with a Retry-After of %s", waited, wait)
		}
	}
}

// burst is more jobs at once, of all kinds, than the limit allows to describe in a
// second.
func burst(t *testing.T, s *stack) func(t *testing.T) {
	const jobs = 30
	var all []simcluster.Ref
	for len(all) < jobs {
		var bodies []string
		for range 10 {
			job := refOf(kinds[len(all)%len(kinds)], burstJobs+len(all)/len(kinds))
			s.cluster.Add(simcluster.Job{Kind: job.Kind, ID: job.ID})
			all, bodies = append(all, job), append(bodies, bodyOf(job, ""))
		}
		s.send(t, bodies...)
	}
	return func(t *testing.T) {
		for _, job := range all {
			s.endOf(t, job)
		}
	}
}

// rotatedSecret begins when it is checked: the others' watches must be over.
func rotatedSecret(t *testing.T, s *stack) func(t *testing.T) {
	return func(t *testing.T) {
		s.cluster.Add(simcluster.Job{ID: rotatedJob, RunsFor: 6 * time.Second})
		s.send(t, rotatedJob)
		await(t, "the first describe", func() bool { return len(s.cluster.describes(rotatedJob)) > 0 })
		s.cluster.SetToken(tokenAfterRotation)
		// Once with the token at hand, once with the secret read again, and that
		// in two polls.
		await(t, "the refusal of the old token", func() bool { return s.cluster.Counts().Refused >= 4 })
		_, err := secretsmanager.NewFromConfig(s.emulator.client()).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: aws.String(s.Function.Environment["CLUSTER_TOKEN_SECRET_ARN"]), SecretString: aws.String(tokenAfterRotation),
		})
		if err != nil {
			t.Fatal(err)
		}
		if end := s.end(t, rotatedJob).Detail; end["state"] != "RefreshCompleted" {
			t.Errorf("the job ended as %v", end["state"])
		}
	}
}

// deadLetter has the bus refuse every event of one job.
func deadLetter(t *testing.T, s *stack) func(t *testing.T) {
	body := fmt.Sprintf(`{"jobId": %s, "context": {"of": "the producer"}}`, doomedJob)
	s.emulator.setFault(refuseEventsOf(doomedJob))
	s.cluster.Add(simcluster.Job{ID: doomedJob})
	ids := s.send(t, body)
	return func(t *testing.T) {
		await(t, "the dead letter", func() bool { return len(s.deadLetters(body)) > 0 })
		if letter := s.deadLetters(body)[0]; *letter.MessageId != ids[0] || len(letter.MessageAttributes) > 0 {
			t.Errorf("the dead letter is message %s with attributes %v, not %s", *letter.MessageId, letter.MessageAttributes, ids[0])
		}
		receives := 0
		for _, line := range s.lines("batch item failed") {
			if line["messageId"] == ids[0] {
				receives++
			}
		}
		if receives != 5 || len(s.caught(doomedJob)) > 0 {
			t.Errorf("%d receives failed, not 5; events: %v", receives, s.caught(doomedJob))
		}
	}
}

// refuseEventsOf has PutEvents fail for the entries about one job.
func refuseEventsOf(jobID string) fault {
	return func(c call, forward func([]byte) answer) answer {
		if c.Target != putEvents {
			return forward(c.Body)
		}
		return refuse(c, forward, func(_ int, entry []byte) bool { return bytes.Contains(entry, []byte(jobID)) })
	}
}

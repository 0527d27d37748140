package stack

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/schematest"
)

func TestSampleEventsAreWhatSQSSends(t *testing.T) {
	files, err := filepath.Glob("../../events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]int{}
	ids := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(file)
		for _, message := range sample(t, name).Records {
			messages[name]++
			if ids[message.MessageId] {
				t.Errorf("%s: the message id %s stands in two messages", name, message.MessageId)
			}
			ids[message.MessageId] = true
			if sum := md5.Sum([]byte(message.Body)); message.Md5OfBody != hex.EncodeToString(sum[:]) {
				t.Errorf("%s: md5OfBody of %q is %x", name, message.Body, sum)
			}
			if message.EventSource != "aws:sqs" || message.EventSourceARN != "arn:aws:sqs:us-east-1:123456789012:refresh-poller-JobQueue-1a2b3c4d" {
				t.Errorf("%s: a message is from %s %s", name, message.EventSource, message.EventSourceARN)
			}
			for _, attribute := range []string{"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} {
				if message.Attributes[attribute] == "" {
					t.Errorf("%s: a message has no %s", name, attribute)
				}
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"bad.json": 10, "batch.json": 6, "re-enqueued.json": 1, "single.json": 1}, messages); diff != "" {
		t.Errorf("messages by file (-want +got):\n%s", diff)
	}
}

func TestAValidatorTellsTheSampleMessagesApart(t *testing.T) {
	const unseen = `{"jobId": 4.49503829274509313e17}` // whole, if not in digits
	for _, name := range []string{"single.json", "batch.json", "re-enqueued.json", "bad.json"} {
		for _, message := range sample(t, name).Records {
			fault := schematest.MessageFault(message.Body)
			if bad := name == "bad.json" && message.Body != unseen; bad != (fault != nil) {
				t.Errorf("%s: of %q the validator says %v", name, message.Body, fault)
			}
		}
	}
}

func TestTheReEnqueuedSampleGoesOnWithTheSingleOne(t *testing.T) {
	first, next := sample(t, "single.json").Records[0], sample(t, "re-enqueued.json").Records[0]
	var body struct {
		JobID json.Number `json:"jobId"`
		Watch struct {
			ID    string      `json:"id"`
			Since json.Number `json:"since"`
		} `json:"watch"`
	}
	if err := json.Unmarshal([]byte(next.Body), &body); err != nil {
		t.Fatal(err)
	}
	got := []string{body.JobID.String(), body.Watch.ID, body.Watch.Since.String()}
	if want := []string{"449503829274509313", first.MessageId, first.Attributes["SentTimestamp"]}; !slices.Equal(got, want) {
		t.Errorf("job, watch and beginning are %q, want %q", got, want)
	}
}

func sample(t *testing.T, name string) events.SQSEvent {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../events", name))
	if err != nil {
		t.Fatal(err)
	}
	var event events.SQSEvent
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&event); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return event
}

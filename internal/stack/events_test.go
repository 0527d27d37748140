package stack

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/schematest"
	"refresh-poller/internal/watch"
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
	want := map[string]int{
		"bad.json": 10, "bad-kinds.json": 4, "batch.json": 6, "kinds.json": 6, "re-enqueued.json": 2, "re-enqueued-before-kinds.json": 1, "single.json": 1,
	}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("messages by file (-want +got):\n%s", diff)
	}
}

func TestAValidatorTellsTheSampleMessagesApart(t *testing.T) {
	const unseen = `{"jobId": 4.49503829274509313e17}` // whole, if not in digits
	for _, name := range []string{"single.json", "batch.json", "kinds.json", "re-enqueued.json", "re-enqueued-before-kinds.json", "bad.json", "bad-kinds.json"} {
		for _, message := range sample(t, name).Records {
			fault := schematest.MessageFault(message.Body)
			if bad := strings.HasPrefix(name, "bad") && message.Body != unseen; bad != (fault != nil) {
				t.Errorf("%s: of %q the validator says %v", name, message.Body, fault)
			}
		}
	}
}

// parsed reads a sample's message as the poller does.
func parsed(t *testing.T, record events.SQSMessage) watch.Message {
	t.Helper()
	ms, err := strconv.ParseInt(record.Attributes["SentTimestamp"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	m, err := watch.Parse(record.Body, record.MessageId, time.UnixMilli(ms).UTC(), milvus.ExternalCollection)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheReEnqueuedSamplesGoOnWithOthers(t *testing.T) {
	one, kinds := sample(t, "single.json").Records[0], sample(t, "kinds.json").Records[0]
	now, before := sample(t, "re-enqueued.json").Records, sample(t, "re-enqueued-before-kinds.json").Records
	for _, tt := range []struct{ first, next events.SQSMessage }{{one, now[0]}, {kinds, now[1]}, {one, before[0]}} {
		want, got := parsed(t, tt.first), parsed(t, tt.next)
		got.Watch = watch.State{ID: got.Watch.ID, Since: got.Watch.Since}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("job and watch (-first message +re-enqueued):\n%s", diff)
		}
	}
}

func TestTheReEnqueuedSamplesAreAsThisVersionWritesThem(t *testing.T) {
	for _, record := range sample(t, "re-enqueued.json").Records {
		if diff := cmp.Diff(parsed(t, record).Body(), record.Body); diff != "" {
			t.Errorf("body (-poller +sample):\n%s", diff)
		}
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

package poller

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
)

// call is one request of the SDK, as AWS gets it.
type call struct {
	Target string
	Input  map[string]any
}

// wire is an AWS on HTTP; answer gives status and body for a call.
type wire struct {
	mu     sync.Mutex
	calls  []call
	answer func(c call) (int, string)
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := call{Target: r.Header.Get("X-Amz-Target")}
	body, _ := io.ReadAll(r.Body)
	json.Unmarshal(body, &c.Input)
	w.calls = append(w.calls, c)
	status, text := w.answer(c)
	rw.Header().Set("Content-Type", "application/x-amz-json-1.0")
	rw.WriteHeader(status)
	io.WriteString(rw, text)
}

// newWired is a harness whose AWS calls go through the real clients to w.
func newWired(t *testing.T, w *wire) *harness {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	const secretKey, sessionToken = "role's+secret/access+key", "role's/session+token=="
	cfg := aws.Config{
		Region: "eu-central-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("id", secretKey, sessionToken),
	}
	h := newHarness(t)
	h.credentials = []string{secretKey, sessionToken}
	h.written["a call of AWS"] = func() string { return inFull(w.calls) }
	h.Cluster = half
	h.SQS, h.EventBridge = sqs.NewFromConfig(cfg), eventbridge.NewFromConfig(cfg)
	return h
}

// taken answers every entry of a call with success.
func taken(c call) (int, string) {
	entries := c.Input["Entries"].([]any)
	var results []string
	for _, e := range entries {
		entry := e.(map[string]any)
		if c.Target == "AWSEvents.PutEvents" {
			results = append(results, `{"EventId":"e"}`)
			continue
		}
		results = append(results, fmt.Sprintf(`{"Id":%q,"MessageId":"m","MD5OfMessageBody":"%x"}`, entry["Id"], md5.Sum([]byte(entry["MessageBody"].(string)))))
	}
	if c.Target == "AWSEvents.PutEvents" {
		return 200, `{"FailedEntryCount":0,"Entries":[` + strings.Join(results, ",") + `]}`
	}
	return 200, `{"Successful":[` + strings.Join(results, ",") + `],"Failed":[]}`
}

func TestWhatAWSGets(t *testing.T) {
	w := &wire{answer: taken}
	h := newWired(t, w)
	if failed := h.handle(t, `{"jobId":1,"context":{"a":1}}`, "6", "bad"); failed != nil {
		t.Fatalf("items %v failed: %s", failed, h.log)
	}
	got := map[string]call{}
	for _, c := range w.calls {
		queue, _ := c.Input["QueueUrl"].(string)
		got[c.Target+queue] = c
	}
	if len(w.calls) != 3 || len(got) != 3 {
		t.Fatalf("calls %v, want one for each queue and one PutEvents", w.calls)
	}

	again := got["AmazonSQS.SendMessageBatch"+jobQueue].Input["Entries"].([]any)
	entryAgain := again[0].(map[string]any)
	entryAgain["MessageBody"] = regexp.MustCompile(`"seen":[0-9]{13}`).ReplaceAllString(entryAgain["MessageBody"].(string), `"seen":now`)
	wantAgain := []any{map[string]any{
		"Id": "0", "DelaySeconds": 286.0, // years after it began
		"MessageBody": `{"jobId":6,"kind":"external_collection","watch":{"version":1,"id":"1","since":1712832000000,"polls":1,"state":"RefreshInProgress","progress":42,"collectionName":"ext_books","startTime":1712832000000,"seen":now}}`,
	}}
	if diff := cmp.Diff(wantAgain, again); diff != "" {
		t.Error("re-enqueued", diff)
	}

	rejected := got["AmazonSQS.SendMessageBatch"+deadLetterQueue].Input["Entries"].([]any)[0].(map[string]any)
	id := rejected["MessageAttributes"].(map[string]any)["OriginalMessageId"]
	if diff := cmp.Diff(map[string]any{"DataType": "String", "StringValue": "2"}, id); diff != "" || rejected["MessageBody"] != "bad" {
		t.Errorf("rejected %v", rejected)
	}

	entry := got["AWSEvents.PutEvents"].Input["Entries"].([]any)[0].(map[string]any)
	detail := entry["Detail"].(string)
	delete(entry, "Detail")
	wantEntry := map[string]any{
		"EventBusName": "bus", "Source": "refresh-poller",
		"DetailType": "External Collection Refresh Job State Change",
		"Time":       1712832093.0, // endTime
	}
	if diff := cmp.Diff(wantEntry, entry); diff != "" {
		t.Error("published", diff)
	}
	if !json.Valid([]byte(detail)) || !strings.Contains(detail, `"context":{"a":1}`) {
		t.Errorf("detail %s", detail)
	}
}

func TestEntriesThatAWSRefusesOnTheWireAreFoundByTheirPlace(t *testing.T) {
	w := &wire{answer: func(c call) (int, string) {
		if c.Target == "AWSEvents.PutEvents" {
			if len(c.Input["Entries"].([]any)) == 2 {
				return 200, `{"FailedEntryCount":1,"Entries":[{"EventId":"e"},{"ErrorCode":"InternalFailure","ErrorMessage":"sorry"}]}`
			}
			return 200, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"sorry"}]}`
		}
		_, ok := taken(c)
		if strings.Contains(ok, `"Id":"1"`) {
			return 200, ok[:strings.Index(ok, `,{"Id":"1"`)] + `],"Failed":[{"Id":"1","Code":"InternalError","SenderFault":false}]}`
		}
		return 200, ok
	}}
	h := newWired(t, w)
	if failed := h.handle(t, "1", "2", "6", "7"); !slices.Equal(failed, []string{"1"}) {
		t.Errorf("items %v failed, want that of job 2 only: job 7's second try was taken", failed)
	}
	if len(w.calls) != 4 {
		t.Errorf("%d calls, want two of each", len(w.calls))
	}
}

func TestACallThatAWSRefusesOnTheWireFailsItsMessages(t *testing.T) {
	w := &wire{answer: func(c call) (int, string) {
		if c.Target == "AWSEvents.PutEvents" {
			return 400, `{"__type":"AccessDeniedException","message":"not authorized"}`
		}
		return taken(c)
	}}
	h := newWired(t, w)
	if failed := h.handle(t, "1", "6"); !slices.Equal(failed, []string{"0"}) {
		t.Errorf("items %v failed, want that of job 1", failed)
	}
}

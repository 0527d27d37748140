package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeAWS is an account with one stack, named orders, as far as the commands need
// it.
type fakeAWS struct {
	mu         sync.Mutex
	parameters map[string]string
	// dead are the letters' reasons, "" where SQS has moved one; the bodies are the
	// ids of their messages.
	dead []string
	// sent are the bodies in the job queue, released the letters that show again.
	sent, released []string
	received       bool
	// log are the lines of the poller.
	log []string
	// refuse says which calls are refused.
	refuse string
	// calls are the permissions that each call needed.
	calls []string
}

// startAWS has the SDK call a fake, and nothing else.
func startAWS(t *testing.T) *fakeAWS {
	f := &fakeAWS{parameters: map[string]string{"ClusterEndpoint": "https://cluster.example/"}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIATESTER", "AWS_SECRET_ACCESS_KEY": "tests-secret-access-key",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
	return f
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	service, action, isJSON := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	form, _ := url.ParseQuery(string(body))
	if !isJSON {
		service, action = "CloudFormation", form.Get("Action")
	}
	f.calls = append(f.calls, permission(service, action, string(body)))
	switch {
	case action == f.refuse && isJSON:
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type": "AccessDeniedException", "message": "not for you"}`)
	case !isJSON && form.Get("StackName") != "orders":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id %s does not exist</Message></Error></ErrorResponse>", form.Get("StackName"))
	case action == "DescribeStacks":
		io.WriteString(w, f.stack())
	case action == "DescribeStackResource":
		io.WriteString(w, "<DescribeStackResourceResponse><DescribeStackResourceResult><StackResourceDetail><PhysicalResourceId>orders-PollerLogGroup</PhysicalResourceId></StackResourceDetail></DescribeStackResourceResult></DescribeStackResourceResponse>")
	default:
		json.NewEncoder(w).Encode(f.answer(action, body))
	}
}

func (f *fakeAWS) stack() string {
	var xml strings.Builder
	xml.WriteString("<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>")
	for key, queue := range map[string]string{"JobQueueUrl": "jobs", "DeadLetterQueueUrl": "dead"} {
		fmt.Fprintf(&xml, "<member><OutputKey>%s</OutputKey><OutputValue>https://sqs.eu-west-1.amazonaws.com/123456789012/%s</OutputValue></member>", key, queue)
	}
	xml.WriteString("</Outputs><Parameters>")
	for key, value := range f.parameters {
		fmt.Fprintf(&xml, "<member><ParameterKey>%s</ParameterKey><ParameterValue>%s</ParameterValue></member>", key, value)
	}
	return xml.String() + "</Parameters></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
}

// answer answers a call of SQS or CloudWatch Logs.
func (f *fakeAWS) answer(action string, body []byte) any {
	var in struct {
		Entries []struct{ ID, MessageBody, ReceiptHandle string }
	}
	json.Unmarshal(body, &in)
	successful := []any{}
	switch action {
	case "GetQueueAttributes":
		return map[string]any{"Attributes": map[string]string{"ApproximateNumberOfMessages": fmt.Sprint(len(f.dead)), "ApproximateNumberOfMessagesNotVisible": "0"}}
	case "ReceiveMessage":
		return map[string]any{"Messages": f.receive()}
	case "SendMessageBatch":
		for _, e := range in.Entries {
			f.sent = append(f.sent, e.MessageBody)
			successful = append(successful, map[string]string{"Id": e.ID, "MessageId": fmt.Sprint("message-", len(f.sent)), "MD5OfMessageBody": sum(e.MessageBody)})
		}
	case "ChangeMessageVisibilityBatch":
		for _, e := range in.Entries {
			f.released = append(f.released, e.ReceiptHandle)
		}
	case "FilterLogEvents":
		events := []any{}
		for i, line := range f.log {
			events = append(events, map[string]any{"eventId": fmt.Sprint(i), "timestamp": time.Now().UnixMilli(), "message": line})
		}
		return map[string]any{"events": events}
	}
	return map[string]any{"Successful": successful, "Failed": []any{}}
}

// receive brings all letters once.
func (f *fakeAWS) receive() []any {
	messages := []any{}
	if f.received {
		return messages
	}
	f.received = true
	for i, reason := range f.dead {
		id := fmt.Sprint("letter-", i)
		m := map[string]any{"MessageId": id, "ReceiptHandle": id, "Body": id, "MD5OfBody": sum(id)}
		if reason != "" {
			m["MessageAttributes"] = map[string]any{"RejectReason": map[string]string{"DataType": "String", "StringValue": reason}}
		}
		messages = append(messages, m)
	}
	return messages
}

func sum(text string) string {
	digest := md5.Sum([]byte(text))
	return hex.EncodeToString(digest[:])
}

// permission is the action of IAM that a call needs, and the resource.
func permission(service, action, body string) string {
	action = strings.TrimSuffix(action, "Batch") // which is no action of its own
	switch {
	case service == "CloudFormation":
		return "cloudformation:" + action + " the stack"
	case service == "Logs_20140328":
		return "logs:" + action + " PollerLogGroup"
	case strings.Contains(body, `/dead"`):
		return "sqs:" + action + " JobDeadLetterQueue"
	}
	return "sqs:" + action + " JobQueue"
}

// made returns the permissions that were needed, each once.
func (f *fakeAWS) made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(f.calls)))
}

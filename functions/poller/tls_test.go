package main

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"refresh-poller/internal/tests/authority"
	"refresh-poller/internal/tests/leak"
	"refresh-poller/internal/tests/runtimeapi"
)

// account is AWS with one secret and one queue.
type account struct {
	mu   sync.Mutex
	text string
	sent []string
}

func (a *account) hold(ca string, client authority.Pair) {
	text, _ := json.Marshal(map[string]string{"token": "0123456789abcdef", "caCertificate": ca, "clientCertificate": client.Certificate, "clientPrivateKey": client.Key})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text = string(text)
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Header.Get("X-Amz-Target") == "secretsmanager.GetSecretValue" {
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": a.text})
		return
	}
	var call struct {
		Entries []struct{ ID, MessageBody string }
	}
	_ = json.NewDecoder(r.Body).Decode(&call)
	for _, e := range call.Entries { // one
		a.sent = append(a.sent, e.MessageBody)
		fmt.Fprintf(w, `{"Successful": [{"Id": %q, "MessageId": "1", "MD5OfMessageBody": "%x"}]}`, e.ID, md5.Sum([]byte(e.MessageBody)))
	}
}

// The deployed program picks up each change without a restart.
func TestTheFunctionTakesItsTrustFromTheSecret(t *testing.T) {
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bootstrap, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	own, clients := authority.New(t, "own"), authority.New(t, "clients")
	soon := time.Now().Add(time.Hour)
	cluster := authority.Serve(t, "HTTP/2, TLS 1.3", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code": 0, "data": {"jobId": 1, "state": "RefreshInProgress", "progress": 42}}`)
	})
	cluster.Present(t, own.Issue(t, soon), clients)
	aws := &account{}
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	var printed bytes.Buffer
	f, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
		Bootstrap: bootstrap, ARN: "arn:aws:lambda:eu-west-1:123456789012:function:poller", Handler: "bootstrap", MemoryMB: 128,
		Timeout: time.Minute, InitTimeout: time.Minute, Output: &printed, Environment: map[string]string{
			"CLUSTER_ENDPOINT": cluster.URL, "CLUSTER_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:refresh-poller/token-a1b2c3",
			"JOB_QUEUE_URL": server.URL + "/1/JobQueue", "DEAD_LETTER_QUEUE_URL": server.URL + "/1/Dead", "EVENT_BUS_NAME": "bus", "STACK_NAME": "stack",
			"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	pid := f.PID()
	right := clients.Issue(t, soon)
	for i, step := range []struct {
		ca     string
		client authority.Pair
		want   string
	}{
		{"", authority.Pair{}, "put its certificate into caCertificate of the secret"},
		{own.PEM(), authority.Pair{}, "put one that it takes into clientCertificate of the secret"},
		{own.PEM(), right, "RefreshInProgress"},
	} {
		aws.hold(step.ca, step.client)
		payload, _ := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{
			MessageId: fmt.Sprint(i), Body: "1", Attributes: map[string]string{"SentTimestamp": fmt.Sprint(time.Now().UnixMilli())},
		}}})
		if response, err := f.Invoke(t.Context(), payload); err != nil || !strings.Contains(string(response), `"batchItemFailures":[]`) {
			t.Fatalf("%s, %v", response, err)
		}
		if sent := aws.sent[len(aws.sent)-1]; len(aws.sent) != i+1 || !strings.Contains(sent, step.want) {
			t.Errorf("%q is not in %s", step.want, sent)
		}
	}
	if f.PID() != pid {
		t.Error("the process is another")
	}
	f.Close() // what was printed is complete then
	if leak.Find(printed.String()+strings.Join(aws.sent, ""), right.Key, "0123456789abcdef") != nil || !strings.Contains(printed.String(), `"errorKind":"refused"`) {
		t.Errorf("printed %s", printed.String())
	}
}

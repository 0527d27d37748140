package main

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"refresh-poller/internal/tests/authority"
	"refresh-poller/internal/tests/runtimeapi"
)

// bootstrap is the function's binary, built as make builds it, but with its symbols.
var bootstrap string

// started runs it, under what LAMBDA_UNDER says if that is set: a program that limits
// what the one behind it may take, and then is that one.
var started string

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "32") // they wait for each other's processes, and compute little
	dir, err := os.MkdirTemp("", "poller")
	if err != nil {
		panic(err)
	}
	bootstrap = filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-o", bootstrap, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	started = bootstrap
	if limits := os.Getenv("LAMBDA_UNDER"); limits != "" {
		started += ".under"
		if err := os.WriteFile(started, []byte("#!/bin/sh\nexec "+limits+" "+bootstrap+"\n"), 0o700); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// The calls of AWS, by their header X-Amz-Target.
const (
	readsSecret = "secretsmanager.GetSecretValue"
	sends       = "AmazonSQS.SendMessageBatch"
	puts        = "AWSEvents.PutEvents"
)

// account is AWS with a secret, the two queues and the bus.
type account struct {
	*httptest.Server
	// taken, if set before the first call, is told of each that has taken effect and
	// has no answer yet. Those that it returns false for get none.
	taken func(ctx context.Context, call string) bool

	mu                  sync.Mutex
	secret              string // none can be read while it is empty
	reads               int
	queue, dead, events []string
}

func startAccount(t *testing.T) *account {
	a := &account{secret: "0123456789abcdef"}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *account) hold(secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secret = secret
}

// holdPEMs puts a token and PEMs into the secret.
func (a *account) holdPEMs(ca string, client authority.Pair) {
	text, _ := json.Marshal(map[string]string{"token": "0123456789abcdef", "caCertificate": ca, "clientCertificate": client.Certificate, "clientPrivateKey": client.Key})
	a.hold(string(text))
}

// all returns what has come so far.
func (a *account) all() (queue, dead, events []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.queue), slices.Clone(a.dead), slices.Clone(a.events)
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Header.Get("X-Amz-Target")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	status, answer := a.take(call, body)
	if a.taken != nil && !a.taken(r.Context(), call) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (a *account) take(call string, body []byte) (status int, answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var in struct {
		QueueURL string
		Entries  []struct{ ID, MessageBody, Detail string }
	}
	_ = json.Unmarshal(body, &in)
	var results []string
	for _, e := range in.Entries {
		switch {
		case call == puts:
			a.events = append(a.events, e.Detail)
			results = append(results, `{"EventId": "1"}`)
			continue
		case strings.HasSuffix(in.QueueURL, "Dead"):
			a.dead = append(a.dead, e.MessageBody)
		default:
			a.queue = append(a.queue, e.MessageBody)
		}
		results = append(results, fmt.Sprintf(`{"Id": %q, "MessageId": "1", "MD5OfMessageBody": "%x"}`, e.ID, md5.Sum([]byte(e.MessageBody))))
	}
	switch {
	case call == puts:
		return http.StatusOK, `{"Entries": [` + strings.Join(results, ",") + `]}`
	case call == sends:
		return http.StatusOK, `{"Successful": [` + strings.Join(results, ",") + `]}`
	case a.secret == "":
		a.reads++
		return http.StatusBadRequest, `{"__type": "AccessDeniedException"}`
	}
	a.reads++
	text, _ := json.Marshal(map[string]string{"SecretString": a.secret})
	return http.StatusOK, string(text)
}

// deploy starts the function on the account and a cluster, as Lambda does.
func deploy(t *testing.T, a *account, cluster string, timeout time.Duration, printed io.Writer) *runtimeapi.Function {
	t.Helper()
	f, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
		Bootstrap: started, ARN: "arn:aws:lambda:eu-west-1:123456789012:function:poller", Handler: "bootstrap", MemoryMB: 128,
		Timeout: timeout, InitTimeout: time.Minute, Output: printed, Environment: map[string]string{
			"CLUSTER_ENDPOINT": cluster, "CLUSTER_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:refresh-poller/token-a1b2c3",
			"JOB_QUEUE_URL": a.URL + "/1/JobQueue", "DEAD_LETTER_QUEUE_URL": a.URL + "/1/Dead", "EVENT_BUS_NAME": "bus", "STACK_NAME": "stack",
			"AWS_ENDPOINT_URL": a.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// batchOf makes messages that were sent just now. Their ids are their places.
func batchOf(bodies ...string) []byte {
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId: fmt.Sprint(i), Body: body, Attributes: map[string]string{"SentTimestamp": fmt.Sprint(time.Now().UnixMilli())},
		})
	}
	payload, _ := json.Marshal(batch)
	return payload
}

// invoke has the function handle messages, and returns the places of those that
// failed.
func invoke(t *testing.T, f *runtimeapi.Function, bodies ...string) (failed []string) {
	t.Helper()
	response, err := f.Invoke(t.Context(), batchOf(bodies...))
	var out events.SQSEventResponse
	if err == nil {
		err = json.Unmarshal(response, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range out.BatchItemFailures {
		failed = append(failed, item.ItemIdentifier)
	}
	return failed
}

// asked returns the job that a describe is about.
func asked(r *http.Request) string {
	var body struct{ JobID json.Number }
	_ = json.NewDecoder(r.Body).Decode(&body)
	return body.JobID.String()
}

// inProgress is an answer about a job that runs, and completed one about a job that
// has ended.
func inProgress(id string) string {
	return `{"code": 0, "data": {"jobId": ` + id + `, "state": "RefreshInProgress", "progress": 42}}`
}

func completed(id string) string {
	return `{"code": 0, "data": {"jobId": ` + id + `, "state": "RefreshCompleted", "progress": 100}}`
}

// setting is a duration of the environment, by which make lambda asks for more than a
// test has time for.
func setting(t *testing.T, name string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

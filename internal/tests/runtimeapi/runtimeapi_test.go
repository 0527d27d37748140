package runtimeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"
)

// The function under test is this test's own binary, which TestMain makes one
// when BEHAVIOUR says which.
func TestMain(m *testing.M) {
	switch os.Getenv("BEHAVIOUR") {
	case "":
		os.Exit(m.Run())
	case "exit at the start":
		os.Exit(3)
	case "report an init error":
		report, _ := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error",
			"application/json", strings.NewReader(`{"errorType":"Config","errorMessage":"a setting is missing"}`))
		fmt.Println(report.StatusCode)
		os.Exit(1)
	case "never be ready":
		time.Sleep(time.Hour) // not select {}: without cgo Go ends a process that sleeps for good
	}
	lambda.Start(function)
}

// answer is what function tells about an invocation.
type answer struct {
	Payload, RequestID, ARN, Trace string
	Remaining                      time.Duration
	PID                            int
	Environ                        []string
}

// function does what its payload says.
func function(ctx context.Context, payload string) (answer, error) {
	fmt.Println("handling", payload)
	switch payload {
	case "fail":
		return answer{}, errors.New("it failed")
	case "panic":
		panic("it panicked")
	case "exit":
		os.Exit(5)
	case "hang":
		time.Sleep(time.Hour) // not select {}: without cgo Go ends a process that sleeps for good
	}
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return answer{
		Payload: payload, RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn,
		Trace: os.Getenv("_X_AMZN_TRACE_ID"), Remaining: time.Until(deadline),
		PID: os.Getpid(), Environ: os.Environ(),
	}, nil
}

const arn = "arn:aws:lambda:eu-west-1:123456789012:function:poller"

func config(t *testing.T, behaviour string) Config {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Bootstrap: binary, ARN: arn, Handler: "bootstrap", MemoryMB: 128, LogFormat: "JSON", LogLevel: "TRACE",
		Timeout: time.Minute, InitTimeout: time.Minute, Environment: map[string]string{"BEHAVIOUR": behaviour},
	}
}

func started(t *testing.T, cfg Config) *Function {
	t.Helper()
	f, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// invoke returns the function's answer to a payload.
func invoke(t *testing.T, f *Function, payload string) answer {
	t.Helper()
	response, err := f.Invoke(t.Context(), fmt.Appendf(nil, "%q", payload))
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(response, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// wantError checks the type of an error and that its message has a text.
func wantError(t *testing.T, err error, wantType, text string) {
	t.Helper()
	failure, ok := errors.AsType[*Error](err)
	if !ok || failure.Type != wantType || !strings.Contains(failure.Error(), text) {
		t.Errorf("error %v, want %s: …%s…", err, wantType, text)
	}
}

func TestAnInvocationComesWithWhatLambdaSaysOfIt(t *testing.T) {
	f := started(t, config(t, "serve"))
	first, second := invoke(t, f, "one"), invoke(t, f, "two")
	if first.Payload != "one" || second.Payload != "two" || first.PID != second.PID || first.PID != f.PID() {
		t.Errorf("%q by process %d, then %q by %d, of %d", first.Payload, first.PID, second.Payload, second.PID, f.PID())
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if !uuid.MatchString(first.RequestID) || first.RequestID == second.RequestID {
		t.Errorf("request ids %q and %q", first.RequestID, second.RequestID)
	}
	if trace := regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$`); !trace.MatchString(first.Trace) {
		t.Errorf("trace id %q", first.Trace)
	}
	if first.ARN != arn {
		t.Errorf("invoked function %q", first.ARN)
	}
	if first.Remaining <= 0 || first.Remaining > time.Minute {
		t.Errorf("%s remained, of a minute", first.Remaining)
	}
}

func TestTheProcessHasTheEnvironmentThatLambdaGivesItAndNoOther(t *testing.T) {
	t.Setenv("OF_THE_CALLER", "must not be seen")
	cfg := config(t, "serve")
	cfg.Environment["AWS_REGION"] = "is reserved"
	got := map[string]string{}
	for _, variable := range invoke(t, started(t, cfg), "one").Environ {
		name, value, _ := strings.Cut(variable, "=")
		got[name] = value
	}
	if !regexp.MustCompile(`^127\.0\.0\.1:\d+$`).MatchString(got["AWS_LAMBDA_RUNTIME_API"]) {
		t.Errorf("AWS_LAMBDA_RUNTIME_API is %q", got["AWS_LAMBDA_RUNTIME_API"])
	}
	delete(got, "AWS_LAMBDA_RUNTIME_API")
	delete(got, "_X_AMZN_TRACE_ID") // set by aws-lambda-go
	want := map[string]string{
		"BEHAVIOUR": "serve", "_HANDLER": "bootstrap",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_LAMBDA_FUNCTION_NAME": "poller", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE",
		"LAMBDA_TASK_ROOT": filepath.Dir(cfg.Bootstrap), "LAMBDA_RUNTIME_DIR": "/var/runtime",
		"LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin", "TZ": ":UTC",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestAFunctionsErrorLeavesItsProcessRunning(t *testing.T) {
	f := started(t, config(t, "serve"))
	before := invoke(t, f, "one").PID
	_, err := f.Invoke(t.Context(), []byte(`"fail"`))
	wantError(t, err, "errorString", "it failed")
	if after := invoke(t, f, "two").PID; after != before {
		t.Errorf("process %d became %d", before, after)
	}
}

func TestAnotherProcessFollowsOneThatEnded(t *testing.T) {
	for payload, want := range map[string]Error{
		"panic": {"string", "it panicked"},
		"exit":  {TypeExit, "exit status 5"},
		"hang":  {TypeTimeout, "Task timed out after 1.00 seconds"},
	} {
		t.Run(payload, func(t *testing.T) {
			cfg := config(t, "serve")
			if payload == "hang" {
				cfg.Timeout = time.Second
			}
			f := started(t, cfg)
			before := invoke(t, f, "one").PID
			_, err := f.Invoke(t.Context(), fmt.Appendf(nil, "%q", payload))
			wantError(t, err, want.Type, want.Message)
			if after := invoke(t, f, "two"); after.PID == before || after.Payload != "two" {
				t.Errorf("process %d became %d, which answered %q", before, after.PID, after.Payload)
			}
		})
	}
}

func TestAProcessThatEndsBetweenInvocationsFailsNone(t *testing.T) {
	for how, end := range map[string]func(*Function){"by itself": func(f *Function) { f.env.kill() }, "killed": (*Function).Kill} {
		f := started(t, config(t, "serve"))
		before := invoke(t, f, "one").PID
		end(f)
		if after := invoke(t, f, "two"); after.PID == before || after.Payload != "two" {
			t.Errorf("%s: process %d became %d, which answered %q", how, before, after.PID, after.Payload)
		}
	}
}

func TestTheCallersContextKillsTheProcess(t *testing.T) {
	f := started(t, config(t, "serve"))
	before := invoke(t, f, "one").PID
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`"hang"`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
	if after := invoke(t, f, "two").PID; after == before {
		t.Errorf("process %d still runs", before)
	}
}

func TestOneInvocationRunsAtATime(t *testing.T) {
	f := started(t, config(t, "serve"))
	hanging, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Invoke(hanging, []byte(`"hang"`))
	}()
	for len(f.turn) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, giveUp := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer giveUp()
	if _, err := f.Invoke(ctx, []byte(`"one"`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside another: error %v, want %v", err, context.DeadlineExceeded)
	}
	cancel()
	<-done
	invoke(t, f, "two")
}

func TestAFailedStartIsAnError(t *testing.T) {
	for behaviour, want := range map[string]Error{
		"exit at the start":    {TypeExit, "exit status 3"},
		"report an init error": {"Config", "a setting is missing"},
		"never be ready":       {TypeTimeout, "Init timed out after 0.20 seconds"},
	} {
		t.Run(behaviour, func(t *testing.T) {
			cfg := config(t, behaviour)
			if behaviour == "never be ready" {
				cfg.InitTimeout = 200 * time.Millisecond
			}
			_, err := Start(t.Context(), cfg)
			wantError(t, err, want.Type, want.Message)
		})
	}
	cfg := config(t, "serve")
	cfg.Bootstrap += ".missing"
	if _, err := Start(t.Context(), cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a binary: error %v, want %v", err, os.ErrNotExist)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, config(t, "never be ready")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without patience: error %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestWhatTheProcessPrintsIsKept(t *testing.T) {
	cfg := config(t, "serve")
	var output bytes.Buffer
	cfg.Output = &output
	f := started(t, cfg)
	invoke(t, f, "one")
	f.Close() // what was printed before the end is complete after it
	if got := output.String(); got != "handling one\n" {
		t.Errorf("output %q", got)
	}
	if _, err := f.Invoke(t.Context(), nil); !errors.Is(err, errClosed) || f.PID() != 0 {
		t.Errorf("invoked after Close: error %v, want %v, and process %d", err, errClosed, f.PID())
	}
}

func TestAResultForNoInvocationIsRefused(t *testing.T) {
	f := started(t, config(t, "serve"))
	invoke(t, f, "one")
	for _, variable := range f.env.cmd.Env {
		if api, ok := strings.CutPrefix(variable, "AWS_LAMBDA_RUNTIME_API="); ok {
			res, err := http.Post("http://"+api+"/2018-06-01/runtime/invocation/unknown/response", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("HTTP %d, want 400", res.StatusCode)
			}
		}
	}
}

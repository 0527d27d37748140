package resume

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/tests/leak"
)

// call is one request of the SDK, as Step Functions gets it.
type call struct {
	Target string
	Input  map[string]string
}

// harness is a Resumer with the SDK's own client of a Step Functions on HTTP,
// which answers each call with status and body.
type harness struct {
	*Resumer
	status int
	body   string
	calls  []call
	log    bytes.Buffer
}

func newHarness(t *testing.T, status int, body string) *harness {
	t.Helper()
	h := &harness{status: status, body: body}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.Resumer = &Resumer{
		StepFunctions: sfn.New(sfn.Options{
			Region: "eu-central-1", BaseEndpoint: &server.URL,
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
			Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			}),
		}),
		Log: slog.New(slog.NewJSONHandler(&h.log, nil)),
	}
	return h
}

func (h *harness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := call{Target: r.Header.Get("X-Amz-Target")}
	body, _ := io.ReadAll(r.Body)
	json.Unmarshal(body, &c.Input)
	h.calls = append(h.calls, c)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(h.status)
	io.WriteString(w, h.body)
}

// line returns the one line that was logged, without its time.
func (h *harness) line(t *testing.T) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(h.log.Bytes(), &fields); err != nil {
		t.Fatalf("not one line of JSON: %v\n%s", err, h.log.String())
	}
	delete(fields, "time")
	return fields
}

// fault is an answer of Step Functions that is an error.
func fault(kind, message string) string {
	text, _ := json.Marshal(map[string]string{"__type": "com.amazonaws.swf.service.v2.model#" + kind, "message": message})
	return string(text)
}

func TestACompletedRefreshIsASuccessWithItsDetail(t *testing.T) {
	h := newHarness(t, 200, `{}`)
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "af6f"})
	detail := end("RefreshCompleted") + waiting
	if err := h.Handle(ctx, about(detail)); err != nil {
		t.Fatal(err)
	}
	want := []call{{"AWSStepFunctions.SendTaskSuccess", map[string]string{"taskToken": taskToken, "output": detail}}}
	if diff := cmp.Diff(want, h.calls); diff != "" {
		t.Error(diff)
	}
	wantLine := map[string]any{
		"level": "INFO", "msg": "workflow resumed", "awsRequestId": "af6f",
		"jobId": "449503829274509313", "watchId": "059f36b4", "eventId": "23cff968", "state": "RefreshCompleted",
		"kind": "", "outcome": "", // of an event from before there were kinds
	}
	if diff := cmp.Diff(wantLine, h.line(t)); diff != "" {
		t.Error(diff)
	}
}

func TestAnyOtherEndIsAFailureWithStateAndReason(t *testing.T) {
	for _, state := range []string{"RefreshFailed", "JobNotFound", "WatchExpired"} {
		h := newHarness(t, 200, `{}`)
		if err := h.Handle(t.Context(), about(end(state)+`,"reason":"no such object"`+waiting)); err != nil {
			t.Fatal(err)
		}
		want := []call{{"AWSStepFunctions.SendTaskFailure", map[string]string{"taskToken": taskToken, "error": state, "cause": "no such object"}}}
		if diff := cmp.Diff(want, h.calls); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnEventThatCantBeReadIsLoggedAndNotTriedAgain(t *testing.T) {
	h := newHarness(t, 200, `{}`)
	if err := h.Handle(t.Context(), about(end("RefreshFailed")+`,"context":{"taskToken":17}}`)); err != nil || len(h.calls) > 0 {
		t.Errorf("%v, %v", err, h.calls)
	}
	want := map[string]any{
		"level": "WARN", "msg": "event refused",
		"reason": "context.taskToken is not a string of 1 to 2048 bytes: send the one that Step Functions gives, $$.Task.Token",
		"jobId":  "449503829274509313", "watchId": "059f36b4", "eventId": "23cff968", "state": "RefreshFailed",
		"kind": "", "outcome": "",
	}
	if diff := cmp.Diff(want, h.line(t)); diff != "" {
		t.Error(diff)
	}
}

func TestATaskThatWaitsNoLongerIsLoggedAndNotTriedAgain(t *testing.T) {
	for _, kind := range []string{"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"} {
		for _, state := range []string{"RefreshCompleted", "RefreshFailed"} {
			h := newHarness(t, 400, fault(kind, "Task Timed Out: 'Provided task does not exist anymore'"))
			if err := h.Handle(t.Context(), about(end(state)+waiting)); err != nil || len(h.calls) != 1 {
				t.Errorf("%s: %v after %d calls", kind, err, len(h.calls))
			}
			if line := h.line(t); line["level"] != "WARN" || line["msg"] != "workflow waits no longer" || !strings.Contains(line["error"].(string), kind) {
				t.Errorf("%s: %v", kind, line)
			}
		}
	}
}

func TestWhatMayHelpAgainIsAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		status, calls int
		body          string
	}{
		"throttled":     {400, 3, fault("ThrottlingException", "Rate exceeded")},
		"a fault of it": {500, 3, fault("InternalFailure", "")},
		"unavailable":   {503, 3, `upstream connect error`},
		"not allowed":   {400, 1, fault("AccessDeniedException", "not authorized to perform states:SendTaskSuccess")},
		"no key to use": {400, 1, fault("KmsAccessDeniedException", "the key's policy refuses it")},
		"key throttled": {400, 1, fault("KmsThrottlingException", "Rate exceeded")},
		"not its JSON":  {400, 1, fault("InvalidOutput", "not valid")},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, tt.status, tt.body)
			err := h.Handle(t.Context(), about(end("RefreshCompleted")+waiting))
			if err == nil || len(h.calls) != tt.calls {
				t.Errorf("%v after %d calls, want an error after %d", err, len(h.calls), tt.calls)
			}
			if line := h.line(t); line["level"] != "ERROR" || line["msg"] != "workflow not resumed" {
				t.Error(line)
			}
		})
	}
}

func TestTheTokenIsInNoLineAndNoError(t *testing.T) {
	cutShort := taskToken[:40]
	for name, message := range map[string]string{
		"whole":           "1 validation error detected: Value '" + taskToken + "' at 'taskToken' failed to satisfy constraint",
		"cut short":       "Value '" + cutShort + "…' at 'taskToken'",
		"its end":         "Value '…" + taskToken[len(taskToken)-20:] + "' at 'taskToken'",
		"twice, cut once": taskToken + " " + cutShort,
	} {
		for _, kind := range []string{"ValidationException", "InvalidToken", "TaskTimedOut"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				h := newHarness(t, 400, fault(kind, message))
				said := "" // by the error
				if err := h.Handle(t.Context(), about(end("RefreshFailed")+waiting)); err != nil {
					said = err.Error()
				}
				if leak.Find(said+h.log.String(), taskToken) != nil {
					t.Fatalf("the token is in %s, %s", said, h.log.String())
				}
			})
		}
	}
}

// 16 characters of a token are too many to stand in a text by chance.
func TestOfATextThatRepeatsAPieceOfTheTokenNothingIsLeft(t *testing.T) {
	const gone = "an error that repeats the task token"
	last := len(taskToken)
	escaped, _ := json.Marshal(strings.ReplaceAll(taskToken, "+", "<"))
	tests := map[string]struct{ token, text, want string }{
		"the token":               {taskToken, "Value '" + taskToken + "' at 'taskToken'", "Value '***' at 'taskToken'"},
		"the token, escaped":      {strings.ReplaceAll(taskToken, "+", "<"), "Value " + string(escaped) + " at 'taskToken'", gone},
		"its first 16 characters": {taskToken, "Value '" + taskToken[:16] + "…' at 'taskToken'", gone},
		"its first 15":            {taskToken, "Value '" + taskToken[:15] + "…' at 'taskToken'", "Value '" + taskToken[:15] + "…' at 'taskToken'"},
		"16 in its middle":        {taskToken, taskToken[30:46], gone},
		"15 in its middle":        {taskToken, taskToken[30:45], taskToken[30:45]},
		"its last 16":             {taskToken, taskToken[last-16:], gone},
		"its last 15":             {taskToken, taskToken[last-15:], taskToken[last-15:]},
		"the token, and 16 of it": {taskToken, taskToken + " " + taskToken[1:17], gone},
		"a token of one letter":   {"e", "Rate exceeded", "Rate exceeded"},
		"a text without it":       {taskToken, "Rate exceeded", "Rate exceeded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := without(tt.token, tt.text); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

package milvus

import (
	gocmp "cmp"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const gatewayPage = "<html><head><title>Error</title></head><body><center>nginx</center></body></html>"

func TestEveryCodeHasItsKind(t *testing.T) {
	tests := map[string]struct {
		code    int64
		message string
		want    ErrorKind
	}{
		"an unknown job":                           {1100, "refresh job 449503829274509313 not found: invalid parameter", NotFound},
		"an unknown job as an unexpected error":    {65535, "job 449503829274509313 not found", NotFound},
		"an unknown job in capitals":               {1100, "Refresh Job 449503829274509313 Not Found", NotFound},
		"another fault of a parameter":             {1100, "invalid parameter[expected=int64][actual=string]", Temporary},
		"another unexpected error":                 {65535, "rpc error: code = Unavailable", Temporary},
		"another job is unknown":                   {1100, "refresh job 449503829274509314 not found", Temporary},
		"a job whose id begins with this one":      {1100, "refresh job 4495038292745093130 not found", Temporary},
		"a job whose id ends with this one":        {65535, "refresh job 1449503829274509313 not found", Temporary},
		"a collection is unknown":                  {1100, "collection 449503829274509313 not found", Temporary},
		"an unknown job under another code":        {100, "refresh job 449503829274509313 not found", Temporary},
		"no message":                               {1100, "", Temporary},
		"not authenticated":                        {1800, "user hasn't authenticated", Refused},
		"an illegal API key":                       {21119, "The apikey is illegal.", Refused},
		"an invalid token":                         {80001, "The token is illegal", Refused},
		"a user that is not authenticated":         {1400, "not authenticated", Refused},
		"no privilege":                             {1401, "privilege not permitted", Refused},
		"rejected by the limiter":                  {1807, "request is rejected by limiter", Throttled},
		"the rate limit":                           {8, "rate limit exceeded", Throttled},
		"the request limit":                        {4, "request limit exceeded", Throttled},
		"a request that is no JSON":                {1801, "can only accept json format request", Misconfigured},
		"a parameter missing":                      {1802, "missing required parameters", Misconfigured},
		"not ready":                                {1, "service not ready", Temporary},
		"unavailable":                              {2, "service unavailable", Temporary},
		"cancelled":                                {10000, "context canceled", Temporary},
		"timed out":                                {10001, "context deadline exceeded", Temporary},
		"a code nobody knows":                      {4711, "how odd", Temporary},
		"a negative code":                          {-1, "how odd", Temporary},
		"a throttled job that names a missing one": {8, "rate limit: job 449503829274509313 not found", Throttled},
	}
	for name, tt := range tests {
		for form, code := range map[string]string{"number": "%d", "string": `"%d"`} {
			t.Run(name+", its code a "+form, func(t *testing.T) {
				body := fmt.Sprintf(`{"code": `+code+`, "message": %q}`, tt.code, tt.message)
				failure := failed(t, startCluster(t, answering(200, body)))
				want := &Error{Kind: tt.want, Status: 200, Code: tt.code, Message: gocmp.Or(tt.message, "the answer has no message")}
				if diff := cmp.Diff(want, failure); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestEveryStatusHasItsKind(t *testing.T) {
	kinds := map[int]ErrorKind{
		201: Temporary, 202: Temporary, 204: Temporary,
		300: Misconfigured, 301: Misconfigured, 302: Misconfigured, 304: Misconfigured, 307: Misconfigured, 308: Misconfigured,
		400: Temporary, 401: Refused, 403: Refused, 404: Misconfigured, 405: Temporary, 408: Temporary, 413: Temporary, 429: Throttled,
		500: Temporary, 501: Temporary, 502: Temporary, 503: Temporary, 504: Temporary, 520: Temporary,
	}
	bodies := map[string]string{
		"without a body":         "",
		"with a gateway's page":  gatewayPage,
		"with other JSON":        `{"error": {"message": "no"}}`,
		"with a list":            `[]`,
		"with an unknown code":   `{"code": 4711, "message": "no"}`,
		"with a code of success": `{"code": 0, "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`,
	}
	for status, want := range kinds {
		for name, body := range bodies {
			t.Run(fmt.Sprintf("%d %s", status, name), func(t *testing.T) {
				failure := failed(t, startCluster(t, answering(status, body)))
				if failure.Kind != want || failure.Status != status {
					t.Errorf("got %s, status %d, want %s", failure.Kind, failure.Status, want)
				}
			})
		}
	}
}

func TestAKnownCodeWinsOverTheStatus(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   ErrorKind
	}{
		"throttled under 503":     {503, `{"code": 1807}`, Throttled},
		"throttled under 401":     {401, `{"code": 8}`, Throttled},
		"refused under 500":       {500, `{"code": "1800"}`, Refused},
		"refused under 404":       {404, `{"code": 80001}`, Refused},
		"refused under 400":       {400, `{"code": 1400, "message": "not authenticated"}`, Refused},
		"refused under 503":       {503, `{"code": 1400}`, Refused},
		"refused under 429":       {429, `{"code": 1400}`, Refused},
		"misconfigured under 500": {500, `{"code": 1802}`, Misconfigured},
		"unavailable under 503":   {503, `{"code": 2}`, Temporary},
		"not found under 404":     {404, `{"code": 1100, "message": "refresh job 449503829274509313 not found"}`, NotFound},
		"not found under 500":     {500, `{"code": 65535, "message": "refresh job 449503829274509313 not found"}`, NotFound},
	}
	for _, code := range []int{1, 2, 10000, 10001} { // they say less than these
		for status, want := range map[int]ErrorKind{401: Refused, 403: Refused, 404: Misconfigured, 429: Throttled, 302: Misconfigured} {
			tests[fmt.Sprintf("%d under code %d", status, code)] = struct {
				status int
				body   string
				want   ErrorKind
			}{status, fmt.Sprintf(`{"code": %d}`, code), want}
		}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			failure := failed(t, startCluster(t, answering(tt.status, tt.body)))
			if failure.Kind != tt.want || failure.Status != tt.status {
				t.Errorf("got %s, status %d, want %s", failure.Kind, failure.Status, tt.want)
			}
		})
	}
}

func TestAnErrorSaysWhatFailed(t *testing.T) {
	tests := map[string]struct {
		status     int
		body, want string
	}{
		"with the API's message":        {200, `{"code": 1807, "message": "rejected by limiter"}`, "rejected by limiter (HTTP 200, code 1807)"},
		"with a message and no code":    {500, `{"message": "internal error"}`, "internal error (HTTP 500)"},
		"with neither":                  {500, `{}`, "the answer is not HTTP 200 (HTTP 500)"},
		"with a page":                   {502, gatewayPage, "the answer is not the API's JSON (HTTP 502)"},
		"with a success that is none":   {200, `{"code": 0}`, "the answer has no data (HTTP 200)"},
		"with a message that is a list": {500, `{"message": ["x"]}`, "the answer is not HTTP 200 (HTTP 500)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := failed(t, startCluster(t, answering(tt.status, tt.body))).Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnErrorWithoutAnAnswerIsItsMessage(t *testing.T) {
	if got := (&Error{Kind: Temporary, Message: "no answer"}).Error(); got != "no answer" {
		t.Errorf("got %q", got)
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC)
	tests := map[string]struct {
		value string
		want  time.Duration
	}{
		"seconds":                  {"120", 2 * time.Minute},
		"one second":               {"1", time.Second},
		"none":                     {"0", 0},
		"white space around":       {" 7\t", 7 * time.Second},
		"a year":                   {"31536000", 365 * 24 * time.Hour},
		"the most that is read":    {"2147483647", 2147483647 * time.Second},
		"more than that":           {"2147483648", (1<<31 - 1) * time.Second},
		"more than int64":          {"99999999999999999999", (1<<31 - 1) * time.Second},
		"a date":                   {"Fri, 02 Jan 2026 03:05:05 GMT", 59500 * time.Millisecond},
		"a date of RFC 850":        {"Friday, 02-Jan-26 03:05:05 GMT", 59500 * time.Millisecond},
		"a date of asctime":        {"Fri Jan  2 03:05:05 2026", 59500 * time.Millisecond},
		"a date in a year":         {"Sat, 02 Jan 2027 03:04:05 GMT", 365*24*time.Hour - 500*time.Millisecond},
		"a date that has passed":   {"Fri, 02 Jan 2026 03:04:05 GMT", 0},
		"a date long past":         {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
		"a date beyond a duration": {"Fri, 31 Dec 9999 23:59:59 GMT", 1<<63 - 1},
		"a sign":                   {"+5", 0},
		"negative":                 {"-5", 0},
		"a fraction":               {"1.5", 0},
		"an exponent":              {"1e3", 0},
		"a unit":                   {"5s", 0},
		"prose":                    {"soon", 0},
		"empty":                    {"", 0},
		"other digits":             {"٥", 0},
		"a date without a zone":    {"2026-01-02T03:05:05Z", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := retryAfter(http.Header{"Retry-After": {tt.value}}, now); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRetryAfterComesWithEveryFailedAnswer(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   time.Duration
	}{
		"a code under HTTP 200":     {200, `{"code": 1807, "message": "rejected by limiter"}`, 42 * time.Second},
		"a code under HTTP 429":     {429, `{"code": 8}`, 42 * time.Second},
		"HTTP 429 with other JSON":  {429, `{}`, 42 * time.Second},
		"HTTP 429 with a page":      {429, gatewayPage, 42 * time.Second},
		"HTTP 429 with nothing":     {429, ``, 42 * time.Second},
		"HTTP 503 with a page":      {503, gatewayPage, 42 * time.Second},
		"HTTP 429 and far too much": {429, strings.Repeat("x", maxBody+1), 42 * time.Second},
		"a success that is none":    {200, `{"code": 0}`, 42 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			failure := failed(t, startCluster(t, answering(tt.status, tt.body, "Retry-After", "42")))
			if failure.RetryAfter != tt.want {
				t.Errorf("got %s, want %s", failure.RetryAfter, tt.want)
			}
		})
	}
}

func TestARetryAfterDateCountsFromNow(t *testing.T) {
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	failure := failed(t, startCluster(t, answering(429, gatewayPage, "Retry-After", at)))
	if got := failure.RetryAfter; got < 59*time.Minute || got > time.Hour {
		t.Errorf("got %s, want just under an hour", got)
	}
}

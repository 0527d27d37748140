package poller

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

func TestAHostileMessageHarmsNoneOfItsBatch(t *testing.T) {
	const mib = 1 << 20
	nested := func(open, inner, shut string, levels int) string {
		return strings.Repeat(open, levels) + inner + strings.Repeat(shut, levels)
	}
	padded := func(before, behind string) string {
		return before + strings.Repeat("9", mib-len(before)-len(behind)) + behind
	}
	tests := map[string]string{
		"1 MiB of no sense":              strings.Repeat("x", mib-1000),
		"1 MiB of a jobId":               padded(`{"jobId":`, `}`),
		"1 MiB of deadlineSeconds":       padded(`{"jobId":2,"deadlineSeconds":`, `}`),
		"1 MiB of a context":             padded(`{"jobId":2,"context":{"n":`, `}}`),
		"1 MiB of open lists":            strings.Repeat("[", mib),
		"10 000 levels":                  nested(`{"a":`, "1", "}", 10_001),
		"10 000 levels in the context":   `{"jobId":2,"context":{"a":` + nested("[", "", "]", 8_000) + `}}`,
		"an exponent":                    `{"jobId":1e999999999}`,
		"invalid UTF-8":                  "{\"jobId\":2,\"context\":{\"k\":\"\xff\"}}",
		"NULs":                           "\x00\x00",
		"a byte order mark":              "\uFEFF2",
		"half a pair":                    `{"jobId":"\ud83d"}`,
		"two ids":                        `{"jobId":2,"jobId":3}`,
		"other letters":                  `{"JOBID":2}`,
		"a forged watch":                 `{"jobId":2,"watch":{"version":1,"id":"a","id":"b","since":1}}`,
		"a forged watch of another time": `{"jobId":2,"watch":{"version":1,"id":"a","since":253402300799999}}`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.Cluster = half
			if failed := h.handle(t, "1", body, "6", body); failed != nil {
				t.Errorf("items %v failed", failed)
			}
			if len(h.aws.published) != 1 || len(h.aws.messages[jobQueue]) != 1 {
				t.Errorf("%d events and %d messages, want one of each", len(h.aws.published), len(h.aws.messages[jobQueue]))
			}
			if !slices.Equal(h.aws.bodies(deadLetterQueue), []string{body, body}) {
				t.Error("the dead letters are not the two as they came")
			}
			for _, letter := range h.aws.messages[deadLetterQueue] {
				attribute, told := letter.MessageAttributes["RejectReason"]
				if !told && len(body) == mib {
					continue // there is no room
				}
				reason := *attribute.StringValue
				if len(reason) > 400 || !utf8.ValidString(reason) || strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' }) {
					t.Errorf("%q is not one sentence", reason)
				}
			}
			if h.log.Len() > 4000 {
				t.Errorf("%d bytes were logged", h.log.Len())
			}
		})
	}
}

// A forged watch is believed in what it says of itself, but can't go on for ever.
func TestAForgedWatchEndsByItsDeadline(t *testing.T) {
	tests := map[string]struct {
		members string // SENT is when the message was sent, SOON a minute later
		want    string // the event's state, or what the dead letter is refused for
	}{
		"that begins in a minute":        {`"since":SOON`, "WatchExpired"},
		"that began in 1970":             {`"since":1`, "WatchExpired"},
		"with the largest counts":        {`"since":SENT,"polls":1000000000,"failures":1000000000,"restarts":1000000000`, "WatchExpired"},
		"with counts that end on a poll": {`"since":SENT,"polls":999999990,"failures":999999999,"restarts":999999999`, "WatchExpired"},
		"that saw the job in 9999":       {`"since":SENT,"state":"RefreshInProgress","progress":1,"startTime":253402300799999,"seen":253402300799999`, "WatchExpired"},
		"that saw the job in 1970":       {`"since":SENT,"state":"RefreshInProgress","progress":100,"startTime":1,"seen":1`, "WatchExpired"},
		"that saw the job's end":         {`"since":SENT,"state":"RefreshCompleted","progress":100`, "WatchExpired"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const deadline = time.Hour
				h := newHarness(t)
				h.Cluster = half
				start := time.Now()
				members := strings.NewReplacer("SENT", fmt.Sprint(start.UnixMilli()), "SOON", fmt.Sprint(start.Add(time.Minute).UnixMilli())).Replace(tt.members)
				body := `{"jobId":6,"deadlineSeconds":3600,"watch":{"version":1,"id":"a",` + members + `}}`
				for h.aws.published == nil && h.aws.messages[deadLetterQueue] == nil {
					batch := batchOf(body)
					batch.Records[0].Attributes["SentTimestamp"] = fmt.Sprint(time.Now().UnixMilli())
					if response, _ := h.Handle(t.Context(), batch); len(response.BatchItemFailures) > 0 {
						t.Fatal("the item failed")
					}
					if sent := h.aws.messages[jobQueue]; len(sent) == 1 {
						body = *sent[0].MessageBody
						time.Sleep(time.Duration(sent[0].DelaySeconds) * time.Second)
						delete(h.aws.messages, jobQueue)
					} else if h.aws.published == nil && h.aws.messages[deadLetterQueue] == nil {
						t.Fatal("nothing came of the message")
					}
				}
				if took := time.Since(start); took > deadline+time.Minute+time.Second {
					t.Errorf("it went on for %s", took)
				}
				got := h.aws.details(t)["6"].State
				for _, letter := range h.aws.messages[deadLetterQueue] {
					got, _, _ = strings.Cut(*letter.MessageAttributes["RejectReason"].StringValue, ":")
				}
				if got != tt.want {
					t.Errorf("it ended as %q, not %q", got, tt.want)
				}
			})
		})
	}
}

// hostileTo serves a right answer about job 1, and then another about others.
func hostileTo(t *testing.T, others http.HandlerFunc) *milvus.Client {
	answered := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) == `{"jobId": 1}` {
			io.WriteString(w, `{"code": 0, "data": {"jobId": 1, "state": "RefreshCompleted"}}`)
			close(answered)
			return
		}
		// Or what throttles the one could keep the other from being asked.
		<-answered
		others(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return milvus.NewClient(server.URL, 10)
}

func saying(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func job7(members string) string { return `{"code": 0, "data": {"jobId": 7, ` + members + `}}` }

func TestAHostileAnswerKeepsItsJob(t *testing.T) {
	const year = 365 * 24 * time.Hour
	digits := strings.Repeat("9", 1<<18)
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	io.WriteString(packer, job7(`"state": "RefreshCompleted"`)+strings.Repeat(" ", 20<<20))
	packer.Close()
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		kind   string // none where it's an answer
		delay  int32  // where it is given by the answer
	}{
		"a body without an end": {endless, "temporary", 0},
		"a body of 100 MB": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(100<<20))
			endless(w, r)
		}, "temporary", 0},
		"a gzip bomb":              {saying(200, bomb.String(), "Content-Encoding", "gzip"), "misconfigured", 0},
		"headers of 1 MB":          {saying(200, "", "X", strings.Repeat("x", 1<<20)), "temporary", 0},
		"10 000 levels":            {saying(200, job7(`"state": "RefreshCompleted", "x": `+strings.Repeat("[", 10_001)+strings.Repeat("]", 10_001))), "temporary", 0},
		"a huge code":              {saying(200, `{"code": `+digits+`, "data": {"jobId": 7, "state": "RefreshCompleted"}}`), "temporary", 0},
		"a huge jobId":             {saying(200, `{"code": 0, "data": {"jobId": `+digits+`, "state": "RefreshCompleted"}}`), "temporary", 0},
		"another's job at last":    {saying(200, job7(`"jobId": 8, "state": "RefreshCompleted"`)), "temporary", 0},
		"huge numbers":             {saying(200, job7(`"state": "RefreshInProgress", "progress": `+digits+`, "startTime": 1e99, "endTime": -`+digits)), "", 0},
		"a state of 1 MB":          {saying(200, job7(`"state": "`+digits+digits+digits+`"`)), "", 0},
		"the end as its own twin":  {saying(200, job7(`"state": "RefreshCompleted", "state": "RefreshPending"`)), "", 0},
		"informational answers":    {func(w http.ResponseWriter, _ *http.Request) { hints(w, 10_000) }, "temporary", 0},
		"wait for a year":          {saying(429, "", "Retry-After", fmt.Sprint(int64(year/time.Second))), "throttled", 900},
		"wait for a million years": {saying(429, "", "Retry-After", digits[:20]), "throttled", 900},
		"wait until 9999":          {saying(429, "", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"), "throttled", 900},
		"wait until 1970":          {saying(429, "", "Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"), "throttled", 0},
		"wait for minus a year":    {saying(429, "", "Retry-After", "-31536000"), "throttled", 0},
		"wait for no number":       {saying(429, "", "Retry-After", "soon"), "throttled", 0},
		"wait, refused":            {saying(401, "", "Retry-After", "31536000"), "refused", 900},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.Cluster = hostileTo(t, tt.answer)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			response, err := h.Handle(ctx, batchOf("1", "7"))
			if err != nil || len(response.BatchItemFailures) != 0 || ctx.Err() != nil {
				t.Errorf("%v failed, %v, %v", response.BatchItemFailures, err, ctx.Err())
			}
			if ended := h.aws.details(t); len(ended) != 1 || ended["1"].State != "RefreshCompleted" {
				t.Errorf("ended: %v", ended)
			}
			sent := h.aws.messages[jobQueue]
			if len(sent) != 1 || len(*sent[0].MessageBody) > 4<<10 {
				t.Fatalf("%d messages went on", len(sent))
			}
			m, err := watch.Parse(*sent[0].MessageBody, "x", begun, milvus.ExternalCollection)
			if err != nil || m.JobID != "7" || m.Watch.Polls != 1 || (m.Watch.LastError == "") != (tt.kind == "") {
				t.Errorf("the job went on as %+v, %v", m, err)
			}
			if delay := sent[0].DelaySeconds; delay < 1 || delay > 900 || tt.delay != 0 && delay != tt.delay || tt.delay == 0 && delay > 300 {
				t.Errorf("after %d s, not %d", delay, tt.delay)
			}
			if kind := errorKind(t, h, "7"); kind != tt.kind {
				t.Errorf("the kind is %q, not %q", kind, tt.kind)
			}
		})
	}
}

func hints(w http.ResponseWriter, n int) {
	w.Header().Set("Link", strings.Repeat("x", 100))
	for range n {
		w.WriteHeader(http.StatusEarlyHints)
	}
}

// errorKind returns what the log tells of a job.
func errorKind(t *testing.T, h *harness, jobID string) string {
	t.Helper()
	for line := range bytes.Lines(h.log.Bytes()) {
		var fields struct{ JobID, ErrorKind string }
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		if fields.JobID == jobID {
			return fields.ErrorKind
		}
	}
	t.Fatalf("no line about job %s in %s", jobID, h.log)
	return ""
}

// The harness looks for the token afterwards, wherever it may have gone.
func TestATokenThatTheClusterRepeatsGoesNoFurther(t *testing.T) {
	quoted, _ := json.Marshal("the token " + token + " is refused")
	nested, _ := json.Marshal(`{"note": ` + string(quoted) + `}`)
	members := fmt.Sprintf(`"collectionName": %s, "reason": %[1]s, "externalSource": %s, "externalSpec": %[1]s, "progress": 5`, quoted, nested)
	tests := map[string]http.HandlerFunc{
		"of a job that failed":   saying(200, job7(members+`, "state": "RefreshFailed"`)),
		"of a job that runs":     saying(200, job7(members+`, "state": "RefreshInProgress"`)),
		"as a state":             saying(200, job7(members+`, "state": `+string(quoted))),
		"in a refusal":           saying(401, `{"code": 1800, "message": `+string(quoted)+`}`, "X-Token", "x"),
		"in a page of a gateway": saying(502, token),
		"in a redirect":          saying(302, "", "Location", "http://127.0.0.1/?token="+strings.ReplaceAll(token, " ", "")),
	}
	for name, answer := range tests {
		for _, deadline := range []time.Duration{settings.Deadline, 10 * 365 * 24 * time.Hour} {
			for _, down := range []error{nil, errors.New("AWS is down")} {
				t.Run(fmt.Sprint(name, deadline, down), func(t *testing.T) {
					h := newHarness(t)
					h.Settings.PublishProgress = true
					h.Settings.Deadline = deadline // the first has passed
					h.aws.err = down
					h.Cluster = hostileTo(t, answer)
					h.handle(t, "1", "7", "not a job")
					if !strings.Contains(h.log.String(), `"jobId":"7"`) {
						t.Errorf("nothing is known of the job: %s", h.log)
					}
				})
			}
		}
	}
}

package milvus

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzRead(f *testing.F) {
	const token = "root:" + password
	for _, body := range []string{
		`{"code": 0, "data": {"jobId": 449503829274509313, "collectionName": "ext_books", "state": "RefreshInProgress", "progress": 42,
		  "externalSource": "{\"path\":\"s3://a:b@c/d?e=f\",\"secret\":\"x\"}", "externalSpec": "x", "startTime": 1712832000000, "endTime": 0}}`,
		`{"code": "0", "data": {"jobId": "9223372036854775807", "state": "RefreshFailed", "reason": "correct-horse-battery"}}`,
		`{"code": 0, "data": {"jobId": 9223372036854775808, "state": "RefreshCompleted"}}`,
		`{"code": 0, "data": {"jobId": 449503829274509313, "state": "root:correct-horse-battery", "progress": "101"}}`,
		`{"code": 0, "data": {"jobId": 449503829274509313, "state": "https://a:b@", "collectionName": 5, "endTime": 253402300800000}}`,
		`{"code": 1100, "message": "refresh job 449503829274509313 not found"}`,
		`{"code": 1800, "message": "https://root:correct-horse-battery@host/?x=correct-horse-battery"}`,
		`{"code": 0, "data": null}`, `{"code": 0, "data": {"jobId": 1}}`, `[]`, `null`, ``, `<html>correct-horse-battery</html>`,
		`{"code": 0, "data": {"jobId": 449503829274509313, "state": "` + strings.Repeat("é", 200) + `"}}`,
	} {
		f.Add(200, "", int64(exactID), []byte(body))
		f.Add(429, "5", int64(largestID), []byte(body))
	}
	f.Add(503, "Fri, 31 Dec 9999 23:59:59 GMT", int64(1), []byte(gatewayPage))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, jobID int64, body []byte) {
		if jobID <= 0 {
			t.Skip("a message's job id is positive")
		}
		job, err := read(status, http.Header{"Retry-After": {retryAfter}}, body, refresh(jobID), token)
		if shown := show(job, err); strings.Contains(shown, password) {
			t.Fatalf("%s holds the password", shown)
		}
		if err != nil {
			checkFailure(t, err)
			return
		}
		if status != http.StatusOK || !strings.Contains(string(body), strconv.FormatInt(jobID, 10)) {
			t.Fatalf("took status %d and %q for job %d", status, body, jobID)
		}
		checkJob(t, job)
	})
}

func checkFailure(t *testing.T, err error) {
	t.Helper()
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v is a %T", err, err)
	}
	switch failure.Kind {
	case Temporary, NotFound, Refused, Throttled, Misconfigured:
	default:
		t.Fatalf("no such kind: %q", failure.Kind)
	}
	if failure.RetryAfter < 0 || len(failure.Message) > maxMessage || !utf8.ValidString(failure.Message) {
		t.Fatalf("out of bounds: %+v", failure)
	}
}

func checkJob(t *testing.T, job Job) {
	t.Helper()
	if job.State == "" || job.Progress != nil && (*job.Progress < 0 || *job.Progress > 100) {
		t.Fatalf("out of bounds: %+v", job)
	}
	for _, at := range []time.Time{job.StartTime, job.EndTime} {
		if !at.IsZero() && (at.UnixMilli() <= 0 || at.Year() > 9999) {
			t.Fatalf("no RFC 3339 can write %v", at)
		}
	}
	for _, field := range []struct {
		text  string
		limit int
	}{{job.State, maxName}, {job.CollectionName, maxName}, {job.Reason, maxReason}, {job.ExternalSource, maxSource}} {
		if len(field.text) > field.limit || !utf8.ValidString(field.text) {
			t.Fatalf("%q has %d bytes, want %d at most, of UTF-8", field.text, len(field.text), field.limit)
		}
	}
}

package milvus

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// kindAnswers are of a job with the id %s.
var kindAnswers = map[JobKind][]string{
	ExternalCollection: {
		`{"code": 0, "data": {"jobId": %s, "collectionName": "ext_books", "state": "RefreshFailed", "progress": 42, "reason": "", "externalSource": "s3://a:b@c/d", "startTime": 1712832000000, "endTime": 0}}`,
		`{"code": "0", "data": {"jobId": "%s", "state": "RefreshCompleted", "progress": "101", "endTime": 253402300800000}}`,
		`{"code": 1100, "message": "refresh job %s not found"}`,
	},
	"import": {
		`{"code": 0, "data": {"jobId": "%s", "state": "Uncommitted", "progress": 99, "importedRows": -1, "totalRows": "9223372036854775807", "createTime": "2024-04-11T10:40:00+14:00", "completeTime": ""}}`,
		`{"code": 0, "data": {"jobId": %s, "state": "Failed", "completeTime": "9999-12-31T23:59:59-14:00", "createTime": "0000-01-01T00:00:00Z"}}`,
		`{"code": 2101, "message": "import job does not exist, jobID=%s: importing data failed"}`,
	},
	"snapshot": {
		`{"code": 0, "data": {"jobId": %s, "state": "RestoreSnapshotCompleted", "progress": 100, "reason": "", "startTime": 253402300799999, "timeCost": 9223372036854775807}}`,
		`{"code": 2101, "message": "restore job not found: jobID=%s"}`,
	},
	"cloud": {
		`{"code": 0, "data": {"jobId": "%s", "type": "BACKUP", "status": "CANCELED", "progress": "42", "startTime": "2024-04-11T10:40:00Z", "endTime": "x"}}`,
		`{"code": 4711, "message": "Job %s not found."}`,
	},
}

// aKindAndItsID picks a kind, and skips what is no id of it: Parse of
// internal/watch lets in no other.
func aKindAndItsID(t *testing.T, which uint8, id string) Ref {
	kind := JobKinds()[int(which)%len(JobKinds())]
	number, err := strconv.ParseInt(id, 10, 64)
	canonical := err == nil && number > 0 && strconv.FormatInt(number, 10) == id
	if !kind.TextID(id) && !(kind.Int64IDs() && canonical) {
		t.Skip("no id of the kind")
	}
	return Ref{Kind: kind, ID: id}
}

func FuzzAnyAnswerAboutAJobOfAnyKind(f *testing.F) {
	const secret = "correct-horse-battery"
	for i, kind := range JobKinds() {
		for _, id := range []string{"7", "449503829274509313", "job-0aB"} {
			for _, answer := range kindAnswers[kind] {
				f.Add(uint8(i), id, 200, "", []byte(fmt.Sprintf(answer, id)))
				f.Add(uint8(i), id, 503, "5", []byte(strings.ReplaceAll(fmt.Sprintf(answer, id), `"", `, `"`+secret+`", `)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, id string, status int, retryAfter string, body []byte) {
		ref := aKindAndItsID(t, which, id)
		job, err := read(status, http.Header{"Retry-After": {retryAfter}}, body, ref, "root:"+secret)
		if shown := fmt.Sprintf("%+v %v", job, err); strings.Contains(shown, secret) && !strings.Contains(id, secret) {
			t.Fatalf("%s holds the password", shown)
		}
		if err != nil {
			if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind == "" || failure.RetryAfter < 0 || len(failure.Message) > maxMessage || !utf8.ValidString(failure.Message) {
				t.Fatalf("out of bounds: %#v", err)
			}
			return
		}
		if status != http.StatusOK {
			t.Fatalf("took status %d", status)
		}
		wantJobOfKind(t, ref.Kind, job)
	})
}

// wantJobOfKind checks what holds of any job.
func wantJobOfKind(t *testing.T, kind JobKind, job Job) {
	t.Helper()
	if job.State == "" || job.Outcome != kind.Outcome(job.State) || job.Terminal() != (job.Outcome != "") {
		t.Fatalf("the state %q of a %s has the outcome %q", job.State, kind, job.Outcome)
	}
	if job.Unexplained && (job.Outcome != Failed || job.Reason != "" || !job.EndTime.IsZero()) {
		t.Fatalf("unexplained: %+v", job)
	}
	if job.Progress != nil && (*job.Progress < 0 || *job.Progress > 100) {
		t.Fatalf("progress %d", *job.Progress)
	}
	for _, rows := range []*int64{job.ImportedRows, job.TotalRows} {
		if rows != nil && *rows < 0 {
			t.Fatalf("%d rows", *rows)
		}
	}
	for _, at := range []time.Time{job.StartTime, job.EndTime} {
		if again, err := time.Parse(time.RFC3339, at.Format(time.RFC3339Nano)); err != nil || !again.Equal(at) || !at.IsZero() && at.UnixMilli() <= 0 {
			t.Fatalf("no RFC 3339 can write %v: %v", at, err)
		}
	}
	for _, field := range []struct {
		text  string
		limit int
	}{{job.State, maxName}, {job.CollectionName, maxName}, {job.Type, maxName}, {job.Reason, maxReason}, {job.ExternalSource, maxSource}} {
		if len(field.text) > field.limit || !utf8.ValidString(field.text) {
			t.Fatalf("%q has %d bytes, want %d at most, of UTF-8", field.text, len(field.text), field.limit)
		}
	}
}

// notFoundAs has the message of each kind, and the codes that it comes with.
var notFoundAs = map[JobKind]struct {
	message string
	codes   []int64
}{
	ExternalCollection: {"refresh job %s not found", []int64{1100, 65535}},
	"import":           {"import job does not exist, jobID=%s", []int64{2100, 2101}},
	"snapshot":         {"restore job not found: jobID=%s", []int64{2100, 2101}},
	"cloud":            {"Job %s not found", []int64{4711, -1}},
}

func FuzzANotFoundIsOfThatVeryJob(f *testing.F) {
	for i, kind := range JobKinds() {
		says, known := notFoundAs[kind]
		if !known {
			f.Fatalf("notFoundAs lacks %s", kind)
		}
		for _, id := range []string{"7", "job-0aB", "a"} {
			for _, named := range []string{id, id + "7", "7" + id, id + "-1", id + "_", strings.ToUpper(id), id + "é", id + "/" + id} {
				f.Add(uint8(i), id, says.codes[0], fmt.Sprintf(says.message, named))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, id string, code int64, message string) {
		ref := aKindAndItsID(t, which, id)
		row, says := ref.Kind.row(), notFoundAs[ref.Kind]
		word := regexp.MustCompile(`(^|[^A-Za-z0-9_-])` + regexp.QuoteMeta(id) + `($|[^A-Za-z0-9_-])`)
		if row.isMissing(200, code, message, id) && !word.MatchString(message) {
			t.Errorf("%q does not say that %s is not found", message, id)
		}
		// Whatever it says behind that.
		for _, code := range says.codes {
			if said := fmt.Sprintf(says.message, id) + ": " + message; !row.isMissing(200, code, said, id) {
				t.Errorf("%q with code %d says that %s is not found", said, code, id)
			}
		}
	})
}

func FuzzAJobIsAskedForByItsKindsOwnPath(f *testing.F) {
	for i := range JobKinds() {
		for _, id := range []string{"7", "9223372036854775807", "job-0aB", "a_b-C", "..", "a/b", "a%2Fb", "a?b#c", ""} {
			f.Add(uint8(i), id)
		}
	}
	paths := map[JobKind]string{
		ExternalCollection: "/v2/vectordb/jobs/external_collection/describe",
		"import":           "/v2/vectordb/jobs/import/describe",
		"snapshot":         "/v2/vectordb/jobs/snapshot/describe",
		"cloud":            "/v2/jobs/",
	}
	f.Fuzz(func(t *testing.T, which uint8, id string) {
		ref := aKindAndItsID(t, which, id)
		req, err := NewClient("https://cluster.example:19530", 1).request(t.Context(), "token", ref)
		if err != nil {
			t.Fatal(err)
		}
		method, want := http.MethodPost, paths[ref.Kind]
		if ref.Kind == "cloud" {
			method, want = http.MethodGet, want+id
		}
		// The id is one segment, and means none of what a path may: not even when it is
		// read again.
		sent, err := url.Parse(req.URL.String())
		if err != nil || req.Method != method || req.URL.RequestURI() != want || sent.Path != want || path.Clean(want) != want || sent.Host != "cluster.example:19530" {
			t.Fatalf("%s %s, want %s %s", req.Method, req.URL, method, want)
		}
		if method == http.MethodPost {
			wantIDAlone(t, req, ref)
		}
	})
}

// wantIDAlone checks that a body is an object of the id, as its kind sends it.
func wantIDAlone(t *testing.T, req *http.Request, ref Ref) {
	t.Helper()
	var body map[string]json.RawMessage
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	want := `"` + ref.ID + `"`
	if ref.Kind == ExternalCollection && !strings.HasPrefix(ref.ID, "job-") {
		want = ref.ID
	}
	if len(body) != 1 || string(body["jobId"]) != want {
		t.Fatalf("the body is %s, want the jobId %s alone", body, want)
	}
}

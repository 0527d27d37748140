package milvus

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAJobIsRead(t *testing.T) {
	const source = `{"type":"volume","path":"volume://my-volume/books"}`
	started := time.Date(2024, 4, 1, 19, 33, 20, 0, time.UTC) // 1712000000 s
	tests := map[string]struct {
		body string
		want Job
	}{
		"in progress": {
			`{"code": 0, "data": {"jobId": 449503829274509313, "collectionName": "ext_books", "state": "RefreshInProgress", "progress": 42,
			  "externalSource": "{\"type\":\"volume\",\"path\":\"volume://my-volume/books\"}", "startTime": 1712000000000, "endTime": 0}}`,
			Job{CollectionName: "ext_books", State: "RefreshInProgress", Progress: new(42), ExternalSource: source, StartTime: started},
		},
		"completed": {
			success(exactID, `"state": "RefreshCompleted", "progress": 100, "startTime": 1712000000000, "endTime": 1712000093007`),
			Job{State: "RefreshCompleted", Outcome: Succeeded, Progress: new(100), StartTime: started, EndTime: started.Add(93007 * time.Millisecond)},
		},
		"failed": {
			success(exactID, `"state": "RefreshFailed", "progress": 7, "reason": "schema mismatch: column title"`),
			Job{State: "RefreshFailed", Outcome: Failed, Progress: new(7), Reason: "schema mismatch: column title"},
		},
		"pending": {
			success(exactID, `"state": "RefreshPending", "progress": 0, "startTime": 0, "endTime": 0`),
			Job{State: "RefreshPending", Progress: new(0)},
		},
		"of a newer server's state": {
			success(exactID, `"state": "RefreshPaused", "progress": 5`),
			Job{State: "RefreshPaused", Progress: new(5)},
		},
		"with a code that is a string": {
			`{"code": "0", "data": {"jobId": 449503829274509313, "state": "RefreshPending"}}`,
			Job{State: "RefreshPending"},
		},
		"with an id that is a string": {
			`{"code": 0, "data": {"jobId": "449503829274509313", "state": "RefreshPending"}}`,
			Job{State: "RefreshPending"},
		},
		"with numbers that are strings": {
			success(exactID, `"state": "RefreshCompleted", "progress": "100", "startTime": "1712000000000", "endTime": "1712000000000"`),
			Job{State: "RefreshCompleted", Outcome: Succeeded, Progress: new(100), StartTime: started, EndTime: started},
		},
		"with null for all but its state": {
			success(exactID, `"state": "RefreshPending", "collectionName": null, "progress": null, "externalSource": null, "reason": null, "startTime": null, "endTime": null`),
			Job{State: "RefreshPending"},
		},
		"with a field of a wrong type before its state": {
			success(exactID, `"collectionName": 5, "reason": [], "externalSource": {"path": "x"}, "progress": {}, "startTime": true, "state": "RefreshFailed"`),
			Job{State: "RefreshFailed", Outcome: Failed, Unexplained: true},
		},
		"with a field of a wrong type behind its state": {
			success(exactID, `"state": "RefreshFailed", "collectionName": {}, "reason": "disk full", "endTime": []`),
			Job{State: "RefreshFailed", Outcome: Failed, Reason: "disk full"},
		},
		"with a message of a wrong type": {
			`{"message": 5, "code": 0, "data": {"jobId": 449503829274509313, "state": "RefreshPending"}}`,
			Job{State: "RefreshPending"},
		},
		"with keys nobody knows": {
			`{"requestId": {}, "code": 0, "cost": 1e400, "data": {"jobId": 449503829274509313, "state": "RefreshPending", "x": [[]]}}`,
			Job{State: "RefreshPending"},
		},
		"with a source that is a URL": {
			success(exactID, `"state": "RefreshPending", "externalSource": "s3://my-bucket/books/"`),
			Job{State: "RefreshPending", ExternalSource: "s3://my-bucket/books/"},
		},
		"with an empty source": {
			success(exactID, `"state": "RefreshPending", "externalSource": ""`),
			Job{State: "RefreshPending"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := startCluster(t, answering(200, tt.body)).Describe(t.Context(), apiKey, refresh(exactID))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgressIsAWholePercentageOrUnknown(t *testing.T) {
	tests := map[string]*int{
		`0`: new(0), `1`: new(1), `99`: new(99), `100`: new(100), `"42"`: new(42),
		`-1`: nil, `101`: nil, `9223372036854775807`: nil, `99999999999999999999`: nil,
		`42.5`: nil, `4e1`: nil, `""`: nil, `"half"`: nil, `null`: nil, `true`: nil, `[42]`: nil, `{}`: nil,
	}
	for progress, want := range tests {
		t.Run(progress, func(t *testing.T) {
			job, err := read(200, nil, []byte(success(1, `"state": "RefreshPending", "progress": `+progress)), refresh(1), apiKey)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, job.Progress); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestATimeIsInMillisecondsOrUnknown(t *testing.T) {
	tests := map[string]string{
		`1`:               "1970-01-01T00:00:00.001Z",
		`1712832000123`:   "2024-04-11T10:40:00.123Z",
		`"1712832000123"`: "2024-04-11T10:40:00.123Z",
		`253402300799999`: "9999-12-31T23:59:59.999Z",
		`253402300800000`: "", `9223372036854775807`: "", `9223372036854775808`: "",
		`0`: "", `-1`: "", `1.5`: "", `"2024-04-11"`: "", `null`: "", `{}`: "",
	}
	for instant, want := range tests {
		t.Run(instant, func(t *testing.T) {
			job, err := read(200, nil, []byte(success(1, `"state": "RefreshPending", "startTime": `+instant)), refresh(1), apiKey)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if !job.StartTime.IsZero() {
				got = job.StartTime.Format(time.RFC3339Nano)
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestAnAnswerWithoutAJobIsTemporary(t *testing.T) {
	const odd = "the answer is about another job"
	tests := map[string]struct{ body, fault string }{
		"no data":                  {`{"code": 0}`, "the answer has no data"},
		"data null":                {`{"code": 0, "data": null}`, "the answer has no data"},
		"data empty":               {`{"code": 0, "data": {}}`, "the answer has no jobId"},
		"data text":                {`{"code": 0, "data": "RefreshCompleted"}`, "the answer has no data"},
		"data list":                {`{"code": 0, "data": [{"jobId": 1, "state": "RefreshCompleted"}]}`, "the answer has no data"},
		"another job":              {`{"code": 0, "data": {"jobId": 449503829274509314, "state": "RefreshCompleted"}}`, odd},
		"a float64's job":          {`{"code": 0, "data": {"jobId": 449503829274509312, "state": "RefreshCompleted"}}`, odd},
		"an id in exponents":       {`{"code": 0, "data": {"jobId": 4.49503829274509313e17, "state": "RefreshCompleted"}}`, "the answer has no jobId"},
		"an id that is no number":  {`{"code": 0, "data": {"jobId": {}, "state": "RefreshCompleted"}}`, "the answer has no jobId"},
		"an id null":               {`{"code": 0, "data": {"jobId": null, "state": "RefreshCompleted"}}`, "the answer has no jobId"},
		"no state":                 {`{"code": 0, "data": {"jobId": 449503829274509313}}`, "the answer has no state"},
		"an empty state":           {`{"code": 0, "data": {"jobId": 449503829274509313, "state": ""}}`, "the answer has no state"},
		"a state null":             {`{"code": 0, "data": {"jobId": 449503829274509313, "state": null}}`, "the answer has no state"},
		"a state that is a number": {`{"code": 0, "data": {"jobId": 449503829274509313, "state": 3}}`, "the answer has no state"},
		"no code":                  {`{"data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`, "the answer has no code"},
		"a code null":              {`{"code": null, "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`, "the answer has no code"},
		"a code in words":          {`{"code": "OK", "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`, "the answer has no code"},
		"a code over int64":        {`{"code": 9223372036854775808, "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`, "the answer has no code"},
		"null":                     {`null`, "the answer has no code"},
		"a list":                   {`[]`, "the answer has no code"},
		"a text":                   {`"RefreshCompleted"`, "the answer has no code"},
		"nothing":                  {``, "the answer is not the API's JSON"},
		"HTML":                     {`<html><body>200 OK</body></html>`, "the answer is not the API's JSON"},
		"half of it":               {`{"code": 0, "data": {"jobId": 449503829274509313, "state": "Refr`, "the answer is not the API's JSON"},
		"two answers":              {`{"code": 0}{"code": 0}`, "the answer is not the API's JSON"},
		"too deep":                 {`{"code": 0, "data": ` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`, "the answer is not the API's JSON"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			failure := failed(t, startCluster(t, answering(200, tt.body)))
			if diff := cmp.Diff(&Error{Kind: Temporary, Status: 200, Message: tt.fault}, failure); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Before a range error strconv.ParseInt gives the nearest int64.
func TestAnIdOverInt64IsNotTheLargestJob(t *testing.T) {
	for _, id := range []string{"9223372036854775808", `"9223372036854775808"`, "99999999999999999999"} {
		job, err := read(200, nil, fmt.Appendf(nil, `{"code": 0, "data": {"jobId": %s, "state": "RefreshCompleted"}}`, id), refresh(largestID), apiKey)
		if err == nil {
			t.Errorf("%s: got %+v", id, job)
		}
	}
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	long := strings.Repeat("é", 5<<10)
	job, err := read(200, nil, []byte(success(1, `"state": "a`+long+`", "collectionName": "`+long+`", "reason": "`+long+`"`)), refresh(1), apiKey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(200, nil, []byte(`{"code": 1, "message": "a`+long+`"}`), refresh(1), apiKey)
	texts := map[string]struct {
		text  string
		limit int
	}{
		"State":          {job.State, 255},
		"CollectionName": {job.CollectionName, 255},
		"Reason":         {job.Reason, 4 << 10},
		"Message":        {err.(*Error).Message, 500},
	}
	for name, tt := range texts {
		if len(tt.text) > tt.limit || len(tt.text) < tt.limit-1 {
			t.Errorf("%s has %d bytes, want %d", name, len(tt.text), tt.limit)
		}
		if !utf8.ValidString(tt.text) || !strings.HasSuffix(tt.text, "é…") {
			t.Errorf("%s ends in %q", name, tt.text[len(tt.text)-6:])
		}
	}
}

func TestOfAHugeTextOnlyTheBeginningIsGoneThrough(t *testing.T) {
	words, word := strings.Repeat("bearer ", 1<<17), strings.Repeat("x", 1<<20)
	tests := map[string]struct{ text, want string }{
		"words":  {"read " + words, "read bearer"},
		"a word": {word, "***"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job, err := read(200, nil, []byte(success(1, `"state": "RefreshFailed", "reason": "`+tt.text+`", "externalSource": "`+tt.text+`"`)), refresh(1), apiKey)
			if err != nil || !strings.HasPrefix(job.Reason, tt.want) || len(job.Reason) > maxReason || job.ExternalSource != "" {
				t.Errorf("reason %.40q of %d bytes, source of %d bytes, %v", job.Reason, len(job.Reason), len(job.ExternalSource), err)
			}
		})
	}
}

func TestASourceIsWholeOrLeftOut(t *testing.T) {
	for length, want := range map[int]int{8 << 10: 8 << 10, 8<<10 + 1: 0} {
		job, err := read(200, nil, []byte(success(1, `"state": "RefreshCompleted", "externalSource": "`+strings.Repeat("x", length)+`"`)), refresh(1), apiKey)
		if err != nil || len(job.ExternalSource) != want {
			t.Errorf("%d bytes became %d, want %d; %v", length, len(job.ExternalSource), want, err)
		}
	}
}

func TestATextAtItsLimitStays(t *testing.T) {
	reason := strings.Repeat("x", 4<<10)
	job, err := read(200, nil, []byte(success(1, `"state": "RefreshFailed", "reason": "`+reason+`"`)), refresh(1), apiKey)
	if err != nil {
		t.Fatal(err)
	}
	if job.Reason != reason {
		t.Errorf("%d bytes became %d", len(reason), len(job.Reason))
	}
}

package milvus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/tests/leak"
)

func records200(text string) string { return `{"code": 0, "data": {"records": ` + text + `}}` }

const oneRecord = `{"jobId": 449503829274509313, "collectionName": "ext_books", "state": "RefreshInProgress", "progress": 42,
	"externalSource": "s3://key:` + password + `@books", "externalSpec": "` + password + `", "startTime": 1712832000000, "endTime": 0}`

func TestAListNamesTheCollection(t *testing.T) {
	var got *http.Request
	var body []byte
	c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, records200("[]"))
	})
	list, err := c.List(t.Context(), apiKey, Collection{"ext_books", "library"})
	if err != nil || len(list.Jobs) > 0 || !list.Clock.Known || list.Clock.Ahead.Abs() > MaxClockError+time.Second {
		t.Fatalf("%+v, %v", list, err)
	}
	if string(body) != `{"collectionName":"ext_books","dbName":"library"}` || got.URL.Path != "/v2/vectordb/jobs/external_collection/list" {
		t.Errorf("%s with %s", got.URL, body)
	}
}

func readText(t *testing.T, status int, body string, cut bool) ([]Listed, *Error) {
	t.Helper()
	jobs, err := readList(reply{status: status, header: http.Header{}, body: []byte(body), cut: cut}, "root:"+password)
	failure, _ := errors.AsType[*Error](err)
	if err != nil && failure == nil {
		t.Fatalf("%v is a %T", err, err)
	}
	return jobs, failure
}

func TestAListHasItsJobsAsDescribeHasThem(t *testing.T) {
	jobs, failure := readText(t, 200, records200(`[`+oneRecord+`, {"jobId": "9223372036854775807", "state": "RefreshFailed", "reason": "no such object", "endTime": 1712832093000}]`), false)
	want := []Listed{
		{"449503829274509313", Job{CollectionName: "ext_books", State: "RefreshInProgress", Progress: new(42), ExternalSource: "s3://books", StartTime: time.UnixMilli(1712832000000).UTC()}},
		{"9223372036854775807", Job{State: "RefreshFailed", Outcome: Failed, Reason: "no such object", EndTime: time.UnixMilli(1712832093000).UTC()}},
	}
	if diff := cmp.Diff(want, jobs); diff != "" || failure != nil {
		t.Error(diff, failure)
	}
	if leak.Find(fmt.Sprintf("%+v", jobs), password) != nil {
		t.Errorf("a credential is in %+v", jobs)
	}
}

// The newest come first.
func TestAListThatIsTooLargeCountsAsFarAsItIsRead(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	record := func(id int) string {
		return fmt.Sprintf(`{"jobId": %d, "state": "RefreshCompleted", "externalSpec": %q}`, id, long)
	}
	var all []string
	for id := 20; id > 0; id-- {
		all = append(all, record(id))
	}
	list, err := startCluster(t, answering(200, records200("["+strings.Join(all, ",")+"]"))).List(t.Context(), apiKey, books)
	if err != nil || len(list.Jobs) != 10 || list.Jobs[0].ID != "20" || list.Jobs[9].ID != "11" {
		t.Errorf("%d jobs, %v", len(list.Jobs), err)
	}
}

func TestOnlyTheNewestOfAListAreKept(t *testing.T) {
	jobs, failure := readText(t, 200, records200("["+strings.Repeat(`{"jobId":1,"state":"RefreshCompleted"},`, maxListed)+`{"jobId":2,"state":"x"}]`), false)
	if len(jobs) != maxListed || jobs[maxListed-1].ID != "1" || failure != nil {
		t.Errorf("%d jobs, %v", len(jobs), failure)
	}
}

func TestWhatAListIsAnsweredHasItsKind(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		cut    bool
		want   ErrorKind
	}{
		"no such collection":            {200, `{"code": 100, "message": "collection not found"}`, false, Impossible},
		"no such database":              {200, `{"code": 800, "message": "database not found"}`, false, Impossible},
		"a bad job":                     {200, `{"code": 1100, "message": "job 7 has no tasks"}`, false, Temporary},
		"a bad job as unexpected":       {200, `{"code": 65535, "message": "job 7 not found"}`, false, Temporary},
		"the limiter":                   {200, `{"code": 1807, "message": "rejected"}`, false, Throttled},
		"a refused credential":          {401, ``, false, Refused},
		"no privilege":                  {200, `{"code": 1401, "message": "no"}`, false, Refused},
		"an older server":               {404, `404 page not found`, false, Misconfigured},
		"a gateway's page":              {502, gatewayPage, false, Temporary},
		"another status":                {500, records200("[]"), false, Temporary},
		"no code":                       {200, `{"data": {"records": []}}`, false, Temporary},
		"no data":                       {200, `{"code": 0}`, false, Temporary},
		"data of null":                  {200, `{"code": 0, "data": null}`, false, Temporary},
		"data of another type":          {200, `{"code": 0, "data": []}`, false, Temporary},
		"no records":                    {200, `{"code": 0, "data": {}}`, false, Temporary},
		"records of another type":       {200, records200(`{"jobId": 1}`), false, Temporary},
		"a record of another type":      {200, records200(`[5]`), false, Temporary},
		"a record of null":              {200, records200(`[null]`), false, Temporary},
		"a record without an id":        {200, records200(`[{"state": "RefreshPending"}]`), false, Temporary},
		"a record without a state":      {200, records200(`[{"jobId": 1}]`), false, Temporary},
		"an id beyond int64":            {200, records200(`[{"jobId": 9223372036854775808, "state": "RefreshPending"}]`), false, Temporary},
		"an id that would change paths": {200, records200(`[{"jobId": "../1", "state": "RefreshPending"}]`), false, Temporary},
		"a list":                        {200, `[]`, false, Temporary},
		"null":                          {200, `null`, false, Temporary},
		"nothing":                       {200, ``, false, Temporary},
		"an end too early":              {200, `{"code": 0, "data": {"records": [` + oneRecord, false, Temporary},
		"a cut before the code":         {200, `{"data": {"records": [` + oneRecord, true, Temporary},
		"a cut within an error":         {200, `{"code": 1, "message": "x`, true, Temporary},
		"a cut before the records":      {200, `{"code": 0, "data": {"x": "`, true, Temporary},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if jobs, got := readText(t, tt.status, tt.body, tt.cut); got == nil || got.Kind != tt.want || jobs != nil {
				t.Errorf("%+v, %+v, want %s", jobs, got, tt.want)
			}
		})
	}
}

func TestACutMayFallAnywhereBehindTheFirstRecord(t *testing.T) {
	first := `{"code": 0, "data": {"records": [{"jobId": 2, "state": "RefreshPending"}`
	for rest := range strings.SplitAfterSeq(`, {"jobId": 1, "state": "RefreshCompleted", "progress": 10`, "") {
		first += rest
		if jobs, failure := readText(t, 200, first, true); failure != nil || len(jobs) != 1 || jobs[0].ID != "2" {
			t.Errorf("%s: %+v, %v", first, jobs, failure)
		}
	}
}

// A Date has whole seconds, and was written between request and answer.
func TestTheClockIsOffByNoMoreThanItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ahead := range []time.Duration{0, time.Hour, -300 * time.Millisecond, -24 * time.Hour, 999 * time.Millisecond} {
			for _, out := range []time.Duration{0, 40 * time.Millisecond, time.Second, 1999 * time.Millisecond} {
				for _, back := range []time.Duration{0, 900 * time.Millisecond, 2 * time.Second} {
					sent := time.Now()
					time.Sleep(out)
					date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
					time.Sleep(back)
					got := clockOf(reply{header: http.Header{"Date": {date}}, took: time.Since(sent)}, time.Now())
					if known := out+back <= 2*time.Second; got.Known != known || known && (got.Ahead-ahead).Abs() > MaxClockError {
						t.Errorf("%s ahead, after %s and %s: %+v", ahead, out, back, got)
					}
					time.Sleep(137 * time.Millisecond)
				}
			}
		}
	})
}

func TestWithoutADateTheClockIsNotKnown(t *testing.T) {
	for _, date := range []string{"", "today", "1712832000", "2024-04-11T10:40:00Z"} {
		if got := clockOf(reply{header: http.Header{"Date": {date}}}, time.Now()); got.Known {
			t.Errorf("%q: %+v", date, got)
		}
	}
}

func TestAListMayBeAskedForAgainOverANewConnection(t *testing.T) {
	first := true
	c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if !first {
			panic(http.ErrAbortHandler)
		}
		first = false
		_, _ = io.WriteString(w, records200("[]"))
	})
	if _, err := c.List(t.Context(), apiKey, books); err != nil {
		t.Fatal(err)
	}
	_, err := c.List(t.Context(), apiKey, books)
	if failure, ok := errors.AsType[*Error](err); !ok || !failure.Stale {
		t.Errorf("%+v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.List(ctx, apiKey, books)
	if failure, ok := errors.AsType[*Error](err); !ok || failure.Stale {
		t.Errorf("%+v", err)
	}
}

func FuzzReadList(f *testing.F) {
	for _, body := range []string{
		records200("[" + oneRecord + "]"), records200("[]"), records200("null"), `{"data":{"records":[{"jobId":1,"state":"x"}]},"code":"0"}`,
		`{"code":703,"message":"refresh job 7 is already in progress"}`, `{"code":0,"data":{"records":[{"jobId":1,"state":"x"}`, `[]`, ``, `{"code":`,
		records200(`[{"jobId":9223372036854775807,"state":"` + password + `"}]`), `{"code":0,"code":5,"data":{"records":[],"records":{}}}`,
	} {
		f.Add(200, []byte(body), false)
		f.Add(503, []byte(body), true)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, cut bool) {
		r := reply{status: status, header: http.Header{}, body: body, cut: cut}
		jobs, err := readList(r, "root:"+password)
		id, startErr := readStart(r, "root:"+password)
		for _, shown := range []string{fmt.Sprintf("%+v", jobs), fmt.Sprint(err), fmt.Sprint(startErr)} {
			if strings.Contains(shown, password) {
				t.Fatalf("%s holds the password", shown)
			}
		}
		if startErr == nil && !(Ref{ExternalCollection, id}).Valid() {
			t.Fatalf("started the job %q", id)
		}
		if err != nil {
			if failure, ok := errors.AsType[*Error](err); !ok || jobs != nil || len(failure.Message) > maxMessage {
				t.Fatalf("%v with %v", err, jobs)
			}
			return
		}
		for _, job := range jobs {
			if !(Ref{ExternalCollection, job.ID}).Valid() || status != http.StatusOK {
				t.Fatalf("took status %d and job %q", status, job.ID)
			}
			checkJob(t, job.Job)
		}
	})
}

func BenchmarkReadListOfTheLargestAnswer(b *testing.B) {
	record := strings.ReplaceAll(oneRecord, "\n\t", "") + ","
	r := reply{status: 200, header: http.Header{}, cut: true, body: []byte(`{"code": 0, "data": {"records": [` + strings.Repeat(record, maxBody/len(record)))}
	for b.Loop() {
		if _, err := readList(r, apiKey); err != nil {
			b.Fatal(err)
		}
	}
}

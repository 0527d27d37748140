package simcluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a clock that moves when told to.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// newCluster returns a cluster that accepts the token "key", with jobs
// submitted at its clock's first moment, 1712832000000 in Unix milliseconds.
func newCluster(opts Options, jobs ...Job) (*Cluster, *clock) {
	clk := &clock{time.UnixMilli(1712832000000)}
	opts.Token, opts.Now = "key", clk.Now
	c := New(opts)
	for _, job := range jobs {
		c.Add(job)
	}
	return c, clk
}

func refresh(id string) Ref { return Ref{ExternalCollection, id} }

func post(c *Cluster, body string) *httptest.ResponseRecorder {
	return postAs(c, "Bearer key", body)
}

func postAs(c *Cluster, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, refreshPath, strings.NewReader(body))
	r.Header.Set("Authorization", authorization)
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

const refreshPath = "/v2/vectordb/jobs/external_collection/describe"

// description is some of what is shown of a refresh.
type description struct {
	State     string
	StartTime int64
}

// describe returns the code and the data of an answer to a describe of job id.
func describe(t *testing.T, c *Cluster, id int64) (code int, d description) {
	t.Helper()
	w := post(c, fmt.Sprintf(`{"jobId":%d}`, id))
	var answer struct {
		Code int
		Data description
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	return answer.Code, answer.Data
}

func TestAnswersToRequestsThatNameNoKnownJob(t *testing.T) {
	tests := map[string]struct {
		authorization, body string
		status, code        int
		message             string
	}{
		"an unknown job is not found":          {"Bearer key", `{"jobId":7}`, 200, 1100, "refresh job 7 not found"},
		"the largest id stays exact":           {"Bearer key", `{"jobId":9223372036854775807}`, 200, 1100, "refresh job 9223372036854775807 not found"},
		"an id beyond int64 is bad JSON":       {"Bearer key", `{"jobId":9223372036854775808}`, 200, 1801, "can only accept json format request"},
		"an id as text is bad JSON":            {"Bearer key", `{"jobId":"7"}`, 200, 1801, "can only accept json format request"},
		"a fraction is bad JSON":               {"Bearer key", `{"jobId":7.0}`, 200, 1801, "can only accept json format request"},
		"an exponent is bad JSON":              {"Bearer key", `{"jobId":7e0}`, 200, 1801, "can only accept json format request"},
		"an empty body is bad JSON":            {"Bearer key", ``, 200, 1801, "can only accept json format request"},
		"a broken body is bad JSON":            {"Bearer key", `{"jobId":`, 200, 1801, "can only accept json format request"},
		"a huge body is refused":               {"Bearer key", strings.Repeat(" ", 1<<20) + `{"jobId":7}`, 200, 1801, "request body too large"},
		"no id is a missing parameter":         {"Bearer key", `{}`, 200, 1802, "missing required parameters"},
		"id 0 is a missing parameter":          {"Bearer key", `{"jobId":0}`, 200, 1802, "missing required parameters"},
		"a negative id is a missing parameter": {"Bearer key", `{"jobId":-7}`, 200, 1802, "missing required parameters"},
		"a wrong token is refused":             {"Bearer kay", `{"jobId":7}`, 401, 1800, "user hasn't authenticated"},
		"no token is refused":                  {"", `{"jobId":7}`, 401, 1800, "user hasn't authenticated"},
		"another scheme is refused":            {"Basic key", `{"jobId":7}`, 401, 1800, "user hasn't authenticated"},
		"the token is checked before the body": {"", ``, 401, 1800, "user hasn't authenticated"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := newCluster(Options{})
			w := postAs(c, tt.authorization, tt.body)
			var answer struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("body %q: %v", w.Body, err)
			}
			if w.Code != tt.status || answer.Code != tt.code || !strings.Contains(answer.Message, tt.message) {
				t.Errorf("got HTTP %d %+v, want HTTP %d {%d …%s…}", w.Code, answer, tt.status, tt.code, tt.message)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q, want application/json", got)
			}
		})
	}
}

func TestOtherRoutesAndMethodsAreHTTP404AndNotCounted(t *testing.T) {
	for _, request := range []string{
		"GET " + refreshPath, "POST /", "POST " + refreshPath + "/", "POST /v2/vectordb/jobs/compaction/describe", "GET /v2/vectordb/jobs/import/describe",
		"POST /v2/jobs/job-1", "GET /v2/jobs/", "GET /v2/jobs", "GET /v2/jobs/job-1/", "GET /v2/jobs/a/b", "GET /v2/jobs/a%2Fb", "GET /v3/jobs/job-1",
	} {
		t.Run(request, func(t *testing.T) {
			c, _ := newCluster(Options{})
			method, path, _ := strings.Cut(request, " ")
			w := httptest.NewRecorder()
			c.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != http.StatusNotFound || c.Counts().Describes != 0 {
				t.Errorf("got HTTP %d and %d describes, want 404 and 0", w.Code, c.Counts().Describes)
			}
		})
	}
}

func TestARotatedTokenReplacesTheOldOne(t *testing.T) {
	c, _ := newCluster(Options{})
	c.SetToken("new")
	if got := postAs(c, "Bearer key", `{"jobId":7}`).Code; got != 401 {
		t.Errorf("old token: HTTP %d, want 401", got)
	}
	if got := postAs(c, "Bearer new", `{"jobId":7}`).Code; got != 200 {
		t.Errorf("new token: HTTP %d, want 200", got)
	}
}

func TestTheRateLimitHoldsInAnyOneSecond(t *testing.T) {
	c, clk := newCluster(Options{RequestsPerSecond: 2}, Job{ID: "1"})
	start := clk.now
	for _, step := range []struct {
		at   time.Duration
		code int
	}{
		{0, 0},
		{900 * time.Millisecond, 0},
		{999 * time.Millisecond, 1807},
		{1000 * time.Millisecond, 0}, // the first has left the second
		{1899 * time.Millisecond, 1807},
		{1900 * time.Millisecond, 0},
	} {
		clk.now = start.Add(step.at)
		if code, _ := describe(t, c, 1); code != step.code {
			t.Errorf("after %v: code %d, want %d", step.at, code, step.code)
		}
	}
	want := Counts{Describes: 6, Throttled: 2, PeakPerSecond: 2, PerJob: map[Ref]int{refresh("1"): 4}}
	if diff := cmp.Diff(want, c.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestCountsTellWhatWasAsked(t *testing.T) {
	c, clk := newCluster(Options{}, Job{ID: "1"}, Job{ID: "2", NeverVisible: true}, Job{ID: "3"})
	for _, id := range []int64{1, 1, 2, 4} {
		describe(t, c, id)
	}
	postAs(c, "", `{"jobId":1}`)
	post(c, `{}`)
	clk.now = clk.now.Add(time.Second)
	describe(t, c, 1)
	want := Counts{Describes: 7, Refused: 1, PeakPerSecond: 5, PerJob: map[Ref]int{refresh("1"): 3, refresh("2"): 1, refresh("3"): 0}}
	if diff := cmp.Diff(want, c.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestMemoryStaysBoundedByOneSecondsRequests(t *testing.T) {
	var w window
	now := time.UnixMilli(0)
	for range 100_000 {
		w.accept(now, 0)
		now = now.Add(100 * time.Millisecond)
	}
	if cap(w) > 100 {
		t.Errorf("room for %d times at 10 requests a second", cap(w))
	}
}

func TestAJobAddedAgainStartsAfresh(t *testing.T) {
	c, clk := newCluster(Options{}, Job{ID: "1"})
	describe(t, c, 1)
	clk.now = clk.now.Add(time.Hour)
	c.Add(Job{ID: "1", RunsFor: time.Minute})
	if _, d := describe(t, c, 1); d.State != InProgress || d.StartTime != clk.now.UnixMilli() {
		t.Errorf("got %s since %d, want %s since %d", d.State, d.StartTime, InProgress, clk.now.UnixMilli())
	}
	if got := c.Counts().PerJob[refresh("1")]; got != 1 {
		t.Errorf("%d describes counted, want 1", got)
	}
}

func TestClientsMayCallAtTheSameTime(t *testing.T) {
	c := New(Options{Token: "key"}) // on the real clock
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			c.Add(Job{ID: fmt.Sprint(i + 1), Faults: []Answer{{Status: 500}}})
			c.SetToken("key")
			for range 10 {
				post(c, fmt.Sprintf(`{"jobId":%d}`, i+1))
			}
			c.Counts()
		})
	}
	wg.Wait()
	if got := c.Counts(); got.Describes != 200 || got.PerJob[refresh("20")] != 10 {
		t.Errorf("%d describes, %d of the last job, want 200 and 10", got.Describes, got.PerJob[refresh("20")])
	}
}

func FuzzReadBody(f *testing.F) {
	for _, seed := range []string{`{"jobId":449503829274509301}`, `{"jobId":"1"}`, `{"jobId":"job-1"}`, `{"jobId":"01"}`, `{"jobId":1e3}`, `{}`, `null`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, kind := range []Kind{ExternalCollection, Import, Snapshot} {
			id, rejection := kind.readBody(strings.NewReader(body))
			if (rejection == nil) != (id != "") {
				t.Fatalf("%s: id %q with rejection %v", kind, id, rejection)
			}
			if kind == ExternalCollection && !strings.Contains(body, id) {
				t.Errorf("id %s is not in the body %q", id, body)
			}
		}
	})
}

func ExampleCluster() {
	cluster := New(Options{Token: "key"})
	cluster.Add(Job{ID: "9223372036854775807", Fails: "no such bucket", Faults: []Answer{RateLimited(time.Second)}})
	server := httptest.NewServer(cluster)
	defer server.Close()

	for range 2 {
		r, _ := http.NewRequest("POST", server.URL+refreshPath, strings.NewReader(`{"jobId":9223372036854775807}`))
		r.Header.Set("Authorization", "Bearer key")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Println(response.StatusCode, strings.Contains(string(body), Failed))
	}
	fmt.Println(cluster.Counts().Describes)
	// Output:
	// 429 false
	// 200 true
	// 2
}

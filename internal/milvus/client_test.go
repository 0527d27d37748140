package milvus

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/version"
)

const inProgress = `"state": "RefreshInProgress", "progress": 42`

func TestTheRequestIsTheDocumentedOne(t *testing.T) {
	type request struct {
		Method, URI, Host, Body string
		Header                  http.Header
		Length                  int64
	}
	tests := map[string]struct {
		jobID int64
		body  string
	}{
		"for the largest id":               {largestID, `{"jobId": 9223372036854775807}`},
		"for an id that no float64 holds":  {exactID, `{"jobId": 449503829274509313}`},
		"for the smallest id":              {1, `{"jobId": 1}`},
		"for the first id a float64 loses": {1<<53 + 1, `{"jobId": 9007199254740993}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got request
			server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = request{r.Method, r.RequestURI, r.Host, string(body), r.Header, r.ContentLength}
				answering(200, success(tt.jobID, inProgress))(w, r)
			})
			server.Start()
			if _, err := NewClient(server.URL, 1).Describe(t.Context(), apiKey, refresh(tt.jobID)); err != nil {
				t.Fatal(err)
			}
			want := request{
				Method: "POST",
				URI:    "/v2/vectordb/jobs/external_collection/describe",
				Host:   server.Listener.Addr().String(),
				Body:   tt.body,
				Length: int64(len(tt.body)),
				Header: http.Header{
					"Authorization":   {"Bearer " + apiKey},
					"Accept":          {"application/json"},
					"Accept-Encoding": {"identity"},
					"Content-Type":    {"application/json"},
					"Content-Length":  {got.Header.Get("Content-Length")},
					"User-Agent":      {"refresh-poller/" + version.Number},
					"Request-Timeout": {"10"},
				},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheTokenMayBeUserAndPassword(t *testing.T) {
	var got string
	c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		answering(200, success(exactID, inProgress))(w, r)
	})
	if _, err := c.Describe(t.Context(), "root:pass:word", refresh(exactID)); err != nil {
		t.Fatal(err)
	}
	if want := "Bearer root:pass:word"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSequentialDescribesShareAConnection(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"when they succeed":        answering(200, success(exactID, inProgress)),
		"when the job is unknown":  answering(200, `{"code": 1100, "message": "job 449503829274509313 not found"}`),
		"when a gateway fails":     answering(502, "<html>bad gateway</html>"),
		"when they are redirected": answering(302, "moved", "Location", "http://127.0.0.1:1/"),
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			c, connections := startCounted(t, handler)
			for range 20 {
				_, _ = c.Describe(t.Context(), apiKey, refresh(exactID))
			}
			if connections.n.Load() != 1 {
				t.Errorf("20 describes opened %d connections, want 1", connections.n.Load())
			}
		})
	}
}

// describeAtOnce describes the job count times at the same time.
func describeAtOnce(t *testing.T, c *Client, count int) {
	t.Helper()
	var done sync.WaitGroup
	for range count {
		done.Go(func() {
			if _, err := c.Describe(t.Context(), apiKey, refresh(exactID)); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

func TestConcurrentDescribesKeepTheirConnections(t *testing.T) {
	const batch = 10
	var together sync.WaitGroup // all of a batch are on the way at once
	c, connections := startCounted(t, func(w http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		answering(200, success(exactID, inProgress))(w, r)
	})
	for range 3 {
		together.Add(batch)
		describeAtOnce(t, c, batch)
	}
	if connections.n.Load() != batch {
		t.Errorf("3 batches of %d opened %d connections", batch, connections.n.Load())
	}
}

// The cluster hangs up on what comes over the connections that it has kept. Each
// of those describes is one request, whoever repeats it: the limiter has let one
// pass.
func TestADescribeOnADeadConnectionIsOneRequest(t *testing.T) {
	const batch = 10
	var requests, dead atomic.Int32
	var together sync.WaitGroup // so that each has a connection of its own
	c, connections := startCounted(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if dead.Load() > 0 {
			sending("")(w, r)
			return
		}
		together.Done()
		together.Wait()
		answering(200, success(exactID, inProgress))(w, r)
	})
	together.Add(batch)
	describeAtOnce(t, c, batch)
	dead.Store(1)
	if failure := failed(t, c); failure.Kind != Temporary || !failure.Stale || requests.Load() != batch+1 {
		t.Errorf("%+v after %d requests more, want a stale one after 1", failure, requests.Load()-batch)
	}
	dead.Store(0)
	together.Add(1)
	if _, err := c.Describe(t.Context(), apiKey, refresh(exactID)); err != nil || connections.n.Load() != batch+1 {
		t.Errorf("%v, %d connections, want a new one", err, connections.n.Load())
	}
}

func TestAFreshConnectionIsNotStale(t *testing.T) {
	requests := 0
	c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		sending("")(w, r)
	})
	if failure := failed(t, c); failure.Kind != Temporary || failure.Stale || requests != 1 {
		t.Errorf("%+v after %d requests, want one that is not stale after 1", failure, requests)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			var strayed []string
			other := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
				strayed = append(strayed, r.Method+" "+r.Header.Get("Authorization"))
			})
			other.Start()
			requests := 0
			c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				http.Redirect(w, r, other.URL+r.URL.Path, status)
			})
			failure := failed(t, c)
			if failure.Kind != Misconfigured || failure.Status != status {
				t.Errorf("got %s, status %d", failure.Kind, failure.Status)
			}
			if len(strayed) > 0 || requests != 1 {
				t.Errorf("%d requests, and the other server saw %q", requests, strayed)
			}
		})
	}
}

func TestARedirectWithinTheClusterIsNotFollowed(t *testing.T) {
	paths := map[string]bool{}
	c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
		paths[r.URL.Path] = true
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	failed(t, c)
	if got := slices.Collect(maps.Keys(paths)); len(got) != 1 {
		t.Errorf("asked for %q", got)
	}
}

func TestACompressedAnswerIsNotUnpacked(t *testing.T) {
	// gzip of {"code": 0}
	const packed = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV\xcaOIU\xb2R0\xa8\x05\x00\x8f\xb5\x0f\xbe\x0b\x00\x00\x00"
	tests := map[string]struct {
		status       int
		coding, body string
		kind         ErrorKind
		message      string
	}{
		"that succeeds":        {200, "gzip", packed, Misconfigured, "the answer is compressed (gzip) although identity was asked for"},
		"in two codings":       {200, "br, gzip", "x", Misconfigured, "the answer is compressed (br, gzip) although identity was asked for"},
		"that refuses":         {401, "gzip", packed, Refused, "the answer is compressed (gzip) although identity was asked for"},
		"that throttles":       {429, "gzip", packed, Throttled, "the answer is compressed (gzip) although identity was asked for"},
		"of a gateway's fault": {502, "gzip", packed, Temporary, "the answer is compressed (gzip) although identity was asked for"},
		"that is none":         {502, "Identity", `{"code": 1, "message": "not ready"}`, Temporary, "not ready"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, answering(tt.status, tt.body, "Content-Encoding", tt.coding))
			for range 2 { // the second over a kept connection
				failure := failed(t, c)
				if failure.Kind != tt.kind || failure.Status != tt.status || failure.Message != tt.message || failure.Stale {
					t.Errorf("got %+v", failure)
				}
			}
		})
	}
}

// Some servers name there what is no coding.
func TestAnAnswerThatCanBeReadIsReadWhateverItsHeaderSays(t *testing.T) {
	for _, coding := range []string{"utf-8", "none", "identity, identity", "gzip"} {
		c := startCluster(t, answering(200, success(exactID, `"state": "RefreshCompleted"`), "Content-Encoding", coding))
		if job, err := c.Describe(t.Context(), apiKey, refresh(exactID)); err != nil || job.State != "RefreshCompleted" {
			t.Errorf("%s: %+v, %v", coding, job, err)
		}
	}
}

func TestAURLThatIsNoneIsAFaultOfTheOperator(t *testing.T) {
	failure := failed(t, NewClient("http://[::1", 1))
	if failure.Kind != Misconfigured || failure.Status != 0 {
		t.Errorf("got %+v", failure)
	}
}

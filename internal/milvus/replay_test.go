package milvus

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// anyID returns an id of the kind.
func anyID(kind JobKind) string {
	if kind.Int64IDs() {
		return "7"
	}
	return "job-7"
}

// A slot of the rate limit is one request. net/http repeats one of a method
// that is idempotent when a kept connection breaks (Transport; RFC 9110, section
// 9.2.2).
func TestADescribeIsOneRequestThoughItsKeptConnectionBreaks(t *testing.T) {
	for _, kind := range JobKinds() {
		t.Run(string(kind), func(t *testing.T) {
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) > 1 {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.Copy(io.Discard, r.Body)
			}))
			defer server.Close()
			client, job := NewClient(server.URL, 1), Ref{Kind: kind, ID: anyID(kind)}
			_, _ = client.Describe(t.Context(), "token", job)
			_, err := client.Describe(t.Context(), "token", job)
			failure, ok := errors.AsType[*Error](err)
			if n := requests.Load(); n != 2 || !ok || failure.Kind != Temporary || !failure.Stale {
				t.Errorf("%d requests of two describes; the second: %+v", n, failure)
			}
		})
	}
}

func TestAJobInThePathIsAskedForWithoutABody(t *testing.T) {
	for proto, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(proto, func(t *testing.T) {
			var got *http.Request
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = r
				if body, err := io.ReadAll(r.Body); len(body) > 0 || err != nil {
					t.Errorf("the body is %q, %v", body, err)
				}
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			client := trusting(server.Certificate(), server.URL)
			_, _ = client.Describe(t.Context(), "token", Ref{Kind: "cloud", ID: "job-7"})
			if got == nil || got.Proto != proto || got.Method != http.MethodGet || got.URL.Path != "/v2/jobs/job-7" {
				t.Fatalf("got %+v", got)
			}
			// Without either a server of HTTP/1.1 knows that there is none; one of HTTP/2
			// sees it at the end of the stream.
			if got.Header.Get("Content-Length") != "" || len(got.TransferEncoding) > 0 || !http2 && got.Body != http.NoBody {
				t.Errorf("a body is announced: %v, %v", got.Header, got.TransferEncoding)
			}
		})
	}
}

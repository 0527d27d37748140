package poller

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/pipenet"
)

// As with a backend behind a load balancer that accepts and says no more.
func TestAHandshakeThatIsStuckCostsOneJobItsPollAtMost(t *testing.T) {
	for _, protocol := range pipenet.Protocols {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := pipenet.Start(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					var asked struct{ JobID int64 }
					_ = json.NewDecoder(r.Body).Decode(&asked)
					time.Sleep(100 * time.Millisecond)
					fmt.Fprintf(w, `{"code": 0, "data": {"jobId": %d, "state": "RefreshInProgress"}}`, asked.JobID)
				})
				clientOf(t, s)
				transport := http.DefaultTransport.(*http.Transport)
				dial := transport.DialTLSContext
				var dials atomic.Int32
				transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					if dials.Add(1) > 1 {
						return dial(ctx, network, address)
					}
					ours, theirs := net.Pipe()
					t.Cleanup(func() { _ = theirs.Close() })
					go func() { _, _ = io.Copy(io.Discard, theirs) }()
					return tls.Client(ours, &tls.Config{ServerName: "127.0.0.1"}), nil
				}
				h := newHarness(t)
				h.Cluster = milvus.NewClient(s.URL, 10)
				began := time.Now()
				bodies := h.poll(t, tenJobs)
				sent := strings.Join(bodies, "\n")
				if failed := strings.Count(sent, "lastError"); len(bodies) != 10 || failed > 1 {
					t.Errorf("%d of %d jobs have no answer:\n%s", failed, len(bodies), sent)
				}
				if took := time.Since(began); took > milvus.Timeout {
					t.Errorf("the batch took %s", took)
				}
			})
		})
	}
}

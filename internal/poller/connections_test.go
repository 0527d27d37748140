package poller

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/pipenet"
)

// clientOf returns the poller's own client of a cluster in memory.
func clientOf(t *testing.T, s *pipenet.Server) *milvus.Client {
	t.Helper()
	before := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = before })
	transport := before.(*http.Transport).Clone() // milvus.NewClient's begins as it
	transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := s.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		config := s.TLS.Clone()
		config.ServerName = "127.0.0.1"
		return tls.Client(conn, config), nil
	}
	http.DefaultTransport = transport
	return milvus.NewClient(s.URL, 10)
}

// poll handles the messages as one batch of an invocation of 30 s, and returns
// those that it sent on.
func (h *harness) poll(t *testing.T, bodies []string) []string {
	t.Helper()
	sent := len(h.aws.bodies(jobQueue))
	batch := batchOf(bodies...)
	for _, record := range batch.Records {
		record.Attributes["SentTimestamp"] = strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if response, err := h.Handle(ctx, batch); err != nil || len(response.BatchItemFailures) > 0 {
		t.Fatal(response, err)
	}
	return h.aws.bodies(jobQueue)[sent:]
}

// pollTwice polls ten jobs, whose connections then die, and polls them again. The
// second poll has to bring an answer about each.
func pollTwice(t *testing.T, protocol pipenet.Protocol, die func(*pipenet.Server), perSecond float64) {
	synctest.Test(t, func(t *testing.T) {
		s := pipenet.Start(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			var asked struct{ JobID int64 }
			_ = json.NewDecoder(r.Body).Decode(&asked)
			time.Sleep(100 * time.Millisecond) // so that each needs a connection, or a stream
			fmt.Fprintf(w, `{"code": 0, "data": {"jobId": %d, "state": "RefreshInProgress", "progress": 42}}`, asked.JobID)
		})
		h := newHarness(t)
		h.Cluster, h.Limiter = clientOf(t, s), limiter.New(perSecond)
		bodies := h.poll(t, []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"})
		die(s)
		time.Sleep(5 * time.Second)
		bodies = h.poll(t, bodies)
		if len(bodies) != 10 {
			t.Fatalf("%d messages were sent on", len(bodies))
		}
		for _, body := range bodies {
			if !strings.Contains(body, `"polls":2`) || strings.Contains(body, "lastError") {
				t.Error(body)
			}
		}
	})
}

func TestAConnectionThatDiedBetweenTwoBatchesCostsNoJobItsPoll(t *testing.T) {
	for death, die := range pipenet.Deaths {
		for _, protocol := range pipenet.Protocols {
			t.Run(death+", "+string(protocol), func(t *testing.T) { pollTwice(t, protocol, die, 10) })
		}
	}
}

// A ping notices, and not the time-out of a describe, which would leave too little
// time for ten more.
func TestNorDoesASilentConnectionOfHTTP2UnderALowerLimit(t *testing.T) {
	pollTwice(t, pipenet.HTTP2, (*pipenet.Server).Silence, 4)
}

package poller

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
)

// A batch of ten running jobs: ten describes over HTTP on loopback, answered at
// once or after some time, and one SendMessageBatch to a fake.
func BenchmarkBatchOfTen(b *testing.B) {
	for _, latency := range []time.Duration{0, 20 * time.Millisecond, 50 * time.Millisecond} {
		b.Run(latency.String(), func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var in struct{ JobID json.Number }
				json.NewDecoder(r.Body).Decode(&in)
				time.Sleep(latency)
				fmt.Fprintf(w, `{"code":0,"data":{"jobId":%s,"collectionName":"ext_books","state":"RefreshInProgress","progress":42}}`, in.JobID)
			}))
			defer server.Close()
			h := newHarness()
			h.Cluster = milvus.NewClient(server.URL, 10)
			h.Log, h.Metrics = slog.New(slog.NewJSONHandler(io.Discard, nil)), io.Discard
			batch := batchOf("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
			b.ReportAllocs()
			for b.Loop() {
				h.Limiter = limiter.New(1000) // a slot is not free again within the benchmark
				clear(h.aws.messages)
				if r, _ := h.Handle(context.Background(), batch); len(r.BatchItemFailures) > 0 {
					b.Fatal("items failed")
				}
			}
		})
	}
}

package poller

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
)

// The samples in events/ are dated: the poller sees them on their own day.
func TestTheSampleEventsAreWhatTheirNamesSay(t *testing.T) {
	type ends struct{ Published, Reenqueued, Rejected int }
	tests := map[string]struct {
		job  milvus.Job
		want ends
	}{
		"single.json":      {running.Job, ends{Reenqueued: 1}},
		"re-enqueued.json": {completed.Job, ends{Published: 1}},
		"batch.json":       {completed.Job, ends{Published: 6}},
		"bad.json":         {completed.Job, ends{Rejected: 10}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("../../events/" + name)
			if err != nil {
				t.Fatal(err)
			}
			var batch events.SQSEvent
			if err := json.Unmarshal(text, &batch); err != nil {
				t.Fatal(err)
			}
			h := newHarness(t)
			h.Settings.Deadline = time.Since(begun) + time.Hour
			h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return tt.job, nil })
			response, err := h.Handle(t.Context(), batch)
			if err != nil || len(response.BatchItemFailures) > 0 {
				t.Fatalf("failed: %v, %v", response, err)
			}
			got := ends{len(h.aws.published), len(h.aws.messages[jobQueue]), len(h.aws.messages[deadLetterQueue])}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

package poller

import (
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
	ended := map[milvus.JobKind]milvus.Job{
		milvus.ExternalCollection: completed.Job,
		"import":                  {State: "Completed", Outcome: milvus.Succeeded},
		"snapshot":                {State: "RestoreSnapshotCompleted", Outcome: milvus.Succeeded},
		"cloud":                   {State: "SUCCESSFUL", Outcome: milvus.Succeeded},
	}
	tests := map[string]struct {
		jobs map[milvus.JobKind]milvus.Job
		want ends
	}{
		"single.json":                   {map[milvus.JobKind]milvus.Job{milvus.ExternalCollection: running.Job}, ends{Reenqueued: 1}},
		"re-enqueued.json":              {ended, ends{Published: 2}},
		"re-enqueued-before-kinds.json": {ended, ends{Published: 1}},
		"batch.json":                    {ended, ends{Published: 6}},
		"kinds.json":                    {ended, ends{Published: 6}},
		"bad.json":                      {ended, ends{Rejected: 10}},
		"bad-kinds.json":                {ended, ends{Rejected: 4}},
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
			h.Cluster = &refCluster{jobs: tt.jobs}
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

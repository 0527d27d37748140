package poller

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
	"refresh-poller/internal/watch"
)

// publishedBy is a poll that publishes an event.
type publishedBy struct {
	endpoint string
	message  watch.Message
	answer   Answer
	now      time.Time
}

// publishedSamples returns what publishes the samples in events/published.
func publishedSamples() map[string]publishedBy {
	const (
		here      = "https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530"
		elsewhere = "https://in02-fedcba987654321.aws-us-west-2.vectordb.zillizcloud.com:19530"
		own       = "https://milvus.example.org:19530"
		cloud     = "https://api.cloud.zilliz.com"
		nightly   = `{"pipeline":"nightly"}`
	)
	since := time.Date(2024, 4, 11, 10, 39, 58, 120e6, time.UTC)
	start := time.Date(2024, 4, 11, 10, 40, 0, 0, time.UTC)
	after := start.Add
	started := func(id, watchID, context string, polls int, last watch.Sight) watch.Message {
		return watch.Message{Kind: milvus.ExternalCollection, JobID: id, Context: json.RawMessage(context), Watch: watch.State{ID: watchID, Since: since, Polls: polls, Job: last}}
	}
	of := func(kind milvus.JobKind, m watch.Message) watch.Message {
		m.Kind = kind
		return m
	}
	books := started(exactID, "059f36b4-87a3-44ab-83d2-661975830a7d", nightly, 7, watch.Sight{})
	source := `{"type":"volume","path":"volume://my-volume/books"}`

	stuck := started("449503829274509317", "5a3f1c1e-2f0c-4a0e-9a53-0a3f6f3f7f10", "", 34, watch.Sight{
		State: "RefreshInProgress", Progress: new(73), CollectionName: "ext_stuck", StartTime: start,
	})
	stuck.Deadline = time.Hour

	missing := started("449503829274509316", "17d3e5f9-8c2b-4b1d-a6e7-5f4c3b2a1908", "", 6, watch.Sight{})
	missing.Watch.NotFoundSince = since

	// Enqueued long after its end, when the cluster has deleted it.
	forgotten := of("import", started("449503829274600103", "3c8e1b7a-6d5f-4e0a-9b1c-2d3e4f5a6b7c", nightly, 6, watch.Sight{}))
	forgotten.Watch.NotFoundSince = since

	asked := func(collection milvus.Collection, id, watchID, context string, polls int) watch.Message {
		m := started("", watchID, context, polls, watch.Sight{})
		m.Refresh, m.Watch.JobID = collection, id
		return m
	}
	joined := asked(milvus.Collection{Name: "ext_trades", Database: "finance"}, "449503829274509321", "4d1c2b3a-9e8f-4a7b-8c6d-5e4f3a2b1c0d", "", 5)
	joined.Watch.Joined = true

	return map[string]publishedBy{
		"not-started": {here, asked(milvus.Collection{Name: "ext_bocks"}, "", "2f6a9d0c-3b1e-4c7a-9f58-8e7d6c5b4a39", `{"schedule":"nightly-refresh"}`, 0), Answer{
			Failure: &milvus.Error{Kind: milvus.Impossible, Message: "collection not found", Status: 200, Code: 100},
		}, since.Add(4700 * time.Millisecond)},
		"joined": {here, joined, Answer{Job: milvus.Job{
			CollectionName: "ext_trades", State: "RefreshCompleted", Outcome: milvus.Succeeded, Progress: new(100), StartTime: after(3 * time.Second), EndTime: after(44 * time.Second),
		}}, after(46 * time.Second)},
		"completed": {here, books, Answer{Job: milvus.Job{
			CollectionName: "ext_books", State: "RefreshCompleted", Outcome: milvus.Succeeded, Progress: new(100), ExternalSource: source, StartTime: start, EndTime: after(93 * time.Second),
		}}, after(95100 * time.Millisecond)},
		"completed-slowly": {here, started("9223372036854775807", "8d0b8a43-6a39-4a3e-8f6c-3a5d1f0b7c21", `{"taskToken":"AAAAKgAAAAIAAAAAAAAAAexample"}`, 52, watch.Sight{}), Answer{Job: milvus.Job{
			CollectionName: "ext_logs", State: "RefreshCompleted", Outcome: milvus.Succeeded, Progress: new(100), StartTime: start, EndTime: after(2*time.Hour + 14*time.Minute),
		}}, after(2*time.Hour + 14*time.Minute + 41*time.Second)},
		"failed": {here, started("449503829274509315", "c2f7b0de-51d7-4f35-9d26-7c1b9d3f4a66", nightly, 9, watch.Sight{}), Answer{Job: milvus.Job{
			CollectionName: "ext_orders", State: "RefreshFailed", Outcome: milvus.Failed, Progress: new(60), Reason: "read s3://orders/2024.parquet: no such object", StartTime: start, EndTime: after(6 * time.Minute),
		}}, after(6*time.Minute + 14*time.Second)},
		"failed-elsewhere": {elsewhere, started("449503829274509320", "e6b1a7c4-0d0c-4f0a-b7b4-9d6a1c5e2f38", "", 2, watch.Sight{}), Answer{Job: milvus.Job{
			CollectionName: "ext_books", State: "RefreshFailed", Outcome: milvus.Failed, Progress: new(0), Reason: "schema mismatch: field title", StartTime: start, EndTime: after(11 * time.Second),
		}}, after(12 * time.Second)},
		"not-found": {here, missing,
			Answer{Failure: &milvus.Error{Kind: milvus.NotFound, Message: "refresh job 449503829274509316 not found", Status: 200, Code: 1100}}, since.Add(settings.Grace)},
		"expired": {here, stuck,
			Answer{Failure: &milvus.Error{Kind: milvus.Temporary, Message: "the answer is not the API's JSON", Status: 502}}, since.Add(stuck.Deadline)},
		"in-progress": {here, started(exactID, books.Watch.ID, nightly, 3, watch.Sight{State: "RefreshPending", Progress: new(0)}), Answer{Job: milvus.Job{
			CollectionName: "ext_books", State: "RefreshInProgress", Progress: new(42), ExternalSource: source, StartTime: start,
		}}, after(37 * time.Second)},
		"new-state": {here, started("449503829274509318", "f3b9c8d7-1e2a-4c5b-8d9e-6a7b8c9d0e1f", "", 0, watch.Sight{}), Answer{Job: milvus.Job{
			CollectionName: "ext_clicks", State: "RefreshQueued",
		}}, after(0)},

		"import-completed": {own, of("import", started("449503829274600101", "b1d6f0a2-7c3e-4f58-9a6b-0c1d2e3f4a5b", nightly, 14, watch.Sight{})), Answer{Job: milvus.Job{
			CollectionName: "books", State: "Completed", Outcome: milvus.Succeeded, Progress: new(100), ImportedRows: new(int64(100000)), TotalRows: new(int64(100000)),
			StartTime: start, EndTime: after(4 * time.Minute),
		}}, after(4*time.Minute + 7*time.Second)},
		"import-awaiting-commit": {own, of("import", started("449503829274600102", "d4e5f6a7-b8c9-4d0e-8f1a-2b3c4d5e6f70", "", 11, watch.Sight{})), Answer{Job: milvus.Job{
			CollectionName: "orders", State: "Uncommitted", Outcome: milvus.AwaitingCommit, Progress: new(99), ImportedRows: new(int64(2500)), TotalRows: new(int64(2500)), StartTime: start,
		}}, after(3 * time.Minute)},
		"import-not-found": {own, forgotten,
			Answer{Failure: &milvus.Error{Kind: milvus.NotFound, Message: "import job does not exist, jobID=449503829274600103", Status: 200, Code: 2101}}, since.Add(settings.Grace)},
		"restore-failed": {own, of("snapshot", started("449503829274600104", "7e9a0b1c-2d3e-4f50-8a6b-7c8d9e0f1a2b", "", 8, watch.Sight{})), Answer{Job: milvus.Job{
			CollectionName: "books_restored", State: "RestoreSnapshotFailed", Outcome: milvus.Failed, Progress: new(35), Reason: "copy segment 449503829274600200: access denied", StartTime: start,
		}}, after(2*time.Minute + 30*time.Second)},
		"cloud-canceled": {cloud, of("cloud", started("job-0a1b2c3d4e5f6g7h8i9j", "a9b8c7d6-e5f4-4a3b-9c2d-1e0f9a8b7c6d", nightly, 20, watch.Sight{})), Answer{Job: milvus.Job{
			Type: "BACKUP", State: "CANCELED", Outcome: milvus.Canceled, Progress: new(42), Reason: "canceled by a user", StartTime: start, EndTime: after(8 * time.Minute),
		}}, after(8*time.Minute + 11*time.Second)},
	}
}

func TestTheSamplesForSubscribersAreWhatThePollerPublishes(t *testing.T) {
	tests := publishedSamples()
	files, err := filepath.Glob("../../events/published/*.json")
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d samples, not %d (%v)", len(files), len(tests), err)
	}
	ofKind := map[milvus.JobKind]int{}
	for _, tt := range tests {
		ofKind[tt.message.Kind]++
	}
	for _, kind := range milvus.JobKinds() {
		if ofKind[kind] == 0 {
			t.Errorf("no sample is of the kind %s", kind)
		}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("../../events/published/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			schematest.Event(t, string(text))
			var sample struct {
				Source     string
				DetailType string `json:"detail-type"`
				Time       time.Time
				Detail     json.RawMessage
			}
			if err := json.Unmarshal(text, &sample); err != nil {
				t.Fatal(err)
			}
			s := settings
			s.PublishProgress, s.ClusterEndpoint = true, tt.endpoint
			want := decide(t, s, tt.message, tt.answer, tt.now).Event
			var got bytes.Buffer
			if err := json.Compact(&got, sample.Detail); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.JSON(), got.String()); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
			if sample.Source != "refresh-poller" || sample.DetailType != tt.message.Kind.DetailType() || !sample.Time.Equal(want.Time.Truncate(time.Second)) {
				t.Errorf("from %s, %s, at %s", sample.Source, sample.DetailType, sample.Time)
			}
		})
	}
}

package poller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

// refCluster takes down what is asked for, and has all jobs ended as they are
// given.
type refCluster struct {
	mu    sync.Mutex
	asked []milvus.Ref
	jobs  map[milvus.JobKind]milvus.Job
}

func (c *refCluster) Describe(_ context.Context, _ string, job milvus.Ref) (milvus.Job, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, job)
	return c.jobs[job.Kind], nil
}

func TestABatchAsksOnceForEachKindAndID(t *testing.T) {
	h := newHarness(t)
	cluster := &refCluster{jobs: map[milvus.JobKind]milvus.Job{
		"import": {State: "Importing"}, milvus.ExternalCollection: {State: "RefreshPending"}, "cloud": {State: "PENDING"},
	}}
	h.Cluster = cluster
	h.handle(t, "7", `{"jobId":7,"kind":"import"}`, `{"jobId":"7","kind":"import"}`, `{"jobId":"7","kind":"cloud"}`, `{"jobId":7,"context":{}}`)
	var asked []string
	for _, ref := range cluster.asked {
		asked = append(asked, string(ref.Kind)+" "+ref.ID)
	}
	slices.Sort(asked)
	if got := strings.Join(asked, ", "); got != "cloud 7, external_collection 7, import 7" {
		t.Errorf("asked for %s", got)
	}
	var kinds []string
	for _, body := range h.aws.bodies(jobQueue) {
		var sent struct{ Kind string }
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, sent.Kind)
	}
	if got := strings.Join(kinds, ", "); got != "external_collection, import, import, cloud, external_collection" {
		t.Errorf("sent on as %s", got)
	}
}

func TestTheEndOfEachKindIsAnEventOfItsOwn(t *testing.T) {
	tests := []struct {
		kind                milvus.JobKind
		job                 milvus.Job
		detailType, members string
	}{
		{milvus.ExternalCollection, milvus.Job{State: "RefreshCompleted", Outcome: milvus.Succeeded, Reason: "fine"}, "External Collection Refresh Job State Change",
			`"kind":"external_collection","jobId":"7","state":"RefreshCompleted","terminal":true,"outcome":"succeeded","clusterEndpoint"`},
		{"import", milvus.Job{State: "Uncommitted", Outcome: milvus.AwaitingCommit, ImportedRows: new(int64(5)), TotalRows: new(int64(6))}, "Import Job State Change",
			`"kind":"import","jobId":"7","state":"Uncommitted","terminal":true,"outcome":"awaitingCommit","importedRows":5,"totalRows":6,"clusterEndpoint"`},
		{"import", milvus.Job{State: "Completed", Outcome: milvus.Succeeded, Reason: "fine"}, "Import Job State Change",
			`"kind":"import","jobId":"7","state":"Completed","terminal":true,"outcome":"succeeded","clusterEndpoint"`},
		{"snapshot", milvus.Job{State: "RestoreSnapshotFailed", Outcome: milvus.Failed, Reason: "no such snapshot"}, "Snapshot Restore Job State Change",
			`"kind":"snapshot","jobId":"7","state":"RestoreSnapshotFailed","terminal":true,"outcome":"failed","reason":"no such snapshot","clusterEndpoint"`},
		{"cloud", milvus.Job{State: "CANCELED", Outcome: milvus.Canceled, Type: "BACKUP"}, "Zilliz Cloud Job State Change",
			`"kind":"cloud","jobId":"7","state":"CANCELED","terminal":true,"outcome":"canceled","jobType":"BACKUP","clusterEndpoint"`},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			h := newHarness(t)
			h.Cluster = &refCluster{jobs: map[milvus.JobKind]milvus.Job{tt.kind: tt.job}}
			h.handle(t, fmt.Sprintf(`{"jobId":"7","kind":%q}`, tt.kind))
			if len(h.aws.published) != 1 {
				t.Fatalf("%d events", len(h.aws.published))
			}
			e := h.aws.published[0]
			if *e.DetailType != tt.detailType || !strings.Contains(*e.Detail, tt.members) {
				t.Errorf("%s: %s", *e.DetailType, *e.Detail)
			}
		})
	}
}

// The poller's own ends are of every kind.
func TestAnEndOfThePollersHasItsOutcome(t *testing.T) {
	for state, outcome := range map[string]milvus.Outcome{event.StateNotFound: event.NotFound, event.StateExpired: event.Expired} {
		m := missing(9, 0)
		m.Kind = "cloud"
		answer := fault(milvus.NotFound)
		if state == event.StateExpired {
			answer = fault(milvus.Temporary)
		}
		d := decide(t, settings, m, answer, begun.Add(settings.Deadline))
		if d.Event == nil || d.Event.State != state || d.Event.Outcome != outcome || d.Event.Kind != "cloud" {
			t.Errorf("got %+v, want %s", d.Event, state)
		}
	}
}

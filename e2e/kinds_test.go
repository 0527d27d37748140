//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/simcluster"
)

var kinds = []simcluster.Kind{simcluster.ExternalCollection, simcluster.Import, simcluster.Snapshot, simcluster.Cloud}

// detailTypes are those of the events about jobs of each kind.
var detailTypes = map[simcluster.Kind]string{
	simcluster.ExternalCollection: "External Collection Refresh Job State Change",
	simcluster.Import:             "Import Job State Change",
	simcluster.Snapshot:           "Snapshot Restore Job State Change",
	simcluster.Cloud:              "Zilliz Cloud Job State Change",
}

// refOf names the job of a kind with this number.
func refOf(kind simcluster.Kind, number int) simcluster.Ref {
	id := strconv.Itoa(number)
	if kind == simcluster.Cloud {
		id = "job-" + id
	}
	return simcluster.Ref{Kind: kind, ID: id}
}

// bodyOf is a message about the job, with more members if there are any.
func bodyOf(job simcluster.Ref, members string) string {
	return fmt.Sprintf(`{"jobId": %q%s%s}`, job.ID, kindMember(job.Kind), members)
}

// kindMember names a kind in a message; none is the stack's, a refresh.
func kindMember(kind simcluster.Kind) string {
	if kind == simcluster.ExternalCollection {
		return ""
	}
	return fmt.Sprintf(`, "kind": %q`, kind)
}

// describeOf is the request for a job that the API documents: method, path, body.
func describeOf(job simcluster.Ref) string {
	if job.Kind == simcluster.Cloud {
		return "GET /v2/jobs/" + job.ID + " "
	}
	id := strconv.Quote(job.ID)
	if job.Kind == simcluster.ExternalCollection && !strings.HasPrefix(job.ID, "job-") {
		id = job.ID
	}
	return fmt.Sprintf(`POST /v2/vectordb/jobs/%s/describe {"jobId": %s}`, job.Kind, id)
}

// everyKind has jobs of each kind come to each of its ends.
func everyKind(t *testing.T, s *stack) func(t *testing.T) {
	const failure, reason = "read s3://key:" + reasonSecret + "@books/1.parquet: no such object", "read s3://books/1.parquet: no such object"
	number := func(text string) json.Number { return json.Number(text) }
	tests := []struct {
		job     simcluster.Job
		members string         // of the message
		want    map[string]any // of the event; what is nil must be missing
	}{
		{
			simcluster.Job{ID: "job-0aB1", VisibleAfter: time.Second, RunsFor: 3 * time.Second}, "",
			map[string]any{"state": "RefreshCompleted", "outcome": "succeeded", "progress": number("100"), "durationMs": number("3000")},
		},
		{
			simcluster.Job{Kind: simcluster.Import, ID: "449503829274700001", CollectionName: "books", PendingFor: time.Second, RunsFor: 3 * time.Second, Rows: 9007199254740993}, `, "context": {"pipeline": "nightly"}`,
			map[string]any{"state": "Completed", "outcome": "succeeded", "progress": number("100"), "collectionName": "books", "importedRows": number("9007199254740993"), "totalRows": number("9007199254740993"), "durationMs": number("4000"), "context": map[string]any{"pipeline": "nightly"}},
		},
		{
			simcluster.Job{Kind: simcluster.Import, ID: "449503829274700002", RunsFor: time.Second, Fails: failure}, "",
			map[string]any{"state": "Failed", "outcome": "failed", "progress": number("0"), "reason": reason, "endTime": nil},
		},
		{
			simcluster.Job{Kind: simcluster.Import, ID: "449503829274700003", RunsFor: time.Second, Ends: simcluster.Uncommitted, Rows: 5}, "",
			map[string]any{"state": "Uncommitted", "outcome": "awaitingCommit", "progress": number("99"), "importedRows": number("5"), "endTime": nil},
		},
		{
			simcluster.Job{Kind: simcluster.Import, ID: "449503829274700004", NeverVisible: true}, "",
			map[string]any{"state": "JobNotFound", "outcome": "notFound", "importedRows": nil},
		},
		{
			simcluster.Job{Kind: simcluster.Snapshot, ID: "449503829274700005", CollectionName: "restored", RunsFor: 3 * time.Second, NoSegments: true}, "",
			map[string]any{"state": "RestoreSnapshotCompleted", "outcome": "succeeded", "progress": number("100"), "collectionName": "restored", "reason": nil, "durationMs": number("3000")},
		},
		{
			simcluster.Job{Kind: simcluster.Snapshot, ID: "449503829274700006", RunsFor: time.Second, Fails: failure}, "",
			map[string]any{"state": "RestoreSnapshotFailed", "outcome": "failed", "reason": reason, "endTime": nil},
		},
		{
			simcluster.Job{Kind: simcluster.Snapshot, ID: "449503829274700007", NeverVisible: true}, "",
			map[string]any{"state": "JobNotFound", "outcome": "notFound"},
		},
		{
			simcluster.Job{Kind: simcluster.Cloud, ID: "job-03e1eefbd82dmo2oeb8pe2", Type: "MIGRATION", RunsFor: 3 * time.Second}, "",
			map[string]any{"state": "SUCCESSFUL", "outcome": "succeeded", "progress": number("100"), "jobType": "MIGRATION", "collectionName": nil, "durationMs": number("3000")},
		},
		{
			simcluster.Job{Kind: simcluster.Cloud, ID: "449503829274700001", RunsFor: time.Second, Fails: failure, Type: "BACKUP"}, "",
			map[string]any{"state": "FAILED", "outcome": "failed", "progress": number("99"), "jobType": "BACKUP", "reason": reason},
		},
		{
			simcluster.Job{Kind: simcluster.Cloud, ID: "job-canceled_1", RunsFor: 4 * time.Second, Ends: simcluster.Canceled, Shape: simcluster.LinearTo(42)}, "",
			map[string]any{"state": "CANCELED", "outcome": "canceled", "progress": number("42")},
		},
		{
			simcluster.Job{Kind: simcluster.Cloud, ID: "job-hangs", Hangs: true, Shape: simcluster.LinearTo(42)}, `, "deadlineSeconds": 5`,
			map[string]any{"state": "WatchExpired", "outcome": "expired", "progress": number("42")},
		},
		{
			simcluster.Job{Kind: simcluster.Cloud, ID: "job-unknown", NeverVisible: true}, "",
			map[string]any{"state": "JobNotFound", "outcome": "notFound"},
		},
	}
	var bodies []string
	for _, tt := range tests {
		s.cluster.Add(tt.job)
		bodies = append(bodies, bodyOf(tt.job.Ref(), tt.members))
	}
	s.send(t, bodies[:10]...)
	s.send(t, bodies[10:]...)
	return func(t *testing.T) {
		for _, tt := range tests {
			job := tt.job.Ref()
			tt.want["kind"] = string(job.Kind)
			end, got := s.endOf(t, job), map[string]any{}
			for key := range tt.want {
				got[key] = end.Detail[key]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || end.DetailType != detailTypes[job.Kind] {
				t.Errorf("%s about %v (-want +got):\n%s%s", end.DetailType, job, diff, end.text)
			}
		}
	}
}

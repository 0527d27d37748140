package milvus

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Of every kind: what it asks, and what it makes of the answer at each stage.
func TestEachKindIsAskedAndReadInItsOwnWay(t *testing.T) {
	at := time.Date(2024, 4, 11, 10, 40, 0, 0, time.UTC)
	tests := []struct {
		name    string
		ref     Ref
		request string // method, path, body
		data    string
		want    Job
	}{
		{
			"a refresh", Ref{ExternalCollection, "449503829274509313"},
			`POST /v2/vectordb/jobs/external_collection/describe {"jobId": 449503829274509313}`,
			`{"jobId": 449503829274509313, "state": "RefreshInProgress", "progress": 42, "collectionName": "ext_books", "externalSource": "s3://books", "startTime": 1712832000000}`,
			Job{State: "RefreshInProgress", Progress: new(42), CollectionName: "ext_books", ExternalSource: "s3://books", StartTime: at},
		},
		{
			"a refresh with a text for its id", Ref{ExternalCollection, "job-0a1B"},
			`POST /v2/vectordb/jobs/external_collection/describe {"jobId": "job-0a1B"}`,
			`{"jobId": "job-0a1B", "state": "RefreshFailed", "reason": "no such object"}`,
			Job{State: "RefreshFailed", Outcome: Failed, Reason: "no such object"},
		},
		{
			"a refresh that has failed, and not said why", Ref{ExternalCollection, "1"},
			`POST /v2/vectordb/jobs/external_collection/describe {"jobId": 1}`,
			`{"jobId": 1, "state": "RefreshFailed", "startTime": 1712832000000, "endTime": 0}`,
			Job{State: "RefreshFailed", Outcome: Failed, Unexplained: true, StartTime: at},
		},
		{
			"an import", Ref{"import", "9223372036854775807"},
			`POST /v2/vectordb/jobs/import/describe {"jobId": "9223372036854775807"}`,
			`{"jobId": "9223372036854775807", "state": "Completed", "progress": 100, "collectionName": "books", "importedRows": 9223372036854775807, "totalRows": 9223372036854775807,
			  "createTime": "2024-04-11T10:40:00Z", "completeTime": "2024-04-11T12:41:00+02:00", "details": [{"fileName": "a"}]}`,
			Job{State: "Completed", Outcome: Succeeded, Progress: new(100), CollectionName: "books", ImportedRows: new(int64(9223372036854775807)), TotalRows: new(int64(9223372036854775807)), StartTime: at, EndTime: at.Add(time.Minute)},
		},
		{
			"an import that waits for its commit", Ref{"import", "7"},
			`POST /v2/vectordb/jobs/import/describe {"jobId": "7"}`,
			`{"jobId": "7", "state": "Uncommitted", "progress": 100, "completeTime": ""}`,
			Job{State: "Uncommitted", Outcome: AwaitingCommit, Progress: new(100)},
		},
		{
			"an import that failed", Ref{"import", "7"},
			`POST /v2/vectordb/jobs/import/describe {"jobId": "7"}`,
			`{"jobId": "7", "state": "Failed", "progress": 0, "reason": "bad file", "importedRows": 0}`,
			Job{State: "Failed", Outcome: Failed, Progress: new(0), Reason: "bad file", ImportedRows: new(int64(0))},
		},
		{
			"a restore", Ref{"snapshot", "8"},
			`POST /v2/vectordb/jobs/snapshot/describe {"jobId": "8"}`,
			`{"jobId": 8, "state": "RestoreSnapshotCompleted", "progress": 100, "reason": "", "startTime": 1712832000000, "timeCost": 61000}`,
			Job{State: "RestoreSnapshotCompleted", Outcome: Succeeded, Progress: new(100), StartTime: at, EndTime: at.Add(61 * time.Second)},
		},
		{
			"a restore without segments that has not ended", Ref{"snapshot", "8"},
			`POST /v2/vectordb/jobs/snapshot/describe {"jobId": "8"}`,
			`{"jobId": 8, "state": "RestoreSnapshotExecuting", "progress": 100, "reason": "", "startTime": 1712832000000, "timeCost": 61000}`,
			Job{State: "RestoreSnapshotExecuting", Progress: new(100), StartTime: at},
		},
		{
			"a job of the control plane", Ref{"cloud", "job-0a_1-B"},
			`GET /v2/jobs/job-0a_1-B `,
			`{"jobId": "job-0a_1-B", "type": "BACKUP", "status": "CANCELED", "progress": "42", "reason": "by a user", "startTime": "2024-04-11T10:40:00Z", "endTime": "2024-04-11T10:41:00Z", "state": "RefreshCompleted"}`,
			Job{State: "CANCELED", Outcome: Canceled, Type: "BACKUP", Progress: new(42), Reason: "by a user", StartTime: at, EndTime: at.Add(time.Minute)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var request string
			c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				request = r.Method + " " + r.RequestURI + " " + string(body)
				fmt.Fprintf(w, `{"code": 0, "data": %s}`, tt.data)
			})
			got, err := c.Describe(t.Context(), apiKey, tt.ref)
			if err != nil {
				t.Fatal(err)
			}
			if request != tt.request {
				t.Errorf("asked %s, want %s", request, tt.request)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOfEachKindOnlyItsOwnEndsAreTerminal(t *testing.T) {
	ends := map[JobKind]string{
		ExternalCollection: "RefreshCompleted RefreshFailed",
		"import":           "Completed Failed Uncommitted",
		"snapshot":         "RestoreSnapshotCompleted RestoreSnapshotFailed",
		"cloud":            "SUCCESSFUL FAILED CANCELED",
	}
	states := strings.Fields(`RefreshPending RefreshInProgress RefreshCompleted RefreshFailed Pending Importing PreImporting Sorting IndexBuilding
		Committing Completed Failed Uncommitted RestoreSnapshotNone RestoreSnapshotPending RestoreSnapshotExecuting RestoreSnapshotCompleted
		RestoreSnapshotFailed PENDING IN_PROGRESS CANCELING SUCCESSFUL FAILED CANCELED refreshcompleted New`)
	for _, kind := range JobKinds() {
		var got []string
		for _, state := range states {
			if kind.Outcome(state) != "" {
				got = append(got, state)
			}
		}
		if strings.Join(got, " ") != ends[kind] || len(got) == 0 {
			t.Errorf("%s ends by %s", kind, got)
		}
	}
}

func TestEachKindKnowsItsOwnNotFound(t *testing.T) {
	tests := []struct {
		ref     Ref
		status  int
		code    int64
		message string
		want    ErrorKind
	}{
		{Ref{ExternalCollection, "1"}, 200, 1100, "refresh job 1 not found", NotFound},
		{Ref{ExternalCollection, "1"}, 200, 2101, "refresh job 1 not found", Temporary},
		{Ref{ExternalCollection, "job-a"}, 200, 65535, "job job-a not found", NotFound},
		{Ref{"import", "1"}, 200, 2101, "import job does not exist, jobID=1", NotFound},
		{Ref{"import", "1"}, 200, 2101, "import job does not exist, jobID=12", Temporary},
		{Ref{"import", "1"}, 200, 2101, "import job does not exist, jobID=12, not jobID=1: import failed", NotFound},
		{Ref{"import", "1"}, 200, 2101, "import failed, jobID=1", Temporary},
		{Ref{"import", "1"}, 200, 1100, "import job does not exist, jobID=1", Temporary},
		{Ref{"snapshot", "1"}, 200, 2101, "restore job not found: jobID=1", NotFound},
		{Ref{"snapshot", "1"}, 200, 2101, "restore job not found: jobID=1x", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-a not found", NotFound},
		{Ref{"cloud", "job-a"}, 200, 4711, "job-a not found", NotFound},
		{Ref{"cloud", "job-a"}, 404, 4711, "not found: job-a.", NotFound},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-a0 not found", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-a9 not found", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-aa not found", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-az not found", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-aA not found", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-aZ not found", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job my-job-a not found", Temporary},
		{Ref{"cloud", "job-a"}, 200, 4711, "Job job-a-b not found, job-a", NotFound},
		{Ref{"cloud", "job-a"}, 404, 4711, "no such route", Misconfigured},
		{Ref{"cloud", "job-a"}, 401, 4711, "job-a: not authorized", Refused},
		{Ref{"cloud", "job-a"}, 401, 80001, "API key not found: /v2/jobs/job-a", Refused},
		{Ref{"cloud", "job-a"}, 200, 80001, "API key not found: /v2/jobs/job-a", Refused},
		{Ref{"cloud", "job-a"}, 403, 403, "project not found for job-a", Refused},
		{Ref{"cloud", "job-a"}, 429, 429, "tenant not found in the cache, job-a", Throttled},
		{Ref{"cloud", "job-a"}, 200, 8, "tenant not found in the cache, job-a", Throttled},
		{Ref{"cloud", "job-a"}, 500, 500, "backend not found: job-a", Temporary},
		{Ref{"cloud", "job-a"}, 503, 2, "backend not found: job-a", Temporary},
		{Ref{"cloud", "job-a"}, 302, 302, "not found: job-a", Misconfigured},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s: %d %s", tt.ref.Kind, tt.ref.ID, tt.code, tt.message), func(t *testing.T) {
			body := fmt.Sprintf(`{"code": %d, "message": %q}`, tt.code, tt.message)
			_, err := read(tt.status, nil, []byte(body), tt.ref, apiKey)
			if failure, ok := err.(*Error); !ok || failure.Kind != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// The page of a gateway is no word of the API's.
func TestAWrongEndpointOfACloudJobIsMisconfigured(t *testing.T) {
	_, err := read(404, nil, []byte("<html>job-a not found</html>"), Ref{"cloud", "job-a"}, apiKey)
	if failure, ok := err.(*Error); !ok || failure.Kind != Misconfigured {
		t.Errorf("got %v", err)
	}
}

// Parse lets no such id in; if one came all the same, nothing would be asked for.
func TestAnIDThatIsNoneOfItsKindsIsNotAskedFor(t *testing.T) {
	c := startCluster(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.RequestURI) })
	for _, id := range []string{"../v2/projects", "a/b", "a?b=c", "a#b", "a%2Fb", "", ".", "..", strings.Repeat("a", 129)} {
		for _, ref := range []Ref{{"cloud", id}, {"import", id}, {ExternalCollection, id}, {"none", "7"}, {"import", "-7"}, {"import", "0"}, {"import", "job-a"}} {
			if _, err := c.Describe(t.Context(), apiKey, ref); err == nil || err.(*Error).Kind != Misconfigured {
				t.Errorf("%+v: %v", ref, err)
			}
		}
	}
	for _, ref := range []Ref{{"cloud", strings.Repeat("a", 128)}, {ExternalCollection, "job-" + strings.Repeat("a", 64)}} {
		if !ref.Valid() {
			t.Errorf("%+v is an id", ref)
		}
	}
}

func TestAnIDIsANumberOrATextByItsKindAndItself(t *testing.T) {
	for ref, want := range map[Ref]bool{
		{ExternalCollection, "7"}: true, {ExternalCollection, "job-7"}: false, {"cloud", "7"}: false, {"cloud", "job-7"}: false,
	} {
		if ref.Number() != want {
			t.Errorf("%+v: %t", ref, !want)
		}
	}
}

func TestAKindIsKnownIfItIsOneOfAll(t *testing.T) {
	for _, kind := range JobKinds() {
		if !kind.Known() {
			t.Errorf("%s is not known", kind)
		}
	}
	if JobKind("none").Known() {
		t.Error("one that there is not is known")
	}
}

// What else an answer may hold is not of the kind.
func TestAKindTellsOnlyWhatIsItsOwn(t *testing.T) {
	const all = `"": "12", "collectionName": "c", "externalSource": "s3://b", "type": "BACKUP", "importedRows": 1, "totalRows": 2, "state": "x", "status": "x"`
	for kind, want := range map[JobKind]Job{
		ExternalCollection: {State: "x", CollectionName: "c", ExternalSource: "s3://b"},
		"import":           {State: "x", CollectionName: "c", ImportedRows: new(int64(1)), TotalRows: new(int64(2))},
		"snapshot":         {State: "x", CollectionName: "c"},
		"cloud":            {State: "x", Type: "BACKUP"},
	} {
		got, err := read(200, nil, []byte(`{"code": 0, "data": {"jobId": "7", `+all+`}}`), Ref{kind, "7"}, apiKey)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", kind, err, diff)
		}
	}
}

func TestAJobIsNotInItsFirstStatesAgain(t *testing.T) {
	for kind, begins := range map[JobKind]string{
		ExternalCollection: "RefreshPending", "import": "Pending", "snapshot": "RestoreSnapshotNone RestoreSnapshotPending", "cloud": "PENDING",
	} {
		for _, state := range strings.Fields("RefreshPending RefreshInProgress Pending Importing RestoreSnapshotNone RestoreSnapshotPending RestoreSnapshotExecuting PENDING IN_PROGRESS") {
			if want := slices.Contains(strings.Fields(begins), state); kind.Begins(state) != want {
				t.Errorf("%s begins with %s: %t", kind, state, !want)
			}
		}
	}
}

func TestTheWordsOfAState(t *testing.T) {
	for _, tt := range []struct {
		kind        JobKind
		state, want string
	}{
		{ExternalCollection, "RefreshInProgress", "in progress"}, {"import", "PreImporting", "pre importing"},
		{"snapshot", "RestoreSnapshotExecuting", "executing"}, {"cloud", "IN_PROGRESS", "in progress"}, {"cloud", "SUCCESSFUL", "successful"},
	} {
		if got := tt.kind.Words(tt.state); got != tt.want {
			t.Errorf("%s is %q, want %q", tt.state, got, tt.want)
		}
	}
}

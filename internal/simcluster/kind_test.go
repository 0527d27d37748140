package simcluster

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask makes a request, given as method, path and body.
func ask(c *Cluster, request string) *httptest.ResponseRecorder {
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer key")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// requests asks for the job 7 of each kind.
var requests = map[Kind]string{
	ExternalCollection: `POST /v2/vectordb/jobs/external_collection/describe {"jobId": 7}`,
	Import:             `POST /v2/vectordb/jobs/import/describe {"jobId": "7"}`,
	Snapshot:           `POST /v2/vectordb/jobs/snapshot/describe {"jobId": "7"}`,
	Cloud:              `GET /v2/jobs/7`,
}

func TestEachKindDescribesAJobInItsOwnWords(t *testing.T) {
	const (
		imported = `"jobId":"7","collectionName":"books","fileSize":0,"details":[],"createTime":"2024-04-11T10:40:00Z",`
		restored = `"jobId":7,"snapshotName":"snapshot","dbName":"default","collectionName":"books","startTime":1712832000000,`
		cloud    = `"jobId":"7","type":"BACKUP","startTime":"2024-04-11T10:40:00Z",`
	)
	job := Job{ID: "7", CollectionName: "books", PendingFor: 10 * time.Second, RunsFor: 100 * time.Second, Shape: LinearTo(80), Rows: 1000, Type: "BACKUP"}
	failing := func(j *Job) { j.Fails = "no such file" }
	ending := func(state string) func(*Job) { return func(j *Job) { j.Ends = state } }
	tests := []struct {
		name   string
		kind   Kind
		change func(*Job)
		age    time.Duration // in seconds
		want   string
	}{
		{"a pending import", Import, nil, 9, imported + `"state":"Pending","progress":0,"importedRows":0,"totalRows":0,"completeTime":""`},
		{"a running import", Import, nil, 60, imported + `"state":"Importing","progress":40,"importedRows":400,"totalRows":1000,"completeTime":""`},
		{"an import that has completed", Import, nil, 110, imported + `"state":"Completed","progress":100,"importedRows":1000,"totalRows":1000,"completeTime":"2024-04-11T10:41:50Z"`},
		{"an import that has failed", Import, failing, 110, imported + `"state":"Failed","progress":0,"importedRows":0,"totalRows":0,"completeTime":"","reason":"no such file"`},
		{"an import that waits for its commit", Import, ending(Uncommitted), 110, imported + `"state":"Uncommitted","progress":99,"importedRows":1000,"totalRows":1000,"completeTime":""`},
		{"a pending restore", Snapshot, nil, 9, restored + `"state":"RestoreSnapshotPending","progress":0,"reason":"","timeCost":0`},
		{"a running restore", Snapshot, nil, 60, restored + `"state":"RestoreSnapshotExecuting","progress":40,"reason":"","timeCost":0`},
		{"a restore that has completed", Snapshot, nil, 110, restored + `"state":"RestoreSnapshotCompleted","progress":100,"reason":"","timeCost":110000`},
		{"a restore that has failed", Snapshot, failing, 110, restored + `"state":"RestoreSnapshotFailed","progress":80,"reason":"no such file","timeCost":0`},
		{"a pending restore without segments", Snapshot, func(j *Job) { j.NoSegments = true }, 9, restored + `"state":"RestoreSnapshotPending","progress":100,"reason":"","timeCost":0`},
		{"a failed restore without segments", Snapshot, func(j *Job) { j.NoSegments, j.Fails = true, "no" }, 110, restored + `"state":"RestoreSnapshotFailed","progress":100,"reason":"no","timeCost":0`},
		{"a pending cloud job", Cloud, nil, 9, cloud + `"status":"PENDING","progress":"0","reason":"","endTime":""`},
		{"a running cloud job", Cloud, nil, 60, cloud + `"status":"IN_PROGRESS","progress":"40","reason":"","endTime":""`},
		{"a successful cloud job", Cloud, nil, 110, cloud + `"status":"SUCCESSFUL","progress":"100","reason":"","endTime":"2024-04-11T10:41:50Z"`},
		{"a cloud job that has failed", Cloud, failing, 110, cloud + `"status":"FAILED","progress":"80","reason":"no such file","endTime":"2024-04-11T10:41:50Z"`},
		{"a cloud job that is being canceled", Cloud, ending(Canceled), 60, cloud + `"status":"CANCELING","progress":"40","reason":"","endTime":""`},
		{"a canceled cloud job", Cloud, ending(Canceled), 110, cloud + `"status":"CANCELED","progress":"80","reason":"","endTime":"2024-04-11T10:41:50Z"`},
		{"a cloud job that hangs", Cloud, func(j *Job) { j.Hangs = true }, 1e6, cloud + `"status":"IN_PROGRESS","progress":"80","reason":"","endTime":""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := job
			job.Kind = tt.kind
			if tt.change != nil {
				tt.change(&job)
			}
			c, clk := newCluster(Options{Retention: 1e6 * time.Hour}, job)
			clk.now = clk.now.Add(tt.age * time.Second)
			got := ask(c, requests[tt.kind]).Body.String()
			if diff := cmp.Diff(decoded(t, `{"code":0,"data":{`+tt.want+`}}`), decoded(t, got)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// codeOf returns the API's code of an answer.
func codeOf(t *testing.T, w *httptest.ResponseRecorder) int {
	t.Helper()
	answer := struct{ Code int }{-1}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	return answer.Code
}

func TestEachKindReadsAnIDInItsOwnForm(t *testing.T) {
	const post = "POST /v2/vectordb/jobs/"
	tests := map[string]int{
		post + `external_collection/describe {"jobId": 9223372036854775807}`:   0,
		post + `external_collection/describe {"jobId": "9223372036854775807"}`: 1801,
		post + `external_collection/describe {"jobId": "job-0aB"}`:             0,
		post + `external_collection/describe {"jobId": "job-"}`:                1801,
		post + `import/describe {"jobId": "9223372036854775807"}`:              0,
		post + `import/describe {"jobId": 9223372036854775807}`:                1801,
		post + `import/describe {"jobId": "9223372036854775808"}`:              1100,
		post + `import/describe {"jobId": "job-0aB"}`:                          1100,
		post + `import/describe {"jobId": ""}`:                                 1802,
		post + `import/describe {"jobId": null}`:                               1802,
		post + `import/describe {}`:                                            1802,
		post + `snapshot/describe {"jobId": "9223372036854775807"}`:            0,
		post + `snapshot/describe {"jobId": 9223372036854775807}`:              1801,
		post + `snapshot/describe {"jobId": ["9223372036854775807"]}`:          1801,
		`GET /v2/jobs/job-0aB`:                                                 0,
		`GET /v2/jobs/9223372036854775807`:                                     0,
	}
	for request, want := range tests {
		t.Run(request, func(t *testing.T) {
			c, _ := newCluster(Options{})
			for _, kind := range []Kind{"", Import, Snapshot, Cloud} {
				c.Add(Job{Kind: kind, ID: "9223372036854775807"})
				c.Add(Job{Kind: kind, ID: "job-0aB"})
			}
			if got := codeOf(t, ask(c, request)); got != want {
				t.Errorf("code %d, want %d", got, want)
			}
		})
	}
}

func TestEachKindSaysInItsOwnWordsThatItFindsNoJob(t *testing.T) {
	tests := map[Kind]struct {
		body   string
		honest int // the HTTP status, where it is honest
	}{
		ExternalCollection: {`{"code":1100,"message":"refresh job 7 not found"}`, 400},
		Import:             {`{"code":2101,"message":"import job does not exist, jobID=7: importing data failed on server side"}`, 500},
		Snapshot:           {`{"code":2101,"message":"restore job not found: jobID=7: importing data failed on server side"}`, 500},
		Cloud:              {`{"code":90404,"message":"Job 7 not found."}`, 404},
	}
	for kind, tt := range tests {
		t.Run(string(kind), func(t *testing.T) {
			for _, job := range []Job{{ID: "77", Kind: kind}, {ID: "7", Kind: kind, NeverVisible: true}} {
				for honest, status := range map[bool]int{false: 200, true: tt.honest} {
					c, _ := newCluster(Options{HonestStatuses: honest}, job)
					if w := ask(c, requests[kind]); w.Code != status || w.Body.String() != tt.body {
						t.Errorf("HTTP %d %s, want HTTP %d %s", w.Code, w.Body, status, tt.body)
					}
				}
			}
		})
	}
}

func TestEachKindForgetsAFinishedJobInItsOwnTime(t *testing.T) {
	for kind, kept := range map[Kind]time.Duration{ExternalCollection: 24 * time.Hour, Import: 3 * time.Hour, Snapshot: 3 * time.Hour, Cloud: 24 * time.Hour} {
		c, clk := newCluster(Options{}, Job{Kind: kind, ID: "7"})
		clk.now = clk.now.Add(kept)
		if code := codeOf(t, ask(c, requests[kind])); code != 0 {
			t.Errorf("%s: code %d after %s", kind, code, kept)
		}
		clk.now = clk.now.Add(1)
		if code := codeOf(t, ask(c, requests[kind])); code == 0 {
			t.Errorf("%s: still found", kind)
		}
	}
}

func TestJobsOfDifferentKindsMayHaveTheSameID(t *testing.T) {
	c, _ := newCluster(Options{RequestsPerSecond: 5}, Job{ID: "7", Fails: "a"}, Job{Kind: Import, ID: "7", Fails: "b"}, Job{Kind: Snapshot, ID: "7", Fails: "c"})
	c.Add(Job{Kind: Cloud, ID: "7", Faults: slices.Repeat([]Answer{{Status: 500}}, 9)})
	for kind, reason := range map[Kind]string{ExternalCollection: `"a"`, Import: `"b"`, Snapshot: `"c"`, Cloud: ""} {
		if w := ask(c, requests[kind]); !strings.Contains(w.Body.String(), reason) || (w.Code == 500) != (kind == Cloud) {
			t.Errorf("%s: HTTP %d %s", kind, w.Code, w.Body)
		}
	}
	ask(c, requests[Cloud])
	if code := codeOf(t, ask(c, requests[Import])); code != codeThrottled {
		t.Errorf("the sixth request of a second: code %d", code)
	}
	want := Counts{Describes: 6, Throttled: 1, PeakPerSecond: 5, PerJob: map[Ref]int{refresh("7"): 1, {Import, "7"}: 1, {Snapshot, "7"}: 1, {Cloud, "7"}: 2}}
	if diff := cmp.Diff(want, c.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

package simcluster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind is a kind of job, by the word in its route. "" is ExternalCollection.
type Kind string

// The kinds. What tells one from another is its row of kinds.
const (
	ExternalCollection Kind = "external_collection" // a refresh of one
	Import             Kind = "import"
	Snapshot           Kind = "snapshot" // a restore of one
	Cloud              Kind = "cloud"    // of Zilliz Cloud's control plane
)

// Ref names a job: an id is its kind's own.
type Ref struct {
	Kind Kind
	// ID is text; an int64 stands in it in digits.
	ID string
}

// row is all that the cluster does for one kind in another way than for others.
type row struct {
	method, path string
	// readID reads the jobId of a request's body; nil where the id follows the path.
	readID func(raw json.RawMessage) (id string, rejection *Answer)
	// A job is in these states one after the other, and in the last if it Fails.
	pending, running, completed, failed string
	// before has what is shown in the second half of a run before such an end.
	before map[string]string
	// endsAt has the progress of an end where that is neither 100, as it is of
	// completed, nor as far as the job came.
	endsAt    map[string]int
	retention time.Duration
	missing   func(id string) Answer
	describe  func(s *submission, v view) any
}

// kinds are the rows. Their sources: milvus-io/milvus,
// internal/distributed/proxy/httpserver/{handler_v2,request_v2}.go and
// internal/datacoord/{import_util,snapshot_manager}.go; Zilliz Cloud's REST
// reference, "Describe Job V2", which tells neither how long a job is kept nor
// what is said of one that is not found.
var kinds = map[Kind]row{
	ExternalCollection: {
		method: http.MethodPost, path: "/v2/vectordb/jobs/external_collection/describe", readID: readNumber,
		pending: Pending, running: InProgress, completed: Completed, failed: Failed,
		retention: 24 * time.Hour,
		missing:   func(id string) Answer { return Failure(codeInvalid, "refresh job "+id+" not found") },
		describe:  describeRefresh,
	},
	Import: {
		method: http.MethodPost, path: "/v2/vectordb/jobs/import/describe", readID: readDigits,
		pending: "Pending", running: "Importing", completed: "Completed", failed: "Failed",
		endsAt:    map[string]int{Uncommitted: 99, "Failed": 0},
		retention: 3 * time.Hour,
		missing:   importFailed("import job does not exist, jobID="),
		describe:  describeImport,
	},
	Snapshot: {
		method: http.MethodPost, path: "/v2/vectordb/jobs/snapshot/describe", readID: readDigits,
		pending: "RestoreSnapshotPending", running: "RestoreSnapshotExecuting", completed: "RestoreSnapshotCompleted", failed: "RestoreSnapshotFailed",
		retention: 3 * time.Hour,
		missing:   importFailed("restore job not found: jobID="),
		describe:  describeRestore,
	},
	Cloud: {
		method: http.MethodGet, path: "/v2/jobs/",
		pending: "PENDING", running: "IN_PROGRESS", completed: "SUCCESSFUL", failed: "FAILED",
		before:    map[string]string{Canceled: "CANCELING"},
		retention: 24 * time.Hour,
		missing:   func(id string) Answer { return Failure(codeNoCloudJob, "Job "+id+" not found.") },
		describe:  describeCloud,
	},
}

func importFailed(message string) func(id string) Answer {
	return func(id string) Answer { return Failure(codeImport, message+id+": "+msgImport) }
}

// route returns the kind that a request asks for, and the id if its path has it.
func route(r *http.Request) (kind Kind, id string, known bool) {
	for kind, row := range kinds {
		id, found := strings.CutPrefix(r.URL.Path, row.path)
		if found && r.Method == row.method && (id == "") == (row.readID != nil) && !strings.Contains(id, "/") {
			return kind, id, true
		}
	}
	return "", "", false
}

var textID = regexp.MustCompile(`^"job-[A-Za-z0-9]+"$`)

// readNumber decodes a number straight into an int64: an id above 2^53 stays
// exact, and text but that of Zilliz Cloud's ids, fractions and exponents are
// refused.
func readNumber(raw json.RawMessage) (string, *Answer) {
	var id int64
	if textID.Match(raw) {
		return strings.Trim(string(raw), `"`), nil
	}
	if err := json.Unmarshal(raw, &id); err != nil {
		return "", badJSON(err)
	}
	if id <= 0 {
		return "", missingID()
	}
	return strconv.FormatInt(id, 10), nil
}

// readDigits decodes a string, and refuses a number.
func readDigits(raw json.RawMessage) (string, *Answer) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", badJSON(err)
	}
	if text == "" {
		return "", missingID()
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return "", new(Failure(codeInvalid, fmt.Sprintf("%s[expected=int64 jobId][actual=%s]", msgInvalid, text)))
	}
	return strconv.FormatInt(id, 10), nil
}

func badJSON(err error) *Answer {
	return new(Failure(codeBadJSON, fmt.Sprintf("%s, error: %v", msgBadJSON, err)))
}

func missingID() *Answer {
	return new(Failure(codeMissing, msgMissing+", error: jobId is required"))
}

// view is what a description shows of a job now.
type view struct {
	state    string
	progress int
	reason   string
	// end is zero until the job's end is saved; completed says that it is the one
	// that was hoped for.
	end       time.Time
	completed bool
}

func describeRefresh(s *submission, v view) any {
	d := map[string]any{
		"jobId": bare(s.ID), "collectionName": s.CollectionName, "state": v.state, "progress": v.progress,
		"externalSource": s.ExternalSource, "externalSpec": externalSpec, "startTime": s.at.UnixMilli(), "endTime": millis(v.end),
	}
	if v.reason != "" {
		d["reason"] = v.reason
	}
	return d
}

func describeImport(s *submission, v view) any {
	d := map[string]any{
		"jobId": s.ID, "collectionName": s.CollectionName, "state": v.state, "progress": v.progress,
		"importedRows": s.Rows * int64(v.progress) / 100, "totalRows": s.Rows, "fileSize": 0, "details": []any{},
		"createTime": rfc3339(s.at), "completeTime": "",
	}
	switch v.progress {
	case 0: // not counted yet, or no longer
		d["totalRows"] = 0
	case 99:
		d["importedRows"] = s.Rows
	}
	if v.completed {
		d["completeTime"] = rfc3339(v.end)
	}
	if v.reason != "" {
		d["reason"] = v.reason
	}
	return d
}

func describeRestore(s *submission, v view) any {
	d := map[string]any{
		"jobId": bare(s.ID), "snapshotName": "snapshot", "dbName": "default", "collectionName": s.CollectionName,
		"state": v.state, "progress": v.progress, "reason": v.reason, "startTime": s.at.UnixMilli(), "timeCost": 0,
	}
	if v.completed {
		d["timeCost"] = v.end.Sub(s.at).Milliseconds()
	}
	return d
}

func describeCloud(s *submission, v view) any {
	return map[string]any{
		"jobId": s.ID, "type": cmp.Or(s.Type, "IMPORT"), "status": v.state, "progress": strconv.Itoa(v.progress), "reason": v.reason,
		"startTime": rfc3339(s.at), "endTime": rfc3339(v.end),
	}
}

// bare is an id that is a number in JSON, if it is one.
func bare(id string) any {
	if number, err := strconv.ParseInt(id, 10, 64); err == nil {
		return number
	}
	return id
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

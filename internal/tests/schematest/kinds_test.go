package schematest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/schemas"
)

// ofKind is the detail of an event about a job of the kind, without its last brace.
func ofKind(kind, jobID, rest string) string {
	return fmt.Sprintf(`{"version":"1","id":"23cff968e159d6a031c7c6f01ec9853c","kind":%q,"jobId":%q,"clusterEndpoint":"https://milvus.example.org",
"watch":{"id":"w","since":"2024-04-11T10:39:58.120Z","polls":8},%s}`, kind, jobID, rest)
}

func TestADetailIsHeldToTheSchemaOfItsKind(t *testing.T) {
	for _, good := range []string{
		ofKind("external_collection", "job-0a1B", `"state":"RefreshFailed","terminal":true,"outcome":"failed","externalSource":"s3://b"`),
		ofKind("import", "1", `"state":"Uncommitted","terminal":true,"outcome":"awaitingCommit","importedRows":0,"totalRows":9223372036854775807`),
		ofKind("import", "1", `"state":"Committing","terminal":false`),
		ofKind("snapshot", "1", `"state":"RestoreSnapshotCompleted","terminal":true,"outcome":"succeeded","collectionName":"books"`),
		ofKind("cloud", "job-0a_1-B", `"state":"CANCELED","terminal":true,"outcome":"canceled","jobType":"BACKUP"`),
		ofKind("cloud", "1", `"state":"JobNotFound","terminal":true,"outcome":"notFound"`),
	} {
		Detail(t, good)
	}
	for name, bad := range map[string]string{
		"a kind that is none":                 ofKind("export", "1", `"state":"Completed","terminal":true,"outcome":"succeeded"`),
		"an end of another kind":              ofKind("import", "1", `"state":"RefreshCompleted","terminal":true,"outcome":"succeeded"`),
		"an outcome of another kind":          ofKind("snapshot", "1", `"state":"RestoreSnapshotFailed","terminal":true,"outcome":"canceled"`),
		"an outcome of another state":         ofKind("import", "1", `"state":"Uncommitted","terminal":true,"outcome":"succeeded"`),
		"the poller's end, with a cluster's":  ofKind("cloud", "1", `"state":"WatchExpired","terminal":true,"outcome":"failed"`),
		"an end without an outcome":           ofKind("external_collection", "1", `"state":"RefreshCompleted","terminal":true`),
		"an outcome without an end":           ofKind("import", "1", `"state":"Importing","terminal":false,"outcome":"succeeded"`),
		"an id of another kind":               ofKind("snapshot", "job-0a1b", `"state":"RestoreSnapshotPending","terminal":false`),
		"an id that could change the request": ofKind("cloud", "../x", `"state":"PENDING","terminal":false`),
		"a source, of no refresh":             ofKind("snapshot", "1", `"state":"RestoreSnapshotPending","terminal":false,"externalSource":"s3://b"`),
		"rows, of no import":                  ofKind("cloud", "1", `"state":"PENDING","terminal":false,"totalRows":1`),
		"a job's type, of no cloud job":       ofKind("import", "1", `"state":"Pending","terminal":false,"jobType":"IMPORT"`),
	} {
		r := &report{TB: t}
		if Detail(r, bad); r.faults == 0 {
			t.Errorf("%s is not found: %s", name, bad)
		}
	}
}

// Or a subscriber's validator of today would refuse what waits in its archive.
func TestEventsFromBeforeThereWereKindsKeepToTheSchemaOfRefreshes(t *testing.T) {
	files, err := filepath.Glob("testdata/before-kinds/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		Event(t, string(text))
	}
}

// shared returns the schema of a kind's events without the kind's own: its names,
// what every kind has in words of its own, and the fields that are named.
func shared(t *testing.T, kind milvus.JobKind, own ...string) map[string]any {
	t.Helper()
	text := schemas.Events[string(kind)]
	text = strings.ReplaceAll(text, strings.TrimPrefix(detailOf(text), "#/definitions/"), "JobStateChange")
	schema := document(t, strings.ReplaceAll(text, kind.DetailType(), "Job State Change"))
	detail := schema["definitions"].(map[string]any)["JobStateChange"].(map[string]any)
	required := detail["required"].([]any)
	if slices.Contains(required, any("kind")) == (kind == milvus.ExternalCollection) {
		t.Errorf("of %s these fields are required: %v", kind, required)
	}
	detail["required"] = slices.DeleteFunc(required, func(name any) bool { return name == "kind" || name == "jobId" })
	fields := detail["properties"].(map[string]any)
	for _, name := range append(own, "kind", "jobId", "state", "outcome") {
		if fields[name] == nil {
			t.Errorf("%s has no field %s", kind, name)
		}
		delete(fields, name)
	}
	return schema
}

func TestTheSchemasOfTheKindsAreTheSameWordForWordButForTheirOwn(t *testing.T) {
	own := map[milvus.JobKind][]string{"import": {"importedRows", "totalRows"}, "cloud": {"jobType"}}
	lacking := map[milvus.JobKind][]string{"cloud": {"collectionName"}}
	for kind := range kinds() {
		if kind == milvus.ExternalCollection {
			continue
		}
		refresh := shared(t, milvus.ExternalCollection, append(lacking[kind], "externalSource", "dbName")...)
		if diff := cmp.Diff(refresh, shared(t, kind, own[kind]...)); diff != "" {
			t.Errorf("(-%s +%s):\n%s", milvus.ExternalCollection, kind, diff)
		}
	}
}

func TestTheSchemaOfMessagesTakesEveryKindWithItsIDs(t *testing.T) {
	for _, kind := range milvus.JobKinds() {
		for id, right := range map[string]bool{`"7"`: kind.Int64IDs() || kind.TextID("7"), `7`: kind.Int64IDs(), `"job-a1"`: kind.TextID("job-a1"), `"../7"`: false} {
			body := fmt.Sprintf(`{"jobId": %s, "kind": %q}`, id, kind)
			if err := MessageFault(body); (err == nil) != right {
				t.Errorf("of %s the schema says %v", body, err)
			}
		}
	}
}

func TestEachKindHasASchemaWithItsStatesAndOutcomes(t *testing.T) {
	if len(schemas.Events) != len(milvus.JobKinds()) {
		t.Errorf("%d schemas", len(schemas.Events))
	}
	for _, kind := range milvus.JobKinds() {
		text := schemas.Events[string(kind)]
		if text == "" {
			t.Errorf("no schema is of the kind %s", kind)
			continue
		}
		schema, states := document(t, text), statesOf(text)
		if schema["x-amazon-events-detail-type"] != kind.DetailType() {
			t.Errorf("%s: the detail-type is %v", kind, schema["x-amazon-events-detail-type"])
		}
		properties := schema["definitions"].(map[string]any)[schema["title"].(string)].(map[string]any)["properties"].(map[string]any)
		all := append(kind.Ends(), slices.Collect(maps.Keys(pollers))...)
		if kind == milvus.ExternalCollection {
			all = append(all, notStarted)
		}
		ends := slices.Sorted(slices.Values(all))
		if diff := cmp.Diff(ends, slices.Sorted(slices.Values(states.ends))); diff != "" {
			t.Errorf("%s: ends (-row +schema)\n%s", kind, diff)
		}
		var outcomes []any
		for _, state := range states.ends {
			if outcome := any(string(kinds()[kind].meaning(state))); !slices.Contains(outcomes, outcome) {
				outcomes = append(outcomes, outcome)
			}
		}
		field := func(name, key string) any { return properties[name].(map[string]any)[key] }
		if diff := cmp.Diff(field("outcome", "enum"), any(outcomes)); diff != "" {
			t.Errorf("%s: outcomes (-schema +ends)\n%s", kind, diff)
		}
		examples := []any{}
		for _, state := range slices.Concat(states.others, states.ends) {
			examples = append(examples, state)
		}
		if diff := cmp.Diff(field("state", "examples"), any(examples)); diff != "" {
			t.Errorf("%s: states (-examples +description)\n%s", kind, diff)
		}
		if diff := cmp.Diff(field("kind", "enum"), any([]any{string(kind)})); diff != "" {
			t.Errorf("%s: kind (-schema +row)\n%s", kind, diff)
		}
	}
}

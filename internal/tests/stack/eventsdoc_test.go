package stack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
	"refresh-poller/schemas"
)

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile("../../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var fieldRow = regexp.MustCompile("(?m)^\\| `([A-Za-z.]+)` \\| ([a-z]+) \\| (.*) \\| `(.*)` \\|$")

// published returns the detail of a sample for subscribers.
func published(t *testing.T, name string) object {
	t.Helper()
	var event object
	if err := json.Unmarshal([]byte(document(t, "events/published/"+name+".json")), &event); err != nil {
		t.Fatal(err)
	}
	return at[object](t, event, "detail")
}

// withSchemas are the kinds that have one; package schematest demands it of each.
func withSchemas() (kinds []milvus.JobKind) {
	for _, kind := range milvus.JobKinds() {
		if schemas.Events[string(kind)] != "" {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// longest returns the detail of the longest sample about a job of the kind.
func longest(t *testing.T, kind milvus.JobKind) object {
	t.Helper()
	paths, err := filepath.Glob("../../../events/published/*.json")
	if err != nil {
		t.Fatal(err)
	}
	found, length := object{}, 0
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		text := document(t, "events/published/"+name+".json")
		if detail := published(t, name); detail["kind"] == string(kind) && len(text) > length {
			found, length = detail, len(text)
		}
	}
	return found
}

func TestTheReferenceHasEveryFieldOfTheSchemasWithAnExample(t *testing.T) {
	want, holders := map[string]string{}, map[string]object{} // by field
	for _, kind := range withSchemas() {
		var schema object
		if err := json.Unmarshal([]byte(schemas.Events[string(kind)]), &schema); err != nil {
			t.Fatal(err)
		}
		for prefix, definition := range map[string]string{"": at[string](t, schema, "title"), "watch.": "Watch"} {
			for name, property := range at[object](t, schema, "definitions", definition, "properties") {
				typ, _ := property.(object)["type"].(string)
				if typ == "" { // a $ref
					typ = "object"
				}
				want[prefix+name] = typ
				if holders[prefix+name] == nil {
					holders[prefix+name] = longest(t, kind)
				}
			}
		}
	}
	got := map[string]string{}
	for _, row := range fieldRow.FindAllStringSubmatch(document(t, "docs/events.md"), -1) {
		name, typ, example := row[1], row[2], row[4]
		got[name] = typ
		detail := holders[name]
		if detail == nil {
			continue // told below
		}
		holder := detail
		if in, below, nested := strings.Cut(name, "."); nested {
			holder, name = at[object](t, detail, in), below
		}
		holder[name] = json.RawMessage(example)
		text, err := json.Marshal(detail)
		if err != nil {
			t.Errorf("the example of %s: %v", row[1], err)
		}
		schematest.Detail(t, string(text))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types by field (-schemas +docs/events.md):\n%s", diff)
	}
}

var (
	endRow  = regexp.MustCompile("(?m)^\\| (?:`(\\w+)`|any) \\| `(\\w+)` \\| `(\\w+)` \\|")
	typeRow = regexp.MustCompile("(?m)^\\| `([A-Za-z ]+)` \\| `(\\w+)` \\| \\[(event[a-z_-]*\\.json)\\]")
	others  = regexp.MustCompile(`with terminal false the cluster's own word, (.*?) or one of`)
)

// Of the states that are no ends only the schemas know, in prose.
func TestTheReferenceHasEveryStateAndEachEndWithItsOutcome(t *testing.T) {
	text := document(t, "docs/events.md")
	told := map[string]map[string]bool{"": {}} // kind: state outcome
	for _, row := range endRow.FindAllStringSubmatch(text, -1) {
		if told[row[1]] == nil {
			told[row[1]] = map[string]bool{}
		}
		told[row[1]][row[2]+" "+row[3]] = true
	}
	want := map[string]bool{event.StateNotFound + " " + string(event.NotFound): true, event.StateExpired + " " + string(event.Expired): true}
	if diff := cmp.Diff(want, told[""]); diff != "" {
		t.Errorf("ends of any kind (-code +docs/events.md):\n%s", diff)
	}
	for _, kind := range withSchemas() {
		want := map[string]bool{}
		for _, state := range kind.Ends() {
			want[state+" "+string(kind.Outcome(state))] = true
		}
		if kind == milvus.ExternalCollection { // no other can be asked for
			want[event.StateNotStarted+" "+string(event.NotStarted)] = true
		}
		if diff := cmp.Diff(want, told[string(kind)]); diff != "" {
			t.Errorf("ends of %s (-code +docs/events.md):\n%s", kind, diff)
		}
		for _, state := range strings.Split(others.FindStringSubmatch(schemas.Events[string(kind)])[1], ", ") {
			if !strings.Contains(text, "`"+state+"`") {
				t.Errorf("docs/events.md has no state %s", state)
			}
		}
	}
}

func TestTheReferenceHasEveryDetailTypeWithItsSchema(t *testing.T) {
	told := map[string]string{}
	for _, row := range typeRow.FindAllStringSubmatch(document(t, "docs/events.md"), -1) {
		told[row[2]] = row[1]
		if document(t, "schemas/"+row[3]) != schemas.Events[row[2]] {
			t.Errorf("%s is not the schema of %s", row[3], row[2])
		}
	}
	want := map[string]string{}
	for _, kind := range milvus.JobKinds() {
		want[string(kind)] = kind.DetailType()
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("detail-types by kind (-code +docs/events.md):\n%s", diff)
	}
}

var documentedPattern = regexp.MustCompile("(?s)(?:```json\n|--event-pattern ')(\\{.*?)(?:```|')")

// Or an event from before there were kinds would not match what is documented for
// refreshes: all that it lacks is kind and outcome.
func TestEventsFromBeforeThereWereKindsMatchWhatTheyMatched(t *testing.T) {
	before, err := filepath.Glob("../schematest/testdata/before-kinds/*.json")
	if err != nil || len(before) == 0 {
		t.Fatal(before, err)
	}
	for _, path := range before {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		var old object
		if err := json.Unmarshal([]byte(document(t, "internal/tests/"+strings.TrimPrefix(path, "../"))), &old); err != nil {
			t.Fatal(err)
		}
		now := published(t, name)
		delete(now, "kind")
		delete(now, "outcome")
		if diff := cmp.Diff(at[object](t, old, "detail"), now); diff != "" {
			t.Errorf("%s (-before +without kind and outcome):\n%s", name, diff)
		}
	}
	patterns := 0
	for _, path := range markdown(t) {
		for _, block := range documentedPattern.FindAllStringSubmatch(document(t, path), -1) {
			var pattern object
			if err := json.Unmarshal([]byte(block[1]), &pattern); err != nil {
				continue // a state machine
			}
			types, ok := pattern["detail-type"].([]any)
			if pattern["source"] == nil || pattern["version"] != nil { // an event
				continue
			}
			patterns++
			detail := at[object](t, pattern, "detail")
			switch refreshes := slices.Contains(types, any(milvus.ExternalCollection.DetailType())); {
			case !ok:
				t.Errorf("%s: a pattern names no detail-type: %s", path, block[1])
			case refreshes && (detail["kind"] != nil || detail["outcome"] != nil):
				t.Errorf("%s: a pattern for refreshes asks for kind or outcome: %s", path, block[1])
			}
		}
	}
	if patterns < 15 {
		t.Errorf("found but %d patterns", patterns)
	}
}

func TestTheExamplesEventsAreSuchThatThePollerPublishes(t *testing.T) {
	var entries []struct{ DetailType, Detail string }
	if err := json.Unmarshal([]byte(document(t, "examples/events.json")), &entries); err != nil || len(entries) == 0 {
		t.Fatal(err)
	}
	for _, e := range entries {
		schematest.Detail(t, e.Detail)
		if e.DetailType != milvus.ExternalCollection.DetailType() {
			t.Errorf("the detail-type is %s", e.DetailType)
		}
	}
}

func TestTheReadmesEventIsTheSampleThatCompleted(t *testing.T) {
	for _, block := range strings.Split(document(t, "README.md"), "```json\n")[1:] {
		var got object
		if err := json.Unmarshal([]byte(strings.Split(block, "```")[0]), &got); err != nil {
			t.Fatal(err)
		}
		if got["jobId"] == nil { // a pattern
			continue
		}
		want := published(t, "completed")
		want["clusterEndpoint"] = "https://in01-….vectordb.zillizcloud.com:19530" // shortened
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("detail (-sample +README.md):\n%s", diff)
		}
		return
	}
	t.Error("README.md has no event")
}

package stack

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/schematest"
	"refresh-poller/schemas"
)

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var fieldRow = regexp.MustCompile("(?m)^\\| `([A-Za-z.]+)` \\| ([a-z]+) \\| (.*) \\| `(.*)` \\|$")

// completedDetail returns the detail of the sample that completed.
func completedDetail(t *testing.T) object {
	t.Helper()
	var event object
	if err := json.Unmarshal([]byte(document(t, "events/published/completed.json")), &event); err != nil {
		t.Fatal(err)
	}
	return at[object](t, event, "detail")
}

func TestTheReferenceHasEveryFieldOfTheSchemaWithAnExample(t *testing.T) {
	var schema object
	if err := json.Unmarshal([]byte(schemas.Events["external_collection"]), &schema); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for prefix, definition := range map[string]string{"": "ExternalCollectionRefreshJobStateChange", "watch.": "Watch"} {
		for name, property := range at[object](t, schema, "definitions", definition, "properties") {
			kind, _ := property.(object)["type"].(string)
			if kind == "" { // a $ref
				kind = "object"
			}
			want[prefix+name] = kind
		}
	}
	got := map[string]string{}
	for _, row := range fieldRow.FindAllStringSubmatch(document(t, "docs/events.md"), -1) {
		name, kind, example := row[1], row[2], row[4]
		got[name] = kind
		detail := completedDetail(t)
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
		t.Errorf("types by field (-schema +docs/events.md):\n%s", diff)
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
		want := completedDetail(t)
		want["clusterEndpoint"] = "https://in01-….vectordb.zillizcloud.com:19530" // shortened
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("detail (-sample +README.md):\n%s", diff)
		}
		return
	}
	t.Error("README.md has no event")
}

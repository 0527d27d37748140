package stack

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// section returns what docs/jobs.md has under the heading of the kind.
func section(t *testing.T, kind milvus.JobKind) string {
	t.Helper()
	_, text, found := strings.Cut(document(t, "docs/jobs.md"), "\n## "+string(kind)+"\n")
	if !found {
		t.Errorf("docs/jobs.md has no heading %s", kind)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

func TestEachKindIsNamedWhereAUserChooses(t *testing.T) {
	parameter := at[object](t, template(t), "Parameters", "JobKind")
	row := regexp.MustCompile("(?m)^\\| `JobKind` .*$").FindString(document(t, "README.md"))
	for _, kind := range milvus.JobKinds() {
		for place, text := range map[string]string{
			"JobKind's description": at[string](t, parameter, "Description"),
			"JobKind's constraint":  at[string](t, parameter, "ConstraintDescription"),
			"README.md's row":       row,
			"docs/jobs.md's table":  document(t, "docs/jobs.md"),
		} {
			name := string(kind)
			if strings.HasPrefix(place, "docs") {
				name = "\n| [`" + name + "`](#" + name + ") |"
			}
			if !strings.Contains(text, name) {
				t.Errorf("%s lacks %s", place, kind)
			}
		}
	}
}

func TestEachKindHasItsPlaceWithAMessageAndARule(t *testing.T) {
	for i, kind := range milvus.JobKinds() {
		other := milvus.JobKinds()[(i+1)%len(milvus.JobKinds())]
		var messages, rules int
		for _, block := range strings.Split(section(t, kind), "```json\n")[1:] {
			text, _, _ := strings.Cut(block, "```")
			var pattern object
			if err := json.Unmarshal([]byte(text), &pattern); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if pattern["source"] != nil {
				rules++
				if diff := cmp.Diff([]any{kind.DetailType()}, at[[]any](t, pattern, "detail-type")); diff != "" {
					t.Errorf("the rule of %s (-code +docs/jobs.md):\n%s", kind, diff)
				}
				continue
			}
			messages++
			// In a stack for another kind, so that the message has to name its own.
			m, err := watch.Parse(text, "id", time.Unix(1, 0), other)
			if err != nil || m.Kind != kind {
				t.Errorf("the message of %s is of %s (%v): %s", kind, m.Kind, err, text)
			}
		}
		if messages == 0 || rules == 0 {
			t.Errorf("%s has %d messages and %d rules", kind, messages, rules)
		}
	}
}

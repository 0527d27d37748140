package stack

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
	"refresh-poller/internal/watch"
)

// The examples that have refreshes started.

// sent returns the bodies that the targets of an example's rules and schedules send
// to the job queue, with parameters and variables put in.
func sent(t *testing.T, stack object) (bodies []string) {
	t.Helper()
	walk(stack["Resources"], func(v any) {
		target, _ := v.(object)
		input := target["Input"]
		if transformer, ok := target["InputTransformer"].(object); ok {
			input = transformer["InputTemplate"]
		}
		text, ok := input.(object)
		if !ok || !cmp.Equal(target["Arn"], any(ref("JobQueueArn"))) {
			return
		}
		body := strings.ReplaceAll(text["Fn::Sub"].(string), "${CollectionName}", "ext_books")
		bodies = append(bodies, regexp.MustCompile(`\$\{[A-Za-z:]+\}|<\w+>`).ReplaceAllString(body, "filled-in"))
	})
	return bodies
}

func TestTheRecipesMessagesAskForARefreshOfTheCollection(t *testing.T) {
	for _, example := range []string{"files-landed", "glue-succeeded", "nightly-refresh"} {
		bodies := sent(t, templateAt(t, "../../../examples/"+example+"/template.yaml"))
		if len(bodies) != 1 {
			t.Fatalf("%s sends %d messages", example, len(bodies))
		}
		if err := schematest.MessageFault(bodies[0]); err != nil {
			t.Errorf("%s: %v", example, err)
		}
		m, err := watch.Parse(bodies[0], "1", time.Now(), milvus.ExternalCollection)
		if err != nil {
			t.Fatalf("%s: %v", example, err)
		}
		if diff := cmp.Diff(milvus.Collection{Name: "ext_books"}, m.Refresh); diff != "" {
			t.Errorf("%s (-want +asked for):\n%s", example, diff)
		}
		if m.Context == nil {
			t.Errorf("%s has no context", example)
		}
	}
}

// A quote in what EventBridge puts between quotes would make a dead letter.
func TestNoRecipePutsATextOfOthersBetweenQuotes(t *testing.T) {
	safe := map[any]bool{
		"$.detail.bucket.name": true, "$.detail.jobRunId": true, // of AWS's making
		"$.detail.jobId": true, "$.detail.state": true, "$.detail.collectionName": true, "$.detail.clusterEndpoint": true,
	}
	quoted := regexp.MustCompile(`"[^"]*"`)
	for _, example := range []string{"failures-to-slack", "files-landed", "glue-succeeded"} {
		walk(templateAt(t, "../../../examples/"+example+"/template.yaml"), func(v any) {
			transformer, ok := v.(object)
			template := transformer["InputTemplate"]
			if !ok || template == nil {
				return
			}
			if sub, ok := template.(object); ok {
				template = sub["Fn::Sub"]
			}
			for _, text := range quoted.FindAllString(template.(string), -1) {
				for name, path := range transformer["InputPathsMap"].(object) {
					if strings.Contains(text, "<"+name+">") && !safe[path] {
						t.Errorf("%s: %s has %v in it", example, text, path)
					}
				}
			}
		})
	}
}

func TestTheNightlyMailIsAboutEachEndOfTheCollectionButSuccess(t *testing.T) {
	stack := templateAt(t, "../../../examples/nightly-refresh/template.yaml")
	want := object{
		"source": []any{ref("EventSource")}, "detail-type": []any{milvus.ExternalCollection.DetailType()},
		"detail": object{"outcome": []any{object{"anything-but": "succeeded"}}, "collectionName": []any{ref("CollectionName")}},
	}
	if diff := cmp.Diff(want, at[object](t, stack, "Resources", "FailedRule", "Properties", "EventPattern")); diff != "" {
		t.Errorf("pattern (-want +got):\n%s", diff)
	}
}

func TestTheRecipesTakeTheNamesThatMilvusTakes(t *testing.T) {
	for _, example := range []string{"files-landed", "glue-succeeded", "nightly-refresh"} {
		pattern := at[string](t, templateAt(t, "../../../examples/"+example+"/template.yaml"), "Parameters", "CollectionName", "AllowedPattern")
		for name, right := range map[string]bool{
			"ext_books": true, "_1": true, strings.Repeat("a", 255): true,
			"": false, "1a": false, `a"b`: false, "a-b": false, strings.Repeat("a", 256): false,
		} {
			if allows(pattern, name) != right {
				t.Errorf("%s: %q is taken: %v", example, name, !right)
			}
		}
	}
}

func TestTheWorkflowsParametersAreTheSameInBoth(t *testing.T) {
	of := func(example string) object {
		return at[object](t, templateAt(t, "../../../examples/"+example+"/template.yaml"), "Parameters")
	}
	for name, parameter := range of("refresh-workflow") {
		if diff := cmp.Diff(of("step-functions")[name], parameter); diff != "" {
			t.Errorf("%s (-step-functions +refresh-workflow):\n%s", name, diff)
		}
	}
}

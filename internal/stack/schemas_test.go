package stack

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/schemas"
)

func TestTheRegistryGetsTheSchemaOfTheFile(t *testing.T) {
	schema := at[object](t, template(t), "Resources", "EventSchema", "Properties")
	content := at[string](t, schema, "Content", "Fn::Sub")
	if diff := cmp.Diff(schemas.Event, strings.ReplaceAll(content, "${EventSource}", "refresh-poller")); diff != "" {
		t.Errorf("Content is to be schemas/event.json, with ${EventSource} as its x-amazon-events-source (-file +template):\n%s", diff)
	}
	if strings.Count(content, "${") != 1 {
		t.Error("Content has other variables than ${EventSource}")
	}
	if len(content) > 100_000-256 { // CreateSchema's limit, and the longest source
		t.Errorf("Content has %d characters", len(content))
	}
	if draft := at[string](t, schema, "Type"); draft != "JSONSchemaDraft4" {
		t.Errorf("Type is %s", draft)
	}
	if description := at[string](t, schema, "Description"); len(description) > 256 {
		t.Errorf("Description has %d characters", len(description))
	}
}

func TestTheSchemaIsNamedAfterSourceAndDetailType(t *testing.T) {
	name := at[object](t, template(t), "Resources", "EventSchema", "Properties", "SchemaName")
	allowed := regexp.MustCompile(`^[0-9A-Za-z_.@-]{1,385}$`)
	for source, want := range map[string]string{
		"refresh-poller":      "refresh-poller@ExternalCollectionRefreshJobStateChange",
		"com.example/refresh": "com.example-refresh@ExternalCollectionRefreshJobStateChange",
		"a/b:c#d+e@f_g/h":     "a-b-c-d-e@f_g-h@ExternalCollectionRefreshJobStateChange",
	} {
		got := resolve(t, name, source).(string)
		if got != want || !allowed.MatchString(got) {
			t.Errorf("%s has the schema %s, want %s", source, got, want)
		}
	}
}

func TestSchemasAreRegisteredOnlyOnRequest(t *testing.T) {
	stack := template(t)
	if diff := cmp.Diff(object{"Fn::Equals": []any{ref("RegisterSchemas"), "true"}}, at[object](t, stack, "Conditions", "RegisterEventSchema")); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	for _, name := range []string{"SchemaRegistry", "EventSchema"} {
		if condition := at[string](t, stack, "Resources", name, "Condition"); condition != "RegisterEventSchema" {
			t.Errorf("%s is created on the condition %s", name, condition)
		}
	}
}

// resolve does what CloudFormation does with the functions in SchemaName.
func resolve(t *testing.T, v any, source string) any {
	t.Helper()
	function, ok := v.(object)
	if !ok {
		return v
	}
	if text, ok := function["Fn::Sub"].(string); ok {
		return strings.ReplaceAll(text, "${EventSource}", source)
	}
	if split, ok := function["Fn::Split"].([]any); ok {
		return strings.Split(resolve(t, split[1], source).(string), split[0].(string))
	}
	join, ok := function["Fn::Join"].([]any)
	if !ok {
		t.Fatalf("%v is none of Sub, Split and Join", v)
	}
	return strings.Join(resolve(t, join[1], source).([]string), join[0].(string))
}

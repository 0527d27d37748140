package stack

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/schemas"
)

// registered returns the properties of the schemas that the stack registers, by
// detail-type, and what CloudFormation makes of their contents.
func registered(t *testing.T) (all map[string]object, contents map[string]string) {
	t.Helper()
	stack := template(t)
	all, contents = map[string]object{}, map[string]string{}
	for _, properties := range properties(t, stack, "AWS::EventSchemas::Schema") {
		sub := at[[]any](t, properties, "Content", "Fn::Sub")
		if diff := cmp.Diff(object{"Shared": object{"Fn::FindInMap": []any{"EventSchemas", "AllKinds", "Shared"}}}, sub[1]); diff != "" {
			t.Errorf("variables (-want +got):\n%s", diff)
		}
		content := strings.NewReplacer("${EventSource}", "refresh-poller",
			"${Shared}", at[string](t, stack, "Mappings", "EventSchemas", "AllKinds", "Shared")).Replace(sub[0].(string))
		var schema struct {
			DetailType string `json:"x-amazon-events-detail-type"`
		}
		if err := json.Unmarshal([]byte(content), &schema); err != nil || strings.Contains(content, "${") {
			t.Errorf("not a schema: %v\n%s", err, content)
		}
		all[schema.DetailType], contents[schema.DetailType] = properties, content
	}
	return all, contents
}

// lean returns a schema without examples, and without the descriptions of its
// parts.
func lean(schema any, top bool) any {
	switch schema := schema.(type) {
	case object:
		all := object{}
		for key, value := range schema {
			_, text := value.(string)
			if key != "examples" && !(key == "description" && text && !top) {
				all[key] = lean(value, false)
			}
		}
		return all
	case []any:
		all := []any{}
		for _, item := range schema {
			all = append(all, lean(item, false))
		}
		return all
	}
	return schema
}

func TestTheRegistryGetsTheSchemasOfTheFiles(t *testing.T) {
	all, contents := registered(t)
	for _, kind := range withSchemas() {
		var file, copied any
		if err := json.Unmarshal([]byte(schemas.Events[string(kind)]), &file); err != nil {
			t.Fatal(err)
		}
		content := contents[kind.DetailType()]
		if err := json.Unmarshal([]byte(content), &copied); err != nil {
			t.Errorf("of %s no schema is registered: %v", kind, err)
			continue
		}
		if diff := cmp.Diff(lean(file, true), copied); diff != "" {
			t.Errorf("the schema of %s (-file, without its examples and fields' descriptions +template):\n%s", kind, diff)
		}
		if len(content) > 100_000-256 { // CreateSchema's limit, and the longest source
			t.Errorf("the content of %s has %d characters", kind, len(content))
		}
		properties := all[kind.DetailType()]
		if draft := at[string](t, properties, "Type"); draft != "JSONSchemaDraft4" {
			t.Errorf("the type of %s is %s", kind, draft)
		}
		if description := at[string](t, properties, "Description"); len(description) > 256 {
			t.Errorf("the description of %s has %d characters", kind, len(description))
		}
	}
	if len(all) != len(milvus.JobKinds()) {
		t.Errorf("%d schemas are registered", len(all))
	}
}

func TestASchemaIsNamedAfterSourceAndDetailType(t *testing.T) {
	all, _ := registered(t)
	allowed := regexp.MustCompile(`^[0-9A-Za-z_.@-]{1,385}$`)
	for detailType, properties := range all {
		name := at[object](t, properties, "SchemaName")
		for source, want := range map[string]string{
			"refresh-poller":      "refresh-poller",
			"com.example/refresh": "com.example-refresh",
			"a/b:c#d+e@f_g/h":     "a-b-c-d-e@f_g-h",
		} {
			want += "@" + strings.ReplaceAll(detailType, " ", "")
			if got := resolve(t, name, source).(string); got != want || !allowed.MatchString(got) {
				t.Errorf("%s has the schema %s, want %s", source, got, want)
			}
		}
	}
}

func TestSchemasAreRegisteredOnlyOnRequest(t *testing.T) {
	stack := template(t)
	if diff := cmp.Diff(object{"Fn::Equals": []any{ref("RegisterSchemas"), "true"}}, at[object](t, stack, "Conditions", "RegisterEventSchema")); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	for _, name := range append(ofType(t, stack, "AWS::EventSchemas::Schema"), "SchemaRegistry") {
		if condition := at[string](t, stack, "Resources", name, "Condition"); condition != "RegisterEventSchema" {
			t.Errorf("%s is created on the condition %s", name, condition)
		}
	}
}

// resolve does what CloudFormation does with the functions in a SchemaName.
func resolve(t *testing.T, v any, source string) any {
	t.Helper()
	function, ok := v.(object)
	if !ok {
		return v
	}
	if text, ok := function["Fn::Sub"].(string); ok {
		return strings.ReplaceAll(text, "${EventSource}", source)
	}
	if cmp.Equal(function, attribute("EventSchema", "SchemaName")) {
		return resolve(t, at[object](t, template(t), "Resources", "EventSchema", "Properties", "SchemaName"), source)
	}
	if split, ok := function["Fn::Split"].([]any); ok {
		return strings.Split(resolve(t, split[1], source).(string), split[0].(string))
	}
	join, ok := function["Fn::Join"].([]any)
	if !ok {
		t.Fatalf("%v is none of Sub, GetAtt, Split and Join", v)
	}
	return strings.Join(resolve(t, join[1], source).([]string), join[0].(string))
}

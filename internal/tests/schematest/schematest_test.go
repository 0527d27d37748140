package schematest

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"refresh-poller/schemas"
)

// texts are the schemas by their files.
var texts = func() map[string]string {
	all := map[string]string{"message.json": schemas.Message}
	for kind, text := range schemas.Events {
		all["event-"+kind+".json"] = text
	}
	return all
}()

// walk calls visit for every schema within one, with its JSON pointer.
func walk(node map[string]any, pointer string, visit func(schema map[string]any, pointer string)) {
	visit(node, pointer)
	for key, value := range node {
		switch value := value.(type) {
		case []any:
			for i, item := range value {
				if schema, ok := item.(map[string]any); ok && (key == "anyOf" || key == "allOf") {
					walk(schema, pointer+"/"+key+"/"+strconv.Itoa(i), visit)
				}
			}
		case map[string]any:
			if key == "not" || key == "items" {
				walk(value, pointer+"/"+key, visit)
			} else if key == "properties" || key == "definitions" {
				for name, schema := range value {
					walk(schema.(map[string]any), pointer+"/"+key+"/"+name, visit)
				}
			}
		}
	}
}

func document(t *testing.T, text string) map[string]any {
	t.Helper()
	read, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return read.(map[string]any)
}

// The registry refuses what is newer; other validators would pass over it.
func TestTheSchemasKeepToDraft4(t *testing.T) {
	known := strings.Fields("$ref type enum required properties additionalProperties definitions items maxItems anyOf allOf not format pattern minimum maximum minLength maxLength title description")
	harmless := []string{"examples"} // Draft 4 passes over it
	top := append([]string{"$schema", "x-amazon-events-source", "x-amazon-events-detail-type"}, harmless...)
	for file, text := range texts {
		if draft := document(t, text)["$schema"]; draft != "http://json-schema.org/draft-04/schema#" {
			t.Errorf("%s is of %v", file, draft)
		}
		compile(text, "#", asGiven) // checks it by the meta-schema
		walk(document(t, text), "#", func(schema map[string]any, pointer string) {
			for key := range schema {
				if !slices.Contains(known, key) && !slices.Contains(harmless, key) && !(pointer == "#" && slices.Contains(top, key)) {
					t.Errorf("%s: %s has %q", file, pointer, key)
				}
			}
		})
	}
}

// For whoever reads a schema, or code that was generated from it. A schema without
// a type only says more of an object that is described elsewhere.
func TestEveryPropertyIsDescribed(t *testing.T) {
	for file, text := range texts {
		whole := document(t, text)
		walk(whole, "#", func(schema map[string]any, pointer string) {
			properties, _ := schema["properties"].(map[string]any)
			for name, property := range properties {
				if schema["type"] == nil {
					continue
				}
				described := property.(map[string]any)
				if definition, ok := strings.CutPrefix(fmt.Sprint(described["$ref"]), "#/definitions/"); ok {
					described = whole["definitions"].(map[string]any)[definition].(map[string]any)
				}
				if text, _ := described["description"].(string); text == "" {
					t.Errorf("%s: %s/properties/%s has no description", file, pointer, name)
				}
			}
		})
	}
}

// A field of an event has one wherever its type allows more than one value.
func TestEveryFieldOfAnEventHasAnExample(t *testing.T) {
	for kind, text := range schemas.Events {
		walk(document(t, text), "#", func(schema map[string]any, pointer string) {
			properties, _ := schema["properties"].(map[string]any)
			for name, property := range properties {
				field := property.(map[string]any)
				if field["$ref"] == nil && field["enum"] == nil && field["examples"] == nil {
					t.Errorf("%s: %s/properties/%s has no example", kind, pointer, name)
				}
			}
		})
	}
}

func TestEveryExampleIsOne(t *testing.T) {
	for file, text := range texts {
		examples := 0
		walk(document(t, text), "#", func(schema map[string]any, pointer string) {
			given, _ := schema["examples"].([]any)
			for _, example := range given {
				examples++
				strict := pointer != "#/definitions/Event" // of whose fields the poller reads one
				if err := compile(text, pointer, strict).Validate(example); err != nil {
					t.Errorf("%s: an example of %s: %v", file, pointer, err)
				}
			}
		})
		if examples == 0 {
			t.Errorf("%s has no example", file)
		}
	}
}

// report is a test that notes its faults.
type report struct {
	testing.TB
	faults int
}

func (r *report) Helper()               {}
func (r *report) Errorf(string, ...any) { r.faults++ }

const goodDetail = `{"version":"1","id":"23cff968e159d6a031c7c6f01ec9853c","jobId":"9223372036854775807","state":"RefreshCompleted",
"terminal":true,"progress":100,"clusterEndpoint":"https://milvus.example.org:19530","endTime":"2024-04-11T10:41:33.000Z","durationMs":93000,
"watch":{"id":"w","since":"2024-04-11T10:39:58.120Z","polls":8},"context":{"any":["thing"]}}`

func TestWhatIsWrongWithADetailIsFound(t *testing.T) {
	Detail(t, goodDetail)
	for name, change := range map[string][2]string{
		"no JSON":                     {"{", ""},
		"two objects":                 {`"thing"]}}`, `"thing"]}}{}`},
		"another version":             {`"version":"1"`, `"version":"2"`},
		"an id of another form":       {`"23cff968`, `"23CFF968`},
		"a job id that is a number":   {`"9223372036854775807"`, `9223372036854775807`},
		"a job id of 0":               {`"9223372036854775807"`, `"0"`},
		"no state":                    {`"state"`, `"status"`},
		"an end in another state":     {`"RefreshCompleted"`, `"RefreshInProgress"`},
		"a terminal in text":          {`true`, `"true"`},
		"progress above 100":          {`"progress":100`, `"progress":101`},
		"progress in text":            {`"progress":100`, `"progress":"100"`},
		"an endpoint without a host":  {`https://milvus.example.org:19530`, `milvus example`},
		"a time that is none":         {`10:41:33`, `10:61:33`},
		"a duration below 0":          {`93000`, `-1`},
		"a duration with a fraction":  {`93000`, `93000.5`},
		"a watch without its polls":   {`,"polls":8`, ``},
		"a watch with another field":  {`"polls":8`, `"polls":8,"retries":1`},
		"a context that is no object": {`{"any":["thing"]}`, `["thing"]`},
		"a field that is not known":   {`"progress"`, `"percent":1,"progress"`},
	} {
		r := &report{TB: t}
		changed := strings.Replace(goodDetail, change[0], change[1], 1)
		if Detail(r, changed); r.faults == 0 || changed == goodDetail {
			t.Errorf("%s is not found: %s", name, changed)
		}
	}
}

func TestWhatIsWrongWithAnEventIsFound(t *testing.T) {
	good := `{"version":"0","id":"e","detail-type":"External Collection Refresh Job State Change","source":"refresh-poller",
"account":"123456789012","time":"2024-04-11T10:41:33Z","region":"eu-central-1","resources":[],"detail":` + goodDetail + `}`
	Event(t, good)
	for name, change := range map[string][2]string{
		"another detail type":       {`State Change`, `Change`},
		"no account":                {`123456789012`, ``},
		"no time":                   {`"2024-04-11T10:41:33Z"`, `1712832093`},
		"a fault of the detail":     {`"polls":8`, `"polls":"8"`},
		"an end in another state":   {`"RefreshCompleted"`, `"RefreshPending"`},
		"a field that is not known": {`"region"`, `"zone":"a","region"`},
	} {
		r := &report{TB: t}
		changed := strings.Replace(good, change[0], change[1], 1)
		if Event(r, changed); r.faults == 0 || changed == good {
			t.Errorf("%s is not found: %s", name, changed)
		}
	}
}

func TestWhatIsWrongWithAMessageThatGoesOnIsFound(t *testing.T) {
	const good = `{"jobId":9223372036854775807,"watch":{"version":1,"id":"w","since":1712832000123,"polls":1}}`
	Message(t, good)
	for name, change := range map[string][2]string{
		"an id beyond int64":           {`9223372036854775807`, `9223372036854775808`},
		"a field that is not known":    {`"watch"`, `"note":1,"watch"`},
		"a state that is not known":    {`"polls"`, `"rounds":1,"polls"`},
		"a state of another version":   {`"version":1`, `"version":3`},
		"a beginning that is none":     {`1712832000123`, `0`},
		"the form of a refresh answer": {`{"jobId":9223372036854775807,`, `{"code":0,"data":{"jobId":1},`},
	} {
		r := &report{TB: t}
		changed := strings.Replace(good, change[0], change[1], 1)
		if Message(r, changed); r.faults == 0 || changed == good {
			t.Errorf("%s is not found: %s", name, changed)
		}
	}
}

// Users have to bear with what a later version adds.
func TestTheSchemasAsGivenAllowNewFields(t *testing.T) {
	later := strings.Replace(goodDetail, `"progress"`, `"percent":1,"progress"`, 1)
	var read any
	if err := json.Unmarshal([]byte(later), &read); err != nil {
		t.Fatal(err)
	}
	refresh := schemas.Events["external_collection"]
	if err := compile(refresh, detailOf(refresh), asGiven).Validate(read); err != nil {
		t.Error(err)
	}
}

func TestTheFunctionCarriesNoValidator(t *testing.T) {
	packages, err := exec.Command("go", "list", "-deps", "refresh-poller/functions/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(packages), "refresh-poller/internal/event\n") {
		t.Errorf("no list of packages: %s", packages)
	}
	for _, unwanted := range []string{"jsonschema", "refresh-poller/schemas", "schematest"} {
		if strings.Contains(string(packages), unwanted) {
			t.Errorf("the function depends on %s", unwanted)
		}
	}
}

package metric

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// schema is as much of JSON Schema as testdata/emf.schema.json needs.
type schema struct {
	Comment              string `json:"$comment"`
	Type                 string
	Enum                 []any
	Required             []string
	Properties           map[string]*schema
	Items                *schema
	MinItems, MaxItems   *int
	MinLength, MaxLength *int
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	text, err := os.ReadFile("testdata/emf.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &schema{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // a rule that is not checked
	decoder.UseNumber()
	if err := decoder.Decode(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// check returns what is wrong with v, which holds numbers as json.Number.
func (s *schema) check(v any, at string) error {
	if s.Type != "" && s.Type != typeOf(v) {
		return fmt.Errorf("%s is %s, not %s", at, typeOf(v), s.Type)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		return fmt.Errorf("%s is %v", at, v)
	}
	var faults []error
	switch v := v.(type) {
	case string:
		faults = append(faults, between(at, utf8.RuneCountInString(v), s.MinLength, s.MaxLength))
	case []any:
		faults = append(faults, between(at, len(v), s.MinItems, s.MaxItems))
		for i, item := range v {
			if s.Items != nil {
				faults = append(faults, s.Items.check(item, fmt.Sprintf("%s[%d]", at, i)))
			}
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				faults = append(faults, fmt.Errorf("%s has no %s", at, name))
			}
		}
		for name, property := range s.Properties {
			if member, ok := v[name]; ok {
				faults = append(faults, property.check(member, at+"."+name))
			}
		}
	}
	return errors.Join(faults...)
}

func between(at string, n int, least, most *int) error {
	if least != nil && n < *least || most != nil && n > *most {
		return fmt.Errorf("%s has the length %d", at, n)
	}
	return nil
}

func typeOf(v any) string {
	switch v := v.(type) {
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if strings.Trim(v.String(), "-0123456789") == "" {
			return "integer"
		}
		return "number"
	}
	return fmt.Sprintf("%T", v)
}

// checkLine returns what is wrong with a line: of its JSON, by the schema, or
// by the rules of the specification's text, which no schema can express.
func checkLine(s *schema, line []byte) error {
	text, terminated := bytes.CutSuffix(line, []byte("\n"))
	if !terminated || bytes.ContainsAny(text, "\r\n") {
		return errors.New("not one line")
	}
	var root map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&root); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the object")
	}
	if err := s.check(root, "root"); err != nil {
		return err
	}
	var faults []error
	declared := map[string]bool{"_aws": true}
	for _, directive := range root["_aws"].(map[string]any)["CloudWatchMetrics"].([]any) {
		directive := directive.(map[string]any)
		for _, set := range directive["Dimensions"].([]any) {
			for _, key := range set.([]any) {
				declared[key.(string)] = true
				value, ok := root[key.(string)].(string)
				if n := utf8.RuneCountInString(value); !ok || n < 1 || n > 1024 {
					faults = append(faults, fmt.Errorf("the dimension %s is %v", key, root[key.(string)]))
				}
			}
		}
		for _, metric := range directive["Metrics"].([]any) {
			name := metric.(map[string]any)["Name"].(string)
			if declared[name] {
				faults = append(faults, fmt.Errorf("%s is declared twice", name))
			}
			declared[name] = true
			values, ok := root[name].([]any)
			if !ok {
				values = []any{root[name]}
			}
			if len(values) == 0 || len(values) > 100 {
				faults = append(faults, fmt.Errorf("%s has %d values", name, len(values)))
			}
			for _, value := range values {
				if _, ok := value.(json.Number); !ok {
					faults = append(faults, fmt.Errorf("%s has the value %v", name, value))
				}
			}
		}
	}
	for name := range root {
		if !declared[name] {
			faults = append(faults, fmt.Errorf("%s is not declared", name))
		}
	}
	return errors.Join(faults...)
}

func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	document := func(aws, members string) string { return `{"_aws":` + aws + members + "}\n" }
	directive := func(dimensions, metrics string) string {
		return `{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":` + dimensions + `,"Metrics":` + metrics + `}]}`
	}
	good := directive(`[["Stack"]]`, `[{"Name":"Polls","Unit":"Count"}]`)
	members := `,"Stack":"s","Polls":[1,2.5]`
	s := readSchema(t)
	if err := checkLine(s, []byte(document(good, members))); err != nil {
		t.Fatalf("the line that the others differ from: %v", err)
	}
	for name, line := range map[string]string{
		"no newline":                     strings.TrimSpace(document(good, members)),
		"two lines":                      strings.Replace(document(good, members), ",", ",\n", 1),
		"no JSON":                        "{\n",
		"not an object":                  "[]\n",
		"something behind":               strings.TrimSpace(document(good, members)) + "{}\n",
		"no metadata":                    `{"Stack":"s"}` + "\n",
		"no directives":                  document(`{"Timestamp":1}`, ""),
		"no timestamp":                   document(`{"CloudWatchMetrics":[]}`, ""),
		"a timestamp in text":            document(strings.Replace(good, "1", `"1"`, 1), members),
		"a timestamp with fractions":     document(strings.Replace(good, "1", "1.5", 1), members),
		"no namespace":                   document(strings.Replace(good, "Namespace", "namespace", 1), members),
		"an empty namespace":             document(strings.Replace(good, `"N"`, `""`, 1), members),
		"no dimension set":               document(directive("[]", `[{"Name":"Polls"}]`), `,"Polls":1`),
		"a dimension without its member": document(good, `,"Polls":1`),
		"a dimension that is a number":   document(good, `,"Stack":1,"Polls":1`),
		"an empty dimension":             document(good, `,"Stack":"","Polls":1`),
		"31 dimensions":                  document(directive(`[[`+strings.Repeat(`"Stack",`, 30)+`"Stack"]]`, `[]`), `,"Stack":"s"`),
		"a metric without a name":        document(directive(`[["Stack"]]`, `[{"Unit":"Count"}]`), members),
		"an unknown unit":                document(strings.Replace(good, "Count\"", "count\"", 1), members),
		"101 metrics":                    document(directive(`[["Stack"]]`, `[`+strings.Repeat(`{"Name":"Polls"},`, 100)+`{"Name":"Polls"}]`), members),
		"a metric twice":                 document(directive(`[["Stack"]]`, `[{"Name":"Polls"},{"Name":"Polls"}]`), members),
		"a metric that is a dimension":   document(directive(`[["Stack"]]`, `[{"Name":"Stack"}]`), `,"Stack":"1"`),
		"a metric without its member":    document(good, `,"Stack":"s"`),
		"a value in text":                document(good, `,"Stack":"s","Polls":["1"]`),
		"a value that is nothing":        document(good, `,"Stack":"s","Polls":null`),
		"no value":                       document(good, `,"Stack":"s","Polls":[]`),
		"101 values":                     document(good, `,"Stack":"s","Polls":[`+strings.Repeat("1,", 100)+"1]"),
		"a member that is not declared":  document(good, members+`,"Other":1`),
	} {
		if checkLine(s, []byte(line)) == nil {
			t.Errorf("%s is not found: %s", name, line)
		}
	}
}

// Package stack tests what is deployed and is not Go: template.yaml and the
// sample messages under events. It has no code of its own.
package stack

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a mapping of the template. A function in short form, such as
// !Ref Name, is the mapping that it stands for: {"Ref": "Name"}.
type object = map[string]any

// template returns template.yaml, with what its functions have in common in each
// of them, as SAM puts it there.
func template(t *testing.T) object {
	t.Helper()
	stack := templateAt(t, "../../../template.yaml")
	for _, name := range ofType(t, stack, "AWS::Serverless::Function") {
		properties := at[object](t, stack, "Resources", name, "Properties")
		for key, value := range at[object](t, stack, "Globals", "Function") {
			if _, own := properties[key]; own {
				t.Fatalf("%s has a %s of its own", name, key)
			}
			properties[key] = value
		}
	}
	return stack
}

func templateAt(t *testing.T, path string) object {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return value(t, document.Content[0]).(object)
}

// value returns the Go value of a node: object, []any, string, int, float64,
// bool or nil.
func value(t *testing.T, node *yaml.Node) any {
	t.Helper()
	plain := plainValue(t, node)
	name, short := strings.CutPrefix(node.Tag, "!")
	switch {
	case !short || strings.HasPrefix(name, "!"): // none, or one of YAML's own, such as !!str
		return plain
	case name == "Ref" || name == "Condition":
		return object{name: plain}
	case name == "GetAtt":
		resource, attribute, _ := strings.Cut(plain.(string), ".")
		return object{"Fn::GetAtt": []any{resource, attribute}}
	}
	return object{"Fn::" + name: plain}
}

func plainValue(t *testing.T, node *yaml.Node) any {
	t.Helper()
	switch node.Kind {
	case yaml.MappingNode:
		mapping := object{}
		for pair := range slices.Chunk(node.Content, 2) {
			key := pair[0].Value
			if _, twice := mapping[key]; twice {
				t.Fatalf("line %d: %s stands there twice", pair[0].Line, key)
			}
			mapping[key] = value(t, pair[1])
		}
		return mapping
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			list = append(list, value(t, item))
		}
		return list
	}
	if strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
		return node.Value
	}
	var scalar any
	if err := node.Decode(&scalar); err != nil {
		t.Fatalf("line %d: %v", node.Line, err)
	}
	return scalar
}

// at returns what stands in the template under that path of keys.
func at[T any](t *testing.T, in object, path ...string) T {
	t.Helper()
	for i, key := range path[:len(path)-1] {
		next, ok := in[key].(object)
		if !ok {
			t.Fatalf("no mapping at %s", strings.Join(path[:i+1], "."))
		}
		in = next
	}
	found, ok := in[path[len(path)-1]].(T)
	if !ok {
		t.Fatalf("at %s is %v, not a %T", strings.Join(path, "."), in[path[len(path)-1]], found)
	}
	return found
}

// ofType returns the logical ids of the resources of that type, sorted.
func ofType(t *testing.T, in object, resourceType string) []string {
	t.Helper()
	var names []string
	for name, resource := range at[object](t, in, "Resources") {
		if resource.(object)["Type"] == resourceType {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("no resource of type %s", resourceType)
	}
	slices.Sort(names)
	return names
}

// walk calls visit for every value below and including v.
func walk(v any, visit func(any)) {
	visit(v)
	switch v := v.(type) {
	case object:
		for _, below := range v {
			walk(below, visit)
		}
	case []any:
		for _, below := range v {
			walk(below, visit)
		}
	}
}

// list returns v as a list; policies write a list of one without brackets.
func list(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	return []any{v}
}

var substituted = regexp.MustCompile(`\$\{([^!}]+)\}`)

// references returns the names that Ref, GetAtt and Sub name in v.
func references(v any) map[string]bool {
	names := map[string]bool{}
	walk(v, func(v any) {
		function, ok := v.(object)
		if !ok {
			return
		}
		if name, ok := function["Ref"].(string); ok {
			names[name] = true
		}
		if get, ok := function["Fn::GetAtt"].([]any); ok {
			names[get[0].(string)] = true
		}
		if sub, ok := function["Fn::Sub"]; ok {
			for _, match := range substituted.FindAllStringSubmatch(list(sub)[0].(string), -1) {
				name, _, _ := strings.Cut(match[1], ".")
				names[name] = true
			}
		}
	})
	return names
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func ref(name string) object { return object{"Ref": name} }

func attribute(resource, name string) object {
	return object{"Fn::GetAtt": []any{resource, name}}
}

package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// values returns a template's values, with the functions' short forms as mappings of
// their tag.
func values(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return value(t, document.Content[0]).(map[string]any)
}

func value(t *testing.T, node *yaml.Node) (v any) {
	t.Helper()
	switch node.Kind {
	case yaml.MappingNode:
		mapping := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			mapping[node.Content[i].Value] = value(t, node.Content[i+1])
		}
		v = mapping
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			list = append(list, value(t, item))
		}
		v = list
	default:
		if short(node) {
			v = node.Value
		} else if err := node.Decode(&v); err != nil {
			t.Fatalf("line %d: %v", node.Line, err)
		}
	}
	if short(node) {
		return map[string]any{node.Tag: v}
	}
	return v
}

func short(node *yaml.Node) bool {
	return strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!")
}

// templates returns template.yaml as it is and as a release has it.
func templates(t *testing.T) (source, release []byte) {
	t.Helper()
	source, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	release, _, err = packaged(source)
	if err != nil {
		t.Fatal(err)
	}
	return source, release
}

func TestThePackagedTemplateIsTheTemplateButForItsZips(t *testing.T) {
	source, release := templates(t)
	want, got := values(t, source), values(t, release)
	for _, function := range []string{"PollerFunction", "ResumeFunction"} {
		resource := want["Resources"].(map[string]any)[function].(map[string]any)
		delete(resource, "Metadata")
		resource["Properties"].(map[string]any)["CodeUri"] = function + ".zip"
	}
	// The texts in quotes are the same, and all else but for white space.
	quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	same := cmp.Comparer(func(a, b string) bool {
		if !strings.HasPrefix(a, "{") && !strings.HasPrefix(a, `"`) {
			return a == b
		}
		rest := func(text string) string { return strings.Join(strings.Fields(quoted.ReplaceAllString(text, `""`)), "") }
		return cmp.Equal(quoted.FindAllString(a, -1), quoted.FindAllString(b, -1)) && rest(a) == rest(b)
	})
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-template.yaml +packaged):\n%s", diff)
	}
}

// So every tool takes it.
func TestTheTemplateKeepsWithinWhatCanBeGivenInline(t *testing.T) {
	if _, release := templates(t); len(release) > maxTemplate {
		t.Errorf("packaged, the template has %d bytes, more than %d", len(release), maxTemplate)
	} else {
		t.Logf("%d bytes", len(release))
	}
}

func TestAFunctionThatCannotBePackagedIsNamed(t *testing.T) {
	const function = "Resources:\n  F:\n    Type: AWS::Serverless::Function\n%s"
	for _, rest := range []string{"", "    Metadata: {BuildMethod: makefile}\n    Properties: {}\n", "    Properties: {CodeUri: .}\n"} {
		if _, _, err := packaged(fmt.Appendf(nil, function, rest)); err == nil || !strings.HasPrefix(err.Error(), "F has no CodeUri") {
			t.Errorf("%q: %v", rest, err)
		}
	}
}

package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// terraform returns the blocks of examples/terraform, by their type and labels.
func terraform(t *testing.T) map[string]*hclsyntax.Body {
	t.Helper()
	paths, err := filepath.Glob("../../../examples/terraform/*.tf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("files: %v, %v", paths, err)
	}
	blocks := map[string]*hclsyntax.Body{}
	for _, path := range paths {
		for name, block := range blocksOf(t, path) {
			if blocks[name] != nil {
				t.Fatalf("%s is there twice", name)
			}
			blocks[name] = block
		}
	}
	return blocks
}

func blocksOf(t *testing.T, path string) map[string]*hclsyntax.Body {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, faults := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	blocks := map[string]*hclsyntax.Body{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		blocks[strings.Join(append([]string{block.Type}, block.Labels...), " ")] = block.Body
	}
	return blocks
}

// snake is a parameter's or output's name in Terraform's style.
func snake(name string) string {
	return strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "${1}_$2"))
}

// labelled returns the names of the blocks of a type.
func labelled(blocks map[string]*hclsyntax.Body, kind string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		if label, ok := strings.CutPrefix(name, kind+" "); ok {
			names = append(names, label)
		}
	}
	return names
}

func TestTerraformHasAVariableForEachParameterWithItsDefault(t *testing.T) {
	source, _ := templates(t)
	parameters := values(t, source)["Parameters"].(map[string]any)
	blocks := terraform(t)
	want := []string{"release", "stack_name", "tags"}
	for name, parameter := range parameters {
		want = append(want, snake(name))
		variable := blocks["variable "+snake(name)]
		if variable == nil {
			continue // said below
		}
		fallback := variable.Attributes["default"]
		if _, optional := parameter.(map[string]any)["Default"]; optional != (fallback != nil) {
			t.Errorf("the variable of %s has a default: %t", name, fallback != nil)
		} else if optional {
			if v, faults := fallback.Expr.Value(nil); faults.HasErrors() || !v.IsNull() {
				t.Errorf("the default of %s is not null, so not the template's", name)
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, labelled(blocks, "variable")); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestTerraformGivesTheStackEachParameter(t *testing.T) {
	source, _ := templates(t)
	want := map[string]string{}
	for name := range values(t, source)["Parameters"].(map[string]any) {
		want[name] = "var." + snake(name)
	}
	got := map[string]string{}
	given, faults := hcl.ExprMap(terraform(t)["locals"].Attributes["parameters"].Expr)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	for _, pair := range given {
		traversal, faults := hcl.AbsTraversalForExpr(pair.Value)
		if faults.HasErrors() || len(traversal) != 2 {
			t.Fatalf("%v, %v", traversal, faults)
		}
		got[hcl.ExprAsKeyword(pair.Key)] = traversal.RootName() + "." + traversal[1].(hcl.TraverseAttr).Name
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestTerraformHasEachOutput(t *testing.T) {
	source, _ := templates(t)
	blocks := terraform(t)
	var want []string
	for name := range values(t, source)["Outputs"].(map[string]any) {
		want = append(want, snake(name))
		output := blocks["output "+snake(name)]
		if output == nil {
			continue // said below
		}
		lookup, ok := output.Attributes["value"].Expr.(*hclsyntax.FunctionCallExpr)
		if !ok || lookup.Name != "lookup" || len(lookup.Args) != 3 {
			t.Errorf("the output of %s looks nothing up", name)
			continue
		}
		if key, faults := lookup.Args[1].Value(nil); faults.HasErrors() || key.AsString() != name {
			t.Errorf("the output of %s is that of %v", name, key)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, labelled(blocks, "output")); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestTerraformPutsAURIInThePlaceOfEachZip(t *testing.T) {
	_, release := templates(t)
	text, err := os.ReadFile("../../../examples/terraform/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	replaced := regexp.MustCompile(`"(CodeUri: \w+\.zip)"`).FindAllStringSubmatch(string(text), -1)
	for _, r := range replaced {
		if n := strings.Count(string(release), r[1]); n != 1 {
			t.Errorf("%s stands %d times in the packaged template", r[1], n)
		}
	}
	if want := strings.Count(string(release), "CodeUri: "); len(replaced) != want {
		t.Errorf("%d are replaced, of %d", len(replaced), want)
	}
}

func TestTheOtherExampleForTerraformIsHCL(t *testing.T) {
	if blocks := blocksOf(t, "../../../examples/producers/enqueue.tf"); len(blocks) == 0 {
		t.Error("it has no blocks")
	}
}

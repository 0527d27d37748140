//go:build cdk

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The values that examples/cdk/app.js gives.
var givenToCDK = map[string]string{
	"ClusterEndpoint":       "https://in01-abc.aws-us-west-2.vectordb.zillizcloud.com:19530",
	"ClusterTokenSecretArn": "arn:aws:secretsmanager:us-west-2:123456789012:secret:refresh-poller/token-a1B2c3",
}

// long returns a template's value with the long forms of functions, and what CDK has
// for the given parameters.
func long(v any) any {
	switch v := v.(type) {
	case map[string]any:
		all := map[string]any{}
		for key, value := range v {
			name, short := strings.CutPrefix(key, "!")
			if given, ok := givenToCDK[textOf(value)]; ok && key == "!Ref" {
				return given
			}
			if short && name != "Ref" && name != "Condition" {
				name = "Fn::" + name
			}
			all[name] = long(value)
		}
		return all
	case []any:
		all := []any{} // an empty list is one, and no null
		for _, item := range v {
			all = append(all, long(item))
		}
		return all
	}
	return v
}

func textOf(v any) string {
	text, _ := v.(string)
	return text
}

// synthesized returns the template that the app of examples/cdk makes of dist/stack.
func synthesized(t *testing.T) map[string]any {
	t.Helper()
	release, err := filepath.Abs("../../../dist/stack")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	app := exec.CommandContext(t.Context(), "node", "app.js")
	app.Dir = "../../../examples/cdk"
	app.Env = append(os.Environ(), "CDK_OUTDIR="+out, "RELEASE="+release)
	if said, err := app.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return parsed(t, filepath.Join(out, "refresh-poller.template.json"))
}

func parsed(t *testing.T, path string) (template map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &template)
	}
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestCDKMakesThePackagedTemplateOfIt(t *testing.T) {
	text, err := os.ReadFile("../../../dist/stack/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// By way of JSON, whose numbers are all of one type.
	numbers, err := json.Marshal(long(values(t, text)))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(numbers, &want); err != nil {
		t.Fatal(err)
	}
	got := synthesized(t)
	// What CDK adds of its own.
	delete(got["Parameters"].(map[string]any), "BootstrapVersion")
	delete(got["Rules"].(map[string]any), "CheckBootstrapVersion")
	for name := range givenToCDK {
		delete(want["Parameters"].(map[string]any), name)
	}
	for _, name := range []string{"PollerFunction", "ResumeFunction"} {
		uri := func(template map[string]any) map[string]any {
			return template["Resources"].(map[string]any)[name].(map[string]any)["Properties"].(map[string]any)
		}
		asset, _ := uri(got)["CodeUri"].(map[string]any)
		if key := textOf(asset["Key"]); len(asset) != 2 || !strings.HasSuffix(key, ".zip") {
			t.Errorf("the code of %s is at %v", name, uri(got)["CodeUri"])
		}
		uri(want)["CodeUri"] = uri(got)["CodeUri"]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-packaged +synthesized):\n%s", diff)
	}
}

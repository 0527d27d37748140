package stack

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"refresh-poller/internal/config"
)

// spellings are ways to write one number. What CloudFormation makes of them is
// not documented: a Number is "an integer or float", and becomes a string (User
// Guide, "Parameters").
var spellings = []string{"%v", "%f", "%.1f", "%e", "%g", "+%v", " %v", "%v ", "0%v", "%vd", "%#x"}

// given draws a value of the parameter that CloudFormation takes.
func given(t *rapid.T, name string, parameter object) string {
	switch values, _ := parameter["AllowedValues"].([]any); {
	case values != nil:
		return fmt.Sprint(rapid.SampledFrom(values).Draw(t, name))
	case parameter["Type"] == "Number":
		least, most := bound(parameter["MinValue"], 0), bound(parameter["MaxValue"], math.MaxFloat64)
		n := rapid.OneOf(rapid.Float64Range(least, most), rapid.SampledFrom([]float64{least, most, math.Ceil(least)})).Draw(t, name)
		return fmt.Sprintf(rapid.SampledFrom(spellings).Draw(t, "spelling of "+name), n)
	}
	pattern := strings.ReplaceAll(parameter["AllowedPattern"].(string), `(?!aws\.)`, "")
	return rapid.StringMatching(pattern).Filter(func(s string) bool { return allows(parameter["AllowedPattern"].(string), s) }).Draw(t, name)
}

func bound(v any, otherwise float64) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case float64:
		return v
	}
	return otherwise
}

// Or a deployment would turn every running watch into a dead letter.
func TestNothingThatDeploysStopsTheFunction(t *testing.T) {
	stack := template(t)
	parameters := at[object](t, stack, "Parameters")
	variables := at[object](t, stack, "Resources", "PollerFunction", "Properties", "Environment", "Variables")
	rapid.Check(t, func(t *rapid.T) {
		environ := map[string]string{}
		for _, name := range sortedKeys(variables) {
			environ[name] = "given by the stack"
			for of := range references(variables[name]) {
				if parameter, ok := parameters[of].(object); ok {
					environ[name] = given(t, of, parameter)
				}
			}
		}
		if environ["START_REFRESHES"] == "true" && environ["JOB_KIND"] == "cloud" {
			t.Skip("a rule of the template refuses it")
		}
		if environ["EVENT_BUS_NAME"] == "" {
			environ["EVENT_BUS_NAME"] = "the stack's own"
		}
		if _, _, err := config.Mend(environ); err != nil {
			t.Errorf("%v: %q", err, environ)
		}
	})
}

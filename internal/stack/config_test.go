package stack

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/config"
)

func TestTheFunctionReadsWhatItIsGivenAndIsGivenWhatItReads(t *testing.T) {
	var read []string
	for field := range reflect.TypeFor[config.Config]().Fields() {
		read = append(read, field.Tag.Get("env"))
	}
	slices.Sort(read)
	given := at[object](t, template(t), "Resources", "PollerFunction", "Properties", "Environment", "Variables")
	if diff := cmp.Diff(sortedKeys(given), read); diff != "" {
		t.Errorf("environment (-template +code):\n%s", diff)
	}
}

func TestTheCodeHasTheTemplatesDefaults(t *testing.T) {
	parameters := at[object](t, template(t), "Parameters")
	for field := range reflect.TypeFor[config.Config]().Fields() {
		byDefault, ok := field.Tag.Lookup("envDefault")
		if !ok {
			continue
		}
		parameter, ok := parameters[field.Name].(object)
		if !ok {
			t.Errorf("%s is no parameter of the template", field.Name)
			continue
		}
		if got := strings.Trim(fmt.Sprint(parameter["Default"]), `"`); got != byDefault {
			t.Errorf("%s is %s by default in the template, %s in the code", field.Name, got, byDefault)
		}
	}
}

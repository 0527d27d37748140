package stack

import (
	"encoding/json"
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

// sam local invoke resolves no !If and leaves a Ref as a name, so each variable
// has to be given.
func TestTheEnvironmentForALocalInvocationIsWhole(t *testing.T) {
	var given map[string]map[string]string
	if err := json.Unmarshal([]byte(document(t, "events/local/env.json")), &given); err != nil {
		t.Fatal(err)
	}
	variables := at[object](t, template(t), "Resources", "PollerFunction", "Properties", "Environment", "Variables")
	if diff := cmp.Diff(sortedKeys(variables), sortedKeys(given["PollerFunction"])); diff != "" {
		t.Errorf("variables (-template +events/local/env.json):\n%s", diff)
	}
	c, err := config.Load(given["PollerFunction"])
	if err != nil {
		t.Fatal(err)
	}
	byDefault, err := config.Load(map[string]string{
		"CLUSTER_ENDPOINT": c.ClusterEndpoint, "CLUSTER_TOKEN_SECRET_ARN": c.ClusterTokenSecretArn, "JOB_QUEUE_URL": c.JobQueueUrl,
		"DEAD_LETTER_QUEUE_URL": c.DeadLetterQueueUrl, "EVENT_BUS_NAME": c.EventBusName, "STACK_NAME": c.StackName,
	})
	if diff := cmp.Diff(byDefault, c); diff != "" || err != nil {
		t.Errorf("%v; configuration (-default +events/local/env.json):\n%s", err, diff)
	}
}

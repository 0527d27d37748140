//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// Nothing else finds a mistyped bus: PutEvents answers as if it were there.
func TestOnlyAStackWhoseNamedBusExistsIsDeployed(t *testing.T) {
	build(t)
	deployOn := func(t *testing.T, bus string) (map[string]deployment, error) {
		e := startEmulator(t)
		if _, err := eventbridge.NewFromConfig(e.client()).CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: new(namedBus)}); err != nil {
			t.Fatal(err)
		}
		return tryToDeploy(e, map[string]parameters{"named": {
			"ClusterEndpoint":       "https://milvus.example.com",
			"ClusterTokenSecretArn": "arn:aws:secretsmanager:" + region + ":" + account + ":secret:refresh-poller/token-a1B2c3",
			"EventBusName":          bus,
		}})
	}
	if _, err := deployOn(t, "mistyped"); err == nil || !strings.Contains(err.Error(), "Event bus mistyped does not exist") {
		t.Errorf("a bus that does not exist: %v", err)
	}
	created, err := deployOn(t, namedBus)
	if err != nil {
		t.Fatal(err)
	}
	if bus := created["named"].Function.Environment["EVENT_BUS_NAME"]; bus != namedBus {
		t.Errorf("the function publishes on %q", bus)
	}
}

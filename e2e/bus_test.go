//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/laptop/simcluster"
)

// Nothing else finds a mistyped bus: PutEvents answers as if it were there.
func TestOnlyAStackWhoseNamedBusExistsIsDeployed(t *testing.T) {
	t.Parallel()
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

// Two clusters may have jobs of the same id. The patterns are those of
// docs/deploy.md.
func TestTwoStacksOnOneBusAreToldApart(t *testing.T) {
	t.Parallel()
	stacks := deployAll(t, map[string]order{
		"refresh-poller-books":  {"token-books", "token-books", parameters{"EventBusName": namedBus, "EventSource": "refresh-poller.books"}, nil},
		"refresh-poller-orders": {"token-orders", "token-orders", parameters{"EventBusName": namedBus, "EventSource": "refresh-poller.orders"}, nil},
	})
	books, orders := stacks["refresh-poller-books"], stacks["refresh-poller-orders"]
	const refreshes = `"detail-type": ["External Collection Refresh Job State Change"]`
	queues := map[string]string{}
	for name, pattern := range map[string]string{
		"all":              `{"source": [{"prefix": "refresh-poller."}], ` + refreshes + `, "detail": {"terminal": [true]}}`,
		"books":            `{"source": ["refresh-poller.books"], ` + refreshes + `, "detail": {"terminal": [true]}}`,
		"orders' endpoint": fmt.Sprintf(`{%s, "detail": {"clusterEndpoint": [%q], "terminal": [true]}}`, refreshes, orders.cluster.URL),
	} {
		queues[name] = books.catchEvents(t, namedBus, strings.NewReplacer("'", "", " ", "-").Replace(name), pattern)
	}
	books.cluster.Add(simcluster.Job{ID: goodJob})
	orders.cluster.Add(simcluster.Job{ID: goodJob, Fails: "no such object"})
	books.send(t, goodJob)
	orders.send(t, goodJob)
	books.end(t, goodJob)
	orders.end(t, goodJob)

	fromBooks := books.cluster.URL + " RefreshCompleted"
	fromOrders := orders.cluster.URL + " RefreshFailed"
	want := map[string][]string{"all": {fromBooks, fromOrders}, "books": {fromBooks}, "orders' endpoint": {fromOrders}}
	got := map[string][]string{}
	for name, url := range queues {
		for _, m := range books.take(t.Context(), url) {
			var e event
			decode(t, *m.Body, &e)
			got[name] = append(got[name], fmt.Sprint(e.Detail["clusterEndpoint"], " ", e.Detail["state"]))
		}
	}
	for _, ends := range []map[string][]string{want, got} {
		slices.Sort(ends["all"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
	for name, s := range stacks {
		if events := s.caught(goodJob); len(events) != 1 || events[0].Detail["clusterEndpoint"] != s.cluster.URL {
			t.Errorf("%s has published %v", name, events)
		}
		s.afterwards(t)
	}
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// moto has a default VPC with subnets. It makes no rules of what may leave a group:
// internal/tests/stack reads them.
func TestThePrivateNetworkIsDeployed(t *testing.T) {
	e := startEmulator(t)
	describe := func(what, query string, into any) {
		t.Helper()
		if err := json.Unmarshal(stdout(t, e.command("aws", "ec2", what, "--output", "json", "--query", query)), into); err != nil {
			t.Fatal(err)
		}
	}
	var subnets []struct{ SubnetID, VpcID string }
	describe("describe-subnets", "Subnets[:2].{SubnetID: SubnetId, VpcID: VpcId}", &subnets)
	joined := subnets[0].SubnetID + "," + subnets[1].SubnetID

	outputs := e.deployExamples(t, map[string]exampleOrder{"private-network": {account, map[string]any{
		"VpcId": subnets[0].VpcID, "SubnetIds": joined, "ClusterCidr": "172.31.0.0/16", "ResumeWorkflows": "true",
	}}})["private-network"].Outputs
	if outputs["VpcSubnetIds"] != joined || !strings.HasPrefix(outputs["VpcSecurityGroupIds"], "sg-") {
		t.Errorf("outputs %v", outputs)
	}

	var names []string
	describe("describe-vpc-endpoints", "VpcEndpoints[?PrivateDnsEnabled].ServiceName", &names)
	slices.Sort(names)
	var want []string
	for _, service := range []string{"events", "secretsmanager", "sqs", "states"} {
		want = append(want, "com.amazonaws."+region+"."+service)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

package stack

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notThroughTheVPC are services that the roles allow and that the functions' code
// does not call: Lambda itself writes logs and traces, and KMS is called by the
// services whose data it decrypts.
var notThroughTheVPC = []string{"logs", "xray", "kms"}

// endpointServices returns the services that the example's endpoints lead to, without and
// with its condition.
func endpointServices(t *testing.T) (always, withWorkflows []string) {
	t.Helper()
	stack := templateAt(t, "../../../examples/private-network/template.yaml")
	for _, name := range ofType(t, stack, "AWS::EC2::VPCEndpoint") {
		endpoint := at[object](t, stack, "Resources", name)
		var names []string
		walk(at[object](t, endpoint, "Properties")["ServiceName"], func(v any) {
			if text, ok := v.(string); ok && strings.Contains(text, "${AWS::Region}.") {
				names = append(names, text[strings.LastIndexByte(text, '.')+1:])
			}
		})
		switch names = slices.Compact(names); {
		case len(names) != 1:
			t.Errorf("%s leads to %v", name, names)
		case endpoint["Condition"] == "ResumesWorkflows":
			withWorkflows = append(withWorkflows, names[0])
		default:
			always = append(always, names[0])
		}
	}
	slices.Sort(always)
	return always, withWorkflows
}

func TestThePrivateNetworkHasAnEndpointForEachServiceThatTheFunctionsCall(t *testing.T) {
	called := func(role string) (services []string) {
		resources, _ := allowed(t, template(t), role)
		for action := range resources {
			service, _, _ := strings.Cut(action, ":")
			if !slices.Contains(notThroughTheVPC, service) && !slices.Contains(services, service) {
				services = append(services, service)
			}
		}
		slices.Sort(services)
		return services
	}
	always, withWorkflows := endpointServices(t)
	if diff := cmp.Diff(called("PollerRole"), always); diff != "" {
		t.Errorf("endpoints for the poller (-called +there):\n%s", diff)
	}
	// Lambda sends the second function's dead letters.
	resumer := slices.DeleteFunc(called("ResumeRole"), func(service string) bool { return service == "sqs" })
	if diff := cmp.Diff(resumer, withWorkflows); diff != "" {
		t.Errorf("endpoints for the resumer (-called +there):\n%s", diff)
	}
}

func TestThePrivateNetworkLetsTheFunctionsOutToTheClusterAndTheEndpointsOnly(t *testing.T) {
	stack := templateAt(t, "../../../examples/private-network/template.yaml")
	want := []any{
		object{"Description": "The cluster", "IpProtocol": "tcp", "FromPort": ref("ClusterPort"), "ToPort": ref("ClusterPort"), "CidrIp": ref("ClusterCidr")},
		object{"Description": "AWS services", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "DestinationSecurityGroupId": ref("EndpointsSecurityGroup")},
	}
	functions := at[object](t, stack, "Resources", "FunctionsSecurityGroup", "Properties")
	if diff := cmp.Diff(any(want), functions["SecurityGroupEgress"]); diff != "" || functions["SecurityGroupIngress"] != nil {
		t.Errorf("rules of the functions (-want +got):\n%s", diff)
	}
	ingress := at[object](t, stack, "Resources", "EndpointsIngress", "Properties")
	if diff := cmp.Diff(object{
		"Description": "Functions of the refresh poller", "GroupId": ref("EndpointsSecurityGroup"), "IpProtocol": "tcp",
		"FromPort": 443, "ToPort": 443, "SourceSecurityGroupId": ref("FunctionsSecurityGroup"),
	}, ingress); diff != "" {
		t.Errorf("rule of the endpoints (-want +got):\n%s", diff)
	}
	for name, endpoint := range properties(t, stack, "AWS::EC2::VPCEndpoint") {
		got := object{}
		for _, key := range []string{"PrivateDnsEnabled", "SubnetIds", "SecurityGroupIds"} {
			got[key] = endpoint[key]
		}
		if diff := cmp.Diff(object{
			"PrivateDnsEnabled": true, "SubnetIds": ref("SubnetIds"), "SecurityGroupIds": []any{ref("EndpointsSecurityGroup")},
		}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A document that named another set would cost its reader an hour.
func TestTheDocumentOfNetworksNamesTheEndpointsThatThereAre(t *testing.T) {
	named := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^ *\\| `com\\.amazonaws\\.REGION\\.(\\w+)`").FindAllStringSubmatch(document(t, "docs/networks.md"), -1) {
		named[match[1]] = true
	}
	always, withWorkflows := endpointServices(t)
	there := slices.Sorted(slices.Values(append(always, withWorkflows...)))
	if diff := cmp.Diff(there, sortedKeys(named)); diff != "" {
		t.Errorf("endpoints (-there +named):\n%s", diff)
	}
}

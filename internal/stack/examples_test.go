package stack

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The emulator of make e2e has no policies and no retries, so what the examples
// say of them is read here.

// eachExample runs a test of each example's template.
func eachExample(t *testing.T, test func(t *testing.T, stack object)) {
	t.Helper()
	paths, err := filepath.Glob("../../examples/*/template.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("examples: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { test(t, templateAt(t, path)) })
	}
}

// properties returns those of the resources of a type, by logical id.
func properties(t *testing.T, stack object, resourceType string) map[string]object {
	t.Helper()
	found := map[string]object{}
	for name, resource := range at[object](t, stack, "Resources") {
		if resource.(object)["Type"] == resourceType {
			found[name] = at[object](t, resource.(object), "Properties")
		}
	}
	return found
}

func TestTheExamplesRulesMatchOneSourceAndOneDetailType(t *testing.T) {
	eachExample(t, func(t *testing.T, stack object) {
		for name, rule := range properties(t, stack, "AWS::Events::Rule") {
			pattern := at[object](t, rule, "EventPattern")
			for _, key := range []string{"source", "detail-type"} {
				if values, ok := pattern[key].([]any); !ok || len(values) != 1 {
					t.Errorf("%s matches the %s %v", name, key, pattern[key])
				}
			}
		}
	})
}

func TestTheExamplesLoseNoEventThatCanNotBeDelivered(t *testing.T) {
	eachExample(t, func(t *testing.T, stack object) {
		queues := properties(t, stack, "AWS::SQS::Queue")
		for name, rule := range properties(t, stack, "AWS::Events::Rule") {
			for _, target := range at[[]any](t, rule, "Targets") {
				dead := at[object](t, target.(object), "DeadLetterConfig", "Arn")
				retry := at[object](t, target.(object), "RetryPolicy")
				if !slices.ContainsFunc(sortedKeys(queues), func(queue string) bool { return cmp.Equal(dead, attribute(queue, "Arn")) }) {
					t.Errorf("the dead letters of %s go to %v, no queue of the example", name, dead)
				}
				if diff := cmp.Diff(object{"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}, retry); diff != "" {
					t.Errorf("retries of %s (-want +got):\n%s", name, diff)
				}
			}
		}
	})
}

func TestTheExamplesQueuesAreEncryptedAndTakeFromTheirRuleOnly(t *testing.T) {
	eachExample(t, func(t *testing.T, stack object) {
		rules := sortedKeys(properties(t, stack, "AWS::Events::Rule"))
		for queue, settings := range properties(t, stack, "AWS::SQS::Queue") {
			if len(rules) != 1 {
				t.Fatalf("rules %v, not one", rules)
			}
			if settings["SqsManagedSseEnabled"] != true {
				t.Errorf("%s is not encrypted", queue)
			}
			want := []object{{
				"Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
				"Resource":  attribute(queue, "Arn"),
				"Condition": object{"Bool": object{"aws:SecureTransport": "false"}},
			}, {
				"Sid": "AllowTheRule", "Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
				"Resource":  attribute(queue, "Arn"),
				"Condition": object{"ArnEquals": object{"aws:SourceArn": attribute(rules[0], "Arn")}},
			}}
			if diff := cmp.Diff(want, queuePolicy(t, stack, queue)); diff != "" {
				t.Errorf("policy of %s (-want +got):\n%s", queue, diff)
			}
		}
	})
}

func TestTheExamplesRolesReachTheirTargetOnly(t *testing.T) {
	eachExample(t, func(t *testing.T, stack object) {
		for name, role := range properties(t, stack, "AWS::IAM::Role") {
			trust := statements(role["AssumeRolePolicyDocument"])
			if len(trust) != 1 || !cmp.Equal(trust[0]["Condition"], any(object{"StringEquals": object{"aws:SourceAccount": ref("AWS::AccountId")}})) {
				t.Errorf("%s trusts %v", name, trust)
			}
			for _, rule := range properties(t, stack, "AWS::Events::Rule") {
				target := at[[]any](t, rule, "Targets")[0].(object)
				allowed := statements(role["Policies"])
				if len(allowed) != 1 || !cmp.Equal(allowed[0]["Resource"], target["Arn"]) || strings.Contains(allowed[0]["Action"].(string), "*") {
					t.Errorf("%s allows %v", name, allowed)
				}
			}
		}
	})
}

func TestTheOtherAccountMayPutTheseEventsOnly(t *testing.T) {
	bus := at[object](t, templateAt(t, "../../examples/cross-account-receiver/template.yaml"), "Resources", "EventBusPolicy", "Properties")
	want := object{
		"Effect": "Allow", "Action": "events:PutEvents", "Resource": attribute("EventBus", "Arn"),
		"Principal": object{"AWS": object{"Fn::Sub": "arn:${AWS::Partition}:iam::${SenderAccountId}:root"}},
		"Condition": object{"StringEquals": object{
			"events:source":      ref("EventSource"),
			"events:detail-type": "External Collection Refresh Job State Change",
		}},
	}
	if diff := cmp.Diff(want, at[object](t, bus, "Statement")); diff != "" {
		t.Errorf("statement (-want +got):\n%s", diff)
	}
}

func TestEachExampleIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	eachExample(t, func(t *testing.T, _ object) {
		_, name, _ := strings.Cut(t.Name(), "/")
		if !strings.Contains(string(text), "examples/"+name+"/template.yaml") {
			t.Errorf("examples/README.md does not say how to deploy %s", name)
		}
	})
}

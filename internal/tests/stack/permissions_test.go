package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// statements returns every policy statement of a resource, whatever condition
// it depends on.
func statements(resource any) []object {
	var all []object
	walk(resource, func(v any) {
		if document, ok := v.(object); ok && document["Statement"] != nil {
			for _, statement := range list(document["Statement"]) {
				if choice, ok := statement.(object)["Fn::If"].([]any); ok {
					statement = choice[1]
				}
				all = append(all, statement.(object))
			}
		}
	})
	return all
}

func TestNoPolicyAllowsAWildcard(t *testing.T) {
	for name, resource := range at[object](t, template(t), "Resources") {
		for _, statement := range statements(resource) {
			if statement["Effect"] != "Allow" {
				continue
			}
			where := fmt.Sprintf("%s %v", name, statement["Sid"])
			for _, key := range []string{"NotAction", "NotResource", "NotPrincipal"} {
				if statement[key] != nil {
					t.Errorf("%s has %s, which allows all but a few", where, key)
				}
			}
			if statement["Principal"] == "*" {
				t.Errorf("%s allows everybody", where)
			}
			// Neither X-Ray's nor Lambda's network interfaces can be named.
			unnamed := true
			for _, action := range list(statement["Action"]) {
				unnamed = unnamed && (strings.HasPrefix(action.(string), "xray:") || name == "NetworkPolicy")
				if strings.ContainsAny(action.(string), "*?") {
					t.Errorf("%s allows the actions %s", where, action)
				}
			}
			walk(statement["Resource"], func(v any) {
				if text, ok := v.(string); ok && strings.Contains(text, "*") && !unnamed {
					t.Errorf("%s names the resources %s", where, text)
				}
			})
		}
	}
}

// allowed returns what the policies of a role allow: the resources of each
// action, and the condition of those that have one.
func allowed(t *testing.T, stack object, role string) (resources, conditions map[string][]any) {
	t.Helper()
	resources, conditions = map[string][]any{}, map[string][]any{}
	for _, statement := range statements(at[object](t, stack, "Resources", role, "Properties")["Policies"]) {
		for _, action := range list(statement["Action"]) {
			resources[action.(string)] = append(resources[action.(string)], list(statement["Resource"])...)
			if statement["Condition"] != nil {
				conditions[action.(string)] = append(conditions[action.(string)], statement["Condition"])
			}
		}
	}
	return resources, conditions
}

// throughSQS is the condition on the use of the queues' key.
var throughSQS = object{"StringLike": object{"kms:ViaService": "sqs.*"}}

func TestThePollerMayDoWhatItsCodeCallsAndNoMore(t *testing.T) {
	stack := template(t)
	job, dead, secret := attribute("JobQueue", "Arn"), attribute("JobDeadLetterQueue", "Arn"), ref("ClusterTokenSecretArn")
	bus := object{"Fn::If": []any{"CreateEventBus", attribute("EventBus", "Arn"),
		object{"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"}}}
	want := map[string][]any{
		"sqs:ReceiveMessage":            {job},
		"sqs:DeleteMessage":             {job},
		"sqs:GetQueueAttributes":        {job},
		"sqs:SendMessage":               {job, dead},
		"events:PutEvents":              {bus},
		"secretsmanager:GetSecretValue": {secret},
		"kms:Decrypt":                   {ref("KmsKeyArn"), ref("ClusterTokenSecretKmsKeyArn")},
		"kms:GenerateDataKey":           {ref("KmsKeyArn")},
		"logs:CreateLogStream":          {attribute("PollerLogGroup", "Arn")},
		"logs:PutLogEvents":             {attribute("PollerLogGroup", "Arn")},
		"xray:PutTraceSegments":         {"*"},
		"xray:PutTelemetryRecords":      {"*"},
	}
	got, conditions := allowed(t, stack, "PollerRole")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources by action (-want +got):\n%s", diff)
	}
	wantConditions := map[string][]any{
		"events:PutEvents": {object{"StringEquals": object{
			"events:source":      ref("EventSource"),
			"events:detail-type": detailTypes(),
		}}},
		"kms:Decrypt": {throughSQS, object{
			"StringEquals": object{"kms:EncryptionContext:SecretARN": secret},
			"StringLike":   object{"kms:ViaService": "secretsmanager.*"},
		}},
		"kms:GenerateDataKey": {throughSQS},
	}
	if diff := cmp.Diff(wantConditions, conditions); diff != "" {
		t.Errorf("conditions by action (-want +got):\n%s", diff)
	}
}

func TestTheResumerMayAnswerTheNamedWorkflowsAndNoMore(t *testing.T) {
	got, conditions := allowed(t, template(t), "ResumeRole")
	workflows := object{"Fn::Split": []any{",", ref("WorkflowArns")}}
	want := map[string][]any{
		"states:SendTaskSuccess":   {workflows},
		"states:SendTaskFailure":   {workflows},
		"sqs:SendMessage":          {attribute("ResumeDeadLetterQueue", "Arn")},
		"logs:CreateLogStream":     {attribute("ResumeLogGroup", "Arn")},
		"logs:PutLogEvents":        {attribute("ResumeLogGroup", "Arn")},
		"xray:PutTraceSegments":    {"*"},
		"xray:PutTelemetryRecords": {"*"},
		"kms:GenerateDataKey":      {ref("KmsKeyArn")},
		"kms:Decrypt":              {ref("KmsKeyArn")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources by action (-want +got):\n%s", diff)
	}
	wantConditions := map[string][]any{"kms:Decrypt": {throughSQS}, "kms:GenerateDataKey": {throughSQS}}
	if diff := cmp.Diff(wantConditions, conditions); diff != "" {
		t.Errorf("conditions by action (-want +got):\n%s", diff)
	}
}

// Given policies or no role, SAM adds managed policies that allow more.
func TestTheFunctionsHaveNoOtherPermissions(t *testing.T) {
	stack := template(t)
	for functionName, role := range map[string]string{"PollerFunction": "PollerRole", "ResumeFunction": "ResumeRole"} {
		function := at[object](t, stack, "Resources", functionName, "Properties")
		if diff := cmp.Diff(attribute(role, "Arn"), at[object](t, function, "Role")); diff != "" {
			t.Errorf("role of %s (-want +got):\n%s", functionName, diff)
		}
		if function["Policies"] != nil {
			t.Errorf("%s has policies beside its role", functionName)
		}
		if managed := at[object](t, stack, "Resources", role, "Properties")["ManagedPolicyArns"]; managed != nil {
			t.Errorf("%s has managed policies: %v", role, managed)
		}
	}
	if diff := cmp.Diff([]string{"PollerRole", "ResumeRole"}, ofType(t, stack, "AWS::IAM::Role")); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"NetworkPolicy"}, ofType(t, stack, "AWS::IAM::Policy")); diff != "" {
		t.Errorf("policies of roles (-want +got):\n%s", diff)
	}
}

func TestProducersMayOnlyEnqueue(t *testing.T) {
	got := statements(evaluate(t, nil).resources()["EnqueuePolicy"])
	want := []object{{
		"Sid": "EnqueueJobs", "Effect": "Allow",
		"Action":   []any{"sqs:SendMessage", "sqs:GetQueueUrl"},
		"Resource": attribute("JobQueue", "Arn"),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

// A change of its description, name or path would replace the policy, and those
// who have it attached would keep the old one, which can't be deleted then.
func TestTheProducersPolicyIsNeverReplaced(t *testing.T) {
	policy := maps.Clone(at[object](t, template(t), "Resources", "EnqueuePolicy", "Properties"))
	delete(policy, "PolicyDocument")
	frozen := object{"Description": "Allows starting watches of refresh jobs; for the roles of producers."}
	if diff := cmp.Diff(frozen, policy); diff != "" {
		t.Errorf("create-only properties (-want +got):\n%s", diff)
	}
}

func TestTheQueuesRefuseWhatComesWithoutTLS(t *testing.T) {
	stack := template(t)
	for _, queue := range ofType(t, stack, "AWS::SQS::Queue") {
		deny := object{
			"Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
			"Resource":  attribute(queue, "Arn"),
			"Condition": object{"Bool": object{"aws:SecureTransport": "false"}},
		}
		if !slices.ContainsFunc(queuePolicy(t, stack, queue), func(s object) bool { return cmp.Equal(s, deny) }) {
			t.Errorf("no policy of %s denies what comes without TLS", queue)
		}
	}
}

func TestRulesOfTheAccountMaySendToTheJobQueueOnlyAndOneItsDeadLetters(t *testing.T) {
	stack := template(t)
	allow := func(sid, queue string, condition object) []object {
		return []object{{
			"Sid": sid, "Effect": "Allow", "Action": "sqs:SendMessage",
			"Principal": object{"Service": "events.amazonaws.com"},
			"Resource":  attribute(queue, "Arn"),
			"Condition": condition,
		}}
	}
	for queue, want := range map[string][]object{
		"JobQueue":              allow("AllowRulesOfThisAccount", "JobQueue", object{"StringEquals": object{"aws:SourceAccount": ref("AWS::AccountId")}}),
		"JobDeadLetterQueue":    nil,
		"ResumeDeadLetterQueue": allow("AllowDeadLettersOfTheRule", "ResumeDeadLetterQueue", object{"ArnEquals": object{"aws:SourceArn": attribute("ResumeRule", "Arn")}}),
	} {
		allowed := slices.DeleteFunc(queuePolicy(t, stack, queue), func(s object) bool { return s["Effect"] != "Allow" })
		if diff := cmp.Diff(want, allowed); diff != "" && len(want)+len(allowed) > 0 {
			t.Errorf("what %s allows (-want +got):\n%s", queue, diff)
		}
	}
}

// queuePolicy returns the statements of the queue's one policy; SQS keeps but
// the last of several.
func queuePolicy(t *testing.T, stack object, queue string) []object {
	t.Helper()
	var found [][]object
	for _, name := range ofType(t, stack, "AWS::SQS::QueuePolicy") {
		policy := at[object](t, stack, "Resources", name, "Properties")
		if references(policy["Queues"])[queue] {
			found = append(found, statements(policy))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d policies, not one", queue, len(found))
	}
	return found[0]
}

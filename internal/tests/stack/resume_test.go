package stack

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheResumerIsDeployedOnRequestOnly(t *testing.T) {
	stack := template(t)
	if diff := cmp.Diff(object{"Fn::Equals": []any{ref("ResumeWorkflows"), "true"}}, at[object](t, stack, "Conditions", "ResumesWorkflows")); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	for _, section := range []string{"Resources", "Outputs"} {
		for name, entry := range at[object](t, stack, section) {
			condition := entry.(object)["Condition"]
			if ours := strings.HasPrefix(name, "Resume"); ours != (condition == "ResumesWorkflows") {
				t.Errorf("%s is deployed on the condition %v", name, condition)
			}
			for of := range references(entry) {
				// The dashboard's reference is within an If.
				if strings.HasPrefix(of, "Resume") && condition != "ResumesWorkflows" && name != "Dashboard" {
					t.Errorf("%s refers to %s, which may not be there", name, of)
				}
			}
		}
	}
}

func TestTheResumerNeedsTheNamesOfItsWorkflows(t *testing.T) {
	want := object{
		"RuleCondition": object{"Fn::Equals": []any{ref("ResumeWorkflows"), "true"}},
		"Assertions": []any{object{
			"Assert":            object{"Fn::Not": []any{object{"Fn::Equals": []any{ref("WorkflowArns"), ""}}}},
			"AssertDescription": "ResumeWorkflows needs WorkflowArns, the ARNs of the state machines that may be woken",
		}},
	}
	if diff := cmp.Diff(want, at[object](t, template(t), "Rules", "WorkflowsAreNamed")); diff != "" {
		t.Errorf("rule (-want +got):\n%s", diff)
	}
}

func TestTheResumerRunsLikeThePoller(t *testing.T) {
	stack := template(t)
	poller, resumer := at[object](t, stack, "Resources", "PollerFunction"), at[object](t, stack, "Resources", "ResumeFunction")
	if diff := cmp.Diff(poller["Metadata"], resumer["Metadata"]); diff != "" {
		t.Errorf("metadata (-poller +resumer):\n%s", diff)
	}
	want := maps.Clone(at[object](t, poller, "Properties"))
	for _, key := range []string{"Events", "RecursiveLoop"} {
		delete(want, key)
	}
	want["Role"] = attribute("ResumeRole", "Arn")
	logging := maps.Clone(at[object](t, want, "LoggingConfig"))
	logging["LogGroup"] = ref("ResumeLogGroup")
	want["LoggingConfig"] = logging
	want["Environment"] = object{"Variables": object{"LOG_LEVEL": ref("LogLevel")}}
	// What can't be handled is lost to nobody.
	want["EventInvokeConfig"] = object{"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 21600}
	want["DeadLetterQueue"] = object{"Type": "SQS", "TargetArn": attribute("ResumeDeadLetterQueue", "Arn")}
	got := at[object](t, resumer, "Properties")
	want["Description"] = got["Description"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	group := at[object](t, stack, "Resources", "ResumeLogGroup", "Properties")
	if diff := cmp.Diff(object{"RetentionInDays": ref("LogRetentionDays")}, group); diff != "" {
		t.Errorf("log group (-want +got):\n%s", diff)
	}
}

func TestTheResumersRuleTakesTheEndsForWhichAWorkflowWaits(t *testing.T) {
	stack := template(t)
	want := object{
		"EventBusName": busName,
		"EventPattern": object{
			"source": []any{ref("EventSource")}, "detail-type": detailTypes(),
			"detail": object{"terminal": []any{true}, "context": object{"taskToken": []any{object{"exists": true}}}},
		},
		"Targets": []any{object{
			"Id": "resume", "Arn": attribute("ResumeFunction", "Arn"),
			"DeadLetterConfig": object{"Arn": attribute("ResumeDeadLetterQueue", "Arn")},
		}},
	}
	got := maps.Clone(at[object](t, stack, "Resources", "ResumeRule", "Properties"))
	delete(got, "Description")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rule (-want +got):\n%s", diff)
	}
	permission := at[object](t, stack, "Resources", "ResumePermission", "Properties")
	if diff := cmp.Diff(object{
		"Action": "lambda:InvokeFunction", "FunctionName": ref("ResumeFunction"),
		"Principal": "events.amazonaws.com", "SourceArn": attribute("ResumeRule", "Arn"),
	}, permission); diff != "" {
		t.Errorf("permission (-want +got):\n%s", diff)
	}
}

func TestTheRunbookHasEveryLineOfTheResumer(t *testing.T) {
	messages, _ := logged(t, "../../resume", "../../../functions/resume")
	for _, message := range slices.Sorted(maps.Keys(messages)) {
		if !strings.Contains(runbook(t), "`"+message+"`") {
			t.Errorf("the runbook does not say what `%s` means", message)
		}
	}
	if len(messages) < 5 {
		t.Errorf("found but %d messages in internal/resume", len(messages))
	}
}

package stack

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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
	paths, err := filepath.Glob("../../../examples/*/template.yaml")
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
		targets := map[string][]any{}
		for name, rule := range properties(t, stack, "AWS::Events::Rule") {
			targets[name] = at[[]any](t, rule, "Targets")
		}
		for name, schedule := range properties(t, stack, "AWS::Scheduler::Schedule") {
			targets[name] = []any{schedule["Target"]}
		}
		for name, targets := range targets {
			for _, target := range targets {
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
	type role struct {
		service  string
		managed  any
		policies []object
	}
	rule := func(action, target string) role {
		return role{service: "events.amazonaws.com", policies: []object{{"Effect": "Allow", "Action": action, "Resource": ref(target)}}}
	}
	want := map[string]role{
		"completed-to-workflow": rule("states:StartExecution", "Workflow"),
		"cross-account-sender":  rule("events:PutEvents", "ReceiverBusArn"),
		"failures-to-slack":     {service: "chatbot.amazonaws.com"},
		"nightly-refresh": {"scheduler.amazonaws.com", []any{ref("EnqueuePolicyArn")}, []object{{
			"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": attribute("DeadLetterQueue", "Arn"),
		}}},
		"refresh-workflow": {service: "states.amazonaws.com", managed: []any{ref("EnqueuePolicyArn")}},
		"step-functions": {"states.amazonaws.com", []any{ref("EnqueuePolicyArn")}, []object{{
			"Sid": "CallTheRefreshEndpoint", "Effect": "Allow", "Action": "states:InvokeHTTPEndpoint",
			"Resource": object{"Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${AWS::StackName}"},
			"Condition": object{"StringEquals": object{
				"states:HTTPMethod":   "POST",
				"states:HTTPEndpoint": object{"Fn::Sub": "${ClusterEndpoint}/v2/vectordb/jobs/external_collection/refresh"},
			}},
		}, {
			"Sid": "UseTheConnection", "Effect": "Allow", "Action": "events:RetrieveConnectionCredentials",
			"Resource": attribute("Connection", "Arn"),
		}, {
			"Sid": "ReadTheConnectionsSecret", "Effect": "Allow",
			"Action":   []any{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"},
			"Resource": attribute("Connection", "SecretArn"),
		}}},
	}
	found := 0
	eachExample(t, func(t *testing.T, stack object) {
		_, example, _ := strings.Cut(t.Name(), "/")
		for name, got := range properties(t, stack, "AWS::IAM::Role") {
			found++
			want := want[example]
			if diff := cmp.Diff([]object{{
				"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": object{"Service": want.service},
				"Condition": object{"StringEquals": object{"aws:SourceAccount": ref("AWS::AccountId")}},
			}}, statements(got["AssumeRolePolicyDocument"])); diff != "" {
				t.Errorf("who takes %s (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(want.policies, statements(got["Policies"])); diff != "" {
				t.Errorf("what %s allows (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(want.managed, got["ManagedPolicyArns"]); diff != "" {
				t.Errorf("managed policies of %s (-want +got):\n%s", name, diff)
			}
		}
	})
	if found != len(want) {
		t.Errorf("%d roles, not %d", found, len(want))
	}
}

func TestRulesAndAlarmsMayPublishToTheTopicAndUseItsKey(t *testing.T) {
	ofThisAccount := object{"StringEquals": object{"aws:SourceAccount": ref("AWS::AccountId")}}
	policies := map[string][]object{
		"FailedTopicPolicy": {{
			"Sid": "DenyPublishWithoutTls", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": ref("FailedTopic"),
			"Condition": object{"Bool": object{"aws:SecureTransport": "false"}},
		}, {
			"Sid": "AllowRules", "Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"},
			"Action": "sns:Publish", "Resource": ref("FailedTopic"),
		}, {
			"Sid": "AllowAlarms", "Effect": "Allow", "Principal": object{"Service": "cloudwatch.amazonaws.com"},
			"Action": "sns:Publish", "Resource": ref("FailedTopic"), "Condition": ofThisAccount,
		}},
		"TopicKey": {{
			// KMS needs it, or nobody could change the key; it allows what IAM allows.
			"Sid": "LeaveItToIam", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
			"Principal": object{"AWS": object{"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
		}, {
			"Sid": "AllowRulesToEncrypt", "Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"},
			"Action": []any{"kms:GenerateDataKey", "kms:Decrypt"}, "Resource": "*", // the key itself
		}, {
			"Sid": "AllowAlarmsToEncrypt", "Effect": "Allow", "Principal": object{"Service": "cloudwatch.amazonaws.com"},
			"Action": []any{"kms:GenerateDataKey", "kms:Decrypt"}, "Resource": "*", "Condition": ofThisAccount,
		}},
	}
	for _, example := range []string{"failures-to-slack", "failures-to-topic", "nightly-refresh"} {
		resources := at[object](t, templateAt(t, "../../../examples/"+example+"/template.yaml"), "Resources")
		for resource, want := range policies {
			if diff := cmp.Diff(want, statements(at[object](t, resources, resource, "Properties"))); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", resource, example, diff)
			}
		}
		if topic := at[object](t, resources, "FailedTopic", "Properties"); !cmp.Equal(topic["KmsMasterKeyId"], any(ref("TopicKey"))) {
			t.Errorf("the key of %s is %v", example, topic["KmsMasterKeyId"])
		}
		if topics := at[object](t, resources, "FailedTopicPolicy", "Properties")["Topics"]; !cmp.Equal(topics, any([]any{ref("FailedTopic")})) {
			t.Errorf("the policy of %s is of %v", example, topics)
		}
	}
}

// Or CloudFormation would not read a new token. An API key takes no colon, nor do
// user name and password (Amazon EventBridge API Reference,
// CreateConnectionApiKeyAuthRequestParameters), so user:password is BASIC.
func TestTheConnectionsTokenDependsOnTheVersionAndHasNoColon(t *testing.T) {
	secret := func(prefix, key string) object {
		return object{"Fn::Sub": prefix + "{{resolve:secretsmanager:${ClusterTokenSecretArn}:SecretString:" + key + "::${ClusterTokenVersionId}}}"}
	}
	want := object{
		"Description":       "The cluster's token, for the refresh call.",
		"AuthorizationType": ref("Authorization"),
		"AuthParameters": object{"Fn::If": []any{
			"IsBasic",
			object{"BasicAuthParameters": object{"Username": secret("", "username"), "Password": secret("", "password")}},
			object{"ApiKeyAuthParameters": object{"ApiKeyName": "Authorization", "ApiKeyValue": secret("Bearer ", "")}},
		}},
	}
	stack := templateAt(t, "../../../examples/step-functions/template.yaml")
	if diff := cmp.Diff(want, at[object](t, stack, "Resources", "Connection", "Properties")); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
	basic := object{"Fn::Equals": []any{ref("Authorization"), "BASIC"}}
	if diff := cmp.Diff(basic, at[object](t, stack, "Conditions", "IsBasic")); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
}

func TestTheExamplesParametersAreDescribedAndSayWhatTheyMustBe(t *testing.T) {
	eachExample(t, func(t *testing.T, stack object) {
		for name, parameter := range at[object](t, stack, "Parameters") {
			description, _ := parameter.(object)["Description"].(string)
			pattern, _ := parameter.(object)["AllowedPattern"].(string)
			constraint, _ := parameter.(object)["ConstraintDescription"].(string)
			// CloudFormation itself takes no id that is not in the account.
			id := strings.Contains(at[string](t, parameter.(object), "Type"), "AWS::EC2::")
			bounded := id || pattern != "" || slices.ContainsFunc([]string{"MinLength", "MinValue", "AllowedValues"}, func(key string) bool {
				return parameter.(object)[key] != nil
			})
			if description == "" || !bounded || !strings.HasPrefix(constraint, "must be ") {
				t.Errorf("%s has the description %q, pattern %q, constraint %q", name, description, pattern, constraint)
			}
		}
	})
}

func TestTheWorkflowsParametersTakeWhatThePollersStackGives(t *testing.T) {
	stack := templateAt(t, "../../../examples/step-functions/template.yaml")
	pattern := func(parameter string) string { return at[string](t, stack, "Parameters", parameter, "AllowedPattern") }
	if secret := at[string](t, template(t), "Parameters", "ClusterTokenSecretArn", "AllowedPattern"); pattern("ClusterTokenSecretArn") != secret {
		t.Errorf("ClusterTokenSecretArn is %s, the poller's %s", pattern("ClusterTokenSecretArn"), secret)
	}
	for parameter, cases := range map[string]struct{ accept, refuse []string }{
		"ClusterEndpoint": {
			accept: []string{"https://in01-abc.aws-us-west-2.vectordb.zillizcloud.com:19530", "https://a"},
			refuse: []string{"", "http://localhost", "https://a/", "https://a:0", "https://u:p@a", "https://a?b", "https://-"},
		},
		"ClusterTokenVersionId": {
			accept: []string{"", "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111"},
			refuse: []string{"AWSCURRENT", "a1b2c3d4:5678:90ab:cdef:EXAMPLE11111", "}}a1b2c3d4-5678-90ab-cdef-EXAMPLE11111"},
		},
		"JobQueueUrl": {
			accept: []string{"https://sqs.eu-central-1.amazonaws.com/123456789012/refresh-poller-JobQueue-A1b2", "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/jobs"},
			refuse: []string{"", "http://sqs.eu-central-1.amazonaws.com/123456789012/jobs", "arn:aws:sqs:eu-central-1:123456789012:jobs", "https://sqs.eu-central-1.amazonaws.com/jobs"},
		},
		"EnqueuePolicyArn": {
			accept: []string{"arn:aws:iam::123456789012:policy/refresh-poller-EnqueuePolicy-A1b2", "arn:aws-cn:iam::123456789012:policy/team/enqueue"},
			refuse: []string{"", "enqueue", "arn:aws:iam::123456789012:role/enqueue", "arn:aws:iam::123456789012:policy/*"},
		},
	} {
		for _, text := range cases.accept {
			if !allows(pattern(parameter), text) {
				t.Errorf("%s refuses %q", parameter, text)
			}
		}
		for _, text := range cases.refuse {
			if allows(pattern(parameter), text) {
				t.Errorf("%s accepts %q", parameter, text)
			}
		}
	}
}

// workflows are the examples of a workflow that waits, with the state that does.
var workflows = map[string]string{"refresh-workflow": "Refresh", "step-functions": "WaitForEnd"}

func TestTheWorkflowIsGivenTheTextsThatItNames(t *testing.T) {
	for example := range workflows {
		workflow := at[object](t, templateAt(t, "../../../examples/"+example+"/template.yaml"), "Resources", "Workflow", "Properties")
		named := map[string]bool{}
		walk(workflow["Definition"], func(v any) {
			text, _ := v.(string)
			for _, name := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(text, -1) {
				named[name[1]] = true
			}
		})
		if diff := cmp.Diff(sortedKeys(named), sortedKeys(at[object](t, workflow, "DefinitionSubstitutions"))); diff != "" {
			t.Errorf("%s (-named +given):\n%s", example, diff)
		}
	}
}

// A retry by a name that ends of the refresh have too would enqueue an ended job
// again.
func TestTheWorkflowRetriesTheSendingOnly(t *testing.T) {
	want := []any{object{
		"ErrorEquals":     []any{"SQS.SdkClientException", "SQS.AmazonSQSException"},
		"IntervalSeconds": 2, "MaxAttempts": 5, "BackoffRate": 2,
	}}
	for example, state := range workflows {
		stack := templateAt(t, "../../../examples/"+example+"/template.yaml")
		wait := at[object](t, stack, "Resources", "Workflow", "Properties", "Definition", "States", state)
		if diff := cmp.Diff(any(want), wait["Retry"]); diff != "" {
			t.Errorf("retries of %s (-want +got):\n%s", example, diff)
		}
	}
}

// Compared as text, but for the white space: a parser of HCL would be the only use
// of its eight modules.
func TestTheTerraformExampleDoesWhatTheTemplateDoes(t *testing.T) {
	stack := templateAt(t, "../../../examples/refresh-submitted/template.yaml")
	want := object{
		"source": []any{ref("ProducerSource")}, "detail-type": []any{"Refresh submitted"},
		"detail": object{"jobId": []any{object{"exists": true}}},
	}
	if diff := cmp.Diff(want, at[object](t, stack, "Resources", "SubmittedRule", "Properties", "EventPattern")); diff != "" {
		t.Errorf("pattern (-want +got):\n%s", diff)
	}
	terraform := strings.Join(strings.Fields(document(t, "examples/producers/enqueue.tf")), " ")
	for _, part := range []string{
		`event_pattern = jsonencode({ source = [var.producer_source] "detail-type" = ["Refresh submitted"] detail = { jobId = [{ exists = true }] } })`,
		`arn = var.job_queue_arn retry_policy { maximum_event_age_in_seconds = 86400 maximum_retry_attempts = 185 }`,
		`dead_letter_config { arn = aws_sqs_queue.dead_letters.arn }`,
		`sqs_managed_sse_enabled = true message_retention_seconds = 1209600`,
		`queue_url = aws_sqs_queue.dead_letters.url`,
		`{ Sid = "DenyWithoutTls" Effect = "Deny" Principal = "*" Action = "sqs:*" Resource = aws_sqs_queue.dead_letters.arn ` +
			`Condition = { Bool = { "aws:SecureTransport" = "false" } } }`,
		`{ Sid = "AllowTheRule" Effect = "Allow" Principal = { Service = "events.amazonaws.com" } Action = "sqs:SendMessage" ` +
			`Resource = aws_sqs_queue.dead_letters.arn Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.refresh_submitted.arn } } }`,
	} {
		if !strings.Contains(terraform, part) {
			t.Errorf("enqueue.tf lacks %s", part)
		}
	}
	if n := strings.Count(terraform, "Effect ="); n != 2 {
		t.Errorf("enqueue.tf has %d statements", n)
	}
}

func TestTheOtherAccountMayPutTheseEventsOnly(t *testing.T) {
	bus := at[object](t, templateAt(t, "../../../examples/cross-account-receiver/template.yaml"), "Resources", "EventBusPolicy", "Properties")
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

// China and GovCloud have partitions of their own.
func TestNoTemplateOrDocumentNamesAPartition(t *testing.T) {
	templates, err := fs.Glob(os.DirFS("../../.."), "examples/*/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(append(templates, "template.yaml", "examples/producers/enqueue.tf"), markdown(t)...) {
		for number, line := range strings.Split(document(t, path), "\n") {
			if strings.Contains(line, "arn:aws:") {
				t.Errorf("%s:%d: %s", path, number+1, line)
			}
		}
	}
}

func TestEachExampleIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../../examples/README.md")
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

package stack

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	keyARN      = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	boundaryARN = "arn:aws:iam::123456789012:policy/boundary"
)

// allOptions asks for all that the stack makes on request only.
var allOptions = map[string]string{
	"EventArchiveDays": "7", "RegisterSchemas": "true", "Tracing": "Active",
	"ResumeWorkflows": "true", "WorkflowArns": "arn:aws:states:eu-central-1:123456789012:stateMachine:nightly",
	"VpcSubnetIds": "subnet-0123456789abcdef0,subnet-01234567", "VpcSecurityGroupIds": "sg-0123456789abcdef0",
	"PermissionsBoundaryArn": boundaryARN, "RolePath": "/teams/data/", "KmsKeyArn": keyARN,
	"ClusterTokenSecretKmsKeyArn": keyARN,
}

// What an option adds is not in a stack that does not ask for it.
func TestByDefaultTheStackHasThisAndNoMore(t *testing.T) {
	want := map[string]string{
		"PollerFunction": "AWS::Serverless::Function", "PollerRole": "AWS::IAM::Role", "PollerLogGroup": "AWS::Logs::LogGroup",
		"JobQueue": "AWS::SQS::Queue", "JobQueuePolicy": "AWS::SQS::QueuePolicy",
		"JobDeadLetterQueue": "AWS::SQS::Queue", "JobDeadLetterQueuePolicy": "AWS::SQS::QueuePolicy",
		"EnqueuePolicy": "AWS::IAM::ManagedPolicy", "EventBus": "AWS::Events::EventBus",
		"DeadLettersAlarm": "AWS::CloudWatch::Alarm", "OldestMessageAlarm": "AWS::CloudWatch::Alarm",
		"FunctionErrorsAlarm": "AWS::CloudWatch::Alarm", "FunctionThrottlesAlarm": "AWS::CloudWatch::Alarm",
		"PollsWithoutSuccessAlarm": "AWS::CloudWatch::Alarm", "CredentialsRefusedAlarm": "AWS::CloudWatch::Alarm",
		"ConfigurationAlarm": "AWS::CloudWatch::Alarm", "DetectionLagAlarm": "AWS::CloudWatch::Alarm",
		"Dashboard":   "AWS::CloudWatch::Dashboard",
		"OneJobQuery": "AWS::Logs::QueryDefinition", "JobsNotCompletedQuery": "AWS::Logs::QueryDefinition",
		"EndedWatchesQuery": "AWS::Logs::QueryDefinition", "ErrorsByKindQuery": "AWS::Logs::QueryDefinition",
		"RejectedMessagesQuery": "AWS::Logs::QueryDefinition", "SlowWatchesQuery": "AWS::Logs::QueryDefinition",
		"RateLimitQuery": "AWS::Logs::QueryDefinition", "FunctionFailuresQuery": "AWS::Logs::QueryDefinition",
	}
	wantStatements := map[string]string{
		"PollerRole sts:AssumeRole":               "Allow [sts:AssumeRole]",
		"PollerRole ReceiveJobs":                  "Allow [sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes]",
		"PollerRole SendJobs":                     "Allow [sqs:SendMessage]",
		"PollerRole PublishEvents":                "Allow [events:PutEvents]",
		"PollerRole ReadClusterToken":             "Allow [secretsmanager:GetSecretValue]",
		"PollerRole WriteLogs":                    "Allow [logs:CreateLogStream logs:PutLogEvents]",
		"EnqueuePolicy EnqueueJobs":               "Allow [sqs:SendMessage sqs:GetQueueUrl]",
		"JobQueuePolicy DenyWithoutTls":           "Deny [sqs:*]",
		"JobQueuePolicy AllowRulesOfThisAccount":  "Allow [sqs:SendMessage]",
		"JobDeadLetterQueuePolicy DenyWithoutTls": "Deny [sqs:*]",
	}
	got, gotStatements := map[string]string{}, map[string]string{}
	for name, resource := range evaluate(t, nil).resources() {
		got[name] = at[string](t, resource.(object), "Type")
		for _, statement := range statements(resource) {
			sid, ok := statement["Sid"].(string)
			if !ok {
				sid = fmt.Sprint(statement["Action"])
			}
			gotStatements[name+" "+sid] = fmt.Sprintf("%s %v", statement["Effect"], list(statement["Action"]))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantStatements, gotStatements); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

func TestByDefaultNothingIsSetThatAnOptionSets(t *testing.T) {
	for name, resource := range evaluate(t, nil).resources() {
		properties := at[object](t, resource.(object), "Properties")
		for _, key := range []string{"VpcConfig", "PermissionsBoundary", "KmsKeyId", "KmsMasterKeyId", "KmsKeyIdentifier"} {
			if properties[key] != nil {
				t.Errorf("%s has %s: %v", name, key, properties[key])
			}
		}
	}
}

func TestAllOptionsGoTogether(t *testing.T) {
	e := evaluate(t, allOptions)
	if broken := e.broken(); len(broken) > 0 {
		t.Errorf("the rules say %q", broken)
	}
	for name, value := range allOptions {
		if pattern, ok := at[object](t, e.stack, "Parameters", name)["AllowedPattern"].(string); ok && !allows(pattern, value) {
			t.Errorf("%s refuses %q", name, value)
		}
	}
	made := e.resources()
	for name := range at[object](t, e.stack, "Resources") {
		if made[name] == nil && name != "EventBusCheck" { // there is a bus of the stack's own, or a check of another
			t.Errorf("there is no %s", name)
		}
	}
}

func TestSubnetsAndSecurityGroupsNeedEachOther(t *testing.T) {
	const subnets, groups = "subnet-01234567", "sg-01234567"
	for _, tt := range []struct {
		subnets, groups string
		right           bool
	}{{"", "", true}, {subnets, groups, true}, {subnets, "", false}, {"", groups, false}} {
		broken := evaluate(t, map[string]string{"VpcSubnetIds": tt.subnets, "VpcSecurityGroupIds": tt.groups}).broken()
		if tt.right != (len(broken) == 0) {
			t.Errorf("%q and %q: the rules say %q", tt.subnets, tt.groups, broken)
		}
	}
}

func TestBothFunctionsAreInTheVPC(t *testing.T) {
	made := evaluate(t, allOptions).resources()
	want := object{
		"SubnetIds": object{"Fn::Split": []any{",", ref("VpcSubnetIds")}},
		// The text before the slash. What is after it has the functions wait for the policy, which they need to be made.
		"SecurityGroupIds": object{"Fn::Split": []any{",", object{"Fn::Select": []any{0, object{"Fn::Split": []any{"/",
			object{"Fn::Sub": "${VpcSecurityGroupIds}/${NetworkPolicy}"}}}}}}},
	}
	for _, function := range []string{"PollerFunction", "ResumeFunction"} {
		if diff := cmp.Diff(want, at[object](t, made, function, "Properties", "VpcConfig")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", function, diff)
		}
	}
}

// "Giving Lambda functions access to resources in an Amazon VPC" and "Using
// source function ARN to control function access behavior" (Lambda Developer
// Guide): all calls of the code bear the ARN, Lambda's own to EC2 do not.
func TestLambdaMayMakeNetworkInterfacesAndTheCodeMayNot(t *testing.T) {
	want := []object{{
		"Sid": "HaveNetworkInterfaces", "Effect": "Allow", "Resource": "*",
		"Action": []any{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
			"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"},
	}, {
		"Sid": "NotForTheCode", "Effect": "Deny", "Resource": "*", "Action": "ec2:*",
		"Condition": object{"Null": object{"lambda:SourceFunctionArn": "false"}},
	}}
	roles := map[string][]any{"true": {ref("PollerRole"), ref("ResumeRole")}, "false": {ref("PollerRole")}}
	for resumes, roles := range roles {
		options := map[string]string{"VpcSubnetIds": "subnet-01234567", "VpcSecurityGroupIds": "sg-01234567", "ResumeWorkflows": resumes}
		policy := at[object](t, evaluate(t, options).resources(), "NetworkPolicy", "Properties")
		if diff := cmp.Diff(want, statements(policy)); diff != "" {
			t.Errorf("statements (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(roles, at[[]any](t, policy, "Roles")); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
	}
}

func TestEveryRoleHasThePathAndTheBoundary(t *testing.T) {
	made := evaluate(t, allOptions).resources()
	for _, role := range ofType(t, template(t), "AWS::IAM::Role") {
		properties := at[object](t, made, role, "Properties")
		if !cmp.Equal(properties["Path"], any(ref("RolePath"))) || !cmp.Equal(properties["PermissionsBoundary"], any(ref("PermissionsBoundaryArn"))) {
			t.Errorf("%s has the path %v and the boundary %v", role, properties["Path"], properties["PermissionsBoundary"])
		}
	}
}

// encrypted has the property that names the key, by the types of resources that
// keep what jobs and messages say.
var encrypted = map[string]string{
	"AWS::SQS::Queue": "KmsMasterKeyId", "AWS::Logs::LogGroup": "KmsKeyId", "AWS::Events::Archive": "KmsKeyIdentifier",
}

func TestTheKeyEncryptsAllThatIsKept(t *testing.T) {
	made := evaluate(t, allOptions).resources()
	for kind, key := range encrypted {
		for _, name := range ofType(t, template(t), kind) {
			properties := at[object](t, made, name, "Properties")
			if !cmp.Equal(properties[key], any(ref("KmsKeyArn"))) {
				t.Errorf("%s is encrypted with %v", name, properties[key])
			}
			// SQS has one or the other.
			if properties["SqsManagedSseEnabled"] != nil {
				t.Errorf("%s is encrypted by SQS's own key too", name)
			}
		}
	}
}

func TestWhoUsesTheQueuesMayUseTheirKeyThroughSQSOnly(t *testing.T) {
	want := object{
		"Sid": "UseKeyOfQueues", "Effect": "Allow", "Action": []any{"kms:GenerateDataKey", "kms:Decrypt"}, "Resource": ref("KmsKeyArn"),
		"Condition": object{"StringLike": object{"kms:ViaService": "sqs.*"}},
	}
	made := evaluate(t, map[string]string{"KmsKeyArn": keyARN, "ResumeWorkflows": "true"}).resources()
	for _, name := range []string{"PollerRole", "ResumeRole", "EnqueuePolicy"} {
		found := 0
		for _, statement := range statements(made[name]) {
			if cmp.Equal(want, statement) {
				found++
			} else if statement["Resource"] != nil && references(statement["Resource"])["KmsKeyArn"] {
				t.Errorf("%s allows %v", name, statement)
			}
		}
		if found != 1 {
			t.Errorf("%s has the statement %d times", name, found)
		}
	}
}

func TestOnlyAFunctionThatIsTracedMayWriteTraces(t *testing.T) {
	for tracing, want := range map[string]bool{"PassThrough": false, "Active": true} {
		made := evaluate(t, map[string]string{"Tracing": tracing, "ResumeWorkflows": "true"}).resources()
		for _, role := range []string{"PollerRole", "ResumeRole"} {
			may := false
			for _, statement := range statements(made[role]) {
				may = may || statement["Sid"] == "WriteTraces"
			}
			if may != want {
				t.Errorf("%s: %s may write traces: %t", tracing, role, may)
			}
		}
		for _, function := range []string{"PollerFunction", "ResumeFunction"} {
			if got := at[object](t, made, function, "Properties", "Tracing"); !cmp.Equal(got, ref("Tracing")) {
				t.Errorf("%s traces as %v", function, got)
			}
		}
	}
}

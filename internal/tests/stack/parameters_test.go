package stack

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
)

func TestParametersHaveTheirDefaultsAndRanges(t *testing.T) {
	var kinds []any
	for _, kind := range milvus.JobKinds() {
		kinds = append(kinds, string(kind))
	}
	want := map[string]object{
		"ClusterEndpoint":       {"Type": "String"},
		"ClusterTokenSecretArn": {"Type": "String"},
		"JobKind":               {"Type": "String", "Default": string(milvus.ExternalCollection), "AllowedValues": kinds},
		"StartRefreshes":        {"Type": "String", "Default": "false", "AllowedValues": []any{"true", "false"}},
		"EventBusName":          {"Type": "String", "Default": ""},
		"EventSource":           {"Type": "String", "Default": "refresh-poller"},
		"MinPollDelaySeconds":   {"Type": "Number", "Default": 2, "MinValue": 1, "MaxValue": 900},
		"MaxPollDelaySeconds":   {"Type": "Number", "Default": 300, "MinValue": 1, "MaxValue": 900},
		"WatchDeadlineSeconds":  {"Type": "Number", "Default": 86400, "MinValue": 1, "MaxValue": 1209600},
		"NotFoundGraceSeconds":  {"Type": "Number", "Default": 120, "MinValue": 0, "MaxValue": 86400},
		"DescribeRateLimit":     {"Type": "Number", "Default": 20, "MinValue": 0.001},
		"MaximumConcurrency":    {"Type": "Number", "Default": 2, "MinValue": 2, "MaxValue": 1000},
		"PublishProgress":       {"Type": "String", "Default": "false", "AllowedValues": []any{"true", "false"}},
		"AlarmTopicArn":         {"Type": "String", "Default": ""},
		"LogLevel":              {"Type": "String", "Default": "INFO", "AllowedValues": []any{"DEBUG", "INFO", "WARN", "ERROR"}},
		"LogRetentionDays": {"Type": "Number", "Default": 30, "AllowedValues": []any{
			1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}},

		"ClusterTokenSecretKmsKeyArn": {"Type": "String", "Default": ""},
		"EventArchiveDays":            {"Type": "Number", "Default": 0, "MinValue": 0, "MaxValue": 3653},
		"RegisterSchemas":             {"Type": "String", "Default": "false", "AllowedValues": []any{"true", "false"}},
		"ResumeWorkflows":             {"Type": "String", "Default": "false", "AllowedValues": []any{"true", "false"}},
		"WorkflowArns":                {"Type": "String", "Default": ""},
		"BatchingWindowSeconds":       {"Type": "Number", "Default": 0, "MinValue": 0, "MaxValue": 10},
		"Tracing":                     {"Type": "String", "Default": "PassThrough", "AllowedValues": []any{"PassThrough", "Active"}},
		"VpcSubnetIds":                {"Type": "String", "Default": ""},
		"VpcSecurityGroupIds":         {"Type": "String", "Default": ""},
		"PermissionsBoundaryArn":      {"Type": "String", "Default": ""},
		"RolePath":                    {"Type": "String", "Default": "/"},
		"KmsKeyArn":                   {"Type": "String", "Default": ""},
	}
	got := map[string]object{}
	for name, parameter := range at[object](t, template(t), "Parameters") {
		got[name] = object{}
		for key, value := range parameter.(object) {
			if !slices.Contains([]string{"Description", "ConstraintDescription", "AllowedPattern"}, key) {
				got[name][key] = value
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestTheControlPlaneIsAskedForNoRefreshes(t *testing.T) {
	rule := at[object](t, template(t), "Rules", "RefreshesStartOnAClusterOnly")
	want := object{"Fn::Equals": []any{ref("StartRefreshes"), "true"}}
	if diff := cmp.Diff(want, at[object](t, rule, "RuleCondition")); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	want = object{"Fn::Not": []any{object{"Fn::Equals": []any{ref("JobKind"), "cloud"}}}}
	if diff := cmp.Diff(want, at[[]any](t, rule, "Assertions")[0].(object)["Assert"]); diff != "" {
		t.Errorf("assertion (-want +got):\n%s", diff)
	}
}

func TestParametersAreDescribedAndGroupedOnce(t *testing.T) {
	stack := template(t)
	parameters := at[object](t, stack, "Parameters")
	form := at[object](t, stack, "Metadata", "AWS::CloudFormation::Interface")
	grouped := map[string]int{}
	for _, group := range at[[]any](t, form, "ParameterGroups") {
		for _, name := range at[[]any](t, group.(object), "Parameters") {
			grouped[name.(string)]++
		}
	}
	if diff := cmp.Diff(sortedKeys(parameters), sortedKeys(grouped)); diff != "" {
		t.Errorf("grouped parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sortedKeys(parameters), sortedKeys(at[object](t, form, "ParameterLabels"))); diff != "" {
		t.Errorf("labelled parameters (-want +got):\n%s", diff)
	}
	for name, parameter := range parameters {
		if grouped[name] != 1 {
			t.Errorf("%s is in %d groups", name, grouped[name])
		}
		for _, key := range []string{"Description", "ConstraintDescription"} {
			if at[string](t, parameter.(object), key) == "" {
				t.Errorf("%s has no %s", name, key)
			}
		}
	}
}

func TestTheReadmeHasEveryParameter(t *testing.T) {
	rows := strings.Join(regexp.MustCompile("(?m)^\\| `.*? \\|").FindAllString(document(t, "README.md"), -1), "\n")
	for name := range at[object](t, template(t), "Parameters") {
		if !strings.Contains(rows, "`"+name+"`") {
			t.Errorf("no row of README.md's tables begins with %s", name)
		}
	}
}

func TestParametersAndConditionsAreUsed(t *testing.T) {
	stack := template(t)
	used := references([]any{stack["Conditions"], stack["Resources"], stack["Outputs"]})
	for name := range at[object](t, stack, "Parameters") {
		if !used[name] {
			t.Errorf("nothing uses the parameter %s", name)
		}
	}
	conditions := map[string]bool{}
	walk(stack["Resources"], func(v any) {
		if mapping, ok := v.(object); ok {
			if name, ok := mapping["Condition"].(string); ok {
				conditions[name] = true
			}
			if choice, ok := mapping["Fn::If"].([]any); ok {
				conditions[choice[0].(string)] = true
			}
		}
	})
	if diff := cmp.Diff(sortedKeys(at[object](t, stack, "Conditions")), sortedKeys(conditions)); diff != "" {
		t.Errorf("conditions (-declared +used):\n%s", diff)
	}
}

func TestAllowedPatterns(t *testing.T) {
	const (
		arn          = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
		stateMachine = "arn:aws:states:eu-central-1:123456789012:stateMachine:"
	)
	keys := struct{ accept, refuse []string }{
		accept: []string{"", keyARN, "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"},
		refuse: []string{"alias/token", "arn:aws:kms:eu-central-1:123456789012:alias/token", "arn:aws:kms:eu-central-1:123456789012:key/*", keyARN + "," + keyARN},
	}
	for parameter, cases := range map[string]struct{ accept, refuse []string }{
		"ClusterTokenSecretArn": {
			accept: []string{arn + "zilliz/token-a1B2c3", "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:token-AAAAAA"},
			refuse: []string{"", "a-token", arn, arn + "token", arn + "token-a1B2c", arn + "*", "arn:aws:ssm:eu-central-1:123456789012:parameter/token-a1B2c3"},
		},
		"ClusterTokenSecretKmsKeyArn": keys,
		"KmsKeyArn":                   keys,
		"VpcSubnetIds": {
			accept: []string{"", "subnet-0123456789abcdef0", "subnet-01234567,subnet-0123456789abcdef0", strings.Repeat("subnet-01234567,", 15) + "subnet-01234567"},
			refuse: []string{
				"subnet-", "subnet-0123456", "subnet-0123456789abcdef01", "subnet-0123456G", "sg-01234567", "vpc-01234567", "*", ",subnet-01234567", "subnet-01234567,",
				"subnet-01234567, subnet-01234567", "subnet-01234567,,subnet-01234567", "subnet-01234567subnet-01234567", strings.Repeat("subnet-01234567,", 16) + "subnet-01234567",
			},
		},
		"VpcSecurityGroupIds": {
			accept: []string{"", "sg-0123456789abcdef0", "sg-01234567,sg-0123456789abcdef0", strings.Repeat("sg-01234567,", 4) + "sg-01234567"},
			refuse: []string{"sg-", "default", "subnet-01234567", "sg-01234567,", "sg-01234567, sg-01234567", "sg-01234567/x", strings.Repeat("sg-01234567,", 5) + "sg-01234567"},
		},
		"PermissionsBoundaryArn": {
			accept: []string{"", boundaryARN, "arn:aws-cn:iam::123456789012:policy/teams/data/boundary", "arn:aws-us-gov:iam::aws:policy/PowerUserAccess"},
			refuse: []string{"boundary", "arn:aws:iam::123456789012:policy/", "arn:aws:iam::123456789012:policy/*", "arn:aws:iam::123456789012:role/boundary", "arn:aws:iam:us-east-1:123456789012:policy/boundary"},
		},
		"RolePath": {
			accept: []string{"/", "/teams/", "/teams/data-1/a_b.c@d/"},
			refuse: []string{"", "teams", "/teams", "teams/", "//", "/teams//data/", "/two words/", "/*/"},
		},
		"EventBusName": {
			accept: []string{"", "default", "team.orders_1/refresh-jobs"},
			refuse: []string{"arn:aws:events:eu-central-1:123456789012:event-bus/orders", "two words", "*"},
		},
		"EventSource": {
			accept: []string{"refresh-poller", "com.example/refresh", "aws", "awsome.refresh", "my.aws.refresh"},
			refuse: []string{"", "aws.refresh", "aws.", "two words", "${aws:username}", strings.Repeat("a", 257)},
		},
		"WorkflowArns": {
			accept: []string{"", stateMachine + "nightly-refresh", "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:a_b.c," + stateMachine + "b"},
			refuse: []string{
				"nightly-refresh", "*", stateMachine + "*", stateMachine, stateMachine + "nightly:1", stateMachine + strings.Repeat("a", 81),
				stateMachine + "a,", stateMachine + "a, " + stateMachine + "b", "arn:aws:states:eu-central-1:123456789012:activity:nightly",
			},
		},
		"AlarmTopicArn": {
			accept: []string{"", "arn:aws:sns:eu-central-1:123456789012:on-call"},
			refuse: []string{"on-call", "arn:aws:sqs:eu-central-1:123456789012:on-call", "arn:aws:sns:eu-central-1:123456789012:on-call.fifo"},
		},
	} {
		t.Run(parameter, func(t *testing.T) {
			pattern := at[string](t, template(t), "Parameters", parameter, "AllowedPattern")
			for _, text := range cases.accept {
				if !allows(pattern, text) {
					t.Errorf("refuses %q", text)
				}
			}
			for _, text := range cases.refuse {
				if allows(pattern, text) {
					t.Errorf("accepts %q", text)
				}
			}
		})
	}
}

// allows does what CloudFormation does with an AllowedPattern. Its regular
// expressions are Java's; of what Go's lack, the template uses one look-ahead.
func allows(pattern, text string) bool {
	const notAWS = `(?!aws\.)`
	if strings.Contains(pattern, notAWS) && strings.HasPrefix(text, "aws.") {
		return false
	}
	return regexp.MustCompile(strings.Replace(pattern, notAWS, "", 1)).MatchString(text)
}

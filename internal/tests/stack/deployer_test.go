package stack

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// optional are the statements that only a part of the stack needs, by the condition
// of a resource or, with a dot before it, by a property.
var optional = map[string]string{
	"ResumesWorkflows": "OptionalWorkflows", ".EventInvokeConfig": "OptionalWorkflows",
	"ArchiveEvents": "OptionalArchive", "RegisterEventSchema": "OptionalSchemas",
	"InVpc": "OptionalVpc", ".VpcConfig": "OptionalVpc", ".PermissionsBoundary": "OptionalBoundary",
	".KmsKeyId": "OptionalKmsOfLogs", ".KmsKeyIdentifier": "OptionalKmsOfArchive",
}

// deployersPolicy returns the statements of docs/deployer-policy.json with the words
// in it filled in.
func deployersPolicy(t *testing.T) (statements []object) {
	t.Helper()
	text := strings.NewReplacer("PARTITION", "aws", "REGION", "eu-west-1", "ACCOUNT", "123456789012", "STACK", "refresh-poller", "KEY", "1234abcd-12ab-34cd-56ef-1234567890ab").
		Replace(document(t, "docs/deployer-policy.json"))
	var policy struct{ Statement []object }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		t.Fatal(err)
	}
	return policy.Statement
}

// permits reports whether a statement that only asks what the tests of conditions
// ask allows the action on the resource.
func permits(statement object, action, resource string) bool {
	return slices.Contains(list(statement["Action"]), any(action)) && slices.ContainsFunc(list(statement["Resource"]), func(pattern any) bool {
		quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern.(string)), `\*`, ".*")
		return regexp.MustCompile("^" + quoted + "$").MatchString(resource)
	})
}

func TestTheDeployersPolicyAllowsAllThatADeploymentCalls(t *testing.T) {
	policy := deployersPolicy(t)
	want := func(who string, sids []string, needed []grant) {
		t.Helper()
		for _, g := range needed {
			g.each(func(action string) {
				if !slices.ContainsFunc(policy, func(s object) bool {
					sid := s["Sid"].(string)
					return (!strings.HasPrefix(sid, "Optional") || slices.Contains(sids, sid)) && permits(s, action, g.resource)
				}) {
					t.Errorf("%s: no statement but the optional others than %q allows %s on %s", who, sids, action, g.resource)
				}
			})
		}
	}
	want("SAM", nil, ofSAM)
	for name, resource := range at[object](t, template(t), "Resources") {
		resourceType := at[string](t, resource.(object), "Type")
		handler, known := handlers[resourceType]
		if !known {
			t.Errorf("%s is an %s: look up what its handler calls", name, resourceType)
			continue
		}
		condition, _ := resource.(object)["Condition"].(string)
		ofResource := []string{optional[condition]}
		want(name, ofResource, handler.always)
		for property := range at[object](t, resource.(object), "Properties") {
			needed, known := handler.by[property]
			if !known {
				t.Errorf("%s has the property %s: look up what the handler calls for it", name, property)
			}
			want(name+"."+property, append(ofResource, optional["."+property]), needed)
		}
	}
}

func TestTheDeployersPolicyAllowsNothingElse(t *testing.T) {
	needed := map[string][]string{} // resources by action
	note := func(all []grant) {
		for _, g := range all {
			g.each(func(action string) { needed[action] = append(needed[action], g.resource) })
		}
	}
	note(ofSAM)
	for _, handler := range handlers {
		note(handler.always)
		for _, all := range handler.by {
			note(all)
		}
	}
	others := strings.NewReplacer("refresh-poller-books", "payroll", "key/1234abcd", "key/5678cdef")
	everywhere := map[string]bool{}
	for _, statement := range deployersPolicy(t) {
		for _, action := range list(statement["Action"]) {
			if !slices.ContainsFunc(needed[action.(string)], func(resource string) bool { return permits(statement, action.(string), resource) }) {
				t.Errorf("%v allows %s, which no handler calls there", statement["Sid"], action)
			}
			for _, resource := range needed[action.(string)] {
				switch another := others.Replace(resource); {
				case resource == "*":
					everywhere[action.(string)] = true
				case another != resource && permits(statement, action.(string), another) && statement["Condition"] == nil:
					t.Errorf("%v allows %s on %s", statement["Sid"], action, another)
				}
			}
		}
	}
	// Of these IAM knows no resource (Service Authorization Reference), or one that
	// the call does not name.
	if diff := cmp.Diff([]string{
		"cloudwatch:DescribeAlarms", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
		"logs:DeleteQueryDefinition", "logs:DescribeLogGroups", "logs:DescribeQueryDefinitions", "logs:DescribeResourcePolicies", "logs:PutQueryDefinition",
	}, sortedKeys(everywhere)); diff != "" {
		t.Errorf("what it allows everywhere (-want +got):\n%s", diff)
	}
}

func TestTheDeployerPassesRolesToLambdaAndChangesMappingsOfTheFunctionsOnly(t *testing.T) {
	got := map[string]any{}
	for _, statement := range deployersPolicy(t) {
		if statement["Condition"] != nil {
			got[statement["Sid"].(string)] = statement["Condition"]
		}
	}
	want := map[string]any{
		"RolesToLambda": object{"StringEquals": object{"iam:PassedToService": "lambda.amazonaws.com"}},
		"Mapping":       object{"ArnLike": object{"lambda:FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:refresh-poller-*"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

// IAM User Guide, "IAM and AWS STS quotas": white space does not count.
func TestTheDeployersPolicyFitsIntoARoleAndWithoutItsOptionalPartsIntoAManagedPolicy(t *testing.T) {
	size := func(statements []object) int {
		text, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
		if err != nil {
			t.Fatal(err)
		}
		return len(bytes.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, text))
	}
	policy := deployersPolicy(t)
	if n := size(policy); n > 10_240 {
		t.Errorf("it has %d characters, more than 10 240", n)
	}
	base := slices.DeleteFunc(policy, func(s object) bool { return strings.HasPrefix(s["Sid"].(string), "Optional") })
	if n := size(base); n > 6144 {
		t.Errorf("without its optional parts it has %d characters, more than 6144", n)
	}
}

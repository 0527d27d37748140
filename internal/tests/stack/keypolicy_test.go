package stack

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/deploy.md shows what the policy of KmsKeyArn allows AWS's services.
func TestTheKeysPolicyInTheDocsAllowsTheServicesOfAllThatIsEncrypted(t *testing.T) {
	_, section, found := strings.Cut(document(t, "docs/deploy.md"), "### A key of your own\n")
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(section)
	if !found || block == nil {
		t.Fatal("docs/deploy.md has no policy")
	}
	var policy object
	if err := json.Unmarshal([]byte(block[1]), &policy); err != nil {
		t.Fatal(err)
	}
	got := map[string]object{}
	for _, statement := range statements(policy) {
		if principal := at[object](t, statement, "Principal"); principal["Service"] != nil {
			got[statement["Sid"].(string)] = object{"Service": principal["Service"], "Action": statement["Action"], "Condition": statement["Condition"]}
		}
	}
	want := map[string]object{
		"RulesSendToQueues": {
			"Service": "events.amazonaws.com", "Action": []any{"kms:GenerateDataKey", "kms:Decrypt"},
			"Condition": object{"StringEquals": object{"aws:SourceAccount": "ACCOUNT"}},
		},
		"ArchiveLooksAtTheKey": {"Service": "events.amazonaws.com", "Action": "kms:DescribeKey", "Condition": nil},
		"ArchiveKeepsEvents": {
			"Service": "events.amazonaws.com", "Action": []any{"kms:GenerateDataKey", "kms:Decrypt", "kms:ReEncrypt*"},
			"Condition": object{"StringEquals": object{"kms:EncryptionContext:aws:events:event-bus:arn": "arn:PARTITION:events:REGION:ACCOUNT:event-bus/BUS"}},
		},
		"LogGroups": {
			"Service": "logs.REGION.amazonaws.com", "Action": []any{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"},
			"Condition": object{"ArnLike": object{"kms:EncryptionContext:aws:logs:arn": "arn:PARTITION:logs:REGION:ACCOUNT:log-group:STACK-*"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what services may do (-want +got):\n%s", diff)
	}
	// Those types and no more are encrypted with the key; SQS uses it for who calls SQS.
	var types []string
	for _, resource := range at[object](t, template(t), "Resources") {
		if kind := resource.(object)["Type"].(string); references(at[object](t, resource.(object), "Properties"))["KmsKeyArn"] && !strings.HasPrefix(kind, "AWS::IAM::") {
			types = append(types, kind)
		}
	}
	slices.Sort(types)
	if diff := cmp.Diff(sortedKeys(encrypted), slices.Compact(types)); diff != "" {
		t.Errorf("types that are encrypted with the key (-known +template):\n%s", diff)
	}
}

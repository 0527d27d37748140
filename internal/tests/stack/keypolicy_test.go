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
	got := map[string][]string{}
	for _, statement := range statements(policy) {
		if service, ok := at[object](t, statement, "Principal")["Service"].(string); ok {
			for _, action := range list(statement["Action"]) {
				got[service] = append(got[service], action.(string))
			}
		}
	}
	for service := range got {
		slices.Sort(got[service])
		got[service] = slices.Compact(got[service])
	}
	want := map[string][]string{
		"events.amazonaws.com":      {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:ReEncrypt*"},
		"logs.REGION.amazonaws.com": {"kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions by service (-want +got):\n%s", diff)
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

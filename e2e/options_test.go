//go:build e2e

package e2e

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// One stack asks for nothing and one for all. moto forgets tracing and the key of
// a log group; the tests of the template read them there.
func TestTheOptionsOfAStackReachItsResources(t *testing.T) {
	t.Parallel()
	const (
		key      = "arn:aws:kms:" + region + ":" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"
		boundary = "arn:aws:iam::" + account + ":policy/boundary"
	)
	type options struct {
		Subnets, SecurityGroups      []string
		RolePath, Boundary, QueueKey string
		PollerPolicies               []string
		Window                       int
	}
	given := parameters{
		"ClusterEndpoint":       "http://milvus.internal:19530",
		"ClusterTokenSecretArn": "arn:aws:secretsmanager:" + region + ":" + account + ":secret:refresh-poller/token-a1B2c3",
	}
	all := parameters{
		"VpcSubnetIds": "subnet-01234567,subnet-89abcdef", "VpcSecurityGroupIds": "sg-01234567",
		"PermissionsBoundaryArn": boundary, "RolePath": "/teams/data/", "KmsKeyArn": key,
		"BatchingWindowSeconds": "3", "Tracing": "Active", "EventArchiveDays": "7",
		"ResumeWorkflows": "true", "WorkflowArns": "arn:aws:states:" + region + ":" + account + ":stateMachine:nightly",
	}
	for name, value := range given {
		all[name] = value
	}
	build(t)
	e := startEmulator(t)
	created := deploy(t, e, map[string]parameters{"plain": given, "full": all})

	want := map[string]options{
		"plain": {RolePath: "/", PollerPolicies: []string{"poll-jobs"}},
		"full": {
			[]string{"subnet-01234567", "subnet-89abcdef"}, []string{"sg-01234567"}, "/teams/data/", boundary, key,
			[]string{"network-interfaces", "poll-jobs"}, 3,
		},
	}
	got := map[string]options{}
	for name, d := range created {
		o := options{
			RolePath: d.Function.Role.Path, Boundary: d.Function.Role.PermissionsBoundary.PermissionsBoundaryArn,
			PollerPolicies: slices.Sorted(slices.Values(d.Function.Policies)), Window: d.Mapping.MaximumBatchingWindowInSeconds,
		}
		if vpc := d.Function.VpcConfig; vpc != nil {
			o.Subnets, o.SecurityGroups = vpc.SubnetIds, vpc.SecurityGroupIds
		}
		queue, err := sqs.NewFromConfig(e.client()).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: new(d.Outputs["JobQueueUrl"]), AttributeNames: []sqstypes.QueueAttributeName{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.QueueKey = queue.Attributes["KmsMasterKeyId"]
		got[name] = o
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if resumer := created["full"].Resumer; resumer == nil || resumer.VpcConfig == nil || !slices.Contains(resumer.Policies, "network-interfaces") {
		t.Errorf("the resumer is not in the network: %+v", resumer)
	}
}

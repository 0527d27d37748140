package deployed

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

type fakeFormation func() (*cloudformation.DescribeStacksOutput, error)

func (f fakeFormation) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return f()
}

func found(outputs, parameters map[string]string) fakeFormation {
	stack := types.Stack{StackStatus: types.StackStatusUpdateComplete}
	for key, value := range outputs {
		stack.Outputs = append(stack.Outputs, types.Output{OutputKey: &key, OutputValue: &value})
	}
	for key, value := range parameters {
		stack.Parameters = append(stack.Parameters, types.Parameter{ParameterKey: &key, ParameterValue: &value})
	}
	return func() (*cloudformation.DescribeStacksOutput, error) {
		return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{stack}}, nil
	}
}

func TestAStackIsKnownByItsOutputsAndParameters(t *testing.T) {
	outputs := map[string]string{"JobQueueUrl": "https://sqs/jobs", "DeadLetterQueueUrl": "https://sqs/dead", "EventBusName": "b"}
	tests := map[string]struct {
		parameters map[string]string
		want       Stack
	}{
		"with all parameters": {
			map[string]string{"JobKind": "cloud", "LogLevel": "WARN", "ClusterEndpoint": "https://cluster.example/"},
			Stack{"orders", "https://sqs/jobs", "https://sqs/dead", "cloud", "WARN", "https://cluster.example"},
		},
		"of an earlier version": {nil, Stack{"orders", "https://sqs/jobs", "https://sqs/dead", "external_collection", "INFO", ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Find(t.Context(), found(outputs, tt.parameters), "orders", "eu-west-1")
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func TestAStackThatCannotBeReadSaysWhatToCheck(t *testing.T) {
	fails := func(code, message string) fakeFormation {
		return func() (*cloudformation.DescribeStacksOutput, error) {
			return nil, &smithy.OperationError{ServiceID: "CloudFormation", Err: &smithy.GenericAPIError{Code: code, Message: message}}
		}
	}
	tests := map[string]struct {
		api   fakeFormation
		want  string
		final bool
	}{
		"none of that name": {fails("ValidationError", "Stack with id orders does not exist"),
			"there is no stack orders in eu-west-1: check --stack, the region and the account", false},
		"no name of a stack": {fails("ValidationError", "1 validation error detected: Value 'a b' at 'stackName'"),
			"describe stack orders: ValidationError: 1 validation error detected: Value 'a b' at 'stackName'", false},
		"another's stack": {found(map[string]string{"QueueUrl": "x"}, nil),
			"stack orders is UPDATE_COMPLETE and has no output JobQueueUrl: check that it is Refresh Poller's, and deployed to the end", false},
		"not allowed": {fails("AccessDenied", "User: arn:aws:iam::123456789012:user/me is not authorized to perform: cloudformation:DescribeStacks"),
			"describe stack orders: the credentials may not (User: arn:aws:iam::123456789012:user/me is not authorized to perform: cloudformation:DescribeStacks): docs/deploy.md lists what each command needs", true},
		"credentials that have expired": {fails("ExpiredToken", "The security token included in the request is expired"),
			"describe stack orders: AWS refuses the credentials (ExpiredToken): sign in again, or check AWS_PROFILE and this machine's clock", true},
		"a wrong secret key": {fails("SignatureDoesNotMatch", "The Canonical String for this request should have been …"),
			"describe stack orders: AWS refuses the credentials (SignatureDoesNotMatch): sign in again, or check AWS_PROFILE and this machine's clock", true},
		"not reached": {func() (*cloudformation.DescribeStacksOutput, error) { return nil, errors.New("no such host") },
			"describe stack orders: AWS gives no answer: check the region, the network and the sign-in (no such host)", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Find(t.Context(), tt.api, "orders", "eu-west-1")
			if err == nil {
				t.Fatal("found")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" || Final(err) != tt.final {
				t.Errorf("final: %v%s", Final(err), diff)
			}
		})
	}
}

// isolate takes away what may point to an account.
func isolate(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_SESSION_TOKEN": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
}

func TestWithoutRegionOrCredentialsThereIsASentence(t *testing.T) {
	tests := map[string]struct {
		environ map[string]string
		want    string
	}{
		"no region":      {map[string]string{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}, "no AWS region is set: set AWS_REGION, or "},
		"no credentials": {map[string]string{"AWS_REGION": "eu-west-1"}, "there are no AWS credentials: set AWS_PROFILE, or "},
		"no profile":     {map[string]string{"AWS_PROFILE": "nobody"}, "the AWS configuration can't be read: check AWS_PROFILE and ~/.aws/config ("},
		"both":           {map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			for name, value := range tt.environ {
				t.Setenv(name, value)
			}
			_, err := Connect(t.Context())
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheLogGroupIsTheStacks(t *testing.T) {
	group, err := theStack.LogGroup(t.Context(), fakeResource(func(in *cloudformation.DescribeStackResourceInput) (string, error) {
		if *in.StackName != "orders" || *in.LogicalResourceId != "PollerLogGroup" {
			return "", errors.New("another resource")
		}
		return "orders-PollerLogGroup-1", nil
	}))
	if err != nil || group != "orders-PollerLogGroup-1" {
		t.Error(group, err)
	}
}

type fakeResource func(*cloudformation.DescribeStackResourceInput) (string, error)

func (f fakeResource) DescribeStackResource(_ context.Context, in *cloudformation.DescribeStackResourceInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	id, err := f(in)
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: &types.StackResourceDetail{PhysicalResourceId: aws.String(id)}}, err
}

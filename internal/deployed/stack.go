package deployed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"refresh-poller/internal/milvus"
)

// Stack is what the commands need to know of a stack.
type Stack struct {
	Name string
	// JobQueueURL and DeadLetterQueueURL are outputs of the stack.
	JobQueueURL, DeadLetterQueueURL string
	// JobKind, LogLevel and ClusterEndpoint are parameters; the last is as in the
	// events, without a trailing slash.
	JobKind         milvus.JobKind
	LogLevel        string
	ClusterEndpoint string
}

// Find reads a stack's outputs and parameters. The error is one sentence that says
// what to check.
func Find(ctx context.Context, api interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
}, name, region string) (Stack, error) {
	out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if missing(err) || err == nil && len(out.Stacks) == 0 {
		return Stack{}, fmt.Errorf("there is no stack %s in %s: check --stack, the region and the account", name, region)
	}
	if err != nil {
		return Stack{}, explained("describe stack "+name, err)
	}
	stack := out.Stacks[0]
	outputs, parameters := map[string]string{}, map[string]string{}
	for _, o := range stack.Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, p := range stack.Parameters {
		parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	for _, key := range []string{"JobQueueUrl", "DeadLetterQueueUrl"} {
		if outputs[key] == "" {
			return Stack{}, fmt.Errorf("stack %s is %s and has no output %s: check that it is Refresh Poller's, and deployed to the end", name, stack.StackStatus, key)
		}
	}
	return Stack{
		Name:        name,
		JobQueueURL: outputs["JobQueueUrl"], DeadLetterQueueURL: outputs["DeadLetterQueueUrl"],
		// Versions before these parameters had what are now their defaults.
		JobKind:         cmp.Or(milvus.JobKind(parameters["JobKind"]), milvus.ExternalCollection),
		LogLevel:        cmp.Or(parameters["LogLevel"], "INFO"),
		ClusterEndpoint: strings.TrimRight(parameters["ClusterEndpoint"], "/"),
	}, nil
}

// missing reports whether DescribeStacks knows no such stack. It matches text: the
// code is that of every wrong parameter (API reference, DescribeStacks).
func missing(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}

// LogGroup returns the name of the poller's log group.
func (s Stack) LogGroup(ctx context.Context, api interface {
	DescribeStackResource(context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error)
}) (string, error) {
	out, err := api.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &s.Name, LogicalResourceId: aws.String("PollerLogGroup")})
	if err != nil {
		return "", explained("describe PollerLogGroup of stack "+s.Name, err)
	}
	return aws.ToString(out.StackResourceDetail.PhysicalResourceId), nil
}

// Package deployed is a stack of template.yaml in AWS as its user's terminal
// meets it: found by its name, its job queue sent to, its dead letters moved
// back, its log read.
//
// What is shown, and how, is decided elsewhere. The functions don't use it.
package deployed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
)

// callTimeout bounds one attempt of a call; the SDK makes up to three.
const callTimeout = 30 * time.Second

// Connect returns the SDK's configuration, from the environment, the shared files
// or the machine's role. The error is one sentence that says what to check.
func Connect(ctx context.Context) (aws.Config, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callTimeout)))
	switch {
	case err != nil:
		return aws.Config{}, fmt.Errorf("the AWS configuration can't be read: check AWS_PROFILE and ~/.aws/config (%w)", err)
	case c.Region == "":
		return aws.Config{}, errors.New("no AWS region is set: set AWS_REGION, or a profile's region with aws configure")
	}
	if _, err := c.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, fmt.Errorf("there are no AWS credentials: set AWS_PROFILE, or sign in with aws sso login or aws configure (%w)", err)
	}
	return c, nil
}

// signInAgain are the codes by which AWS's services refuse credentials, whatever
// they are for. Their messages may quote the request.
var signInAgain = map[string]bool{
	"ExpiredToken": true, "ExpiredTokenException": true, "InvalidClientTokenId": true, "UnrecognizedClientException": true,
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "InvalidSignatureException": true, "RequestExpired": true,
}

// Final reports whether a call would fail in the same way if it were made again.
func Final(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && (signInAgain[api.ErrorCode()] || denied(api) || strings.Contains(api.ErrorCode(), "NotFound"))
}

func denied(err smithy.APIError) bool {
	return strings.Contains(err.ErrorCode(), "AccessDenied") || strings.Contains(err.ErrorCode(), "NotAuthorized")
}

// explained is what went wrong while doing something in AWS, with what to check.
func explained(doing string, err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	switch {
	case ok && signInAgain[api.ErrorCode()]:
		return &explainedError{doing + ": AWS refuses the credentials (" + api.ErrorCode() + "): sign in again, or check AWS_PROFILE and this machine's clock", err}
	case ok && denied(api):
		return &explainedError{doing + ": the credentials may not (" + api.ErrorMessage() + "): docs/deploy.md lists what each command needs", err}
	case ok:
		return &explainedError{doing + ": " + api.ErrorCode() + ": " + api.ErrorMessage(), err}
	}
	return fmt.Errorf("%s: AWS gives no answer: check the region, the network and the sign-in (%w)", doing, err)
}

// explainedError has a text of its own in the place of the SDK's.
type explainedError struct {
	text  string
	cause error
}

func (e *explainedError) Error() string { return e.text }
func (e *explainedError) Unwrap() error { return e.cause }

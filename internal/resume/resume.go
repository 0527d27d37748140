// Package resume wakes the workflow that waits for a job: the terminal event
// of a watch whose context holds a task token of Step Functions goes back to the
// state machine, as the task's success or failure.
//
// What an event says is decided by internal/poller; which events come here, by
// the rule in the template.
package resume

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"refresh-poller/internal/redact"
)

// Resumer handles events. All fields must be set; it is then safe for concurrent
// use, and made once for the process.
type Resumer struct {
	StepFunctions interface {
		SendTaskSuccess(context.Context, *sfn.SendTaskSuccessInput, ...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error)
		SendTaskFailure(context.Context, *sfn.SendTaskFailureInput, ...func(*sfn.Options)) (*sfn.SendTaskFailureOutput, error)
	}
	Log *slog.Logger
}

// Handle answers the workflow that an EventBridge event is for. An error has
// Lambda invoke it with the event again, and at last put the event into the
// dead-letter queue, so it is returned only where that may help: not for an event
// that can't be read, nor for a task that waits no longer. Neither the error nor
// a log line holds the token.
func (r *Resumer) Handle(ctx context.Context, payload json.RawMessage) error {
	log := r.Log
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		log = log.With("awsRequestId", lc.AwsRequestID)
	}
	a, err := Read(payload)
	log = log.With("kind", a.Kind, "jobId", a.JobID, "watchId", a.WatchID, "eventId", a.EventID, "state", a.State, "outcome", a.Outcome)
	if err != nil {
		log.WarnContext(ctx, "event refused", "reason", err.Error())
		return nil
	}
	switch err := r.send(ctx, a); {
	case err == nil:
		log.InfoContext(ctx, "workflow resumed")
	case gone(err):
		// A duplicate of an event, or a task or its producer that needs mending:
		// the text says which error it is.
		log.WarnContext(ctx, "workflow waits no longer", "error", without(a.Token, err.Error()))
	default:
		text := without(a.Token, err.Error())
		log.ErrorContext(ctx, "workflow not resumed", "error", text)
		return errors.New("resume the workflow: " + text)
	}
	return nil
}

// reserve is what is kept of an invocation, to say that its call failed.
const reserve = time.Second

func (r *Resumer) send(ctx context.Context, a Answer) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	var err error
	if a.Completed {
		_, err = r.StepFunctions.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &a.Token, Output: &a.Output})
	} else {
		_, err = r.StepFunctions.SendTaskFailure(ctx, &sfn.SendTaskFailureInput{TaskToken: &a.Token, Error: &a.Error, Cause: &a.Cause})
	}
	return err
}

// gone reports whether no task waits with the token: it was answered or has timed
// out, its execution has ended, or Step Functions never gave such a token.
func gone(err error) bool {
	_, timedOut := errors.AsType[*types.TaskTimedOut](err)
	_, unknown := errors.AsType[*types.TaskDoesNotExist](err)
	_, invalid := errors.AsType[*types.InvalidToken](err)
	return timedOut || unknown || invalid
}

// without takes the token out of a text of Step Functions, which repeats the
// value of a field that it finds invalid. Where that is cut short, or in another
// form, nothing of the text is left.
func without(token, text string) string {
	text = strings.ReplaceAll(text, token, redact.Values(token, token))
	if redact.Values(text, token) != text {
		return "an error that repeats the task token"
	}
	return text
}

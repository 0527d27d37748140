package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"

	"refresh-poller/internal/laptop/deployed"
	"refresh-poller/internal/milvus"
)

const enqueueHelp = `Start watches of jobs in a deployed stack.

Each job is a line of JSON on stdout: its jobId, and the watchId, which is the
id of the message and what events have as watch.id. The ids are the arguments,
or else the words of the variable JOB_ID. If one is wrong, nothing is sent.` + inAWSHelp + `

The exit status is
  0    all jobs are enqueued
  1    some are not
  2    an argument is wrong
  3    the stack can't be read
  4    the output could not be written: what it lacks may be enqueued
  130  interrupted`

const enqueueExample = `  # Where: the stack
  refresh-poller enqueue --stack refresh-poller 449503829274509313

  # What: jobs of another kind than the stack's, and what events are to carry
  refresh-poller enqueue --stack refresh-poller --kind import \
    --context '{"pipeline": "nightly"}' 449503829274509313 449503829274509314

  # How long: two hours, instead of the stack's WatchDeadlineSeconds
  refresh-poller enqueue --stack refresh-poller --deadline 2h 449503829274509313`

type enqueueOptions struct {
	stack, kind, context string
	deadline             duration
}

func newEnqueue(h host) *cobra.Command {
	var o enqueueOptions
	command := &cobra.Command{
		Use:               "enqueue --stack NAME [flags] JOB_ID…",
		Short:             "Start watches of jobs",
		Long:              enqueueHelp,
		Example:           enqueueExample,
		GroupID:           inAWS.ID,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = strings.Fields(h.environ["JOB_ID"])
			}
			return enqueue(command.Context(), args, o, h)
		},
	}
	stackFlag(command, &o.stack)
	flags := command.Flags()
	flags.StringVar(&o.kind, "kind", "", "the jobs' `KIND`, if not the stack's: "+milvus.KindNames())
	flags.StringVar(&o.context, "context", "", "`JSON` object that every event of the jobs carries, up to 16 KiB")
	flags.Var(&o.deadline, "deadline", "how long at most, as `DURATION` such as 90m, up to 336h, or in seconds")
	flags.Lookup("deadline").DefValue = ""
	completeWith(command, "kind", milvus.JobKinds()...)
	completeWith[string](command, "context")
	completeWith(command, "deadline", "90m", "24h")
	return command
}

// enqueue sends a message for each job, and returns nil if all were sent.
func enqueue(ctx context.Context, args []string, o enqueueOptions, h host) error {
	var ids []string
	for _, id := range args {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if _, err := o.bodies(ids, milvus.JobKind(o.kind)); err != nil && (o.kind != "" || len(ids) == 0) {
		return err // without a kind, the stack's says which ids are right
	}
	if o.context != "" { // with any id
		if _, err := (deployed.Options{Context: json.RawMessage(o.context)}).Bodies([]string{"1"}, milvus.ExternalCollection); err != nil {
			return failure{exitBadArgument, "--" + err.Error()}
		}
	}
	config, stack, err := find(ctx, o.stack)
	if err != nil {
		return err
	}
	bodies, err := o.bodies(ids, cmp.Or(milvus.JobKind(o.kind), stack.JobKind))
	if err != nil {
		return err
	}
	told, refused := 0, 0
	err = stack.Enqueue(ctx, sqs.NewFromConfig(config), bodies, func(i int, messageID string, err error) error {
		told++
		if err != nil {
			refused++
			fmt.Fprintf(h.stderr, "enqueue: job %s is not enqueued: %v\n", ids[i], err)
			return nil
		}
		return writeEnqueued(h.stdout, ids[i], messageID)
	})
	switch _, written := errors.AsType[failure](err); {
	case written:
		return err
	case ctx.Err() != nil && told < len(ids):
		return interrupted
	case err != nil:
		return failure{exitOtherEnd, fmt.Sprintf("not enqueued: %s: %v", strings.Join(ids[told:], " "), err)}
	case refused > 0:
		return failure{status: exitOtherEnd}
	}
	return nil
}

// bodies makes the messages, of jobs of that kind, or says which argument is wrong.
func (o enqueueOptions) bodies(ids []string, kind milvus.JobKind) ([]string, error) {
	options := deployed.Options{Kind: milvus.JobKind(o.kind), Deadline: time.Duration(o.deadline)}
	if o.context != "" {
		options.Context = json.RawMessage(o.context)
	}
	if err := (watchOptions{kind: string(kind)}).check(ids); err != nil {
		return nil, failure{exitBadArgument, err.Error()}
	}
	if !kind.Known() {
		return nil, failure{exitBadArgument, "--kind must be one of " + milvus.KindNames()}
	}
	bodies, err := options.Bodies(ids, kind)
	if err != nil { // the flags have read the others
		return nil, failure{exitBadArgument, "--" + err.Error()}
	}
	return bodies, nil
}

func writeEnqueued(to io.Writer, jobID, watchID string) error {
	line, _ := json.Marshal(struct { // texts always can be
		JobID   string `json:"jobId"`
		WatchID string `json:"watchId"`
	}{jobID, watchID})
	if _, err := fmt.Fprintf(to, "%s\n", line); err != nil {
		return failure{exitNotWritten, err.Error()}
	}
	return nil
}

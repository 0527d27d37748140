package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/spf13/cobra"

	"refresh-poller/internal/deployed"
	"refresh-poller/internal/laptop/screen"
)

const followHelp = `Follow the watches of a deployed stack as they go.

It reads the log of the stack's poller: the last 20 minutes, in which each
running watch has a line, and then what is new, every 2 seconds. On a terminal,
each running watch has a row; elsewhere, each poll is a line on stderr.

Where stdout is no terminal, the end of each watch is a line of JSON on it: the
event, with the same id, as far as the log tells it. The context, the job's
times and its source are in the real one only.

It needs the stack's LogLevel INFO or DEBUG, and goes on until interrupted.` + inAWSHelp + `

The exit status is
  2    an argument is wrong
  3    the stack or its log can't be read
  4    the output could not be written
  130  interrupted`

const followExample = `  refresh-poller follow --stack refresh-poller

  # Ends that were not good, as they come
  refresh-poller follow --stack refresh-poller |
    jq -c 'select(.outcome != "succeeded")'`

// readPause is the time between two reads of the log.
const readPause = 2 * time.Second

func newFollow(h host) *cobra.Command {
	var stack string
	command := &cobra.Command{
		Use:               "follow --stack NAME",
		Short:             "Follow all watches as they go",
		Long:              followHelp,
		Example:           followExample,
		GroupID:           inAWS.ID,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(command *cobra.Command, _ []string) error { return follow(command.Context(), stack, h) },
	}
	stackFlag(command, &stack)
	return command
}

// follow shows the watches of a stack until it is interrupted.
func follow(ctx context.Context, name string, h host) error {
	config, stack, err := find(ctx, name)
	if err != nil {
		return err
	}
	group, err := stack.LogGroup(ctx, cloudformation.NewFromConfig(config))
	if err != nil {
		return unreadable(ctx, err)
	}
	show, err := screen.New(h.stdout, h.stderr)
	if err != nil {
		return failure{exitNotWritten, err.Error()}
	}
	defer show.Close()
	defer context.AfterFunc(ctx, func() { show.Close() })()
	show.Passing()
	show.Note(fmt.Sprintf("The watches of stack %s in the last %.0f minutes, and from now on. Ctrl-C ends it.", stack.Name, deployed.ReadBack.Minutes()))
	if stack.LogLevel == slog.LevelWarn.String() || stack.LogLevel == slog.LevelError.String() {
		show.Note(fmt.Sprintf("Most lines are hidden: the stack's LogLevel is %s. Deploy it with LogLevel=INFO to see every watch.", stack.LogLevel))
	}
	err = followLog(ctx, deployed.NewLog(cloudwatchlogs.NewFromConfig(config), group), stack, show)
	show.Close()
	return err
}

// followLog shows what the log says, again and again.
func followLog(ctx context.Context, log *deployed.Log, stack deployed.Stack, show *screen.Screen) error {
	for first, failed := true, false; ; {
		lines, err := log.Read(ctx)
		switch {
		case err != nil && (first || ctx.Err() != nil || deployed.Final(err)):
			return unreadable(ctx, err)
		case err != nil && !failed:
			show.Note(fmt.Sprintf("%v; it is tried again", err))
		case err == nil && first:
			first = false
			if lines = latest(lines); len(lines) == 0 {
				show.Note("No watch has been polled in that time.")
			}
		}
		failed = err != nil
		for _, line := range lines {
			if show.Enabled(ctx, line.Level) {
				_ = show.Handle(ctx, line.Record()) // which never fails
			}
			event := line.Event(stack.ClusterEndpoint)
			if event == "" {
				continue
			}
			if err := show.Event(screen.Printable(event)); err != nil {
				return failure{exitNotWritten, err.Error()}
			}
		}
		select {
		case <-ctx.Done():
			return interrupted
		case <-time.After(readPause):
		}
	}
}

// latest leaves out the lines of a watch that were followed by another.
func latest(lines []deployed.Line) []deployed.Line {
	last := map[string]int{}
	for i, line := range lines {
		last[line.WatchID] = i
	}
	var left []deployed.Line
	for i, line := range lines {
		if line.WatchID == "" || last[line.WatchID] == i {
			left = append(left, line)
		}
	}
	return left
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"refresh-poller/internal/deployed"
	"refresh-poller/internal/laptop/screen"
)

const redriveHelp = `Move the dead letters of a deployed stack back to its job queue.

It says how many there are and why, asks, and moves them: all, or those whose
reason contains a text. A letter is deleted only once SQS has confirmed that the
job queue has it, so whatever happens none is lost; one may be there twice. What
stays shows to others again at the end, or within half an hour after a run that
was killed.

A letter that was rejected is rejected again unless the poller has changed.` + inAWSHelp + `

The exit status is
  0    all letters that were to be moved are moved, or there was none
  1    some are not, or the answer was no
  2    an argument is wrong, or there is no terminal to ask at
  3    the stack or its queue can't be read
  130  interrupted`

const redriveExample = `  # All of them, after a question
  refresh-poller redrive --stack refresh-poller

  # Those that SQS has moved, and those with an id that was not read
  refresh-poller redrive --stack refresh-poller --reason 'received too often'
  refresh-poller redrive --stack refresh-poller --reason 'jobId has an exponent'

  # In a script
  refresh-poller redrive --stack refresh-poller --yes`

type redriveOptions struct {
	stack, reason string
	yes           bool
}

func newRedrive(h host) *cobra.Command {
	var o redriveOptions
	command := &cobra.Command{
		Use:               "redrive --stack NAME [flags]",
		Short:             "Move dead letters back to the job queue",
		Long:              redriveHelp,
		Example:           redriveExample,
		GroupID:           inAWS.ID,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, _ []string) error {
			return redrive(command.Context(), o, h, os.Stdin)
		},
	}
	stackFlag(command, &o.stack)
	command.Flags().StringVar(&o.reason, "reason", "", "move only letters whose reason contains `TEXT`")
	command.Flags().BoolVar(&o.yes, "yes", false, "move them without a question")
	completeWith(command, "reason", deployed.NotHandled)
	return command
}

// redrive looks at all dead letters, moves those that are wanted and has the others
// show again.
func redrive(ctx context.Context, o redriveOptions, h host, stdin *os.File) error {
	if !o.yes && !term.IsTerminal(int(stdin.Fd())) {
		return failure{exitBadArgument, "there is no terminal to ask at: give --yes to move the letters without a question"}
	}
	config, stack, err := find(ctx, o.stack)
	if err != nil {
		return err
	}
	count := screen.NewCount(h.stderr, "looking ")
	letters, err := stack.Look(ctx, sqs.NewFromConfig(config), count.Show)
	count.Close()
	if err == nil && ctx.Err() == nil {
		err = o.move(ctx, letters, h, stdin)
	} else {
		err = unreadable(ctx, err)
	}
	if late := letters.Release(context.WithoutCancel(ctx)); late != nil {
		fmt.Fprintf(h.stderr, "redrive: %v\n", late)
	}
	return err
}

// move shows the letters, asks, and moves those that are wanted.
func (o redriveOptions) move(ctx context.Context, letters *deployed.Letters, h host, stdin *os.File) error {
	wanted := letters.Match(o.reason)
	fmt.Fprint(h.stderr, o.table(letters, wanted))
	if wanted == 0 {
		return nil
	}
	if !o.yes {
		yes, err := ask(ctx, stdin, h.stderr, fmt.Sprintf("Move %d back to the job queue? [y/N] ", wanted))
		if err != nil {
			return err
		}
		if !yes {
			return failure{exitOtherEnd, "nothing is moved"}
		}
	}
	count := screen.NewCount(h.stderr, "moving ")
	moved, err := letters.Move(ctx, o.reason, func(n int) { count.Show(n, wanted) })
	count.Close()
	fmt.Fprintf(h.stderr, "%d moved to the job queue, %d left\n", moved.Sent, letters.Len()-moved.Sent)
	var faults []string
	if moved.Refused > 0 {
		faults = append(faults, fmt.Sprintf("%d could not be sent: %v", moved.Refused, moved.Cause))
	}
	if moved.Late > 0 {
		faults = append(faults, fmt.Sprintf("%d were looked at too long ago: run it again", moved.Late))
	}
	if moved.Doubled > 0 {
		faults = append(faults, fmt.Sprintf("%d could not be deleted, and are in both queues", moved.Doubled))
	}
	if err != nil {
		faults = append(faults, err.Error())
	}
	switch {
	case faults != nil:
		return failure{exitOtherEnd, strings.Join(faults, "\n")}
	case moved.Sent < wanted:
		return interrupted
	}
	return nil
}

// maxReasons is how many rows the table has at most.
const maxReasons = 20

// table says how many letters there are, and why.
func (o redriveOptions) table(letters *deployed.Letters, wanted int) string {
	var text strings.Builder
	switch n := letters.Len(); n {
	case 0:
		text.WriteString("there are no dead letters\n")
	case 1:
		text.WriteString("1 dead letter:\n")
	default:
		fmt.Fprintf(&text, "%d dead letters:\n", n)
	}
	others := 0
	for i, reason := range letters.Reasons() {
		if i < maxReasons {
			fmt.Fprintf(&text, "%7d  %s\n", reason.Count, screen.Printable(reason.Text))
		} else {
			others += reason.Count
		}
	}
	if others > 0 {
		fmt.Fprintf(&text, "%7d  other reasons\n", others)
	}
	if o.reason != "" && letters.Len() > 0 {
		fmt.Fprintf(&text, "%d with a reason that contains %q\n", wanted, o.reason)
	}
	if letters.Full {
		text.WriteString("there may be more: run it again after this\n")
	}
	if letters.Elsewhere > 0 {
		fmt.Fprintf(&text, "%d more are hidden, by another run or a receive by hand, and show again within %.0f minutes\n", letters.Elsewhere, deployed.Hidden.Minutes())
	}
	return text.String()
}

// ask returns whether the answer to a question is yes.
func ask(ctx context.Context, stdin *os.File, stderr io.Writer, question string) (bool, error) {
	fmt.Fprint(stderr, question)
	answer := make(chan string, 1)
	go func() { // which a signal does not end
		text, _ := bufio.NewReader(stdin).ReadString('\n')
		answer <- text
	}()
	select {
	case text := <-answer:
		return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(text))), nil
	case <-ctx.Done():
		fmt.Fprintln(stderr)
		return false, interrupted
	}
}

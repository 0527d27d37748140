package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"refresh-poller/internal/laptop/screen"
)

// Exit statuses.
const (
	exitCompleted   = 0
	exitOtherEnd    = 1
	exitBadArgument = 2
	exitRefused     = 3 // by the cluster, or what stands in its place
	exitNotWritten  = 4
	exitInterrupted = 130 // the shells' 128 + SIGINT
)

// failure is a command's error that says which status the program ends with. The
// text, of one or more lines, says why.
type failure struct {
	status int
	text   string
}

func (f failure) Error() string { return f.text }

// interrupted ends a command that a signal has called off.
var interrupted = failure{exitInterrupted, "interrupted"}

// host is what whoever started the program gives a command.
type host struct {
	environ        map[string]string
	stdout, stderr *os.File
}

// The groups that help lists the commands in.
var (
	here  = &cobra.Group{ID: "here", Title: "From this terminal:"}
	about = &cobra.Group{ID: "about", Title: "About the program:"}
)

func newRoot(h host) *cobra.Command {
	root := &cobra.Command{
		Use:   "refresh-poller",
		Short: "Tells when jobs of a Milvus or Zilliz Cloud cluster have ended",
		Long: `Tells when jobs of a Milvus or Zilliz Cloud cluster have ended.

Events are JSON lines on stdout, and on a terminal a short text; all else is on
stderr.`,
		SilenceErrors:              true, // run says them
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args: func(root *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(root, args[0])
			}
			return nil
		},
		RunE: func(root *cobra.Command, _ []string) error {
			if asked, _ := root.Flags().GetBool("version"); asked {
				printVersion(root)
				return nil
			}
			root.SetOut(h.stderr)
			_ = root.Help()
			return failure{status: exitBadArgument}
		},
		PersistentPreRunE: func(command *cobra.Command, _ []string) error {
			return readEnvironment(command.Flags(), h.environ)
		},
	}
	root.Flags().BoolP("version", "v", false, "version for refresh-poller")
	root.SetUsageFunc(usage)
	root.SetFlagErrorFunc(flagFailure)
	root.AddGroup(here, inAWS, about)
	root.AddCommand(newWatch(h), newDemo(h), newFollow(h), newEnqueue(h), newRedrive(h), newVersion(), newCompletion())
	root.SetHelpCommand(newHelp())
	return root
}

// run runs the command that args name, and returns the exit status.
func run(ctx context.Context, args []string, h host) int {
	root := newRoot(h)
	stdout := &checkedWriter{to: h.stdout}
	root.SetOut(stdout)
	root.SetErr(h.stderr)
	root.SetArgs(append([]string{}, args...)) // cobra takes nil for os.Args
	command, err := root.ExecuteContextC(ctx)
	if err == nil && stdout.err != nil {
		err = failure{exitNotWritten, stdout.err.Error()}
	}
	if err == nil {
		return exitCompleted
	}
	if text := err.Error(); text != "" {
		who := command.Name() + ": "
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Fprintln(h.stderr, screen.Wrapped(h.stderr, who+line, strings.Repeat(" ", len(who))))
		}
	}
	if f, ok := errors.AsType[failure](err); ok {
		return f.status
	}
	return exitOtherEnd
}

// noCommand is the fault of a name that is no command's. It doesn't repeat the
// name, which may be a credential that a shell has split off.
func noCommand(root *cobra.Command, name string) error {
	text := "there is no such command"
	if like := root.SuggestionsFor(name); len(like) > 0 {
		text += " (did you mean " + strings.Join(like, " or ") + "?)"
	}
	return failure{exitBadArgument, text + ": refresh-poller help lists them"}
}

// noArguments is the Args of a command that takes none.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return failure{exitBadArgument, "it takes no arguments: " + command.CommandPath() + " --help"}
	}
	return nil
}

// checkedWriter remembers that a write failed, which cobra does not tell.
type checkedWriter struct {
	to  io.Writer
	err error
}

func (w *checkedWriter) Write(text []byte) (int, error) {
	n, err := w.to.Write(text)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

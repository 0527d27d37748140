// Command refresh-poller runs the poller on a developer's own machine, on an
// embedded queue and bus: "demo" against a simulated cluster, "watch" against a
// real one. Events go to stdout as JSON lines, all else to stderr.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/caarlos0/env/v11"
)

// Exit statuses.
const (
	exitCompleted   = 0
	exitOtherEnd    = 1
	exitBadArgument = 2
	exitNotWritten  = 4
	exitInterrupted = 130 // the shells' 128 + SIGINT
)

const usage = `usage:
  refresh-poller demo     follow simulated jobs
  refresh-poller watch    follow the job JOB_ID of the cluster CLUSTER_ENDPOINT with CLUSTER_TOKEN,
                          all three environment variables; the template's other parameters may be
                          given as well: MAX_POLL_DELAY_SECONDS=60, PUBLISH_PROGRESS=true, …

Events are JSON lines on stdout; all else is on stderr. The exit status is
  0     the job completed, or the demo's jobs came to the ends that they should
  1     it ended otherwise
  2     an argument is wrong
  4     the output could not be written
  130   interrupted
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal, a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	// Or a write to a reader that left would end the program (os/signal, "SIGPIPE"):
	// without a word if it is an event's, and needlessly if it is to stderr.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], env.ToMap(os.Environ()), os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, environ map[string]string, stdout, stderr *os.File) int {
	command := ""
	if len(args) == 1 {
		command = args[0]
	}
	switch command {
	case "demo":
		return demo(ctx, stdout, stderr)
	case "watch":
		return watchJob(ctx, environ, stdout, stderr)
	case "help", "-h", "-help", "--help":
		if _, err := fmt.Fprint(stdout, usage); err != nil {
			fmt.Fprintf(stderr, "help: %v\n", err)
			return exitNotWritten
		}
		return exitCompleted
	}
	fmt.Fprint(stderr, usage)
	return exitBadArgument
}

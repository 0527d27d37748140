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
	exitInterrupted = 130 // demo's, by the shells' convention
)

const usage = `usage:
  refresh-poller demo     follow simulated jobs
  refresh-poller watch    follow the job JOB_ID of the cluster CLUSTER_ENDPOINT with CLUSTER_TOKEN,
                          all three environment variables; the template's other parameters may be
                          given as well: MAX_POLL_DELAY_SECONDS=60, PUBLISH_PROGRESS=true, …
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal, a second one ends the program at once.
	context.AfterFunc(ctx, stop)
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
		fmt.Fprint(stdout, usage)
		return exitCompleted
	}
	fmt.Fprint(stderr, usage)
	return exitBadArgument
}

// Command refresh-poller runs the poller on a developer's own machine, on an
// embedded queue and bus: "demo" against a simulated cluster, "watch" and "refresh"
// against a real one. Events go to stdout as JSON lines, unless that is a terminal; all else
// goes to stderr.
//
// Each command is a file: its options, their flags, and what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/caarlos0/env/v11"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal, a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	// Or a write to a reader that left would end the program (os/signal, "SIGPIPE"):
	// without a word if it is an event's, and needlessly if it is to stderr.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], host{env.ToMap(os.Environ()), os.Stdout, os.Stderr}))
}

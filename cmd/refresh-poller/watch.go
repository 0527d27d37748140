package main

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"refresh-poller/internal/config"
	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/screen"
	"refresh-poller/internal/secret"
	"refresh-poller/internal/watch"
)

// What to check while the cluster has not shown the job once.
var watchHints = map[milvus.ErrorKind]string{
	milvus.Refused: "The cluster refuses the token: check that CLUSTER_TOKEN is its API key, or user:password, " +
		"and may describe refresh jobs. It is tried again, slowly; Ctrl-C ends the watch.",
	milvus.Misconfigured: "This is not the API: check that CLUSTER_ENDPOINT is the cluster's own endpoint, with its port, " +
		"and that its version has external collections. It is tried again, slowly; Ctrl-C ends the watch.",
	milvus.Temporary: "It is tried again. If this goes on, check that CLUSTER_ENDPOINT is right, and can be reached from here.",
}

func newWatch(h host) *cobra.Command {
	return &cobra.Command{
		Use:     "watch",
		Short:   "Follow a job of a real cluster to its end",
		GroupID: here.ID,
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return watchJob(command.Context(), h) },
	}
}

// watchJob follows one job of a real cluster, and returns nil if it completes.
func watchJob(ctx context.Context, h host) error {
	jobID := h.environ["JOB_ID"]
	c, token, faults := watchConfig(h.environ)
	if len(faults) > 0 {
		return failure{exitBadArgument, strings.Join(faults, "\n")}
	}

	show, err := screen.New(h.stdout, h.stderr)
	if err != nil {
		return failure{exitNotWritten, err.Error()}
	}
	defer show.Close()
	for kind, text := range watchHints {
		show.Hint(kind, text)
	}
	s := newStack(c, token, show)
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer onInterrupt(ctx, show, end)()
	ended := ""
	s.showEvents(show, end, func(detail event.Detail) {
		ended = detail.State
		end()
	})
	go func() { // only a fault of the poller's own brings the message there
		if s.queues.Wait(running, deadLetterQueue) == nil {
			end()
		}
	}()
	s.queues.Send(jobQueue, jobID, 0)
	err = s.run(running)
	lost := show.Close()
	switch {
	case lost != nil:
		return failure{exitNotWritten, lost.Error()}
	case err != nil:
		return err
	case ended == "RefreshCompleted":
		return nil
	case ended != "":
		return failure{status: exitOtherEnd}
	case ctx.Err() != nil:
		return interrupted
	}
	return failure{exitOtherEnd, "given up, the message is in the dead-letter queue"}
}

// onInterrupt ends a run once ctx is done, and before it the screen: what is
// called off needn't be seen to fail.
func onInterrupt(ctx context.Context, show *screen.Screen, end func()) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		show.Close()
		end()
	})
}

// watchConfig returns the configuration and the token, or a sentence for each
// variable that is wrong.
func watchConfig(environ map[string]string) (c config.Config, token string, faults []string) {
	if _, refusal := watch.Parse(environ["JOB_ID"], "JOB_ID", time.Now(), milvus.ExternalCollection); refusal != nil {
		fault, _, _ := strings.Cut(refusal.Error(), ": ")
		faults = append(faults, "JOB_ID: "+strings.Replace(fault, "the body", "it", 1)+
			": give a refresh job's id, a whole number from 1 to 9223372036854775807, written in digits")
	}
	token, err := secret.Parse(environ["CLUSTER_TOKEN"])
	if err != nil {
		faults = append(faults, "CLUSTER_TOKEN: "+err.Error())
	}
	if c, err = loadConfig(environ); err != nil {
		faults = append(faults, strings.Split(asVariables(err.Error()), "\n")...)
	}
	return c, token, faults
}

var parameter = regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b`)

// asVariables puts the variables' names in the place of the parameters' that
// they set: MinPollDelaySeconds becomes MIN_POLL_DELAY_SECONDS.
func asVariables(text string) string {
	return parameter.ReplaceAllStringFunc(text, func(name string) string {
		words := regexp.MustCompile(`[A-Z][a-z]+`).FindAllString(name, -1)
		return strings.ToUpper(strings.Join(words, "_"))
	})
}

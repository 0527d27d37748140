package main

import (
	"context"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/screen"
	"refresh-poller/internal/milvus"
)

const watchHelp = `Follow jobs of a real cluster until all have ended, without AWS.

Each job ends with an event. Events are JSON lines on stdout, and on a terminal
a short text; all else is on stderr. The ids are the arguments, or else the
words of the variable JOB_ID.

A variable in brackets serves where its flag is not given. The settings of a
stack that have no flag are variables too, such as MAX_POLL_DELAY_SECONDS=60,
MIN_POLL_DELAY_SECONDS, NOT_FOUND_GRACE_SECONDS and DESCRIBE_RATE_LIMIT.

The exit status is
  0    all jobs ended well: the outcome of each is "succeeded"
  1    a job ended otherwise, or had not ended when the time was up
  2    an argument is wrong
  3    the cluster refuses the token or is not the API, or TLS fails: at once,
       or after MAX_POLL_DELAY_SECONDS (300) of it once a job has been seen
  4    the output could not be written
  130  interrupted`

const watchExample = `  # Where: the cluster, a file with its API key or user:password, and the CA of
  # its certificate, if that is one of your own
  refresh-poller watch --endpoint https://milvus.example.org:19530 \
    --token-file token --ca-file ca.pem 449503829274509313

  # What: several jobs, of another kind, with an event for each change
  refresh-poller watch --kind import --progress 449503829274509313 \
    449503829274509314

  # How long: two hours, whatever the cluster answers; the events into a file
  refresh-poller watch --timeout 2h --keep-trying 449503829274509313 > events`

type watchOptions struct {
	endpoint, tokenFile, caFile string
	kind                        string
	progress                    bool
	timeout                     duration
	keepTrying                  bool
}

func newWatch(h host) *cobra.Command {
	o := watchOptions{kind: string(milvus.ExternalCollection), timeout: duration(24 * time.Hour)}
	command := &cobra.Command{
		Use:               "watch [flags] JOB_ID…",
		Short:             "Follow jobs of a real cluster until all have ended",
		Long:              watchHelp,
		Example:           watchExample,
		GroupID:           here.ID,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			return watchJobs(command.Context(), args, o, h)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.endpoint, "endpoint", "", "`URL` of the cluster; of Zilliz Cloud's API for --kind cloud")
	flags.StringVar(&o.tokenFile, "token-file", "", "`FILE` with the API key or user:password, or JSON as in a stack's secret [CLUSTER_TOKEN, with what the file holds]")
	flags.StringVar(&o.caFile, "ca-file", "", "`FILE` with CAs in PEM to trust besides the system's")
	flags.StringVar(&o.kind, "kind", o.kind, "`KIND` of the jobs: "+milvus.KindNames())
	flags.BoolVar(&o.progress, "progress", false, "publish an event for each change of state or progress too")
	flags.Var(&o.timeout, "timeout", "the most that a watch takes, a `DURATION` from 1s to 336h, such as 90m, or in seconds")
	flags.BoolVar(&o.keepTrying, "keep-trying", false, "go on where the cluster refuses the token, is not the API, or TLS fails")
	flags.Lookup("timeout").DefValue = "24h"
	bind(flags, "endpoint", "CLUSTER_ENDPOINT")
	bind(flags, "ca-file", "CLUSTER_CA_FILE")
	bind(flags, "kind", "JOB_KIND")
	bind(flags, "progress", "PUBLISH_PROGRESS")
	bind(flags, "timeout", "WATCH_DEADLINE_SECONDS")
	bind(flags, "keep-trying", "KEEP_TRYING")
	completeWith[string](command, "endpoint")
	completeWith(command, "timeout", "90m", "24h")
	completeWith(command, "kind", milvus.JobKinds()...)
	return command
}

// watchJobs follows jobs of a real cluster, and returns nil if all have succeeded.
func watchJobs(ctx context.Context, args []string, o watchOptions, h host) error {
	w, err := o.read(args, h.environ)
	if err != nil {
		return err
	}
	show, err := screen.New(h.stdout, h.stderr)
	if err != nil {
		return failure{exitNotWritten, err.Error()}
	}
	defer show.Close()
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer onInterrupt(ctx, show, end)()
	for kind, text := range hints {
		show.Hint(kind, text)
	}
	r := newReferee(w, show, end)
	s := newStack(w.config, w.token, r, r)
	left := newUnended(w.jobIDs, end)
	s.showEvents(show, end, func(detail event.Detail) { left.ended(detail.JobID, detail.Outcome == milvus.Succeeded) })
	go s.eachDeadLetter(running, func(jobID string) {
		show.Note("job " + jobID + " is given up: its message is in the dead-letter queue")
		left.ended(jobID, false)
	})
	show.Expect(w.jobIDs...)
	for _, id := range w.jobIDs {
		s.queues.Send(jobQueue, messageOf(w.config.JobKind, id), 0)
	}
	err = s.run(running)
	lost := show.Close()
	switch all, succeeded := left.all(); {
	case lost != nil:
		return failure{exitNotWritten, lost.Error()}
	case err != nil:
		return err
	case all && succeeded:
		return nil
	case all:
		return failure{status: exitOtherEnd}
	case r.verdict() != "":
		return failure{exitRefused, r.verdict()}
	}
	return interrupted
}

// onInterrupt ends a run once ctx is done, and before it the screen: what is
// called off needn't be seen to fail.
func onInterrupt(ctx context.Context, show *screen.Screen, end func()) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		show.Close()
		end()
	})
}

// unended are the jobs whose watches have not ended.
type unended struct {
	mu        sync.Mutex
	jobs      map[string]bool
	succeeded bool
	end       func()
}

// newUnended has end called once all have ended.
func newUnended(jobIDs []string, end func()) *unended {
	u := &unended{jobs: map[string]bool{}, succeeded: true, end: end}
	for _, id := range jobIDs {
		u.jobs[id] = true
	}
	return u
}

func (u *unended) ended(jobID string, succeeded bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.jobs, jobID)
	u.succeeded = u.succeeded && succeeded
	if len(u.jobs) == 0 {
		u.end()
	}
}

// all reports whether all have ended, and whether none did otherwise than well.
func (u *unended) all() (all, succeeded bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.jobs) == 0, u.succeeded
}

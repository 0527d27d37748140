package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

const refreshHelp = `Start refreshes of external collections, and follow them until all have ended,
without AWS.

A refresh is started after about 4 seconds: only then can it be told from an
earlier one. If another runs by then that began before, its end is awaited
first. One that another has started meanwhile is followed instead. Each
collection ends with an event, as each job of watch does.

If interrupted, what was started runs on in the cluster.

A variable in brackets serves where its flag is not given. More variables are as
of watch.

The exit status is
  0    all refreshes have completed
  1    one ended otherwise, was not started because the cluster refused it for
       good, or had not ended when the time was up
  2    an argument is wrong
  3    the cluster refuses the token or is not the API, or TLS fails: at once,
       or after MAX_POLL_DELAY_SECONDS (300) of it once it has answered
  4    the output could not be written
  130  interrupted`

const refreshExample = `  # Where: the cluster, a file with its API key or user:password, and the CA of
  # its certificate, if that is one of your own
  refresh-poller refresh --endpoint https://milvus.example.org:19530 \
    --token-file token --ca-file ca.pem ext_books

  # What: two collections of a database, with an event for each change
  refresh-poller refresh --database library --progress ext_books ext_authors

  # How long: usually 10 minutes, and two hours at most, whatever the cluster
  # answers; the events into a file
  refresh-poller refresh --expect 10m --timeout 2h --keep-trying \
    ext_books > events`

func newRefresh(h host) *cobra.Command {
	o := watchOptions{kind: string(milvus.ExternalCollection), starts: true}
	command := &cobra.Command{
		Use:     "refresh [flags] COLLECTION…",
		Short:   "Start refreshes, and follow them until all have ended",
		Long:    refreshHelp,
		Example: refreshExample,
		RunE: func(command *cobra.Command, args []string) error {
			return watchAll(command.Context(), args, o, h)
		},
	}
	o.addFlags(command, func(flags *pflag.FlagSet) {
		flags.StringVar(&o.database, "database", "", "`NAME` of the collections' database, if not the default one")
		bind(flags, "database", "CLUSTER_DATABASE")
		completeWith[string](command, "database")
	})
	return command
}

// leaving adds to the failure of a run, where it starts refreshes, a sentence on what
// goes on in the cluster.
func (r *referee) leaving(f failure, left *unended, s *stack) failure {
	if !r.plan.starts {
		return f
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var jobIDs []string
	unknown := false
	for _, m := range s.queues.Messages(jobQueue) {
		message, _ := watch.Parse(m.Body, m.ID, time.Now(), milvus.ExternalCollection)
		w := message.Watch
		started, asked := r.started[message.Refresh.Name]
		if w.Started.IsZero() { // or the queue knows it better
			w.JobID = cmp.Or(w.JobID, started)
		}
		switch {
		case left.name(w.ID) == "" || slices.Contains(jobIDs, w.JobID):
		case w.JobID != "":
			jobIDs = append(jobIDs, w.JobID)
		case asked:
			unknown = true
		}
	}
	if text := runsOn(jobIDs, unknown); text != "" {
		f.text += "\n" + text
	} else if f == interrupted {
		f.text += "\nno refresh that was started here runs on in the cluster"
	}
	return f
}

// runsOn tells of jobs, and whether there may be others, or is "".
func runsOn(jobIDs []string, unknown bool) string {
	text := ""
	switch watch := "in the cluster: refresh-poller watch " + strings.Join(jobIDs, " "); {
	case len(jobIDs) == 1:
		text = "the refresh runs on " + watch + " follows it"
	case len(jobIDs) > 1:
		text = "the refreshes run on " + watch + " follows them"
	case unknown:
		return "a refresh may have been started, whose job id is not known"
	}
	if unknown {
		text += "; another may have been started, whose job id is not known"
	}
	return text
}

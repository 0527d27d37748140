package main

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"refresh-poller/internal/ledger"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/poller"
	"refresh-poller/internal/simcluster"
	"refresh-poller/internal/watch"
)

// fork is how a watch comes to have two chains of polls: a message is polled a
// second time.
type fork struct {
	name string
	// after is how long after the first time.
	after time.Duration
	// crash is whether the execution that sent it on died, memory and all.
	crash bool
}

var forks = []fork{
	{name: "delivered twice"},
	{name: "sent on, then a crash", after: 190 * time.Second, crash: true}, // the template's visibility timeout
}

// forked is what became of one watch that forked.
type forked struct {
	polls, ends int
	lasted      time.Duration
}

type chain struct {
	message watch.Message
	at      time.Duration // the age of the job at its next poll
}

// followForked follows a job whose watch forks at one of its polls, on so many
// executions; with 0, none remembers anything. Which of them gets a message is
// chance, for how Lambda chooses isn't told; that two chains also end where they
// meet in one batch is left out.
func followForked(job simcluster.Job, forkAt int, f fork, executions int, random *rand.Rand) (out forked) {
	memories := make([]*ledger.Ledger, executions)
	for i := range memories {
		memories[i] = &ledger.Ledger{}
	}
	message := watch.Message{Kind: milvus.ExternalCollection, JobID: job.ID, Watch: watch.State{ID: "watch-" + job.ID, Since: enqueued}}
	origin := ledger.OriginOf(message)
	chains, began := []chain{{message: message}}, time.Duration(-1)
	for len(chains) > 0 {
		slices.SortStableFunc(chains, func(a, b chain) int { return cmp.Compare(a.at, b.at) })
		c, memory := chains[0], &ledger.Ledger{}
		forks := began < 0 && out.polls == forkAt
		if executions > 0 {
			i := random.IntN(executions)
			memory = memories[i]
			if forks && f.crash {
				memories[i] = &ledger.Ledger{}
			}
		}
		if forks {
			began = c.at + f.after
			chains = append(chains, chain{c.message, began})
		}
		if !memory.Behind(origin, c.message.Watch.Polls) {
			out.polls++
			d := poller.Decide(settings, c.message, describe(job, c.at), enqueued.Add(c.at))
			if d.Action == poller.Reenqueue {
				chains[0] = chain{d.Next, c.at + d.Delay}
				memory.Sent(origin, d.Next.Watch.Polls)
				continue
			}
			out.ends++
			memory.Ended(origin)
		}
		if chains = chains[1:]; len(chains) == 1 {
			out.lasted = max(c.at-began, 0)
		}
	}
	return out
}

// forkCost is what a fork costs in the mean over a set of jobs.
type forkCost struct {
	extraPolls float64
	// twoEnds is the part of the watches with a second terminal event.
	twoEnds float64
	// lasted is how long each watch had two chains, sorted, in seconds.
	lasted []float64
}

func measureForks(s set, f fork, executions int) (out forkCost) {
	random := rand.New(rand.NewPCG(3, uint64(executions)))
	alone := ours("ours", 0)
	for _, job := range s.jobs {
		polls, _ := alone.follow(job)
		got := followForked(job, random.IntN(polls), f, executions, random)
		out.extraPolls += float64(got.polls-polls) / float64(len(s.jobs))
		out.twoEnds += float64(got.ends-1) / float64(len(s.jobs))
		out.lasted = append(out.lasted, got.lasted.Seconds())
	}
	slices.Sort(out.lasted)
	return out
}

func printForks(out io.Writer, s set) {
	const columns = "%-24s %14s %13s %12s %11s %11s\n"
	fmt.Fprintf(out, "%s: each watch forks once\n", s.name)
	fmt.Fprintf(out, columns, "", "executions", "more polls", "two ends", "mean, s", "p95, s")
	for _, f := range forks {
		for _, executions := range []int{0, 2, 10} {
			who := fmt.Sprint(executions)
			if executions == 0 {
				who = "no memory"
			}
			c := measureForks(s, f, executions)
			fmt.Fprintf(out, columns, f.name, who, digits(c.extraPolls), digits(100*c.twoEnds)+" %", digits(mean(c.lasted)), digits(p95(c.lasted)))
		}
	}
	fmt.Fprintln(out)
}

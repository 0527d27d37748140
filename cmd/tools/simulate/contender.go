package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/poller"
	"refresh-poller/internal/watch"
)

// settings are the template's defaults.
var settings = poller.Settings{
	MinDelay: 2 * time.Second, MaxDelay: 300 * time.Second,
	Deadline: 24 * time.Hour, Grace: 120 * time.Second,
	ClusterEndpoint: "https://cluster.example",
}

// enqueued is when every job starts.
var enqueued = time.UnixMilli(1712832000000).UTC()

// contender follows one job: it returns how many polls it made, and the age of
// the job at the last, which saw its end.
type contender struct {
	name   string
	follow func(simcluster.Job) (polls int, seen time.Duration)
}

// ours is the poller at a pace: its decision, on what it read and remembers, in
// a loop without a queue between.
func ours(name string, pace float64) contender {
	return oursBy(name, func(s *poller.Settings) { s.Pace = pace }, noHint)
}

// oursBy is the poller with other settings and with its producers' hints.
func oursBy(name string, change func(*poller.Settings), h hint) contender {
	settings := settings
	change(&settings)
	return contender{name, func(job simcluster.Job) (int, time.Duration) {
		m := watch.Message{
			Kind: milvus.ExternalCollection, JobID: job.ID, Expected: h(job),
			Watch: watch.State{ID: "watch-" + job.ID, Since: enqueued},
		}
		for age := time.Duration(0); ; {
			d := poller.Decide(settings, m, describe(job, age), enqueued.Add(age))
			if d.Action == poller.Publish {
				return d.Next.Watch.Polls, age
			}
			m = d.Next
			age += d.Delay
		}
	}}
}

func describe(job simcluster.Job, age time.Duration) poller.Answer {
	state, progress, _ := job.At(age)
	return poller.Answer{Job: milvus.Job{State: state, Outcome: milvus.ExternalCollection.Outcome(state), Progress: &progress, StartTime: enqueued}}
}

// chance is the same for the same job and salt.
func chance(job simcluster.Job, salt uint64) *rand.Rand {
	id := fnv.New64a()
	id.Write([]byte(job.ID))
	return rand.New(rand.NewPCG(id.Sum64(), salt))
}

// hint is how long a producer expects a job to run; 0 if it does not say.
type hint func(simcluster.Job) time.Duration

func noHint(simcluster.Job) time.Duration { return 0 }

// hints are off by up to 30 % either way, and some of them wrong by anything from
// a second to 14 days.
func hints(wrong float64) hint {
	return func(job simcluster.Job) time.Duration {
		random := chance(job, 1)
		fair := job.RunsFor.Seconds() * (0.7 + 0.6*random.Float64())
		if random.Float64() < wrong {
			fair = math.Exp(random.Float64() * math.Log(watch.MaxDeadline.Seconds()))
		}
		return time.Duration(max(fair, 1)) * time.Second
	}
}

// former is the schedule of version 0.2, at its template's defaults: the root of
// the age up to half of it, and half the way to an end that progress predicts.
func former(pace float64) contender {
	return contender{"version 0.2", func(job simcluster.Job) (int, time.Duration) {
		random := chance(job, 2)
		var age, seen time.Duration
		before := 0
		for polls := 1; ; polls++ {
			if age >= job.RunsFor {
				return polls, age
			}
			_, progress, _ := job.At(age)
			seconds := pace * math.Sqrt(age.Seconds()*(1-0.85*float64(progress)/100))
			if progress > before {
				left := float64(100-progress) / float64(progress-before) * (age - seen).Seconds()
				seconds = max(seconds/2, min(left, seconds), left/2)
			}
			seconds = min(seconds, age.Seconds()/2, 300)
			seconds = min(math.Ceil(seconds*(1-0.1*random.Float64())), math.Floor(min(age.Seconds()/2, 300)))
			before, seen = progress, age
			age += time.Duration(max(seconds, 5)) * time.Second
		}
	}}
}

// fixed polls at an interval.
func fixed(interval time.Duration) contender {
	return intervals(fmt.Sprintf("fixed %d s", int(interval.Seconds())), interval, 1, interval)
}

// intervals polls at intervals, in whole seconds, that grow by a factor up to
// the longest. They have no bounds but these.
func intervals(name string, interval time.Duration, factor float64, longest time.Duration) contender {
	return drawn(name, interval, factor, longest, func(least, most float64, _ *rand.Rand) float64 { return most })
}

// drawn polls at intervals that are drawn between none, or the first of them,
// and one that grows by a factor up to the longest.
func drawn(name string, first time.Duration, factor float64, longest time.Duration, draw func(first, most float64, random *rand.Rand) float64) contender {
	return contender{name, func(job simcluster.Job) (int, time.Duration) {
		polls, age, most, random := 1, time.Duration(0), first.Seconds(), chance(job, 3)
		for age < job.RunsFor {
			age += time.Duration(max(draw(first.Seconds(), most, random), 1)) * time.Second
			most = min(math.Floor(most*factor*1e9)/1e9, longest.Seconds())
			polls++
		}
		return polls, age
	}}
}

const noLongest = math.MaxInt64 * time.Nanosecond

// peers are what others poll with unless told otherwise. None of their limits of
// attempts is kept, for it would lose jobs.
func peers() []contender {
	return []contender{
		// aws/smithy-go, waiter/waiter.go, with the least and the longest delay that
		// Smithy gives a waiter ("Waiters", smithy.io): 2 s and 120 s.
		drawn("AWS waiter", 2*time.Second, 2, 120*time.Second, func(first, most float64, random *rand.Rand) float64 {
			return first + math.Floor(random.Float64()*(most-first))
		}),
		// Developer Guide, "Handling errors in Step Functions workflows": IntervalSeconds 1,
		// BackoffRate 2.0, no MaxDelaySeconds, no jitter.
		intervals("Step Functions", time.Second, 2, noLongest),
		// Encyclopedia, "What is a Temporal Retry Policy?": 1 s, 2.0, 100 times the first.
		intervals("Temporal", time.Second, 2, 100*time.Second),
		// aws/aws-durable-execution-sdk-go, durable/wait_strategy.go: 5 s, 1.5, 5 min, full
		// jitter in whole seconds.
		drawn("WaitForCondition", 5*time.Second, 1.5, 300*time.Second, func(_, most float64, random *rand.Rand) float64 {
			return math.Round(random.Float64() * most)
		}),
	}
}

// oracle knows when the job ends.
func oracle() contender {
	return contender{"oracle", func(job simcluster.Job) (int, time.Duration) { return 1, job.RunsFor }}
}

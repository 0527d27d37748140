package main

import (
	"fmt"
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
	settings := settings
	settings.Pace = pace
	return contender{name, func(job simcluster.Job) (int, time.Duration) {
		m := watch.Message{Kind: milvus.ExternalCollection, JobID: job.ID, Watch: watch.State{ID: "watch-" + job.ID, Since: enqueued}}
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

// fixed polls at an interval.
func fixed(interval time.Duration) contender {
	return intervals(fmt.Sprintf("fixed %d s", int(interval.Seconds())), interval, 1, interval)
}

// intervals polls at intervals, in whole seconds, that grow by a factor up to
// the longest. They have no bounds but these.
func intervals(name string, interval time.Duration, factor float64, longest time.Duration) contender {
	return contender{name, func(job simcluster.Job) (int, time.Duration) {
		polls, age, interval := 1, time.Duration(0), interval
		for age < job.RunsFor {
			age += interval
			interval = min(time.Duration(float64(interval)*factor).Truncate(time.Second), longest)
			polls++
		}
		return polls, age
	}}
}

// oracle knows when the job ends.
func oracle() contender {
	return contender{"oracle", func(job simcluster.Job) (int, time.Duration) { return 1, job.RunsFor }}
}

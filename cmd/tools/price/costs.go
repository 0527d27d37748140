package main

import "math"

// What every figure assumes.
const (
	seconds, gb = 0.3, 0.125 // of an invocation
	// stateBytes is what a durable function writes of each poll: a state and a
	// progress.
	stateBytes = 100
	// alarmed is how many metrics the stack's alarms are on.
	alarmed = 10
	// environments read the secret every five minutes: those of MaximumConcurrency.
	environments, readsPerHour = 2, 12
	// emptyReceives are what Lambda makes of an empty queue: it waits 20 s in each,
	// in five at a time.
	emptyReceives = 5 * 3 * 60 * hoursPerMonth
)

// poll is one of the polls of an invocation, in dollars.
type poll struct {
	batch   float64
	written written
}

func (p poll) requests() float64 { return request.each() / p.batch }
func (p poll) time() float64     { return gbSecond.each() * gb * seconds / p.batch }

// queue is for a receive, a send and a delete.
func (p poll) queue() float64 { return 3 * sqsRequest.each() / p.batch }

func (p poll) lines() float64       { return p.log(size(p.written.polls)) }
func (p poll) metricLines() float64 { return p.log(size(p.written.metrics)) }
func (p poll) keeping() float64 {
	return logKept.each() * float64(size(p.written.polls)+size(p.written.metrics)) / p.batch
}
func (p poll) log(bytes int) float64 { return logIn.each() * float64(bytes) / p.batch }

func (p poll) sum() float64 {
	return p.requests() + p.time() + p.queue() + p.lines() + p.metricLines() + p.keeping()
}

// traces and lambdaLines are not in the sum.
func (p poll) traces() float64 { return trace.each() / p.batch }
func (p poll) lambdaLines() float64 {
	return (logIn.each() + logKept.each()) * float64(size([]string{startLine, reportLine})) / p.batch
}

// way is one of doing it, in dollars. A job's is its event's, and what else comes
// once for each.
type way struct {
	name               string
	poll, job, standby float64
	// inUse is for a month in which there are jobs, besides standby.
	inUse float64
}

func (w way) ofJob(polls float64) float64 { return polls*w.poll + w.job }

func (w way) month(jobs, polls float64) float64 {
	if jobs == 0 {
		return w.standby
	}
	return w.standby + w.inUse + jobs*w.ofJob(polls)
}

// ways has ours first. All pay for the secret, for an event at each job's end and,
// but for the loop, which has its history, for a line in the log at each poll; what
// else they log is not counted, nor are alarms and metrics of the others.
func (c costs) ways() []way {
	line := (logIn.each() + logKept.each()) * float64(size(c.alone.written.polls))
	lambda := c.alone.requests() + c.alone.time()
	ended := event.each()
	state := stateBytes * (stateIn.each() + stateKept.each())
	standing := secret.each()
	return []way{
		{"Refresh Poller, each poll by itself", c.alone.sum(), ended, c.idle(), c.inUse()},
		{"a wait loop in Step Functions: wait, HTTP task, choice", 3 * transition.each(), ended + transition.each(), standing, 0},
		{"the leanest one there: a function, retried until the job has ended", transition.each() + lambda + line, ended + transition.each(), standing, 0},
		{"a Lambda durable function: `WaitForCondition`", operation.each() + lambda + line + state, ended + 2*operation.each(), standing, 0},
		{"a container, always on: Fargate, 0.25 vCPU, 0.5 GB", line, ended, standing + hoursPerMonth*(0.25*vCPU.each()+0.5*memory.each()), 0},
		{"a Glue job that waits: Python shell, 1/16 DPU", line, ended + dpu.each()/16*billedHours(), standing, 0},
		{"a sensor in an Airflow of its own: mw1.small", line, ended, standing + hoursPerMonth*airflow.each(), 0},
	}
}

func (c costs) idle() float64 { return secret.each() + alarmed*alarm.each() + looking() }

// looking is for receives from an empty queue.
func looking() float64 { return emptyReceives * sqsRequest.each() }

func (c costs) inUse() float64 { return c.ownMetrics() + reads() }

func (c costs) ownMetrics() float64 { return float64(c.metrics) * ownMetric.each() }

func reads() float64 { return environments * readsPerHour * hoursPerMonth * secretRead.each() }

// billedHours is the mean that Glue bills of a job of make simulate: 2 s to 2 h,
// log-uniform, a minute at least.
func billedHours() float64 {
	const shortest, minimum, longest = 2, 60, 7200
	spread := math.Log(longest / shortest)
	return (minimum*math.Log(minimum/shortest)/spread + (longest-minimum)/spread) / 3600
}

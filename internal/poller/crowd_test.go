package poller_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"refresh-poller/internal/connection"
	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/milvus"
)

const (
	// describeLimit is how many describes may reach the cluster in any second.
	describeLimit = 20
	// longestDelay is that of the schedule, MaxPollDelaySeconds.
	longestDelay = 300 * time.Second
)

// crowd is a cluster with many jobs, each submitted when its watch begins, and
// what can be seen of the polls from there.
//
// A fair share is one poll in the time in which all watches that are alive can
// be polled once at the full limit, alive / describeLimit seconds, or in
// longestDelay if that is more. An interval between two polls, or from the
// enqueuing to the first, is compared with the fair share at its beginning or at
// its end, whichever is longer.
type crowd struct {
	allEnded func()

	mu     sync.Mutex // guards all below
	random *rand.Rand
	jobs   map[string]*job
	// alive is how many watches have begun and not ended, left those to come
	// too.
	alive, left int
	// arrivals are when the describes reached the cluster; those from recent on
	// did in the last second, and at most peak of them in any.
	arrivals     []time.Time
	recent, peak int
	// longest is the longest interval, shares the most fair shares in one.
	longest time.Duration
	shares  float64
}

type job struct {
	simcluster.Job
	want  string   // the state in which its watch has to end
	ends  []string // those of its terminal events
	began time.Time
	// polled is when its last interval ended, alive the crowd's then.
	polled time.Time
	alive  int
}

// newCrowd makes jobs that run from 2 s to 2 h, log-uniform. Of a thousand fifty
// fail, and tell why up to 10 s later, twenty never show up, and five hang. The seed is fixed, but not the ids
// of messages, which set the jitter: no two runs are the same.
func newCrowd(count int) *crowd {
	random := rand.New(rand.NewPCG(1, 0))
	shapes := []simcluster.Shape{
		simcluster.Linear, simcluster.None, simcluster.IndexWait,
		simcluster.SlowStart, simcluster.FastStart, simcluster.Lumps(5),
		simcluster.Tasks(1), simcluster.Tasks(4), simcluster.Retried(3),
	}
	c := &crowd{random: random, jobs: make(map[string]*job, count), left: count}
	for i := range count {
		j := &job{want: "RefreshCompleted", Job: simcluster.Job{
			ID:           strconv.Itoa(i + 1),
			VisibleAfter: time.Duration(random.Int64N(int64(10 * time.Second))),
			RunsFor:      time.Duration(float64(2*time.Second) * math.Pow(3600, random.Float64())),
			Shape:        shapes[random.IntN(len(shapes))],
		}}
		switch n := random.IntN(1000); {
		case n < 50:
			j.Fails, j.want = "out of memory", "RefreshFailed"
			j.ReasonAfter = time.Duration(random.Int64N(int64(10 * time.Second)))
		case n < 70:
			j.NeverVisible, j.want = true, event.StateNotFound
		case n < 75:
			j.Hangs, j.want = true, event.StateExpired
		}
		c.jobs[j.ID] = j
	}
	return c
}

func (c *crowd) begin(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive++
	j := c.jobs[id]
	j.began, j.polled, j.alive = time.Now(), time.Now(), c.alive
}

func (c *crowd) end(d event.Detail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := c.jobs[d.JobID]
	if d.State == "RefreshFailed" && d.Reason == "" {
		d.State += " without its reason"
	}
	j.ends = append(j.ends, d.State)
	c.alive--
	if c.left--; c.left == 0 {
		c.allEnded()
	}
}

// Describe takes 20 to 300 ms, and one in 200 takes 5 s, or as long as the ways there
// and back if that is more.
func (c *crowd) Describe(ctx context.Context, _ string, job milvus.Ref) (milvus.Job, error) {
	w := c.ways()
	time.AfterFunc(w.known, func() { connection.Arrived(ctx) })
	time.Sleep(w.there)
	found, err := c.answer(job.ID)
	time.Sleep(w.answered - w.there)
	return found, err
}

// ways are when, after it was begun, a request arrives, is known to have arrived,
// and is answered.
type ways struct{ there, known, answered time.Duration }

// ways has either way take 5 to 80 ms, and 200 ms more for one packet in 100, which
// is lost. The acknowledgement is sent up to 40 ms late, and looked for every 10 ms.
func (c *crowd) ways() ways {
	c.mu.Lock()
	defer c.mu.Unlock()
	within := func(from, to time.Duration) time.Duration {
		return from + time.Duration(c.random.Int64N(int64(to-from)))
	}
	way := func() time.Duration {
		takes := within(5*time.Millisecond, 80*time.Millisecond)
		if c.random.IntN(100) == 0 {
			takes += 200 * time.Millisecond
		}
		return takes
	}
	answered := within(20*time.Millisecond, 300*time.Millisecond)
	if c.random.IntN(200) == 0 {
		answered = 5 * time.Second
	}
	there := way()
	return ways{
		there:    there,
		known:    there + way() + within(0, 50*time.Millisecond),
		answered: max(answered, there+way()),
	}
}

func (c *crowd) answer(id string) (milvus.Job, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, j := time.Now(), c.jobs[id]
	c.arrived(now)
	interval := now.Sub(j.polled)
	share := max(time.Duration(max(c.alive, j.alive))*time.Second/describeLimit, longestDelay)
	c.longest = max(c.longest, interval)
	c.shares = max(c.shares, float64(interval)/float64(share))
	j.polled, j.alive = now, c.alive

	age := now.Sub(j.began)
	state, progress, found := j.At(age)
	if !found {
		return milvus.Job{}, &milvus.Error{Kind: milvus.NotFound, Message: fmt.Sprintf("refresh job %s not found", id)}
	}
	answer := milvus.Job{State: state, Outcome: milvus.ExternalCollection.Outcome(state), Progress: &progress, StartTime: j.began}
	answer.Unexplained = answer.Terminal() && age < j.EndsAt()
	if answer.Terminal() && !answer.Unexplained {
		answer.EndTime, answer.Reason = j.began.Add(j.EndsAt()), j.Fails
	}
	return answer, nil
}

func (c *crowd) arrived(now time.Time) {
	c.arrivals = append(c.arrivals, now)
	for now.Sub(c.arrivals[c.recent]) >= time.Second {
		c.recent++
	}
	c.peak = max(c.peak, len(c.arrivals)-c.recent)
}

// rate is how many describes a second there were in the first half of them,
// which the jobs that hang do not stretch.
func (c *crowd) rate() float64 {
	half := len(c.arrivals) / 2
	return float64(half) / c.arrivals[half].Sub(c.arrivals[0]).Seconds()
}

package poller

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

func TestProgressIsPublishedWhenItChanges(t *testing.T) {
	seen := func(state string, progress *int) watch.Message {
		m := message(3, 0)
		m.Watch.Job = watch.Sight{State: state, Progress: progress}
		return m
	}
	tests := map[string]struct {
		message watch.Message
		answer  Answer
		off     bool
		want    string
	}{
		"the first sight":               {message(0, 0), pending, false, "RefreshPending"},
		"another state":                 {seen("RefreshPending", new(42)), running, false, "RefreshInProgress"},
		"more progress":                 {seen("RefreshInProgress", new(41)), running, false, "RefreshInProgress"},
		"less progress":                 {seen("RefreshInProgress", new(43)), running, false, "RefreshInProgress"},
		"progress known now":            {seen("RefreshInProgress", nil), running, false, "RefreshInProgress"},
		"nothing new":                   {seen("RefreshInProgress", new(42)), running, false, ""},
		"a failure is no news":          {message(0, 0), fault(milvus.Temporary), false, ""},
		"not reached is no news":        {message(0, 0), Answer{NotReached: true}, false, ""},
		"nothing unless it's asked for": {message(0, 0), pending, true, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := settings
			s.PublishProgress = !tt.off
			d := decide(t, s, tt.message, tt.answer, begun.Add(time.Minute))
			got := ""
			if d.Event != nil {
				got = d.Event.State
				if d.Event.Terminal {
					t.Error("the event is terminal")
				}
			}
			if got != tt.want || d.Action != Reenqueue {
				t.Errorf("%s with %q, want it re-enqueued with %q", d.Action, got, tt.want)
			}
		})
	}
}

// A job that goes through states and progress at random, its poll delivered
// twice each time: duplicates share their id, and no two events do.
func TestIdsTellEventsApart(t *testing.T) {
	s := settings
	s.PublishProgress = true
	random := rand.New(rand.NewPCG(1, 2))
	states := []string{"RefreshPending", "RefreshInProgress", "RefreshPaused"}
	for range 200 {
		m := message(0, 0)
		ids := map[string]bool{}
		for poll := range 40 {
			answer := Answer{Job: milvus.Job{State: states[random.IntN(3)], Progress: new(random.IntN(4))}}
			if poll == 39 {
				answer = completed
			}
			now := begun.Add(time.Duration(poll) * time.Second)
			first, again := Decide(s, m, answer, now), Decide(s, m, answer, now.Add(time.Minute))
			m = first.Next
			if first.Event == nil {
				continue
			}
			if first.Event.ID != again.Event.ID {
				t.Fatal("a duplicate has another id")
			}
			if ids[first.Event.ID] {
				t.Fatalf("poll %d: the id of %s at %d %% was an earlier event's", poll, first.Event.State, *first.Event.Progress)
			}
			ids[first.Event.ID] = true
		}
	}
}

// Whatever the cluster answers, a watch that is polled when it asks to be ends
// within a second of its deadline, or of what a throttling cluster puts that off
// by, and no delay leaves its bounds.
func TestEveryWatchEndsAtItsDeadline(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	answers := []Answer{running, pending, unexplained, fault(milvus.Temporary), fault(milvus.Refused), fault(milvus.Misconfigured), fault(milvus.NotFound), throttled(0), throttled(time.Hour)}
	for range 500 {
		s := settings
		s.Deadline = time.Duration(1+random.IntN(100_000)) * time.Second
		s.Grace = time.Duration(random.IntN(1000)) * time.Second
		now, m := begun, message(0, 0)
		for {
			d := Decide(s, m, answers[random.IntN(len(answers))], now)
			if d.Action == Publish {
				end := now.Sub(begun)
				if d.Event.State == event.StateNotFound && end < s.Grace || d.Event.State == event.StateExpired && end < s.Deadline || end > s.Deadline+maxThrottled+2*time.Second {
					t.Fatalf("%s after %s with a deadline of %s and a grace of %s", d.Event.State, end, s.Deadline, s.Grace)
				}
				break
			}
			if d.Delay < time.Second || d.Delay > 900*time.Second || d.Delay%time.Second != 0 {
				t.Fatalf("a delay of %s", d.Delay)
			}
			body := d.Next.Body()
			var err error
			if m, err = watch.Parse(body, "the next message's", now, milvus.ExternalCollection); err != nil {
				t.Fatalf("the poller can't read what it wrote: %v\n%s", err, body)
			}
			if !strings.Contains(body, `"jobId":449503829274509313,`) {
				t.Fatalf("the id is not exact in %s", body)
			}
			now = now.Add(d.Delay)
		}
	}
}

// What the schedule makes of it is its own tests' business; here the numbers
// show that it is told.
func TestTheScheduleIsToldWhatTheWatchKnows(t *testing.T) {
	const age = 400 * time.Second // 60 s without progress, 54 s at least by jitter
	job := func(progress *int, start time.Duration) Answer {
		return Answer{Job: milvus.Job{State: "RefreshInProgress", Progress: progress, StartTime: begun.Add(start)}}
	}
	tests := map[string]struct {
		before  watch.Sight
		answer  Answer
		atLeast time.Duration
		atMost  time.Duration
	}{
		"no progress":              {watch.Sight{}, job(nil, 0), 54 * time.Second, 60 * time.Second},
		"99 at the first sight":    {watch.Sight{}, job(new(99), 0), 21 * time.Second, 24 * time.Second},
		"the rate since the last":  {watch.Sight{Progress: new(60), SeenAt: begun.Add(385 * time.Second)}, job(new(80), 0), 15 * time.Second, 17 * time.Second},
		"a far end":                {watch.Sight{Progress: new(0), SeenAt: begun.Add(396 * time.Second)}, job(new(1), 0), 178 * time.Second, 198 * time.Second},
		"progress that stands":     {watch.Sight{Progress: new(99), SeenAt: begun.Add(385 * time.Second)}, job(new(99), 0), 21 * time.Second, 24 * time.Second},
		"progress that fell":       {watch.Sight{Progress: new(90), SeenAt: begun.Add(385 * time.Second)}, job(new(0), 0), 54 * time.Second, 60 * time.Second},
		"a state without its time": {watch.Sight{Progress: new(60)}, job(new(80), 0), 30 * time.Second, 34 * time.Second},
		"a poll of the future":     {watch.Sight{Progress: new(60), SeenAt: begun.Add(time.Hour)}, job(new(80), 0), 30 * time.Second, 34 * time.Second},
		"a job that pended long":   {watch.Sight{State: "RefreshPending"}, job(new(0), 390*time.Second), 5 * time.Second, 5 * time.Second},
		"a server's slow clock":    {watch.Sight{}, job(nil, -24*time.Hour), 54 * time.Second, 60 * time.Second},
		"a server's fast clock":    {watch.Sight{}, job(nil, time.Hour), 54 * time.Second, 60 * time.Second},
		"a failure":                {watch.Sight{Progress: new(99), StartTime: begun}, fault(milvus.Temporary), 21 * time.Second, 24 * time.Second},
		"not reached":              {watch.Sight{Progress: new(99), StartTime: begun}, Answer{NotReached: true}, 21 * time.Second, 24 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := message(12, 0)
			m.Watch.Job = tt.before
			if got := decide(t, settings, m, tt.answer, begun.Add(age)).Delay; got < tt.atLeast || got > tt.atMost {
				t.Errorf("%s, want %s to %s", got, tt.atLeast, tt.atMost)
			}
		})
	}
}

// For any progress whatever: no delay is above the minimum and above half the
// job's age, and a day has no more polls than the schedule promises.
func TestNoProgressPutsAPollOffForLong(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		now, m := begun, message(0, 0)
		for {
			answer := Answer{Job: milvus.Job{State: "RefreshInProgress", StartTime: begun}}
			if random.IntN(10) > 0 {
				answer.Job.Progress = new(random.IntN(101))
			}
			d := Decide(settings, m, answer, now)
			if d.Action == Publish {
				break
			}
			if age := now.Sub(begun); d.Delay > max(settings.MinDelay, age/2) {
				t.Fatalf("%s at the age of %s", d.Delay, age)
			}
			now, m = now.Add(d.Delay), d.Next
		}
		if m.Watch.Polls > 1615 {
			t.Fatalf("%d polls in a day", m.Watch.Polls)
		}
	}
}

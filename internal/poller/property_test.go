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
	const age = 400 * time.Second // 72 s without progress, 64 s at least by jitter
	job := func(progress *int, start time.Duration) Answer {
		return Answer{Job: milvus.Job{State: "RefreshInProgress", Progress: progress, StartTime: begun.Add(start)}}
	}
	at := func(age time.Duration) time.Time { return begun.Add(age * time.Second) }
	tests := map[string]struct {
		before   watch.Sight
		expected time.Duration
		answer   Answer
		atLeast  time.Duration // seconds, as the next
		atMost   time.Duration
	}{
		"no progress":              {watch.Sight{}, 0, job(nil, 0), 64, 72},
		"99 at the first sight":    {watch.Sight{}, 0, job(new(99), 0), 27, 31},
		"the rate since the last":  {watch.Sight{Progress: new(60), SeenAt: at(385)}, 0, job(new(80), 0), 10, 13},
		"a far end":                {watch.Sight{Progress: new(0), SeenAt: at(300)}, 0, job(new(20), 0), 116, 131},
		"a far end, once more":     {watch.Sight{Progress: new(0), SeenAt: at(300), EndsAt: at(650)}, 0, job(new(20), 0), 250, 250},
		"an end that has passed":   {watch.Sight{Progress: new(0), SeenAt: at(300), EndsAt: at(390)}, 0, job(new(20), 0), 116, 131},
		"progress that stands":     {watch.Sight{Progress: new(99), SeenAt: at(385), EndsAt: at(650)}, 0, job(new(99), 0), 27, 31},
		"progress that fell":       {watch.Sight{Progress: new(90), SeenAt: at(385), EndsAt: at(650)}, 0, job(new(0), 0), 64, 72},
		"a state without its time": {watch.Sight{Progress: new(60)}, 0, job(new(80), 0), 37, 42},
		"a poll of the future":     {watch.Sight{Progress: new(60), SeenAt: at(3600)}, 0, job(new(80), 0), 37, 42},
		"a job that pended long":   {watch.Sight{State: "RefreshPending"}, 0, job(new(0), 390*time.Second), 15, 18},
		"a server's slow clock":    {watch.Sight{}, 0, job(nil, -24*time.Hour), 64, 72},
		"a server's fast clock":    {watch.Sight{}, 0, job(nil, time.Hour), 64, 72},
		"a failure":                {watch.Sight{Progress: new(99), StartTime: begun}, 0, fault(milvus.Temporary), 27, 31},
		"not reached":              {watch.Sight{Progress: new(99), StartTime: begun}, 0, Answer{NotReached: true}, 27, 31},
		"an expected end":          {watch.Sight{}, 1000 * time.Second, job(nil, 0), 290, 300},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := message(12, 0)
			m.Watch.Job, m.Expected = tt.before, tt.expected
			if got := decide(t, settings, m, tt.answer, begun.Add(age)).Delay; got < tt.atLeast*time.Second || got > tt.atMost*time.Second {
				t.Errorf("%s, want %d s to %d s", got, tt.atLeast, tt.atMost)
			}
		})
	}
}

// For any progress whatever: no delay is above 5 s and four times the job's age,
// and a day has no more polls than the schedule promises.
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
			if age := now.Sub(begun); d.Delay > 5*time.Second+4*age {
				t.Fatalf("%s at the age of %s", d.Delay, age)
			}
			now, m = now.Add(d.Delay), d.Next
		}
		if m.Watch.Polls > 2291 {
			t.Fatalf("%d polls in a day", m.Watch.Polls)
		}
	}
}

func TestAnEndIsPredictedForTheNextPollOnly(t *testing.T) {
	m := message(0, 0)
	for _, poll := range []struct {
		age      time.Duration
		progress int
		ends     time.Time
	}{
		{5 * time.Second, 0, time.Time{}},
		{20 * time.Second, 10, begun.Add(155 * time.Second)},        // a line
		{40 * time.Second, 20, begun.Add(200 * time.Second)},        // a line and a power
		{80 * time.Second, 80, begun.Add(89443 * time.Millisecond)}, // a power of 2
		{90 * time.Second, 80, time.Time{}},
	} {
		answer := Answer{Job: milvus.Job{State: "RefreshInProgress", Progress: &poll.progress, StartTime: begun}}
		m = decide(t, settings, m, answer, begun.Add(poll.age)).Next
		if got := m.Watch.Job.EndsAt; got.Sub(poll.ends).Abs() > time.Second {
			t.Errorf("at %s: %s, want %s", poll.age, got, poll.ends)
		}
	}
}

// A state as version 0.2 wrote it, between two polls.
func TestAWatchOfAnOlderVersionGoesOnWithoutAJump(t *testing.T) {
	body := `{"jobId":7,"watch":{"version":1,"id":"watch-1","since":1712832000000,"polls":9,"state":"RefreshInProgress","progress":40,"startTime":1712832000000,"seen":1712832400000}}`
	m, err := watch.Parse(body, "another", begun.Add(400*time.Second), milvus.ExternalCollection)
	if err != nil {
		t.Fatal(err)
	}
	answer := Answer{Job: milvus.Job{State: "RefreshInProgress", Progress: new(50), StartTime: begun}}
	d := decide(t, settings, m, answer, begun.Add(500*time.Second))
	// A first prediction: 500 s are left, and twice the usual 61 s are waited for.
	if d.Delay < 109*time.Second || d.Delay > 122*time.Second || !d.Next.Watch.Job.EndsAt.Equal(begun.Add(1000*time.Second)) || d.Next.Watch.Polls != 10 {
		t.Errorf("%s, then %+v", d.Delay, d.Next.Watch)
	}
}

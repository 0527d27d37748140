package poller

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

const exactID = 449503829274509313 // no float64 holds it

var (
	begun = time.UnixMilli(1712832000000).UTC()

	settings = Settings{
		MinDelay: 5 * time.Second, MaxDelay: 300 * time.Second,
		Deadline: 24 * time.Hour, Grace: 120 * time.Second,
		ClusterEndpoint: "https://cluster.example",
	}

	running   = Answer{Job: milvus.Job{CollectionName: "ext_books", State: milvus.StateInProgress, Progress: new(42), StartTime: begun}}
	pending   = Answer{Job: milvus.Job{State: milvus.StatePending, Progress: new(0)}}
	completed = Answer{Job: milvus.Job{CollectionName: "ext_books", State: milvus.StateCompleted, Progress: new(100), StartTime: begun, EndTime: begun.Add(93 * time.Second)}}
	failed    = Answer{Job: milvus.Job{State: milvus.StateFailed, Progress: new(60), Reason: "no such object"}}
)

func fault(kind milvus.Kind) Answer {
	return Answer{Failure: &milvus.Error{Kind: kind, Message: "the cluster's words", Status: 200, Code: 7}}
}

func throttled(retryAfter time.Duration) Answer {
	a := fault(milvus.Throttled)
	a.Failure.RetryAfter = retryAfter
	return a
}

// message is what the poller re-enqueued after some polls.
func message(polls, failures int) watch.Message {
	return watch.Message{JobID: exactID, Watch: watch.State{ID: "watch-1", Since: begun, Polls: polls, Failures: failures}}
}

func TestDecide(t *testing.T) {
	shortWatch := message(3, 0)
	shortWatch.Deadline = time.Minute
	tests := map[string]struct {
		message watch.Message
		answer  Answer
		age     time.Duration
		action  Action
		delay   time.Duration
		state   string // of the event
	}{
		"a completed job ends":                         {message(3, 0), completed, time.Minute, Publish, 0, "RefreshCompleted"},
		"a failed job ends":                            {message(3, 0), failed, time.Minute, Publish, 0, "RefreshFailed"},
		"a job completed at the deadline completes":    {message(3, 0), completed, 24 * time.Hour, Publish, 0, "RefreshCompleted"},
		"a job completed after the deadline completes": {message(3, 0), completed, 48 * time.Hour, Publish, 0, "RefreshCompleted"},
		"a job in progress goes on":                    {message(0, 0), running, 0, Reenqueue, 5 * time.Second, ""},
		"a pending job goes on":                        {message(0, 0), pending, 0, Reenqueue, 5 * time.Second, ""},
		"an unknown state goes on":                     {message(0, 0), Answer{Job: milvus.Job{State: "RefreshPaused"}}, 0, Reenqueue, 5 * time.Second, ""},
		"the delay grows":                              {message(3, 0), running, time.Minute, Reenqueue, 17 * time.Second, ""},
		"the delay is bounded":                         {message(99, 0), running, time.Hour, Reenqueue, 300 * time.Second, ""},

		"not found at first is not yet":                       {message(0, 0), fault(milvus.NotFound), 0, Reenqueue, 5 * time.Second, ""},
		"not found is asked again at the end of the grace":    {message(9, 0), fault(milvus.NotFound), 100 * time.Second, Reenqueue, 20 * time.Second, ""},
		"not found just before the end of the grace":          {message(9, 0), fault(milvus.NotFound), 119*time.Second + 900*time.Millisecond, Reenqueue, time.Second, ""},
		"not found at the end of the grace ends":              {message(9, 0), fault(milvus.NotFound), 120 * time.Second, Publish, 0, "JobNotFound"},
		"not found after deadline and grace is not found":     {message(9, 0), fault(milvus.NotFound), 25 * time.Hour, Publish, 0, "JobNotFound"},
		"not found at a deadline within the grace expires":    {shortWatch, fault(milvus.NotFound), time.Minute, Publish, 0, "WatchExpired"},
		"not found near a deadline within the grace":          {shortWatch, fault(milvus.NotFound), 50 * time.Second, Reenqueue, 10 * time.Second, ""},
		"the end of the grace does not concern a found job":   {message(9, 0), running, 110 * time.Second, Reenqueue, 193 * time.Second, ""},
		"the message's deadline is stronger than the stack's": {shortWatch, running, time.Minute, Publish, 0, "WatchExpired"},

		"the last poll falls on the deadline":       {message(50, 0), running, 24*time.Hour - 100*time.Second, Reenqueue, 100 * time.Second, ""},
		"even if that is sooner than the minimum":   {message(50, 0), running, 24*time.Hour - 2*time.Second, Reenqueue, 2 * time.Second, ""},
		"and not a moment before":                   {message(50, 0), running, 24*time.Hour - 1500*time.Millisecond, Reenqueue, 2 * time.Second, ""},
		"in progress at the deadline expires":       {message(50, 0), running, 24 * time.Hour, Publish, 0, "WatchExpired"},
		"a failed describe at the deadline expires": {message(50, 0), fault(milvus.Temporary), 24 * time.Hour, Publish, 0, "WatchExpired"},
		"refused at the deadline expires":           {message(50, 0), fault(milvus.Refused), 24 * time.Hour, Publish, 0, "WatchExpired"},

		"temporary backs off":                   {message(0, 0), fault(milvus.Temporary), 0, Reenqueue, 10 * time.Second, ""},
		"temporary backs off further":           {message(1, 3), fault(milvus.Temporary), time.Minute, Reenqueue, 80 * time.Second, ""},
		"temporary backs off to the maximum":    {message(1, 99), fault(milvus.Temporary), time.Hour, Reenqueue, 300 * time.Second, ""},
		"an answer returns to the schedule":     {message(1, 9), running, time.Hour, Reenqueue, 8 * time.Second, ""},
		"refused polls slowly":                  {message(0, 0), fault(milvus.Refused), 0, Reenqueue, 300 * time.Second, ""},
		"misconfigured polls slowly":            {message(0, 0), fault(milvus.Misconfigured), 0, Reenqueue, 300 * time.Second, ""},
		"throttled slows down":                  {message(0, 0), throttled(0), 0, Reenqueue, 10 * time.Second, ""},
		"throttled waits as told":               {message(0, 0), throttled(47 * time.Second), 0, Reenqueue, 47 * time.Second, ""},
		"throttled waits as told, past Max":     {message(0, 0), throttled(10 * time.Minute), 0, Reenqueue, 10 * time.Minute, ""},
		"throttled for a year waits 900 s":      {message(0, 0), throttled(365 * 24 * time.Hour), 0, Reenqueue, 900 * time.Second, ""},
		"throttled never waits past a deadline": {shortWatch, throttled(time.Hour), 50 * time.Second, Reenqueue, 10 * time.Second, ""},

		"not reached goes on":                              {message(0, 0), Answer{NotReached: true}, 0, Reenqueue, 5 * time.Second, ""},
		"not reached keeps its place in the schedule":      {message(4, 0), Answer{NotReached: true}, time.Minute, Reenqueue, 17 * time.Second, ""},
		"not reached waits until the cluster may be asked": {message(0, 0), Answer{NotReached: true, Held: 30 * time.Second}, 0, Reenqueue, 30 * time.Second, ""},
		"not reached does not end at the deadline":         {message(0, 0), Answer{NotReached: true}, 24 * time.Hour, Reenqueue, 5 * time.Second, ""},
		"not reached for long after it ends":               {message(0, 0), Answer{NotReached: true}, 24*time.Hour + 901*time.Second, Publish, 0, "WatchExpired"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := decide(settings, tt.message, tt.answer, begun.Add(tt.age))
			state := ""
			if d.Event != nil {
				state = d.Event.State
				if !d.Event.Terminal {
					t.Error("the event is not terminal")
				}
			}
			if d.Action != tt.action || d.Delay != tt.delay || state != tt.state {
				t.Errorf("%s after %s with %q, want %s after %s with %q", d.Action, d.Delay, state, tt.action, tt.delay, tt.state)
			}
		})
	}
}

func TestTheStateAfterAPoll(t *testing.T) {
	seen := watch.Sight{State: milvus.StateInProgress, Progress: new(42), CollectionName: "ext_books", StartTime: begun}
	before := watch.State{ID: "watch-1", Since: begun, Polls: 4, Failures: 2, LastError: "old", Job: seen}
	tests := map[string]struct {
		answer Answer
		want   func(*watch.State)
	}{
		"an answer clears the failures": {running, func(w *watch.State) { w.Failures, w.LastError = 0, "" }},
		"a failure is counted": {fault(milvus.Temporary), func(w *watch.State) {
			w.Failures, w.LastError = 3, "the cluster's words (HTTP 200, code 7)"
		}},
		"not found is an answer": {fault(milvus.NotFound), func(w *watch.State) {
			w.Failures, w.LastError = 0, "the cluster's words (HTTP 200, code 7)"
		}},
		"less progress is a restart": {Answer{Job: milvus.Job{State: milvus.StateInProgress, Progress: new(41)}}, func(w *watch.State) {
			w.Failures, w.LastError, w.Restarts = 0, "", 1
			w.Job = watch.Sight{State: milvus.StateInProgress, Progress: new(41)}
		}},
		"an earlier state is a restart": {Answer{Job: milvus.Job{State: milvus.StatePending, Progress: new(42)}}, func(w *watch.State) {
			w.Failures, w.LastError, w.Restarts = 0, "", 1
			w.Job = watch.Sight{State: milvus.StatePending, Progress: new(42)}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := before
			want.Polls = 5
			tt.want(&want)
			if diff := cmp.Diff(want, after(before, tt.answer)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnEndSaysWhy(t *testing.T) {
	seen := message(7, 0)
	seen.Watch.Job = watch.Sight{State: milvus.StateInProgress, Progress: new(42), CollectionName: "ext_books"}
	tests := map[string]struct {
		message watch.Message
		answer  Answer
		age     time.Duration
		want    string
	}{
		"the API's reason":                   {message(0, 0), failed, 0, "no such object"},
		"not a word of a job that completed": {message(0, 0), Answer{Job: milvus.Job{State: milvus.StateCompleted, Reason: "fine"}}, 0, ""},
		"never found": {message(0, 0), fault(milvus.NotFound), 121 * time.Second,
			"the cluster knows no job 449503829274509313, 121 s after the watch began; it was never seen"},
		"no longer found": {seen, fault(milvus.NotFound), 48 * time.Hour,
			"the cluster knows no job 449503829274509313, 172800 s after the watch began; last seen RefreshInProgress at 42 %"},
		"expired while it stood": {seen, running, 24 * time.Hour,
			"no terminal state within the deadline of 86400 s; last seen RefreshInProgress at 42 %"},
		"expired while nobody answered": {seen, fault(milvus.Temporary), 24 * time.Hour,
			"no terminal state within the deadline of 86400 s; last seen RefreshInProgress at 42 %; last error: the cluster's words (HTTP 200, code 7)"},
		"expired in a state without progress": {message(0, 0), Answer{Job: milvus.Job{State: "RefreshPaused"}}, 24 * time.Hour,
			"no terminal state within the deadline of 86400 s; last seen RefreshPaused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := decide(settings, tt.message, tt.answer, begun.Add(tt.age))
			if d.Event == nil || d.Event.Reason != tt.want || d.Reason != tt.want {
				t.Errorf("reason %q, want %q", d.Reason, tt.want)
			}
		})
	}
}

func TestAnExpiredWatchTellsWhereTheJobStoodThoughNobodyAnswers(t *testing.T) {
	m := message(7, 3)
	m.Context = json.RawMessage(`{"a":1}`)
	m.Watch.Job = watch.Sight{State: milvus.StateInProgress, Progress: new(42), CollectionName: "ext_books", StartTime: begun}
	got := decide(settings, m, fault(milvus.Temporary), begun.Add(24*time.Hour)).Event
	if got.CollectionName != "ext_books" || *got.Progress != 42 || got.StartTime != "2024-04-11T10:40:00.000Z" || got.Watch.Polls != 8 || string(got.Context) != `{"a":1}` {
		t.Errorf("the event is %+v", got)
	}
}

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
		"another state":                 {seen(milvus.StatePending, new(42)), running, false, "RefreshInProgress"},
		"more progress":                 {seen(milvus.StateInProgress, new(41)), running, false, "RefreshInProgress"},
		"less progress":                 {seen(milvus.StateInProgress, new(43)), running, false, "RefreshInProgress"},
		"progress known now":            {seen(milvus.StateInProgress, nil), running, false, "RefreshInProgress"},
		"nothing new":                   {seen(milvus.StateInProgress, new(42)), running, false, ""},
		"a failure is no news":          {message(0, 0), fault(milvus.Temporary), false, ""},
		"not reached is no news":        {message(0, 0), Answer{NotReached: true}, false, ""},
		"nothing unless it's asked for": {message(0, 0), pending, true, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := settings
			s.PublishProgress = !tt.off
			d := decide(s, tt.message, tt.answer, begun.Add(time.Minute))
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
	states := []string{milvus.StatePending, milvus.StateInProgress, "RefreshPaused"}
	for range 200 {
		m := message(0, 0)
		ids := map[string]bool{}
		for poll := range 40 {
			answer := Answer{Job: milvus.Job{State: states[random.IntN(3)], Progress: new(random.IntN(4))}}
			if poll == 39 {
				answer = completed
			}
			now := begun.Add(time.Duration(poll) * time.Second)
			first, again := decide(s, m, answer, now), decide(s, m, answer, now.Add(time.Minute))
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
// within a second of its deadline, and no delay leaves its bounds.
func TestEveryWatchEndsAtItsDeadline(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	answers := []Answer{running, pending, fault(milvus.Temporary), fault(milvus.Refused), fault(milvus.Misconfigured), fault(milvus.NotFound), throttled(0), throttled(time.Hour)}
	for range 500 {
		s := settings
		s.Deadline = time.Duration(1+random.IntN(100_000)) * time.Second
		s.Grace = time.Duration(random.IntN(1000)) * time.Second
		now, m := begun, message(0, 0)
		for {
			d := decide(s, m, answers[random.IntN(len(answers))], now)
			if d.Action == Publish {
				end := now.Sub(begun)
				if d.Event.State == event.StateNotFound && end < s.Grace || d.Event.State == event.StateExpired && end < s.Deadline || end > s.Deadline+time.Second {
					t.Fatalf("%s after %s with a deadline of %s and a grace of %s", d.Event.State, end, s.Deadline, s.Grace)
				}
				break
			}
			if d.Delay < time.Second || d.Delay > 900*time.Second || d.Delay%time.Second != 0 {
				t.Fatalf("a delay of %s", d.Delay)
			}
			body := d.Next.Body()
			var err error
			if m, err = watch.Parse(body, "the next message's", now); err != nil {
				t.Fatalf("the poller can't read what it wrote: %v\n%s", err, body)
			}
			if !strings.Contains(body, `"jobId":449503829274509313,`) {
				t.Fatalf("the id is not exact in %s", body)
			}
			now = now.Add(d.Delay)
		}
	}
}

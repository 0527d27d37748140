package poller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

func TestDecideOnARefreshThatIsAskedFor(t *testing.T) {
	const hour, deadline = time.Hour, 24 * time.Hour
	waits := func(until time.Duration, idle bool) Answer {
		return Answer{Finding: &Finding{Reason: "why", Until: begun.Add(until), Idle: idle}}
	}
	forJob := Answer{Finding: &Finding{Reason: "job 1 has to end first"}}
	starts := func(kind milvus.ErrorKind, f Finding) Answer {
		a := fault(kind)
		a.Finding = &f
		return a
	}
	told := starts(milvus.Throttled, Finding{})
	told.Failure.RetryAfter = 47 * time.Second
	serves := func(a Answer) Answer {
		a.Finding = &Finding{JobID: "1", Joined: true}
		return a
	}
	unseen := func(missing time.Duration) watch.Message {
		return asking(func(w *watch.State) {
			w.JobID, w.Started, w.Turns = "1", begun.Add(hour), 9
			if missing > 0 {
				w.NotFoundSince = begun.Add(missing)
			}
		})
	}
	seen := unseen(hour + 120*time.Second)
	seen.Watch.Job.State = runs
	short := unseen(0)
	short.Deadline = hour + time.Minute
	tests := map[string]struct {
		message watch.Message
		answer  Answer
		age     time.Duration
		action  Action
		delay   time.Duration
		state   string // of the event
		job     string
	}{
		"too early to start":                          {asking(nil), waits(20*time.Second, true), time.Second, Reenqueue, 19 * time.Second, "", ""},
		"too early, by less than the least delay":     {asking(nil), waits(settled, true), time.Second, Reenqueue, 5 * time.Second, "", ""},
		"until an earlier start would be seen":        {asking(nil), waits(hour+20*time.Second, false), hour, Reenqueue, 20 * time.Second, "", ""},
		"for one that runs, by the schedule":          {asking(nil), forJob, hour, Reenqueue, 206 * time.Second, "", ""},
		"for one that runs, up to the deadline":       {asking(nil), forJob, deadline - 9*time.Second, Reenqueue, 9 * time.Second, "", ""},
		"for one that runs, at the deadline":          {asking(nil), forJob, deadline, Publish, 0, event.StateNotStarted, ""},
		"started":                                     {asking(nil), Answer{Finding: &Finding{JobID: "1", Started: begun.Add(hour)}}, hour, Reenqueue, 5 * time.Second, "", "1"},
		"perhaps started":                             {asking(nil), starts(milvus.Temporary, Finding{Started: begun.Add(hour)}), hour, Reenqueue, 10 * time.Second, "", ""},
		"not ready":                                   {asking(nil), starts(milvus.Temporary, Finding{}), 10 * time.Second, Reenqueue, 18 * time.Second, "", ""},
		"no privilege":                                {asking(nil), starts(milvus.Refused, Finding{}), 10 * time.Second, Reenqueue, 300 * time.Second, "", ""},
		"an older server":                             {asking(nil), fault(milvus.Misconfigured), 10 * time.Second, Reenqueue, 300 * time.Second, "", ""},
		"told to wait":                                {asking(nil), told, 10 * time.Second, Reenqueue, 47 * time.Second, "", ""},
		"told to wait at the deadline":                {asking(nil), throttled(10 * time.Second), 25 * time.Hour, Reenqueue, 293 * time.Second, "", ""},
		"busy, and no more is known":                  {asking(nil), starts(milvus.Busy, Finding{}), 10 * time.Second, Reenqueue, 18 * time.Second, "", ""},
		"not reached at the deadline":                 {asking(nil), Answer{NotReached: true}, 25 * time.Hour, Reenqueue, 288 * time.Second, "", ""},
		"impossible":                                  {asking(nil), fault(milvus.Impossible), 10 * time.Second, Publish, 0, event.StateNotStarted, ""},
		"served by one that has ended":                {asking(nil), serves(completed), hour, Publish, 0, "RefreshCompleted", "1"},
		"served by one that has failed":               {asking(nil), serves(failed), hour, Publish, 0, "RefreshFailed", "1"},
		"served by one that has ended, after all":     {asking(nil), serves(completed), 2 * deadline, Publish, 0, "RefreshCompleted", "1"},
		"served by one that runs":                     {asking(nil), serves(running), time.Minute, Reenqueue, 12 * time.Second, "", "1"},
		"served by one that runs, at the deadline":    {asking(nil), serves(running), deadline, Publish, 0, "WatchExpired", "1"},
		"its job is not visible yet":                  {unseen(0), fault(milvus.NotFound), hour + 100*time.Second, Reenqueue, 20 * time.Second, "", "1"},
		"its job was not visible once":                {unseen(0), fault(milvus.NotFound), hour + 120*time.Second, Reenqueue, 5 * time.Second, "", "1"},
		"its job never appeared":                      {unseen(hour + 115*time.Second), fault(milvus.NotFound), hour + 120*time.Second, Reenqueue, 5 * time.Second, "", ""},
		"its job never appeared, up to the deadline":  {unseen(hour), fault(milvus.NotFound), deadline, Reenqueue, 5 * time.Second, "", ""},
		"its job is not visible yet, at the deadline": {short, fault(milvus.NotFound), hour + time.Minute, Publish, 0, "WatchExpired", "1"},
		"its job was seen and is gone":                {seen, fault(milvus.NotFound), hour + 125*time.Second, Publish, 0, "JobNotFound", "1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := decide(t, settings, tt.message, tt.answer, begun.Add(tt.age))
			state := ""
			if d.Event != nil {
				state = d.Event.State
			}
			if d.Action != tt.action || d.Delay != tt.delay || state != tt.state || d.Next.Ref().ID != tt.job {
				t.Errorf("%s after %s with %q of job %q, want %s after %s with %q of %q", d.Action, d.Delay, state, d.Next.Ref().ID, tt.action, tt.delay, tt.state, tt.job)
			}
			if d.Next.Watch.Turns != tt.message.Watch.Turns+1 {
				t.Errorf("turn %d", d.Next.Watch.Turns)
			}
		})
	}
}

func TestTheStateOfAWatchThatSeeks(t *testing.T) {
	now := begun.Add(time.Hour)
	before := watch.State{ID: "watch-1", Since: begun, Polls: 4, Turns: 5, Failures: 2, LastError: "old", Known: []string{"7"}, Started: begun.Add(time.Minute)}
	lost := fault(milvus.Temporary)
	lost.Finding = &Finding{Started: now}
	for name, tt := range map[string]struct {
		answer Answer
		want   func(*watch.State)
	}{
		"waiting clears the failures": {Answer{Finding: &Finding{Reason: "x"}}, func(w *watch.State) { w.Failures, w.LastError = 0, "" }},
		"a first list is kept":        {Answer{Finding: &Finding{Known: []string{}}}, func(w *watch.State) { w.Failures, w.LastError, w.Known = 0, "", []string{} }},
		"a start is kept":             {Answer{Finding: &Finding{JobID: "8", Started: now}}, func(w *watch.State) { w.Failures, w.LastError, w.JobID, w.Started = 0, "", "8", now }},
		"so is one without an answer": {lost, func(w *watch.State) {
			w.Failures, w.LastError, w.Started = 3, "the cluster's words (HTTP 200, code 7)", now
		}},
		"a job that serves is seen": {Answer{Job: milvus.Job{State: runs}, Finding: &Finding{JobID: "8", Joined: true}}, func(w *watch.State) {
			w.Failures, w.LastError, w.JobID, w.Joined, w.Known, w.Job = 0, "", "8", true, nil, watch.Sight{State: runs, SeenAt: now}
		}},
		"not reached is a turn, and no poll": {Answer{NotReached: true}, func(w *watch.State) { w.Polls = 4 }},
	} {
		t.Run(name, func(t *testing.T) {
			want := before
			want.Polls, want.Turns = 5, 6
			tt.want(&want)
			m := asking(func(w *watch.State) { *w = before })
			if diff := cmp.Diff(want, after(m, tt.answer, now, now.Add(1))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

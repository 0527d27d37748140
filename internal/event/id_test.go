package event

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/quick"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// at is the id of the event about a job in a state.
func at(m watch.Message, state string, terminal bool) string {
	return New(m, milvus.Job{}, state, outcomeOf[terminal], endpoint, now).ID
}

var outcomeOf = map[bool]milvus.Outcome{true: milvus.Failed}

func TestADuplicateHasTheSameID(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		m := polled()
		m.Watch.Job = watch.Sight{State: "RefreshInProgress", Progress: new(42)}
		first := New(m, milvus.Job{Reason: "first"}, "RefreshFailed", outcomeOf[terminal], endpoint, now)
		m.Watch.Polls++
		m.Watch.Failures, m.Watch.LastError = 3, "no answer"
		m.Context, m.Deadline = json.RawMessage(`{}`), time.Hour
		m.Watch.Job.Progress = new(42)
		second := New(m, milvus.Job{Reason: "second", EndTime: end}, "RefreshFailed", outcomeOf[terminal], "https://other.example.org", now.Add(time.Hour))
		if first.ID != second.ID {
			t.Errorf("terminal %t: %s and %s", terminal, first.ID, second.ID)
		}
	}
}

func TestAWatchEndsInAStateWithOneIDHoweverFarTheJobWas(t *testing.T) {
	m := polled()
	want := at(m, StateExpired, true)
	m.Watch.Job.Progress, m.Watch.Restarts = new(42), 2
	if got := at(m, StateExpired, true); got != want {
		t.Errorf("%s and %s", got, want)
	}
}

func TestAnotherEventHasAnotherID(t *testing.T) {
	seen := map[string]string{}
	note := func(what, id string) {
		if other, ok := seen[id]; ok {
			t.Errorf("%s has the id of %s", what, other)
		}
		seen[id] = what
	}
	m := polled()
	note("completed", at(m, "RefreshCompleted", true))
	note("failed", at(m, "RefreshFailed", true))
	note("not found", at(m, StateNotFound, true))
	note("expired", at(m, StateExpired, true))
	note("pending", at(m, "RefreshPending", false))
	note("completed, but not the end", at(m, "RefreshCompleted", false))
	note("in progress", at(m, "RefreshInProgress", false))
	m.Watch.Job.Progress = new(0)
	note("at 0 %", at(m, "RefreshInProgress", false))
	m.Watch.Job.Progress = new(42)
	note("at 42 %", at(m, "RefreshInProgress", false))
	m.Watch.Restarts = 1
	note("at 42 % again", at(m, "RefreshInProgress", false))
	m = polled()
	m.JobID += "0"
	note("another job", at(m, "RefreshCompleted", true))
	m = polled()
	m.Watch.ID += "0"
	note("another watch", at(m, "RefreshCompleted", true))
}

func TestTwoEventsShareAnIDOnlyIfTheyAreTheSame(t *testing.T) {
	type what struct {
		JobID, Progress, Restarts uint8
		State                     bool
	}
	id := func(w what) string {
		m := polled()
		m.JobID = fmt.Sprint(w.JobID%4 + 1)
		m.Watch.Job.Progress, m.Watch.Restarts = new(int(w.Progress%16)), int(w.Restarts%16)
		return at(m, map[bool]string{true: "RefreshPending", false: "RefreshInProgress"}[w.State], false)
	}
	same := func(a, b what) bool {
		equal := a.JobID%4 == b.JobID%4 && a.Progress%16 == b.Progress%16 && a.Restarts%16 == b.Restarts%16 && a.State == b.State
		return equal == (id(a) == id(b))
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

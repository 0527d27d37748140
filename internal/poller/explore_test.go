package poller

import (
	"cmp"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/milvus"
)

// life is what may become of a job, from its first phase on.
type life []phase

// phase is what the cluster says of a job.
type phase struct {
	label string
	reply any
	// next are the phases in which the next describe may find it. A job changes
	// when it is asked for: before that, nobody can tell.
	next []int
}

var (
	unknown    = error(&milvus.Error{Kind: milvus.NotFound, Message: "no such job"})
	failsEarly = milvus.Job{State: "RefreshFailed", Outcome: milvus.Failed, Unexplained: true}
	explained  = milvus.Job{State: "RefreshFailed", Outcome: milvus.Failed, Reason: "a bad bucket"}
	itDone     = milvus.Job{State: "RefreshCompleted", Outcome: milvus.Succeeded}
)

func at(state string, progress int) milvus.Job { return milvus.Job{State: state, Progress: &progress} }

var refresh = life{
	{"not found", unknown, []int{0, 1, 2}},
	{"it runs", at("RefreshInProgress", 0), []int{1, 2}},
	{"it is completed", itDone, []int{2}},
}

var failing = life{
	{"it runs", at("RefreshInProgress", 0), []int{0, 1}},
	{"it has failed early", failsEarly, []int{1, 2, 3, 4}},
	{"it has failed", explained, []int{2}},
	{"it was deleted", unknown, []int{3}},
	{"it seems to run again", at("RefreshInProgress", 0), []int{1, 2}},
}

// rising falls back, as a job does whose task is tried again.
var rising = life{
	{"it is at 66", at("RefreshInProgress", 66), []int{0, 1, 2, 3}},
	{"it is back at 33", at("RefreshInProgress", 33), []int{1, 2, 3}},
	{"it is at 66 again", at("RefreshInProgress", 66), []int{2, 3}},
	{"it is completed", itDone, []int{3}},
}

var refreshing = scope{bodies: []string{"1"}, life: refresh}

// scopes are of one watch; those of more than one message, and those that are as
// large, have a fault less.
var scopes = map[string]scope{
	"a job found late, or never":                            refreshing,
	"a job that fails early":                                {bodies: []string{"1"}, life: failing},
	"a job whose progress is told":                          {bodies: []string{"1"}, life: rising, progress: true},
	"invocations that last":                                 {bodies: []string{"1"}, life: refresh, visibility: 30 * time.Second},
	"one describe a second":                                 {bodies: []string{"1"}, life: refresh, visibility: 30 * time.Second, share: 1},
	"two watches of a job":                                  {bodies: []string{"1", "1"}, life: refresh},
	"two watches of two jobs":                               {bodies: []string{"1", "2"}, life: refresh},
	"progress that falls, and a message that can't be read": {bodies: []string{"1", "bad"}, life: rising, progress: true, deadline: 15 * time.Second},

	"a refresh that is asked for":          {bodies: []string{books}, deadline: 15 * time.Second, grace: 10 * time.Second, asks: asks{hides: 10 * time.Second}},
	"another refresh runs":                 asked(asks{running: true}),
	"another starts a refresh":             asked(asks{others: 1}),
	"another refresh runs, and no Date":    asked(asks{undated: true, running: true}),
	"two messages ask":                     {bodies: []string{books, books}, asks: asks{hides: 5 * time.Second}},
	"a message comes while a refresh runs": {bodies: []string{books}, asks: asks{later: []string{books}}},
	"starts that last":                     {bodies: []string{books}, visibility: 30 * time.Second, lasts: 30 * time.Second, fewer: 1, asks: asks{hides: 5 * time.Second}},
}

const books = `{"refresh":{"collectionName":"books"}}`

// asked is a scope in which there are more refreshes than the message's own.
func asked(by asks) scope {
	return scope{bodies: []string{books}, deadline: 15 * time.Second, fewer: 1, asks: by}
}

// Every order of what may happen in a scope, with at most EXPLORE_FAULTS faults, is
// run to its end: `make explore` has 2, with no number it is none. With
// EXPLORE_STEPS, every order is run for so many steps, and then a fair one.
func TestEveryScheduleEndsEveryWatch(t *testing.T) {
	faults, steps := bound(t, "EXPLORE_FAULTS"), bound(t, "EXPLORE_STEPS")
	for name, s := range scopes {
		s := s.with(faults + 1 - len(s.bodies) - len(s.later) - s.fewer)
		if s.faults < 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := newSystem(inBubble(t), s).Search(steps)
			if r.Failure != nil {
				t.Fatal(r.Failure)
			}
			t.Logf("with at most %d faults: %d schedules, %d states, %d of them ends, the last after %d steps; cut: %v", s.faults, r.Schedules, r.States, r.Ends, r.Longest, r.Cut)
		})
	}
}

func bound(t *testing.T, name string) int {
	t.Helper()
	text := cmp.Or(os.Getenv(name), "0")
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s must be a whole number, 0 or more, not %q", name, text)
	}
	return n
}

// What the explorer has found, shortened to its last step.
func TestSchedulesThatOnceWentWrong(t *testing.T) {
	tests := map[string]struct {
		scope scope
		words []string
	}{
		"a refusal from before the deadline ended a watch": {refreshing.with(2), []string{
			"5s pass",
			"execution 1 receives a",
			"5s pass",
			"execution 1, describe 1: refused",
			"execution 1, describe 1: throttled",
			"execution 1, send: taken",
		}},
		"a refused start was asked for again at the deadline": {scopes["starts that last"].with(1), []string{
			"execution 1 receives a",
			"5s pass",
			"execution 1, list: []",
			"5s pass",
			"execution 1, start: refused",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := newSystem(inBubble(t), tt.scope).Replay(tt.words); err != nil {
				t.Error(err)
			}
		})
	}
}

// with returns the scope with so many faults.
func (s scope) with(faults int) scope {
	s.faults, s.deadline, s.grace = faults, cmp.Or(s.deadline, 10*time.Second), cmp.Or(s.grace, 5*time.Second)
	if s.life == nil {
		// Longer than a start may not be visible; and nothing lasts, if not said otherwise.
		s.visibility, s.lasts = cmp.Or(s.visibility, s.grace+worldDelay), cmp.Or(s.lasts, worldDelay)
	}
	s.visibility = cmp.Or(s.visibility, 10*time.Second)
	s.lasts = cmp.Or(s.lasts, s.visibility)
	return s
}

func inBubble(t *testing.T) func(func()) {
	return func(body func()) { synctest.Test(t, func(*testing.T) { body() }) }
}

package poller

import (
	"encoding/json"
	"testing"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

func TestAnEndSaysWhy(t *testing.T) {
	seen := message(7, 0)
	seen.Watch.Job = watch.Sight{State: "RefreshInProgress", Progress: new(42), CollectionName: "ext_books"}
	tests := map[string]struct {
		message watch.Message
		answer  Answer
		age     time.Duration
		want    string
	}{
		"the API's reason":                   {message(0, 0), failed, 0, "no such object"},
		"not a word of a job that completed": {message(0, 0), Answer{Job: milvus.Job{State: "RefreshCompleted", Outcome: milvus.Succeeded, Reason: "fine"}}, 0, ""},
		"never found": {missing(0, 0), fault(milvus.NotFound), 121 * time.Second,
			"the cluster knows no job 449503829274509313, 121 s after the watch began; it was never seen"},
		"no longer found": {seen, fault(milvus.NotFound), 48 * time.Hour,
			"the cluster knows no job 449503829274509313, 172800 s after the watch began; last seen RefreshInProgress at 42 %"},
		"expired while it stood": {seen, running, 24 * time.Hour,
			"no terminal state within the deadline of 86400 s; last seen RefreshInProgress at 42 %"},
		"expired while nobody answered": {seen, fault(milvus.Temporary), 24 * time.Hour,
			"no terminal state within the deadline of 86400 s; last seen RefreshInProgress at 42 %; last error: the cluster's words (HTTP 200, code 7)"},
		"expired for a reason that the cluster gave": {message(0, 0), Answer{Job: milvus.Job{State: "RefreshPending", Progress: new(0), Reason: "no such bucket"}}, 24 * time.Hour,
			"no terminal state within the deadline of 86400 s; last seen RefreshPending at 0 %, for the reason: no such bucket"},
		"failed without a reason": {early(9, 15*time.Second), fault(milvus.NotFound), 15 * time.Second, ""},
		"expired in a state without progress": {message(0, 0), Answer{Job: milvus.Job{State: "RefreshPaused"}}, 24 * time.Hour,
			"no terminal state within the deadline of 86400 s; last seen RefreshPaused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := decide(t, settings, tt.message, tt.answer, begun.Add(tt.age))
			if d.Event == nil || d.Event.Reason != tt.want || d.Reason != tt.want {
				t.Errorf("reason %q, want %q", d.Reason, tt.want)
			}
		})
	}
}
func TestAnExpiredWatchTellsWhereTheJobStoodThoughNobodyAnswers(t *testing.T) {
	m := message(7, 3)
	m.Context = json.RawMessage(`{"a":1}`)
	m.Watch.Job = watch.Sight{State: "RefreshInProgress", Progress: new(42), CollectionName: "ext_books", StartTime: begun}
	got := decide(t, settings, m, fault(milvus.Temporary), begun.Add(24*time.Hour)).Event
	if got.CollectionName != "ext_books" || *got.Progress != 42 || got.StartTime != "2024-04-11T10:40:00.000Z" || got.Watch.Polls != 8 || string(got.Context) != `{"a":1}` {
		t.Errorf("the event is %+v", got)
	}
}
func TestAFailureIsPublishedAsItWasSeen(t *testing.T) {
	for name, answer := range map[string]Answer{"no answer": fault(milvus.Temporary), "not found": fault(milvus.NotFound), "running": running} {
		t.Run(name, func(t *testing.T) {
			got := decide(t, settings, early(9, 0), answer, begun.Add(time.Minute)).Event
			if got == nil || got.CollectionName != "ext_orders" || *got.Progress != 60 || got.ExternalSource != "s3://orders" || got.StartTime != "2024-04-11T10:40:00.000Z" {
				t.Errorf("the event is %+v", got)
			}
		})
	}
}
func TestAnEarlyFailureIsNoProgress(t *testing.T) {
	s := settings
	s.PublishProgress = true
	for name, m := range map[string]watch.Message{"at first": message(3, 0), "again": early(9, 0)} {
		for kind, answer := range map[string]Answer{"failed": unexplained, "running": running} {
			if d := decide(t, s, m, answer, begun.Add(time.Second)); answer.Job.Terminal() || name == "again" {
				if d.Action != Reenqueue || d.Event != nil {
					t.Errorf("%s, %s: %s with %+v", name, kind, d.Action, d.Event)
				}
			}
		}
	}
}

// Nor does the lowest minimum bring two answers closer.
func TestConfirmingTakesSomeSeconds(t *testing.T) {
	s := settings
	s.MinDelay = time.Second
	m, first := message(9, 0), begun.Add(time.Hour)
	if d := decide(t, s, m, unexplained, first); d.Delay != 5*time.Second {
		t.Errorf("a failure for no reason is asked again after %s", d.Delay)
	}
	m = decide(t, s, m, fault(milvus.NotFound), first).Next
	if d := decide(t, s, m, fault(milvus.NotFound), first.Add(4*time.Second)); d.Action != Reenqueue {
		t.Errorf("%s after two answers in 4 s", d.Action)
	}
	if d := decide(t, s, m, fault(milvus.NotFound), first.Add(5*time.Second)); d.Action != Publish {
		t.Errorf("%s after two answers in 5 s", d.Action)
	}
}

// Only the cluster's own refusals add up to the quarter of an hour.
func TestALoneRefusalEndsNoWatchThatWaitedLong(t *testing.T) {
	late := begun.Add(25 * time.Hour)
	for name, waited := range map[string]Answer{"for a request": {NotReached: true}, "for a token": noToken} {
		m := decide(t, settings, message(0, 0), waited, late).Next
		if d := decide(t, settings, m, throttled(0), late.Add(maxThrottled)); d.Action != Reenqueue {
			t.Errorf("after it waited %s: %s", name, d.Action)
		}
	}
}
func TestADeadlineThatWasPutOffBeginsAnew(t *testing.T) {
	m := overdue(9, 20*time.Hour)
	if m = decide(t, settings, m, running, begun.Add(21*time.Hour)).Next; !m.Watch.OverdueSince.IsZero() {
		t.Errorf("overdue since %s", m.Watch.OverdueSince)
	}
}

// The hard minimum is one for these polls too.
func TestConfirmingKeepsToTheMinimum(t *testing.T) {
	s := settings
	s.MinDelay = time.Minute
	for name, answer := range map[string]Answer{"not found": fault(milvus.NotFound), "failed for no reason": unexplained} {
		if d := decide(t, s, message(9, 0), answer, begun.Add(time.Hour)); d.Delay != time.Minute {
			t.Errorf("%s: %s", name, d.Delay)
		}
	}
}

package ledger

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"refresh-poller/internal/watch"
)

var began = time.UnixMilli(1712832000000).UTC()

func message(change func(*watch.Message)) watch.Message {
	m := watch.Message{
		JobID: 7, Deadline: time.Hour, Context: json.RawMessage(`{"pipeline":"nightly"}`),
		Watch: watch.State{ID: "watch-1", Since: began},
	}
	if change != nil {
		change(&m)
	}
	return m
}

var one = OriginOf(message(nil))

func TestAMessageIsBehindOneThatWasSentWithMorePolls(t *testing.T) {
	var l Ledger
	if l.Behind(one, 0) {
		t.Error("behind nothing")
	}
	l.Sent(one, 3)
	for polls, want := range []bool{true, true, true, false, false} {
		if got := l.Behind(one, polls); got != want {
			t.Errorf("with %d polls: behind is %t", polls, got)
		}
	}
}

func TestASlowerChainTakesNothingBack(t *testing.T) {
	var l Ledger
	l.Sent(one, 5)
	l.Sent(one, 2)
	if !l.Behind(one, 4) {
		t.Error("what was sent with 5 polls is forgotten")
	}
}

func TestAllMessagesOfAWatchThatHasEndedAreBehind(t *testing.T) {
	var l Ledger
	l.Ended(one)
	l.Sent(one, 8)
	if !l.Behind(one, 1e9) {
		t.Error("the end is forgotten")
	}
}

func TestWhatAPollChangesIsNotTheOrigin(t *testing.T) {
	polled := message(func(m *watch.Message) {
		m.Watch.Polls, m.Watch.Failures, m.Watch.LastError, m.Watch.Restarts = 4, 1, "no answer", 2
		m.Watch.Job = watch.Sight{State: "RefreshInProgress", Progress: new(3), SeenAt: began}
	})
	if OriginOf(polled) != one {
		t.Error("a poll makes another watch of it")
	}
}

func TestWhatAProducerGaveIsTheOrigin(t *testing.T) {
	for name, change := range map[string]func(*watch.Message){
		"watch id":    func(m *watch.Message) { m.Watch.ID = "watch-2" },
		"beginning":   func(m *watch.Message) { m.Watch.Since = began.Add(time.Millisecond) },
		"job":         func(m *watch.Message) { m.JobID = 8 },
		"deadline":    func(m *watch.Message) { m.Deadline = time.Minute },
		"no deadline": func(m *watch.Message) { m.Deadline = 0 },
		"context":     func(m *watch.Message) { m.Context = json.RawMessage(`{"pipeline":"daily"}`) },
		"no context":  func(m *watch.Message) { m.Context = nil },
	} {
		if OriginOf(message(change)) == one {
			t.Errorf("another %s is the same watch", name)
		}
	}
}

func TestAMessageHasTheOriginOfThoseItBecomes(t *testing.T) {
	first, err := watch.Parse(`{ "context" : { "a" : "<\uFFFE>" }, "jobId":"7" }`, "watch-1", began)
	if err != nil {
		t.Fatal(err)
	}
	second, err := watch.Parse(first.Body(), "another id", began.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if OriginOf(first) != OriginOf(second) {
		t.Error("a poll makes another watch of it")
	}
}

func TestAnEndOutlivesItsGeneration(t *testing.T) {
	var l Ledger
	l.Ended(one)
	for i := range generation {
		l.Sent(Origin{1, byte(i), byte(i >> 8)}, 1)
	}
	l.Sent(one, 2) // by a chain that came in at the same time
	if !l.Behind(one, 1e9) {
		t.Error("the end is forgotten")
	}
}

func TestALedgerServesBatchesAtTheSameTime(t *testing.T) {
	var l Ledger
	var batches sync.WaitGroup
	for polls := range 8 {
		batches.Go(func() {
			for range 100 {
				l.Sent(one, polls)
				l.Behind(one, polls)
			}
		})
	}
	batches.Wait()
	if !l.Behind(one, 6) || l.Behind(one, 7) {
		t.Error("the message with the most polls is not the foremost")
	}
}

func TestTheTableIsBoundedAndKeepsTheLast(t *testing.T) {
	var l Ledger
	origin := func(i int) (o Origin) {
		o[0], o[1], o[2] = byte(i), byte(i>>8), byte(i>>16)
		return o
	}
	const watches = 5 * generation
	for i := range watches {
		l.Sent(origin(i), 1)
		l.Sent(one, i) // a watch that goes on stays known
	}
	const bytes = 120 // of an entry, with the map's room to grow
	if n := len(l.young) + len(l.old); n > 2*generation || n*bytes > 2_000_000 {
		t.Errorf("%d watches are remembered, more than %d or 2 MB", n, 2*generation)
	}
	for i := watches - generation/2; i < watches; i++ {
		if !l.Behind(origin(i), 0) {
			t.Fatalf("watch %d of %d is forgotten", i, watches)
		}
	}
	if !l.Behind(one, watches-2) {
		t.Error("a watch that goes on is forgotten")
	}
	if l.Behind(origin(0), 0) {
		t.Error("the first is remembered")
	}
}

// docs/design.md promises the number.
func TestTheLast8192WatchesAreRemembered(t *testing.T) {
	var l Ledger
	l.Sent(one, 1)
	for i := range 8191 {
		l.Sent(Origin{2, byte(i), byte(i >> 8)}, 1)
	}
	if !l.Behind(one, 0) {
		t.Error("the first of 8192 is forgotten")
	}
}

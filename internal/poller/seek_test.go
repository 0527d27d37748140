package poller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/event"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
)

const asksForBooks = `{"refresh": {"collectionName": "books", "dbName": "library"}, "context": {"a": 1}}`

var booksOf = milvus.Collection{Name: "books", Database: "library"}

// bubble runs a test with a loop in which time passes by itself.
func bubble(t *testing.T, test func(t *testing.T, l *loop)) {
	synctest.Test(t, func(t *testing.T) { test(t, newLoop(t)) })
}

// one returns the only end.
func one(t *testing.T, ends []event.Detail) event.Detail {
	t.Helper()
	if len(ends) != 1 {
		t.Fatalf("ends: %+v", ends)
	}
	return ends[0]
}

func unsureFailure() error {
	return &milvus.Error{Kind: milvus.Temporary, Message: "no answer", Unsure: true}
}

func TestARefreshIsStartedWatchedAndTold(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		sent := time.Now()
		l.send(asksForBooks, 0)
		got := one(t, l.run(t))
		began := l.refreshes.jobs[0].at
		if age := began.Sub(sent); age < settled || age > 10*time.Second {
			t.Errorf("started %s after the message", age)
		}
		stamp := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
		want := event.Detail{
			Version: "1", ID: got.ID, Kind: milvus.ExternalCollection, JobID: "1", State: done, Terminal: true, Outcome: milvus.Succeeded,
			CollectionName: "books", DBName: "library", Progress: new(100), ClusterEndpoint: "https://cluster.example",
			StartTime: stamp(began), EndTime: stamp(began.Add(90 * time.Second)), DurationMs: new(int64(90_000)),
			Watch:   event.Watch{ID: "message-1", Since: stamp(sent), Polls: got.Watch.Polls, DetectionLagMs: got.Watch.DetectionLagMs},
			Context: json.RawMessage(`{"a":1}`),
		}
		if diff := cmp.Diff(want, got); diff != "" || got.Watch.DetectionLagMs == nil || *got.Watch.DetectionLagMs > 60_000 {
			t.Error(diff)
		}
		l.asks(t, "books", map[string]int{"start": 1, "list": 2, "blind start": 0})
	})
}

func TestMessagesOfOneCollectionShareOneListAndOneStart(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		for range 7 {
			l.send(asksForBooks, time.Minute)
		}
		for range 3 {
			l.send(`{"refresh": {"collectionName": "orders"}}`, time.Minute)
		}
		l.turn(t)
		l.asks(t, "books", map[string]int{"start": 1, "list": 1})
		l.asks(t, "orders", map[string]int{"start": 1, "list": 1})
		if line := l.metrics.String(); !strings.Contains(line, `"RefreshesStarted":2`) || !strings.Contains(line, `"Polls":2`) {
			t.Error(line)
		}
		ends := l.run(t)
		byJob := map[string]int{}
		for _, end := range ends {
			byJob[end.CollectionName+end.State+fmt.Sprint(end.Watch.Joined)]++
		}
		if diff := cmp.Diff(map[string]int{"books" + done + "false": 7, "orders" + done + "false": 3}, byJob); diff != "" {
			t.Error(diff)
		}
	})
}

// A hundred files land while a refresh runs: one more runs, and none is forgotten.
func TestWhatLandsDuringARefreshIsServedByOneMore(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		l.refreshes.add(booksOf, 5*time.Minute)
		for range 100 {
			time.Sleep(2 * time.Second)
			l.send(asksForBooks, 0)
			l.deliver(t)
		}
		if ends := l.run(t); len(ends) != 100 || l.refreshes.ran("books") != 2 {
			t.Errorf("%d ends, %d refreshes", len(ends), l.refreshes.ran("books"))
		}
		l.asks(t, "books", map[string]int{"blind start": 0})
	})
}

func TestARefreshThatAnotherStartedServes(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		l.send(asksForBooks, time.Minute)
		time.Sleep(30 * time.Second)
		l.refreshes.add(booksOf, 90*time.Second)
		got := one(t, l.run(t))
		if !got.Watch.Joined || got.State != done || got.JobID != "1" {
			t.Errorf("%+v", got)
		}
		l.asks(t, "books", map[string]int{"start": 0})
	})
}

func TestALostAnswerIsNoSecondStart(t *testing.T) {
	for name, tt := range map[string]struct {
		effect bool
		clock  bool
		starts int
	}{
		"that had an effect":              {true, true, 1},
		"that had an effect, by no clock": {true, false, 1},
		"that had none":                   {false, true, 2},
		"that had none, by no clock":      {false, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *loop) {
				l.refreshes.clock.Known = tt.clock
				lost := false
				l.refreshes.faultOf = func(request string) (bool, error) {
					if request == "start" && !lost {
						lost = true
						return tt.effect, unsureFailure()
					}
					return true, nil
				}
				l.send(asksForBooks, 0)
				if got := one(t, l.run(t)); got.State != done || got.Watch.Joined {
					t.Errorf("%+v", got)
				}
				l.asks(t, "books", map[string]int{"start": tt.starts, "blind start": 0})
				if tt.starts == 2 && time.Since(l.refreshes.jobs[0].at) > 10*time.Minute {
					t.Error("the second start came late")
				}
			})
		})
	}
}

// SQS delivers the message once more, or the function dies once the refresh has
// started.
func TestAMessageThatComesAgainFindsTheRefreshItStarted(t *testing.T) {
	for _, known := range []bool{true, false} {
		bubble(t, func(t *testing.T, l *loop) {
			l.refreshes.clock.Known = known
			l.send(asksForBooks, 0)
			for l.refreshes.requests["books start"] == 0 {
				before := slices.Clone(l.due)
				l.turn(t)
				if l.refreshes.requests["books start"] > 0 {
					l.due = before // the next message is lost, and this one comes back
					l.due[0].due = time.Now().Add(3 * time.Minute)
				}
			}
			// It is in the ledger of an execution that died.
			again := newLoop(t)
			again.refreshes, again.due = l.refreshes, l.due
			again.Cluster, again.Poller.Refreshes = l.refreshes, l.refreshes
			l = again
			if got := one(t, l.run(t)); got.State != done {
				t.Errorf("%+v", got)
			}
			l.asks(t, "books", map[string]int{"start": 1})
		})
	}
}

// An older server hands out an id that never appears while another refresh runs.
func TestAnIDThatNeverAppearsGoesBackToTheRule(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		l.refreshes.older, l.refreshes.hidden = true, 30*time.Second
		l.send(asksForBooks, 10*time.Second)
		time.Sleep(time.Second) // within the margin, and not visible yet
		l.refreshes.add(booksOf, 5*time.Minute)
		got := one(t, l.run(t))
		if got.State != done || got.JobID != "3" || l.refreshes.ran("books") != 2 {
			t.Errorf("%+v after %d refreshes", got, l.refreshes.ran("books"))
		}
		l.asks(t, "books", map[string]int{"start": 2, "blind start": 0})
	})
}

func TestABusyClusterNamesTheJobThatServesOrHasToEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		age    time.Duration // of the job that another starts, after the message
		runs   time.Duration
		named  bool
		starts int
		joined bool
	}{
		"one that serves":                       {30 * time.Second, 5 * time.Minute, true, 1, true},
		"one that serves, not named":            {30 * time.Second, 5 * time.Minute, false, 1, true},
		"one from before":                       {time.Second, 5 * time.Minute, true, 2, false},
		"one from before, not named":            {time.Second, 5 * time.Minute, false, 2, false},
		"one from before that has ended by now": {time.Second, 10 * time.Second, true, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *loop) {
				l.send(asksForBooks, time.Minute)
				time.Sleep(tt.age)
				other := l.refreshes.add(booksOf, tt.runs)
				other.never = true // until the start
				l.refreshes.faultOf = func(request string) (bool, error) {
					if request == "start" && other.never {
						other.never = false
						failure := &milvus.Error{Kind: milvus.Busy, Code: 703, Message: "busy"}
						if tt.named {
							failure.JobID = other.id
						}
						return false, failure
					}
					return true, nil
				}
				got := one(t, l.run(t))
				if got.State != done || got.Watch.Joined != tt.joined || (got.JobID == other.id) != tt.joined {
					t.Errorf("%+v", got)
				}
				l.asks(t, "books", map[string]int{"start": tt.starts, "blind start": 0})
			})
		})
	}
}

func TestABusyClusterThatShowsNoJobIsAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		busy, lists := true, 0
		l.refreshes.faultOf = func(request string) (bool, error) {
			switch {
			case request == "start" && busy:
				return false, &milvus.Error{Kind: milvus.Busy, Code: 703, Message: "busy", JobID: "99"}
			case request == "list" && l.refreshes.requests["books start"] == 1:
				if lists++; lists == 1 { // that of the same turn
					busy = false
					return false, &milvus.Error{Kind: milvus.Temporary, Message: "one job is bad"}
				}
			}
			return true, nil
		}
		l.send(asksForBooks, time.Minute)
		if got := one(t, l.run(t)); got.State != done || lists == 0 {
			t.Errorf("%+v after %d lists", got, lists)
		}
		l.asks(t, "books", map[string]int{"start": 2})
	})
}

func TestARefusedStartIsAskedForOnceMoreWithANewToken(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		l.Tokens = fakeTokens(func(_ context.Context, newerThan time.Time) (string, error) {
			if newerThan.IsZero() {
				return token, nil
			}
			return rotatedToken, nil
		})
		refused := false
		l.refreshes.faultOf = func(request string) (bool, error) {
			if request == "start" && !refused {
				refused = true
				return false, &milvus.Error{Kind: milvus.Refused, Message: "no"}
			}
			return true, nil
		}
		l.send(asksForBooks, time.Minute)
		l.turn(t)
		l.asks(t, "books", map[string]int{"start": 2, "list": 1})
		if got := one(t, l.run(t)); got.State != done {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhereRefreshesAreNotStartedAMessageIsRefusedUnlessItHasItsJob(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		l.send(asksForBooks, time.Minute)
		l.turn(t)
		l.Settings.StartRefreshes = false
		l.send(asksForBooks, 0)
		if got := one(t, l.run(t)); got.State != done || got.Watch.ID != "message-1" {
			t.Errorf("%+v", got)
		}
		letters := l.aws.messages[deadLetterQueue]
		if len(letters) != 1 || !strings.Contains(*letters[0].MessageAttributes[attributeReason].StringValue, "StartRefreshes is false") {
			t.Errorf("%+v", letters)
		}
	})
}

func TestListsAndStartsKeepToTheRateLimit(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		for i := range 5 {
			l.send(fmt.Sprintf(`{"refresh": {"collectionName": "c%d"}}`, i), time.Minute)
		}
		l.Limiter = limiter.New(2)
		began := time.Now()
		l.turn(t)
		total := 0
		for _, n := range l.refreshes.requests {
			total += n
		}
		if took := time.Since(began) - time.Minute; total != 10 || took < 4*time.Second {
			t.Errorf("%d requests in %s at 2 a second", total, took)
		}
	})
}

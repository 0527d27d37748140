package poller

import (
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/metric"
	"refresh-poller/internal/milvus"
)

func TestARefreshThatWillNeverStartEndsTheWatch(t *testing.T) {
	for _, request := range []string{"list", "start"} {
		bubble(t, func(t *testing.T, l *loop) {
			l.refreshes.faultOf = func(asked string) (bool, error) {
				if asked == request {
					return false, &milvus.Error{Kind: milvus.Impossible, Status: 200, Code: 100, Message: "collection not found"}
				}
				return true, nil
			}
			l.send(asksForBooks, 0)
			got := one(t, l.run(t))
			if got.State != event.StateNotStarted || got.Outcome != event.NotStarted || got.JobID != "" || got.CollectionName != "books" || got.DBName != "library" ||
				got.Reason != "no such refresh will start: collection not found (HTTP 200, code 100)" {
				t.Errorf("%+v", got)
			}
			if !strings.Contains(l.metrics.String(), `"`+string(metric.EventsRefreshNotStarted)+`":1`) {
				t.Error(l.metrics)
			}
		})
	}
}

func TestNothingIsStartedByTheDeadline(t *testing.T) {
	failing := func(request string, failure *milvus.Error) func(string) (bool, error) {
		return func(asked string) (bool, error) {
			if asked == request {
				return false, failure
			}
			return true, nil
		}
	}
	for name, tt := range map[string]struct {
		fault  func(string) (bool, error)
		runs   bool
		reason []string
	}{
		"for one that runs":        {nil, true, []string{"nothing was started within the deadline of 3600 s", "job 1 has to end first"}},
		"for want of a list":       {failing("list", &milvus.Error{Kind: milvus.Temporary, Message: "one job is bad"}), false, []string{"last error: one job is bad"}},
		"for want of a right":      {failing("start", &milvus.Error{Kind: milvus.Refused, Message: "no privilege"}), false, []string{"nothing is started after the deadline"}},
		"for too many requests":    {failing("list", &milvus.Error{Kind: milvus.Throttled, Message: "rejected"}), false, []string{"last error: rejected"}},
		"for want of any answer":   {failing("start", unsureFailure().(*milvus.Error)), false, []string{"nothing was started"}},
		"for a server that is old": {failing("list", &milvus.Error{Kind: milvus.Misconfigured, Status: 404, Message: "no such page"}), false, []string{"no such page"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *loop) {
				l.refreshes.faultOf = tt.fault
				if tt.runs {
					l.refreshes.add(booksOf, 100*time.Hour)
				}
				time.Sleep(time.Second)
				sent := time.Now()
				l.send(asksForBooks, 0)
				got := one(t, l.run(t))
				for _, part := range tt.reason {
					if got.State != event.StateNotStarted || !strings.Contains(got.Reason, part) {
						t.Errorf("%+v, want a reason with %q", got, part)
					}
				}
				if age := time.Since(sent); age < time.Hour || age > time.Hour+16*time.Minute {
					t.Errorf("ended after %s", age)
				}
			})
		})
	}
}

func TestAMessageFirstReadAfterItsDeadlineStartsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop) {
		l.send(asksForBooks, time.Hour)
		got := one(t, l.run(t))
		if got.State != event.StateNotStarted || !strings.HasPrefix(got.Reason, "the message was first read after its deadline of 3600 s") {
			t.Errorf("%+v", got)
		}
		l.asks(t, "books", map[string]int{"start": 0, "list": 1})
	})
}

package poller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
)

// late is a stack whose executions share perSecond describes, with so many
// messages in its queue that are 25 h old, a day more than the deadline.
func late(messages int, perSecond float64, describe fakeCluster) *model {
	m := newModel(false)
	for _, p := range m.pollers {
		p.Limiter = limiter.New(perSecond / float64(len(m.pollers)))
		p.Cluster = describe
	}
	for id := range messages {
		m.enqueue(fmt.Sprint(id+1), 0)
		m.queue[id].sent = m.queue[id].sent.Add(-25 * time.Hour)
	}
	return m
}

// settle delivers what is in the queue, in its order, until nothing is left, or
// for an hour.
func (m *model) settle(t *testing.T) {
	t.Helper()
	until := time.Now().Add(time.Hour)
	for turn := 0; len(m.queue) > 0 && time.Now().Before(until); turn++ {
		next := slices.MinFunc(m.queue, func(a, b *modelMessage) int { return a.visible.Compare(b.visible) })
		time.Sleep(time.Until(next.visible))
		visible := m.visible()
		if err := m.deliver(turn%len(m.pollers), visible[:min(len(visible), 10)], faults{}); err != nil {
			t.Fatal(err)
		}
	}
}

// wantEnds checks that so many watches ended, all so.
func (m *model) wantEnds(t *testing.T, count int, state string) {
	t.Helper()
	ends := map[string]int{}
	for _, states := range m.published {
		for _, state := range states {
			ends[state]++
		}
	}
	if ends[state] != count || len(ends) != min(count, 1) {
		t.Errorf("the watches ended as %v, want %d as %s; %d are in the queue", ends, count, state, len(m.queue))
	}
}

func TestAWatchThatComesLateIsAskedForBeforeItEnds(t *testing.T) {
	tests := map[string]struct {
		messages  int
		perSecond float64
		throttled int // of the first describes
	}{
		"after one refusal of the cluster's": {300, 20, 1},
		"under a low limit of its own":       {10, 1, 0},
		"under a limit of one in a minute":   {3, 1.0 / 60, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				describes := make(chan bool, tt.throttled)
				for range tt.throttled {
					describes <- true
				}
				m := late(tt.messages, tt.perSecond, func(context.Context, string, int64) (milvus.Job, error) {
					select {
					case <-describes:
						return milvus.Job{}, &milvus.Error{Kind: milvus.Throttled, Message: "rate limit", RetryAfter: 30 * time.Second}
					default:
						return completed.Job, nil
					}
				})
				m.settle(t)
				m.wantEnds(t, tt.messages, milvus.StateCompleted)
			})
		})
	}
}

func TestAWatchThatOnlyEverIsThrottledEndsAQuarterOfAnHourAfterItWasFoundOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := late(1, 20, func(context.Context, string, int64) (milvus.Job, error) {
			return milvus.Job{}, &milvus.Error{Kind: milvus.Throttled, Message: "rate limit"}
		})
		began := time.Now()
		m.settle(t)
		m.wantEnds(t, 1, "WatchExpired")
		if took := time.Since(began); took < maxThrottled || took > maxThrottled+time.Minute {
			t.Errorf("after %s, want %s or little more", took, maxThrottled)
		}
	})
}

func TestAWatchOutlivesASecretThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := late(3, 20, func(context.Context, string, int64) (milvus.Job, error) { return completed.Job, nil })
		mended := time.Now().Add(30 * time.Minute)
		for _, p := range m.pollers {
			p.Tokens = fakeTokens(func(context.Context, time.Time) (string, error) {
				if time.Now().Before(mended) {
					return "", errors.New("access denied")
				}
				return "token", nil
			})
		}
		m.settle(t)
		m.wantEnds(t, 3, milvus.StateCompleted)
	})
}

// An answer that is not found once is no end, not even to a message that comes
// late, but there the deadline has come.
func TestOneNotFoundEndsNoWatchBeforeItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(false)
		asked := 0
		for _, p := range m.pollers {
			p.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
				if asked++; asked == 1 {
					return milvus.Job{}, fault(milvus.NotFound).Failure
				}
				return completed.Job, nil
			})
		}
		m.enqueue("1", 0)
		m.queue[0].sent = m.queue[0].sent.Add(-10 * time.Minute) // the grace is a minute, the deadline 20
		m.settle(t)
		m.wantEnds(t, 1, milvus.StateCompleted)
	})
}

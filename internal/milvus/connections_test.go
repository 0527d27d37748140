package milvus

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/pipenet"
)

// cluster is one in memory, with a client that keeps ten connections to it.
type cluster struct {
	*pipenet.Server
	client *Client
	// answered counts its answers.
	answered atomic.Int32
}

// inABubble runs a test over each protocol, in simulated time. An answer takes so
// long, so that describes at once each need a connection, or a stream.
func inABubble(t *testing.T, takes time.Duration, run func(*testing.T, *cluster)) {
	for _, protocol := range pipenet.Protocols {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cluster{}
				c.Server = pipenet.Start(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(takes)
					answering(200, success(exactID, inProgress))(w, r)
					c.answered.Add(1)
				})
				transport := newTransport(10)
				c.Route(transport)
				c.client = newClient(c.URL, transport)
				run(t, c)
			})
		})
	}
}

// describe makes so many describes at once, and returns how many failed, and how
// many of these are stale.
func (c *cluster) describe(ctx context.Context, count int) (failed, stale int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range count {
		wg.Go(func() {
			_, err := c.client.Describe(ctx, apiKey, refresh(exactID))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				if err.(*Error).Stale {
					stale++
				}
			}
		})
	}
	wg.Wait()
	return failed, stale
}

func TestADeadConnectionFailsOneDescribeOfEachJob(t *testing.T) {
	for death, die := range pipenet.Deaths {
		for _, jobs := range []int{1, 10} {
			t.Run(death, func(t *testing.T) {
				inABubble(t, time.Second, func(t *testing.T, c *cluster) {
					c.describe(t.Context(), 10)
					die(c.Server)
					if failed, stale := c.describe(t.Context(), jobs); failed != jobs || stale != jobs {
						t.Errorf("of %d describes %d failed, %d of them stale", jobs, failed, stale)
					}
					for range 10 {
						if failed, _ := c.describe(t.Context(), jobs); failed > 0 {
							t.Errorf("then %d of %d failed", failed, jobs)
						}
					}
					if got, want := int(c.answered.Load()), 10+10*jobs; got != want {
						t.Errorf("the cluster answered %d requests, want %d", got, want)
					}
					if c.Open() > jobs {
						t.Errorf("%d connections are open for %d jobs", c.Open(), jobs)
					}
				})
			})
		}
	}
}

func TestASilentConnectionIsNoticedEarlyOverHTTP2(t *testing.T) {
	inABubble(t, time.Second, func(t *testing.T, c *cluster) {
		c.describe(t.Context(), 1)
		c.Silence()
		want := Timeout
		if c.Protocol == pipenet.HTTP2 {
			want = 6 * time.Second // early enough for a second describe in one batch
		}
		took(t, want, func() { c.describe(t.Context(), 1) })
	})
}

func TestASlowClusterKeepsItsConnection(t *testing.T) {
	inABubble(t, 9*time.Second, func(t *testing.T, c *cluster) {
		for range 3 {
			if failed, _ := c.describe(t.Context(), 1); failed > 0 {
				t.Error("a describe failed")
			}
		}
		if c.Opened() != 1 {
			t.Errorf("%d connections", c.Opened())
		}
	})
}

func TestOnlyADescribeThatMayWorkAtOnceIsStale(t *testing.T) {
	inTime, cut := time.Hour, 5*time.Second
	tests := map[string]struct {
		kept    bool
		patient time.Duration // the caller
		stale   int           // of two describes at once
	}{
		"over a kept connection":                      {true, inTime, 2},
		"over a kept connection, but the caller left": {true, cut, 0},
		"over a new connection":                       {false, inTime, 0},
		"over a new connection, and the caller left":  {false, cut, 0},
	}
	for name, tt := range tests {
		for _, hang := range []func(*pipenet.Server){(*pipenet.Server).Hang, (*pipenet.Server).HangAmid} {
			t.Run(name, func(t *testing.T) {
				inABubble(t, time.Second, func(t *testing.T, c *cluster) {
					if tt.kept {
						c.describe(t.Context(), 2)
					}
					hang(c.Server)
					c.HangAll()
					ctx, cancel := context.WithTimeout(t.Context(), tt.patient)
					defer cancel()
					if failed, stale := c.describe(ctx, 2); failed != 2 || stale != tt.stale {
						t.Errorf("%d failed, %d of them stale, want %d", failed, stale, tt.stale)
					}
				})
			})
		}
	}
}

func TestADescribeThatTheCallerGivesUpLeavesItsConnection(t *testing.T) {
	inABubble(t, time.Second, func(t *testing.T, c *cluster) {
		c.describe(t.Context(), 1)
		c.Hang()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c.describe(ctx, 1)
		if failed, _ := c.describe(t.Context(), 1); failed > 0 {
			t.Error("the next describe failed")
		}
	})
}

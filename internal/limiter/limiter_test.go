package limiter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// starts lets count requests wait at once, and returns when each of them
// started, counted from now.
func starts(t *testing.T, l *Limiter, count int) []time.Duration {
	t.Helper()
	began := time.Now()
	var mu sync.Mutex
	var at []time.Duration
	var done sync.WaitGroup
	for range count {
		done.Go(func() {
			end, err := l.Wait(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			end()
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began))
		})
	}
	done.Wait()
	slices.Sort(at)
	return at
}

func TestABurstStartsAtTheRate(t *testing.T) {
	const second, day = time.Second, 24 * time.Hour
	tests := map[string]struct {
		rate float64
		want []time.Duration
	}{
		"one a second":              {1, []time.Duration{0, second, 2 * second}},
		"three a second":            {3, []time.Duration{0, 0, 0, second, second, second, 2 * second}},
		"a fraction above one":      {2.9, []time.Duration{0, 0, second, second, 2 * second}},
		"one in two seconds":        {0.5, []time.Duration{0, 2 * second, 4 * second}},
		"one in ten seconds":        {0.1, []time.Duration{0, 10 * second, 20 * second}},
		"just below one a second":   {0.8, []time.Duration{0, 1250 * time.Millisecond, 2500 * time.Millisecond}},
		"no rarer than once a day":  {1e-9, []time.Duration{0, day}},
		"not even once in an age":   {math.SmallestNonzeroFloat64, []time.Duration{0, day}},
		"more than could be wanted": {1e18, []time.Duration{0, 0, 0}},
		"no limit at all":           {math.Inf(1), []time.Duration{0, 0, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, starts(t, New(tt.rate), len(tt.want))); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestRestDoesNotAllowALargerBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2)
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]time.Duration{0, 0, time.Second}, starts(t, l, 3)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestALimiterThatTakesThePlaceOfAnotherLetsItsSecondPass(t *testing.T) {
	const second = time.Second
	for rate, want := range map[float64][]time.Duration{
		3:   {second, second, second, 2 * second},
		0.5: {second, 3 * second}, // no longer than a second, or a function would not live to see it
	} {
		synctest.Test(t, func(t *testing.T) {
			l := New(rate)
			l.Spend()
			if diff := cmp.Diff(want, starts(t, l, len(want))); diff != "" {
				t.Error(rate, diff)
			}
		})
	}
}

func TestAStartCountsForOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2)
		starts(t, l, 1)
		time.Sleep(900 * time.Millisecond)
		// The first may start again when the one 900 ms ago has left the window.
		want := []time.Duration{0, 100 * time.Millisecond, time.Second}
		if diff := cmp.Diff(want, starts(t, l, 3)); diff != "" {
			t.Error(diff)
		}
	})
}

// The promise, under random rates, arrivals, durations, holds, deadlines and
// cancellations: no window of the cluster's holds more requests than the rate
// allows, and none starts during a Hold or after its deadline.
func TestNoWindowHoldsMoreRequestsThanTheRate(t *testing.T) {
	for range 100 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkRandomTraffic(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func checkRandomTraffic(t *testing.T, random *rand.Rand) {
	// Most rates lie around 1, where the window changes its meaning.
	rate := math.Exp(random.NormFloat64() * 1.5)
	share, window := int(rate), time.Second
	if rate < 1 {
		share, window = 1, time.Duration(float64(time.Second)/rate)
	}
	l := New(rate)
	var mu sync.Mutex
	var started, reached []time.Time
	var held [][2]time.Time
	var done sync.WaitGroup
	for range 50 + random.IntN(200) {
		arrival := time.Duration(random.Int64N(int64(20 * time.Second)))
		patience := time.Duration(random.Int64N(int64(30 * time.Second)))
		there, back := time.Duration(random.Int64N(int64(time.Second))), time.Duration(random.Int64N(int64(time.Second)))
		known := time.Duration(random.Int64N(int64(back) + 1)) // to have arrived, before the answer
		impatient, deserted := random.IntN(2) == 0, random.IntN(10) == 0
		done.Go(func() {
			time.Sleep(arrival)
			ctx, cancel := context.WithCancel(t.Context())
			if impatient {
				ctx, cancel = context.WithTimeout(ctx, patience)
			}
			defer cancel()
			if deserted {
				time.AfterFunc(patience/2, cancel)
			}
			end, err := l.Wait(ctx)
			if err != nil {
				return
			}
			start := time.Now()
			if deadline, ok := ctx.Deadline(); ok && start.After(deadline) {
				t.Errorf("started %s after the deadline", time.Since(deadline))
			}
			time.Sleep(there)
			mu.Lock()
			started, reached = append(started, start), append(reached, time.Now())
			mu.Unlock()
			time.Sleep(known)
			end()
			time.Sleep(back - known)
			end()
		})
	}
	for range random.IntN(4) {
		arrival := time.Duration(random.Int64N(int64(20 * time.Second)))
		length := time.Duration(random.Int64N(int64(10 * time.Second)))
		done.Go(func() {
			time.Sleep(arrival)
			l.Hold(length)
			mu.Lock()
			defer mu.Unlock()
			held = append(held, [2]time.Time{time.Now(), time.Now().Add(max(length, time.Second))})
		})
	}
	done.Wait()
	slices.SortFunc(reached, time.Time.Compare)
	for i := share; i < len(reached); i++ {
		if apart := reached[i].Sub(reached[i-share]); apart < window {
			t.Fatalf("at %g a second, %d requests came within %s", rate, share+1, apart)
		}
	}
	for _, at := range started {
		for _, hold := range held {
			// At the hold's very first instant either may have come first.
			if at.After(hold[0]) && at.Before(hold[1]) {
				t.Fatalf("a request started %s before a hold's end", hold[1].Sub(at))
			}
		}
	}
}

func TestARequestThatIsDoneTwiceGivesOneSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		done, err := l.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done()
		time.Sleep(100 * time.Millisecond)
		done() // which would also block
		want := []time.Duration{900 * time.Millisecond, 1900 * time.Millisecond}
		if diff := cmp.Diff(want, starts(t, l, 2)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestASlotThatIsNotBeforeTheDeadlineIsTooLateAtOnce(t *testing.T) {
	for _, deadline := range []time.Duration{time.Second - time.Nanosecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := New(1)
			starts(t, l, 1)
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			began := time.Now()
			if _, err := l.Wait(ctx); !errors.Is(err, ErrTooLate) || time.Since(began) != 0 {
				t.Errorf("%s: got %v after %s", deadline, err, time.Since(began))
			}
		})
	}
}

func TestWhoIsTooLateTakesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		starts(t, l, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for range 100 {
			_, _ = l.Wait(ctx)
		}
		if diff := cmp.Diff([]time.Duration{time.Second}, starts(t, l, 1)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestASlotBeforeTheDeadlineIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		starts(t, l, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Nanosecond)
		defer cancel()
		began := time.Now()
		if _, err := l.Wait(ctx); err != nil || time.Since(began) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

func TestACancelledContextStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 { // a select between two ready cases would let some through
			if _, err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
		}
		if diff := cmp.Diff([]time.Duration{0}, starts(t, l, 1)); diff != "" {
			t.Error("it took a slot:", diff)
		}
	})
}

func TestACancellationEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(0.1)
		starts(t, l, 1)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		if _, err := l.Wait(ctx); !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

// The clock can't be set in a test: what it would have left behind is.
func TestAClockSetBackPutsNoRequestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		<-l.slots
		l.slots <- time.Now().Add(time.Hour)
		l.heldUntil = time.Now().Add(time.Hour)
		if held := l.Held(); held != MaxHold {
			t.Errorf("held for %s", held)
		}
		l.heldUntil = time.Time{}
		if at := starts(t, l, 1); at[0] != time.Second {
			t.Errorf("started after %s", at[0])
		}
	})
}

// Go's monotonic clock may stand still while Lambda has the process frozen, so no
// time that outlives an invocation may hold a reading of it.
func TestTheLimiterGoesByTheWallClock(t *testing.T) {
	l := New(1)
	done, err := l.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done()
	l.Hold(time.Second)
	for name, at := range map[string]time.Time{"a slot": <-l.slots, "a hold": l.heldUntil} {
		if strings.Contains(at.String(), " m=") {
			t.Errorf("%s is free at %s", name, at)
		}
	}
}

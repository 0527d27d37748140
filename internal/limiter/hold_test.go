package limiter

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAHoldDelaysWhoComesAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2)
		l.Hold(5 * time.Second)
		want := []time.Duration{5 * time.Second, 5 * time.Second, 6 * time.Second}
		if diff := cmp.Diff(want, starts(t, l, 3)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAHoldDelaysWhoWaitsAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		time.AfterFunc(500*time.Millisecond, func() { l.Hold(10 * time.Second) })
		want := []time.Duration{0, 10500 * time.Millisecond, 11500 * time.Millisecond}
		if diff := cmp.Diff(want, starts(t, l, 3)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAHoldOverAHoldDelaysAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		l.Hold(5 * time.Second)
		time.AfterFunc(4*time.Second, func() { l.Hold(5 * time.Second) })
		if diff := cmp.Diff([]time.Duration{9 * time.Second}, starts(t, l, 1)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAShorterHoldDoesNotEndALongerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		l.Hold(10 * time.Second)
		l.Hold(2 * time.Second)
		if got := l.Held(); got != 10*time.Second {
			t.Errorf("held for %s", got)
		}
	})
}

func TestAHoldHasBounds(t *testing.T) {
	tests := map[string]struct{ hold, want time.Duration }{
		"negative":         {-time.Hour, time.Second},
		"none":             {0, time.Second},
		"under a second":   {time.Millisecond, time.Second},
		"a second":         {time.Second, time.Second},
		"in between":       {1500 * time.Millisecond, 1500 * time.Millisecond},
		"a minute":         {time.Minute, MaxHold},
		"over a minute":    {time.Minute + 1, MaxHold},
		"a year":           {365 * 24 * time.Hour, MaxHold},
		"all that it can":  {1<<63 - 1, MaxHold},
		"the other excess": {-1 << 63, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(1)
				l.Hold(tt.hold)
				if got := l.Held(); got != tt.want {
					t.Errorf("held for %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestHeldIsWhatIsLeftOfAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		var got []time.Duration
		got = append(got, l.Held())
		l.Hold(3 * time.Second)
		for range 4 {
			got = append(got, l.Held())
			time.Sleep(time.Second)
		}
		got = append(got, l.Held())
		want := []time.Duration{0, 3 * time.Second, 2 * time.Second, time.Second, 0, 0}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAHoldBeyondTheDeadlineIsTooLateAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		l.Hold(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := l.Wait(ctx); !errors.Is(err, ErrTooLate) || time.Since(began) != 0 {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

func TestAHoldMakesWhoWaitsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		starts(t, l, 1)
		time.AfterFunc(500*time.Millisecond, func() { l.Hold(10 * time.Second) })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := l.Wait(ctx); !errors.Is(err, ErrTooLate) || time.Since(began) != time.Second {
			t.Errorf("got %v after %s, want it when the slot comes that it had", err, time.Since(began))
		}
	})
}

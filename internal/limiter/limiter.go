// Package limiter keeps the describes of one execution environment under its
// share of the cluster's rate limit.
package limiter

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrTooLate is what Wait returns when a request could not start in time.
var ErrTooLate = errors.New("no request could start in time under the rate limit")

// MaxHold bounds one Hold. A longer one would let the watches that are past
// their deadline wait for the others.
const MaxHold = time.Minute

// Limiter lets no more requests start in any window than their share. It is
// not golang.org/x/time/rate, whose bucket lets a burst and the refill through
// within one second: twice the rate, or half of it ever after. The zero value
// is not usable.
type Limiter struct {
	window time.Duration

	mu sync.Mutex
	// starts is a ring of the last requests' starts, next the oldest of them.
	starts []time.Time
	next   int
	// heldUntil is when the cluster's wish to be left alone ends.
	heldUntil time.Time
}

// New returns a limiter of perSecond requests a second, which is above 0. A
// whole number of them may start at once; below 1 it is one in 1/perSecond
// seconds.
func New(perSecond float64) *Limiter {
	count := max(int(min(perSecond, 10_000)), 1)
	window := time.Second
	if perSecond < 1 {
		window = time.Duration(min(float64(time.Second)/perSecond, float64(24*time.Hour)))
	}
	return &Limiter{window: window, starts: make([]time.Time, count)}
}

// Wait returns when a request may start, or at once with ErrTooLate when that
// would be after ctx's deadline, or with ctx's error.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		start, err := l.reserve(ctx)
		if err != nil {
			return err
		}
		timer := time.NewTimer(time.Until(start))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if l.Held() == 0 {
			return nil
		}
	}
}

// reserve takes the next free start. One that a Hold then passes over stays
// taken, which errs on the slow side.
func (l *Limiter) reserve(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	start := time.Now()
	if free := l.starts[l.next].Add(l.window); free.After(start) {
		start = free
	}
	if l.heldUntil.After(start) {
		start = l.heldUntil
	}
	if deadline, ok := ctx.Deadline(); ok && start.After(deadline) {
		return time.Time{}, ErrTooLate
	}
	l.starts[l.next] = start
	l.next = (l.next + 1) % len(l.starts)
	return start, nil
}

// Hold lets no request start for d, but at least a second and at most MaxHold:
// the cluster has said that there were too many.
func (l *Limiter) Hold(d time.Duration) {
	until := time.Now().Add(min(max(d, time.Second), MaxHold))
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.heldUntil) {
		l.heldUntil = until
	}
}

// Held returns how long a Hold still lasts; 0 when none does.
func (l *Limiter) Held() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(time.Until(l.heldUntil), 0)
}

// Package limiter keeps the describes of one execution environment under its
// share of the cluster's rate limit. All together they keep to that limit in any
// second, if the share is one or more, and if no more environments serve within
// a second than may at a time; else they do on average.
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

// Limiter lets no more requests reach the cluster in any window than their
// share, however long each is on its way: the next one starts in the place of
// one that has been known for a window to be there. It is not golang.org/x/time/rate,
// whose bucket lets a burst and the refill through within one second. The zero
// value is not usable.
type Limiter struct {
	window time.Duration
	// slots holds, for each request that may be under way and isn't, the time
	// from which it may start.
	slots chan time.Time

	mu sync.Mutex
	// heldUntil is when the cluster's wish to be left alone ends.
	heldUntil time.Time
}

// New returns a limiter of perSecond requests a second, which is above 0. A
// whole number of them may start at once; below 1 it is one in 1/perSecond
// seconds.
func New(perSecond float64) *Limiter {
	count := max(int(min(perSecond, 10_000)), 1)
	window := max(time.Second, time.Duration(min(float64(time.Second)/perSecond, float64(24*time.Hour))))
	l := &Limiter{window: window, slots: make(chan time.Time, count)}
	for range count {
		l.slots <- time.Time{}
	}
	return l
}

// Spend has the limiter begin with nothing left of its first second: it may have
// come in the place of another, as an execution environment does, and doesn't
// know what that one used. It is called at most once, before any Wait.
func (l *Limiter) Spend() {
	free := wallTime().Add(min(l.window, time.Second))
	for range cap(l.slots) {
		<-l.slots
		l.slots <- free
	}
}

// Wait returns when a request may start; done must be called as soon as it is known
// to have reached the cluster, by its answer if not before. Further calls do nothing.
// Wait returns ErrTooLate, as soon as that is certain, when the request can't start
// before ctx's deadline, or else ctx's error.
func (l *Limiter) Wait(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, late(err)
	}
	var free time.Time
	select {
	case <-ctx.Done():
		return nil, late(ctx.Err())
	case free = <-l.slots:
	}
	// A clock that was set back puts nothing off for longer than it was to wait.
	for wait := min(time.Until(free), l.window); wait > 0 || l.Held() > 0; wait = 0 {
		if err := sleep(ctx, max(wait, l.Held())); err != nil {
			l.slots <- free
			return nil, late(err)
		}
	}
	return sync.OnceFunc(func() { l.slots <- wallTime().Add(l.window) }), nil
}

// wallTime is the time without Go's monotonic clock, which may stand still
// while Lambda has the process frozen.
func wallTime() time.Time { return time.Now().Round(0) }

func late(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTooLate
	}
	return err
}

// sleep returns at once if ctx's deadline is no later than d.
func sleep(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Hold lets no request start for d, but at least a second and at most MaxHold:
// the cluster has said that there were too many.
func (l *Limiter) Hold(d time.Duration) {
	until := wallTime().Add(min(max(d, time.Second), MaxHold))
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
	return min(max(time.Until(l.heldUntil), 0), MaxHold)
}

// Package schedule says when to poll next. It knows nothing of queues or
// clusters: numbers in, a delay out.
package schedule

import (
	"math"
	"time"
)

// MaxDelay is the longest delay that SQS gives a message (Amazon SQS Developer
// Guide, "Message timers").
const MaxDelay = 900 * time.Second

// Moment is what is known of a watch after a poll.
type Moment struct {
	// Polls made so far, 1 or more.
	Polls int
	// Failures since the last describe that did not fail.
	Failures int
	// Slow is set when only an operator can help: asking sooner is of no use.
	Slow bool
	// RetryAfter is how long the cluster asks to be left alone.
	RetryAfter time.Duration
	// Min and Max bound the delay, 1 s to MaxDelay.
	Min, Max time.Duration
	// Until is the time left to the moment a poll has to fall on: the end of
	// the grace, or the deadline. 0 or less when that has passed.
	Until time.Duration
}

const (
	growth  = 1.5 // of the delay, from poll to poll
	backoff = 2   // of the delay, from failure to failure
)

// Next returns the delay until the next poll, in whole seconds from 1 s to
// MaxDelay. It is between Min and Max, but for two cases: RetryAfter is
// honoured beyond Max, and nothing is waited for beyond Until.
func Next(m Moment) time.Duration {
	delay := grown(m.Min, growth, m.Polls-1, m.Max)
	if m.Failures > 0 {
		delay = max(delay, grown(m.Min, backoff, m.Failures, m.Max))
	}
	if m.Slow {
		delay = m.Max
	}
	delay = max(delay, m.RetryAfter)
	if m.Until > 0 {
		delay = min(delay, m.Until)
	}
	return wholeSeconds(min(delay, MaxDelay))
}

// grown returns d × factor^times, at most limit.
func grown(d time.Duration, factor float64, times int, limit time.Duration) time.Duration {
	return time.Duration(min(float64(d)*math.Pow(factor, float64(times)), float64(limit)))
}

// wholeSeconds rounds up: SQS delays by whole seconds, and a poll just before
// its moment would need one more just after it.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

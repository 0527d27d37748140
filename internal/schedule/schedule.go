// Package schedule says when to poll next. It knows nothing of queues or
// clusters: numbers in, a delay out. docs/schedule.md tells why it is so.
package schedule

import (
	"cmp"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// MaxDelay is the longest delay that SQS gives a message (Amazon SQS Developer
// Guide, "Message timers").
const MaxDelay = 900 * time.Second

// Pace is the one tuned constant: the delay is Pace × √age seconds where
// progress tells nothing. More means fewer polls and later news.
const Pace = 3.0

// Moment is what is known of a watch after a poll.
type Moment struct {
	// WatchID and Polls, those made so far, set the jitter.
	WatchID string
	Polls   int
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

	// Watched is the time since the watch began.
	Watched time.Duration
	// Running is the time since the job began, by its own word; 0 or less when
	// that isn't known, or lies ahead.
	Running time.Duration
	// Progress is the job's, 0 to 100; 0 when it isn't known.
	Progress int
	// Gained is the progress since the describe before, Within how long that
	// took; both 0 when it isn't known.
	Gained int
	Within time.Duration

	// Pace replaces the constant; 0 means Pace.
	Pace float64
}

const (
	// weight is how much progress counts: under the root, so that the delay at
	// 99 is two fifths of that at 0.
	weight = 0.85
	// jitter is the part of a delay that chance may take away.
	jitter  = 0.1
	backoff = 2 // of the delay, from failure to failure
)

// Next returns the delay until the next poll, in whole seconds from 1 s to
// MaxDelay. It is between Min and Max, but for two cases: RetryAfter is
// honoured beyond Max, and nothing is waited for beyond Until.
//
// With no failure, Slow or RetryAfter, and whatever the progress, it is
//   - at most Min or half the age, whichever is more; the age is Running or
//     Watched, whichever is less
//   - at least 0.52 × √age seconds or 0.9 × Max, whichever is less, at the usual
//     Pace. In the first case √age has grown by 0.52 / (1 + √1.5) at the next
//     poll, so T seconds hold at most 5 + 4.3 × √T + 1.2 × T / Max polls: 1615
//     in a day at the template's defaults, whose Min alone would allow 17280.
//     A job that pends first has them for each of the two spans.
func Next(m Moment) time.Duration {
	delay := m.regular()
	if m.Failures > 0 {
		delay = max(delay, wholeSeconds(m.jittered(m.backedOff())))
	}
	if m.Slow {
		delay = m.Max
	}
	delay = max(delay, m.RetryAfter, m.Min)
	if m.Until > 0 {
		delay = min(delay, m.Until)
	}
	return wholeSeconds(min(delay, MaxDelay))
}

// regular is the delay of a job that answers.
//
// Of jobs that last from seconds to hours, one of age t ends within the next
// second with a chance of about 1/t, and to ask at intervals of √t is then the
// best balance of polls and lag (Barlow, Hunter and Proschan, "Optimum checking
// procedures", 1963). The chance is the higher, the more progress there is. And
// where progress rises, it tells the end: within the delay, it shortens that to
// the end, or to half; beyond it, it makes half the way the delay.
func (m Moment) regular() time.Duration {
	age := m.age()
	progress := float64(min(max(m.Progress, 0), 100))
	seconds := cmp.Or(m.Pace, Pace) * math.Sqrt(age.Seconds()*(1-weight*progress/100))
	if m.Gained > 0 && m.Within > 0 {
		left := (100 - progress) / float64(m.Gained) * m.Within.Seconds()
		seconds = max(seconds/2, min(left, seconds), left/2)
	}
	limit := min(age/2, m.Max)
	delay := wholeSeconds(m.jittered(min(duration(seconds), limit)))
	return min(delay, limit.Truncate(time.Second))
}

// age is the job's, but no more than the watch's: a job that was enqueued long
// after its start can't be told from a cluster whose clock is slow or whose
// times are in another unit.
func (m Moment) age() time.Duration {
	if m.Running > 0 {
		return min(m.Running, m.Watched)
	}
	return max(m.Watched, 0)
}

func (m Moment) backedOff() time.Duration {
	return min(duration(m.Min.Seconds()*math.Pow(backoff, float64(m.Failures))), m.Max)
}

// jittered shortens a delay by up to a tenth, the same for the same poll, so
// that jobs enqueued together, or failing together, drift apart.
func (m Moment) jittered(d time.Duration) time.Duration {
	id := fnv.New64a()
	id.Write([]byte(m.WatchID))
	chance := rand.New(rand.NewPCG(id.Sum64(), uint64(m.Polls))).Float64()
	return d - time.Duration(jitter*chance*float64(d))
}

// duration is the inverse of Seconds, up to MaxDelay.
func duration(seconds float64) time.Duration {
	return time.Duration(min(seconds, MaxDelay.Seconds()) * float64(time.Second))
}

// wholeSeconds rounds up: SQS delays by whole seconds, and a poll just before
// its moment would need one more just after it.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

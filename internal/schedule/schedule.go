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

// maxLeft is the longest that Left returns: the longest that a watch may last.
const maxLeft = 1209600 * time.Second

// Pace is the one tuned constant: the delay is Pace × √(age + 15 s), in seconds,
// where nothing else is known. More means fewer polls and later news.
const Pace = 3.5

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
	// Ends is how long it is to the end that the describe before predicted, by its
	// Left; less than 0 when that has passed, 0 when it predicted none.
	Ends time.Duration
	// Expected is how long the producer expects the job to run, from its start; 0
	// when it did not say.
	Expected time.Duration

	// Pace replaces the constant; 0 means Pace.
	Pace float64
}

const (
	// firstDelay is the delay at the age of 0.
	firstDelay = 5 * time.Second
	// young is added to the age, for the jobs of a few seconds are not as many as
	// the rest of them would have it.
	young = 15 // seconds
	// weight is how much progress counts: under the root, so that the delay at
	// 99 is two fifths of that at 0.
	weight = 0.85
	// doubt is the part of Expected by which it may be wrong, either way, and
	// hinted how many times longer it may make a delay.
	doubt, hinted = 0.3, 5
	// jitter is the part of a delay that chance may take away.
	jitter  = 0.1
	backoff = 2 // of the delay, from failure to failure
)

// Next returns the delay until the next poll, in whole seconds from 1 s to
// MaxDelay. It is between Min and Max, but for two cases: RetryAfter is
// honoured beyond Max, and nothing is waited for beyond Until.
//
// With no failure, Slow or RetryAfter, at the usual Pace, and whatever the job
// says, it is
//   - at the age of t seconds at least 0.305 × √(t + 100) seconds, t / 23 seconds or
//     0.9 × Max, whichever is least. From the age of 95 s on the first is less than
//     the second, and √(t + 100) has grown by 0.15 at the next poll; before that
//     there are at most 60 polls. So T seconds hold at most
//     5 + 6.6 × √T + 1.2 × T / Max: 2291 in a day at the template's defaults, whose
//     Min alone would allow 43200. With Expected it is 9 × √T, for what it leaves
//     stands under the root then. A job that pends first has them for each of the
//     two spans.
//   - at most 5 seconds and four times the age, or Min; with Expected at most five
//     times what it is without.
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

// regular is the delay of a job that answers: the usual one, unless its progress
// predicts the end or its producer expects it.
//
// One prediction may be anything: it counts between a quarter of the usual delay
// and twice that, and a fifth of what it leaves is waited for, but no more than
// twice the age. Of two in a row, nothing is asked before the sooner end, so that
// each counts as far as it has held still.
func (m Moment) regular() time.Duration {
	usual := m.jittered(m.usual())
	delay, left := usual, m.Left()
	switch {
	case left == 0:
	case m.Ends == 0:
		delay = max(min(left, 2*usual), usual/4, 2*min(left/10, m.age()))
	default:
		delay = max(min(left, 2*usual), usual/4, min(left, m.Ends))
	}
	delay = min(delay, (firstDelay + 4*min(m.age(), maxLeft)).Truncate(time.Second))
	if trusted := left > 0 && m.Ends > 0; !trusted {
		delay = max(delay, min(m.expected(1-doubt), hinted*delay))
		delay = min(delay, m.jittered(m.Max))
	}
	return wholeSeconds(min(delay, m.Max))
}

// usual is the delay where nothing tells the end.
//
// Of jobs that last from seconds to hours, one of age t ends within the next
// second with a chance of about 1/t, and to ask at intervals of √t is then the
// best balance of polls and lag (Barlow, Hunter and Proschan, "Optimum checking
// procedures", 1963): t stands for what may be left. That is the less, the more
// progress there is, and no more than the producer's hint leaves.
func (m Moment) usual() time.Duration {
	age, progress := m.age(), m.progress()
	left := age.Seconds()*(1-weight*progress/100) + young
	if late := m.expected(1 + doubt); late > 0 && m.expected(1-doubt) <= 0 {
		left = min(left, late.Seconds()+m.Expected.Seconds()/20)
	}
	seconds := cmp.Or(m.Pace, Pace) * math.Sqrt(left)
	if progress > 0 { // it will soon tell more
		seconds = min(seconds, max(age.Seconds()/5, 2))
	}
	return duration(seconds)
}

// Left is how long the job will still take if its progress goes on as since the
// describe before, up to 14 days; 0 when it did not rise.
//
// It goes on along a line, or as a power of the age: whichever ends sooner.
func (m Moment) Left() time.Duration {
	if m.Gained <= 0 || m.Within <= 0 {
		return 0
	}
	age, progress := m.age().Seconds(), m.progress()
	left := (100 - progress) / float64(m.Gained) * m.Within.Seconds()
	if p0, t0 := progress-float64(m.Gained), age-m.Within.Seconds(); p0 > 0 && t0 > 0 {
		power := math.Log(progress/p0) / math.Log(age/t0)
		left = min(left, age*(math.Pow(100/progress, 1/power)-1))
	}
	return duration(left)
}

// progress is the job's, held to 0 to 100.
func (m Moment) progress() float64 { return float64(min(max(m.Progress, 0), 100)) }

// expected is how long it is until that part of Expected has passed; 0 or less
// when it has.
func (m Moment) expected(part float64) time.Duration {
	ran := m.Watched
	if m.Running > 0 {
		ran = m.Running
	}
	return time.Duration(part*float64(m.Expected)) - max(ran, 0)
}

// age is the job's, but no more than the watch's: a job that was enqueued long
// after its start can't be told from a cluster whose clock is slow or whose
// times are in another unit.
func (m Moment) age() time.Duration {
	if m.Running > 0 {
		return min(m.Running, max(m.Watched, 0))
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

// duration is the inverse of Seconds, up to maxLeft.
func duration(seconds float64) time.Duration {
	return time.Duration(min(seconds, maxLeft.Seconds()) * float64(time.Second))
}

// wholeSeconds rounds up: SQS delays by whole seconds, and a poll just before
// its moment would need one more just after it.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

package schedule

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// usual is the stack's default, after the first poll.
var usual = Moment{Polls: 1, Min: 5 * time.Second, Max: 300 * time.Second, Until: 24 * time.Hour}

// but returns the usual moment with changes.
func but(change func(*Moment)) Moment {
	m := usual
	change(&m)
	return m
}

func TestTheNextPoll(t *testing.T) {
	tests := map[string]struct {
		moment Moment
		want   int // seconds
	}{
		"after the first poll":         {usual, 5},
		"after the second":             {but(func(m *Moment) { m.Polls = 2 }), 8},
		"after the third":              {but(func(m *Moment) { m.Polls = 3 }), 12},
		"after many":                   {but(func(m *Moment) { m.Polls = 20 }), 300},
		"after a million":              {but(func(m *Moment) { m.Polls = 1e6 }), 300},
		"after all an int holds":       {but(func(m *Moment) { m.Polls = math.MaxInt }), 300},
		"after a failure":              {but(func(m *Moment) { m.Failures = 1 }), 10},
		"after three failures":         {but(func(m *Moment) { m.Failures = 3 }), 40},
		"after a failure of many":      {but(func(m *Moment) { m.Polls, m.Failures = 10, 1 }), 193},
		"after a million failures":     {but(func(m *Moment) { m.Failures = 1e6 }), 300},
		"after all failures an int is": {but(func(m *Moment) { m.Failures = math.MaxInt }), 300},
		"when only an operator helps":  {but(func(m *Moment) { m.Slow = true }), 300},
		"of a throttled job":           {but(func(m *Moment) { m.RetryAfter = 42 * time.Second }), 42},
		"asked for sooner than wanted": {but(func(m *Moment) { m.Polls, m.RetryAfter = 20, time.Second }), 300},
		"asked for part of a second":   {but(func(m *Moment) { m.RetryAfter = 41*time.Second + 1 }), 42},
		"asked for after the maximum":  {but(func(m *Moment) { m.RetryAfter = 10 * time.Minute }), 600},
		"asked for in a year":          {but(func(m *Moment) { m.RetryAfter, m.Until = 365*24*time.Hour, 0 }), 900},
		"asked for in an age":          {but(func(m *Moment) { m.RetryAfter, m.Until = math.MaxInt64, 0 }), 900},
		"asked for in the past":        {but(func(m *Moment) { m.RetryAfter = -time.Hour }), 5},
		"asked for past the deadline":  {but(func(m *Moment) { m.RetryAfter, m.Until = time.Hour, time.Minute }), 60},
		"just before the deadline":     {but(func(m *Moment) { m.Until = 3 * time.Second }), 3},
		"within a second of it":        {but(func(m *Moment) { m.Until = time.Nanosecond }), 1},
		"on the second after it":       {but(func(m *Moment) { m.Until = 3*time.Second + 1 }), 4},
		"slow, before the deadline":    {but(func(m *Moment) { m.Slow, m.Until = true, 7*time.Second }), 7},
		"when the deadline has come":   {but(func(m *Moment) { m.Until = 0 }), 5},
		"when the deadline has passed": {but(func(m *Moment) { m.Until = -time.Hour }), 5},
		"with the largest bounds":      {Moment{Polls: 1, Min: MaxDelay, Max: MaxDelay}, 900},
		"with the smallest bounds":     {Moment{Polls: 50, Failures: 50, Min: time.Second, Max: time.Second}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, want := Next(tt.moment), time.Duration(tt.want)*time.Second; got != want {
				t.Errorf("%+v: got %s, want %s", tt.moment, got, want)
			}
		})
	}
}

func TestADelayKeepsItsBounds(t *testing.T) {
	random, seed := newRandom()
	for range 100_000 {
		m := anyMoment(random)
		got := Next(m)
		fault := ""
		switch {
		case got < time.Second || got > MaxDelay:
			fault = "SQS can't delay by it"
		case got%time.Second != 0:
			fault = "no whole seconds"
		case m.Until > 0 && got > max(ceil(m.Until), time.Second):
			fault = "beyond Until"
		case got > max(m.Max, ceil(m.RetryAfter)):
			fault = "above Max, and RetryAfter did not ask for it"
		case got < m.Min && (m.Until <= 0 || got < m.Until):
			fault = "below Min, and Until did not ask for it"
		case got < m.RetryAfter && got < MaxDelay && (m.Until <= 0 || got < m.Until):
			fault = "before RetryAfter, and neither Until nor SQS asked for it"
		}
		if fault != "" {
			t.Fatalf("seed %d: %+v: %s is %s", seed, m, got, fault)
		}
	}
}

func TestADelayDoesNotShrink(t *testing.T) {
	tests := map[string]func(m *Moment, random *rand.Rand){
		"with more polls":            func(m *Moment, random *rand.Rand) { m.Polls += random.IntN(1000) },
		"with more failures":         func(m *Moment, random *rand.Rand) { m.Failures += random.IntN(1000) },
		"with a later retry":         func(m *Moment, random *rand.Rand) { m.RetryAfter = max(m.RetryAfter, seconds(random, 1000)) },
		"when an operator is needed": func(m *Moment, _ *rand.Rand) { m.Slow = true },
		"with a higher maximum":      func(m *Moment, random *rand.Rand) { m.Max = min(m.Max+seconds(random, 900), MaxDelay) },
		"without an Until":           func(m *Moment, _ *rand.Rand) { m.Until = 0 },
	}
	for name, more := range tests {
		t.Run(name, func(t *testing.T) {
			random, seed := newRandom()
			for range 10_000 {
				before := anyMoment(random)
				after := before
				more(&after, random)
				if Next(after) < Next(before) {
					t.Fatalf("seed %d: %s for %+v, but %s for %+v", seed, Next(before), before, Next(after), after)
				}
			}
		})
	}
}

func TestDelaysGrowFromMinToMax(t *testing.T) {
	last := time.Duration(0)
	for polls := 1; last < usual.Max; polls++ {
		got := Next(but(func(m *Moment) { m.Polls = polls }))
		if got <= last || polls > 20 {
			t.Fatalf("poll %d: %s after %s", polls, got, last)
		}
		last = got
	}
}

func TestSlowIsTheMaximum(t *testing.T) {
	random, seed := newRandom()
	for range 10_000 {
		m := anyMoment(random)
		m.Slow, m.RetryAfter, m.Until = true, 0, 0
		if got := Next(m); got != m.Max {
			t.Fatalf("seed %d: %+v: got %s", seed, m, got)
		}
	}
}

func newRandom() (*rand.Rand, uint64) {
	seed := rand.Uint64()
	return rand.New(rand.NewPCG(seed, 0)), seed
}

// anyMoment returns a moment within what the fields' comments allow, its ends
// more often than chance would.
func anyMoment(random *rand.Rand) Moment {
	count := func(least int) int {
		return pick(random, least, least+random.IntN(30), least+random.IntN(1e6), math.MaxInt32)
	}
	minimum := 1 + random.IntN(900)
	wide := time.Duration(random.Uint64())
	return Moment{
		Polls:      count(1),
		Failures:   count(0),
		Slow:       random.IntN(4) == 0,
		RetryAfter: pick(random, 0, seconds(random, 1000), seconds(random, 1000)+time.Duration(random.IntN(1e9)), max(wide, 0), math.MaxInt64),
		Min:        time.Duration(minimum) * time.Second,
		Max:        time.Duration(minimum+random.IntN(901-minimum)) * time.Second,
		Until:      pick(random, 0, 1, seconds(random, 1000), time.Duration(random.Int64N(1e12)), wide, math.MaxInt64, math.MinInt64),
	}
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

func seconds(random *rand.Rand, below int) time.Duration {
	return time.Duration(random.IntN(below)) * time.Second
}

// ceil rounds up to whole seconds, or to all that a duration holds.
func ceil(d time.Duration) time.Duration {
	if rest := d % time.Second; rest > 0 && d <= math.MaxInt64-time.Second {
		return d - rest + time.Second
	}
	return d
}

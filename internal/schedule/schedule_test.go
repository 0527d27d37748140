package schedule

import (
	"fmt"
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

// aged returns the usual moment of a watch of some age, with changes.
func aged(age time.Duration, change func(*Moment)) Moment {
	m := usual
	m.Watched = age
	change(&m)
	return m
}

func unchanged(*Moment) {}

// Delays that chance may shorten are given by their upper end. It can't, by whole
// seconds, where they are short.
func TestTheNextPoll(t *testing.T) {
	tests := map[string]struct {
		moment   Moment
		want     int // seconds
		jittered bool
	}{
		"at once":                    {usual, 5, false},
		"at the age of the minimum":  {aged(5*time.Second, unchanged), 5, false},
		"after half the age":         {aged(30*time.Second, unchanged), 15, true},
		"as the root of the age":     {aged(100*time.Second, unchanged), 30, true},
		"twice that at four times":   {aged(400*time.Second, unchanged), 60, true},
		"at the maximum":             {aged(12*time.Hour, unchanged), 300, true},
		"after all a duration holds": {aged(math.MaxInt64, unchanged), 300, true},
		"before the watch began":     {aged(-time.Hour, unchanged), 5, false},

		"the job began after the watch":       {aged(time.Hour, func(m *Moment) { m.Running = 100 * time.Second }), 30, true},
		"the job began long before the watch": {aged(100*time.Second, func(m *Moment) { m.Running = time.Hour }), 30, true},
		"the job began in 1970":               {aged(100*time.Second, func(m *Moment) { m.Running = 54 * 365 * 24 * time.Hour }), 30, true},
		"the job begins in an hour":           {aged(100*time.Second, func(m *Moment) { m.Running = -time.Hour }), 30, true},

		"sooner at 99":                    {aged(400*time.Second, func(m *Moment) { m.Progress = 99 }), 24, true},
		"half the way to a far end":       {aged(400*time.Second, func(m *Moment) { m.Progress, m.Gained, m.Within = 20, 1, 5*time.Second }), 200, true},
		"not half the way to a close one": {aged(400*time.Second, func(m *Moment) { m.Progress, m.Gained, m.Within = 20, 8, 6*time.Second }), 55, true},
		"at a near end":                   {aged(400*time.Second, func(m *Moment) { m.Progress, m.Gained, m.Within = 60, 20, 15*time.Second }), 30, true},
		"an end that is always near":      {aged(400*time.Second, func(m *Moment) { m.Progress, m.Gained, m.Within = 99, 50, 15*time.Second }), 12, true},
		"an end beyond all bounds":        {aged(400*time.Second, func(m *Moment) { m.Progress, m.Gained, m.Within = 0, 1, math.MaxInt64 }), 200, true},
		"progress that fell tells no end": {aged(400*time.Second, func(m *Moment) { m.Gained, m.Within = -50, 15*time.Second }), 60, true},
		"nor does one of no time":         {aged(400*time.Second, func(m *Moment) { m.Gained, m.Within = 50, 0 }), 60, true},
		"nor one of less than no time":    {aged(400*time.Second, func(m *Moment) { m.Gained, m.Within = 50, -time.Hour }), 60, true},

		"after a failure":              {but(func(m *Moment) { m.Failures = 1 }), 10, false},
		"after three failures":         {but(func(m *Moment) { m.Failures = 3 }), 40, true},
		"after a failure of a long":    {aged(1600*time.Second, func(m *Moment) { m.Failures = 1 }), 120, true},
		"after a million failures":     {but(func(m *Moment) { m.Failures = 1e6 }), 300, true},
		"after all failures an int is": {but(func(m *Moment) { m.Failures = math.MaxInt }), 300, true},
		"when only an operator helps":  {but(func(m *Moment) { m.Slow = true }), 300, false},
		"of a throttled job":           {but(func(m *Moment) { m.RetryAfter = 42 * time.Second }), 42, false},
		"asked for sooner than wanted": {aged(12*time.Hour, func(m *Moment) { m.RetryAfter = time.Second }), 300, true},
		"asked for part of a second":   {but(func(m *Moment) { m.RetryAfter = 41*time.Second + 1 }), 42, false},
		"asked for after the maximum":  {but(func(m *Moment) { m.RetryAfter = 10 * time.Minute }), 600, false},
		"asked for in a year":          {but(func(m *Moment) { m.RetryAfter, m.Until = 365*24*time.Hour, 0 }), 900, false},
		"asked for in an age":          {but(func(m *Moment) { m.RetryAfter, m.Until = math.MaxInt64, 0 }), 900, false},
		"asked for in the past":        {but(func(m *Moment) { m.RetryAfter = -time.Hour }), 5, false},
		"asked for past the deadline":  {but(func(m *Moment) { m.RetryAfter, m.Until = time.Hour, time.Minute }), 60, false},
		"just before the deadline":     {but(func(m *Moment) { m.Until = 3 * time.Second }), 3, false},
		"within a second of it":        {but(func(m *Moment) { m.Until = time.Nanosecond }), 1, false},
		"on the second after it":       {but(func(m *Moment) { m.Until = 3*time.Second + 1 }), 4, false},
		"slow, before the deadline":    {but(func(m *Moment) { m.Slow, m.Until = true, 7*time.Second }), 7, false},
		"when the deadline has come":   {but(func(m *Moment) { m.Until = 0 }), 5, false},
		"when the deadline has passed": {but(func(m *Moment) { m.Until = -time.Hour }), 5, false},
		"with the largest bounds":      {Moment{Polls: 1, Min: MaxDelay, Max: MaxDelay}, 900, false},
		"with the smallest bounds":     {Moment{Polls: 50, Failures: 50, Min: time.Second, Max: time.Second}, 1, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			least, want, most := time.Duration(0), time.Duration(tt.want)*time.Second, time.Duration(0)
			for id := range 1000 {
				tt.moment.WatchID = fmt.Sprint(id)
				got := Next(tt.moment)
				if least, most = min(least, got), max(most, got); id == 0 {
					least = got
				}
			}
			if most != want {
				t.Errorf("%+v: up to %s, want %s", tt.moment, most, want)
			}
			if floor := want - want/10; least < floor || tt.jittered != (least < want) {
				t.Errorf("%+v: from %s, with jitter %t", tt.moment, least, tt.jittered)
			}
		})
	}
}

func TestADelayKeepsItsBounds(t *testing.T) {
	random, seed := newRandom()
	for range 200_000 {
		m := anyMoment(random)
		got := Next(m)
		age := m.Watched
		if m.Running > 0 {
			age = min(age, m.Running)
		}
		regular := m.Failures == 0 && !m.Slow && m.RetryAfter <= 0
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
		case regular && got > max(m.Min, age/2):
			fault = "above Min and above half the age"
		case regular && m.Until <= 0 && got.Seconds() < min(0.52*math.Sqrt(max(age, 0).Seconds()), 0.9*m.Max.Seconds()):
			fault = "too short for the promised number of polls"
		case got != Next(m):
			fault = "not the same the second time, it"
		}
		if fault != "" {
			t.Fatalf("seed %d: %+v: %s is %s", seed, m, got, fault)
		}
	}
}

// Whatever a job says of its progress, its polls stay under the promised number.
func TestPollsUntilTheDeadlineAreBounded(t *testing.T) {
	random, seed := newRandom()
	spiteful := func(m *Moment) { m.Progress, m.Gained, m.Within = 100, 100, time.Second }
	for range 300 {
		m := anyMoment(random)
		m.Failures, m.Slow, m.RetryAfter, m.Running = 0, false, 0, 0
		deadline := time.Duration(1+random.IntN(1209600)) * time.Second
		say := pick(random, spiteful, func(m *Moment) {
			m.Progress, m.Gained, m.Within = random.IntN(101), random.IntN(201)-100, seconds(random, 1000)
		})
		polls := 1
		for m.Watched = 0; m.Watched < deadline; m.Watched += Next(m) {
			say(&m)
			m.Polls, m.Until = polls, deadline-m.Watched
			polls++
		}
		T := deadline.Seconds()
		if bound := 5 + 4.3*math.Sqrt(T) + 1.2*T/m.Max.Seconds(); float64(polls) > bound {
			t.Fatalf("seed %d: %d polls in %s at %s to %s, more than %.0f", seed, polls, deadline, m.Min, m.Max, bound)
		}
	}
}

func TestADelayDoesNotShrink(t *testing.T) {
	tests := map[string]func(m *Moment, random *rand.Rand){
		"with age":                   func(m *Moment, random *rand.Rand) { m.Watched, m.Running = m.Watched+seconds(random, 1e6), 0 },
		"with less progress":         func(m *Moment, random *rand.Rand) { m.Progress = random.IntN(m.Progress + 1) },
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
				before.Watched, before.Running, before.Gained = seconds(random, 1e6), 0, 0
				after := before
				more(&after, random)
				if Next(after) < Next(before) {
					t.Fatalf("seed %d: %s for %+v, but %s for %+v", seed, Next(before), before, Next(after), after)
				}
			}
		})
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

// Jobs that start together and tell nothing meet in any one second by chance
// only, once half an hour has passed. Ids differ in their last characters.
func TestJobsEnqueuedTogetherDriftApart(t *testing.T) {
	const jobs = 1000
	perSecond := map[time.Duration]int{}
	for id := range jobs {
		m := but(func(m *Moment) { m.WatchID = fmt.Sprintf("059f36b4-87a3-44ab-83d2-%012d", id) })
		for m.Watched < 30*time.Minute {
			m.Watched += Next(m)
			m.Polls++
		}
		perSecond[m.Watched]++
	}
	most := 0
	for _, n := range perSecond {
		most = max(most, n)
	}
	if most > jobs/30 {
		t.Errorf("%d of %d jobs are polled in the same second", most, jobs)
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
	span := func() time.Duration {
		return pick(random, 0, 1, seconds(random, 1000), time.Duration(random.Int64N(1e15)), wide, math.MaxInt64, math.MinInt64)
	}
	return Moment{
		WatchID:    fmt.Sprint(random.IntN(1000)),
		Polls:      count(1),
		Failures:   pick(random, 0, count(0)),
		Slow:       random.IntN(4) == 0,
		RetryAfter: pick(random, 0, 0, seconds(random, 1000), seconds(random, 1000)+time.Duration(random.IntN(1e9)), max(wide, 0), math.MaxInt64),
		Min:        time.Duration(minimum) * time.Second,
		Max:        time.Duration(minimum+random.IntN(901-minimum)) * time.Second,
		Until:      span(),
		Watched:    span(),
		Running:    span(),
		Progress:   pick(random, 0, 99, 100, random.IntN(101)),
		Gained:     pick(random, 0, 1, -100, 100, random.IntN(201)-100),
		Within:     span(),
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

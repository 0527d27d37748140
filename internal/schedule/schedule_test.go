package schedule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// defaults are the stack's, after the first poll.
var defaults = Moment{Polls: 1, Min: 2 * time.Second, Max: 300 * time.Second, Until: 24 * time.Hour}

// but returns that moment with changes.
func but(change func(*Moment)) Moment {
	m := defaults
	change(&m)
	return m
}

// aged returns it for a watch of some age, with changes.
func aged(age time.Duration, change func(*Moment)) Moment {
	m := defaults
	m.Watched = age
	change(&m)
	return m
}

func unchanged(*Moment) {}

// rose is progress that rose by so much in such a time, and what is left of the
// time that was predicted before.
func rose(to, by int, in, ends time.Duration) func(*Moment) {
	return func(m *Moment) { m.Progress, m.Gained, m.Within, m.Ends = to, by, in, ends }
}

func expecting(expected time.Duration, change func(*Moment)) func(*Moment) {
	return func(m *Moment) {
		change(m)
		m.Expected = expected
	}
}

// Delays that chance may shorten are given by their upper end. It can't, by whole
// seconds, where they are short.
func TestTheNextPoll(t *testing.T) {
	tests := map[string]struct {
		moment   Moment
		want     int // seconds
		jittered bool
	}{
		"at once":                     {defaults, 5, false},
		"soon after":                  {aged(time.Second, unchanged), 9, false},
		"as the root of the age":      {aged(100*time.Second, unchanged), 38, true},
		"twice that at four times":    {aged(400*time.Second, unchanged), 72, true},
		"at the maximum":              {aged(12*time.Hour, unchanged), 300, true},
		"after all a duration holds":  {aged(math.MaxInt64, unchanged), 300, true},
		"before the watch began":      {aged(-time.Hour, unchanged), 5, false},
		"before the watch, at a job":  {aged(-time.Hour, func(m *Moment) { m.Running = time.Hour }), 5, false},
		"with a minimum of the stack": {but(func(m *Moment) { m.Min = 20 * time.Second }), 20, false},

		"the job began after the watch":       {aged(time.Hour, func(m *Moment) { m.Running = 100 * time.Second }), 38, true},
		"the job began long before the watch": {aged(100*time.Second, func(m *Moment) { m.Running = time.Hour }), 38, true},
		"the job began in 1970":               {aged(100*time.Second, func(m *Moment) { m.Running = 54 * 365 * 24 * time.Hour }), 38, true},
		"the job begins in an hour":           {aged(100*time.Second, func(m *Moment) { m.Running = -time.Hour }), 38, true},

		"progress at once":       {but(func(m *Moment) { m.Progress = 1 }), 2, false},
		"a fifth of a short age": {aged(40*time.Second, func(m *Moment) { m.Progress = 1 }), 8, false},
		"sooner at 99":           {aged(400*time.Second, func(m *Moment) { m.Progress = 99 }), 31, true},

		"a near end":                     {aged(400*time.Second, rose(60, 50, 15*time.Second, 0)), 13, true},
		"an end about as near as usual":  {aged(400*time.Second, rose(60, 20, 30*time.Second, 0)), 42, false},
		"a first far end, for a fifth":   {aged(400*time.Second, rose(20, 20, 300*time.Second, 0)), 240, false},
		"but no more than twice the age": {aged(10*time.Second, rose(1, 1, 5*time.Second, 0)), 20, false},
		"a far end, for twice the usual": {aged(400*time.Second, rose(20, 1, 5*time.Second, -time.Second)), 131, true},
		"a second end that is sooner":    {aged(400*time.Second, rose(60, 20, 100*time.Second, 300*time.Second)), 175, false},
		"a second end that is later":     {aged(400*time.Second, rose(60, 20, 100*time.Second, 150*time.Second)), 150, false},
		"ends beyond the maximum":        {aged(4000*time.Second, rose(20, 20, 3000*time.Second, time.Hour)), 300, false},
		"an end that is always near":     {aged(400*time.Second, rose(99, 50, 15*time.Second, time.Hour)), 8, true},
		"an end beyond all bounds":       {aged(400*time.Second, rose(0, 1, math.MaxInt64, math.MaxInt64)), 300, false},
		"progress that stood":            {aged(400*time.Second, rose(0, 0, 15*time.Second, 0)), 72, true},
		"progress that fell":             {aged(400*time.Second, rose(0, -50, 15*time.Second, time.Hour)), 72, true},
		"progress in no time":            {aged(400*time.Second, rose(0, 50, 0, time.Hour)), 72, true},
		"progress in less than no time":  {aged(400*time.Second, rose(0, 50, -time.Hour, time.Hour)), 72, true},

		"expected in an hour":              {but(func(m *Moment) { m.Expected = time.Hour }), 25, false},
		"expected soon":                    {aged(100*time.Second, func(m *Moment) { m.Expected = 300 * time.Second }), 110, false},
		"expected soon, and predicted":     {aged(400*time.Second, expecting(1000*time.Second, rose(60, 20, 100*time.Second, 150*time.Second))), 150, false},
		"expected, and predicted once":     {aged(400*time.Second, expecting(1000*time.Second, rose(60, 50, 15*time.Second, 0))), 64, true},
		"expected, and no more predicted":  {aged(100*time.Second, expecting(300*time.Second, rose(0, 0, 15*time.Second, time.Hour))), 110, false},
		"expected later than predicted":    {aged(400*time.Second, expecting(1000*time.Second, rose(60, 20, 100*time.Second, -time.Second))), 300, true},
		"expected about now":               {aged(1000*time.Second, func(m *Moment) { m.Expected = 900 * time.Second }), 52, true},
		"expected long ago":                {aged(400*time.Second, func(m *Moment) { m.Expected = 100 * time.Second }), 72, true},
		"expected by the job's own start":  {aged(100*time.Second, func(m *Moment) { m.Running, m.Expected = 1250*time.Second, 1000*time.Second }), 35, true},
		"expected of one from 1970":        {aged(400*time.Second, func(m *Moment) { m.Running, m.Expected = 54*365*24*time.Hour, time.Hour }), 72, true},
		"expected of one that begins soon": {but(func(m *Moment) { m.Running, m.Expected = -time.Hour, time.Hour }), 25, false},
		"expected in a fortnight":          {aged(12*time.Hour, func(m *Moment) { m.Expected = 1209600 * time.Second }), 300, true},

		"after a failure":              {but(func(m *Moment) { m.Failures = 1 }), 5, false},
		"after three failures":         {but(func(m *Moment) { m.Failures = 3 }), 16, true},
		"after a failure of a long":    {aged(1600*time.Second, func(m *Moment) { m.Failures = 1 }), 141, true},
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
			if floor := want - want/10 - time.Second; least < floor || tt.jittered != (least < want) {
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
		case regular && m.Until <= 0 && m.Expected == 0 && got.Seconds() < least(age, m.Max):
			fault = "too short for the promised number of polls"
		case regular && m.Expected == 0 && age < 1000*time.Hour && got > max(m.Min, ceil(5*time.Second+4*max(age, 0))):
			fault = "above Min, and above 5 s and four times the age"
		case regular && m.Until <= 0 && got > max(m.Min, ceil(5*Next(unhinted(m)))):
			fault = "more than five times what it is without the hint"
		case got != Next(m):
			fault = "not the same the second time, it"
		}
		if fault != "" {
			t.Fatalf("seed %d: %+v: %s is %s", seed, m, got, fault)
		}
	}
}

// least is the least delay, in seconds, that is promised at an age.
func least(age, most time.Duration) float64 {
	t := max(age, 0).Seconds()
	return min(0.305*math.Sqrt(t+100), t/23, 0.9*most.Seconds())
}

func unhinted(m Moment) Moment {
	m.Expected = 0
	return m
}

// Whatever a job says of its progress, its polls stay under the promised number.
func TestPollsUntilTheDeadlineAreBounded(t *testing.T) {
	random, seed := newRandom()
	for range 300 {
		m := anyMoment(random)
		m.Failures, m.Slow, m.RetryAfter, m.Running = 0, false, 0, 0
		m.Expected = pick(random, 0, seconds(random, 1209600))
		deadline := time.Duration(1+random.IntN(1209600)) * time.Second
		spiteful := func(m *Moment) { m.Progress, m.Gained, m.Within, m.Ends = 100, 100, time.Nanosecond, -1 }
		say := pick(random, spiteful, func(m *Moment) {
			rose(random.IntN(101), random.IntN(201)-100, seconds(random, 1000), seconds(random, 2000)-1000*time.Second)(m)
		})
		polls := 1
		for m.Watched = 0; m.Watched < deadline; m.Watched += Next(m) {
			say(&m)
			m.Polls, m.Until = polls, deadline-m.Watched
			polls++
		}
		T, root := deadline.Seconds(), 6.6
		if m.Expected > 0 {
			root = 9
		}
		if bound := 5 + root*math.Sqrt(T) + 1.2*T/m.Max.Seconds(); float64(polls) > bound {
			t.Fatalf("seed %d: %d polls in %s at %s to %s, expected in %s, more than %.0f", seed, polls, deadline, m.Min, m.Max, m.Expected, bound)
		}
	}
}

// A hint may be wrong by anything: of a job that tells no progress the lag is at
// most five times the delay without it, and there are at most twice the polls.
func TestAWrongHintCostsABoundedFactor(t *testing.T) {
	random, seed := newRandom()
	follow := func(m Moment, lasts time.Duration) (polls int, lag time.Duration) {
		for m.Watched < lasts {
			m.Watched += Next(m)
			m.Polls++
			polls++
		}
		return polls, m.Watched - lasts
	}
	for range 3000 {
		m := but(func(m *Moment) {
			m.WatchID = fmt.Sprint(random.IntN(1000))
			m.Expected = time.Duration(math.Exp(random.Float64()*14) * float64(time.Second))
		})
		lasts := time.Duration(math.Exp(random.Float64()*12) * float64(time.Second))
		polls, lag := follow(m, lasts)
		without, _ := follow(unhinted(m), lasts)
		longest := Next(aged(lasts, func(n *Moment) { n.WatchID = m.WatchID }))
		if polls > 2*without+1 || lag > 5*ceil(longest*10/9) {
			t.Fatalf("seed %d: %s expected to last %s: %d polls, %d without the hint, and %s late", seed, lasts, m.Expected, polls, without, lag)
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
				before.Watched, before.Running, before.Gained, before.Expected = seconds(random, 1e6), 0, 0, 0
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
		Ends:       span(),
		Expected:   pick(random, 0, seconds(random, 1000), seconds(random, 1209600)+time.Second),
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

package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/schedule"
)

// prices are what a second of lag costs, in polls: price for each job, and felt
// for one that is over at once, less for longer ones as the felt lag is.
type prices struct{ price, felt float64 }

// mass is of a probability distribution of durations, up to a moment: the
// probability, and its integrals with the duration and with 1 / (duration + feltAtLeast).
type mass struct{ all, durations, felt float64 }

// logUniform is the mass up to u of durations between two bounds, in seconds, whose
// logarithms are spread evenly.
func logUniform(from, to, u float64) mass {
	u = min(max(u, from), to)
	whole := math.Log(to / from)
	all := math.Log(u/from) / whole
	return mass{all, (u - from) / whole, (all - math.Log((u+feltAtLeast)/(from+feltAtLeast))/whole) / feltAtLeast}
}

// cost is that of polls at both moments: the lag of jobs that end between them.
func (p prices) cost(from, to mass, at float64) float64 {
	ended := to.all - from.all
	lag := at*ended - (to.durations - from.durations)
	// The integral of (at - d) / (d + feltAtLeast).
	felt := (at+feltAtLeast)*(to.felt-from.felt) - ended
	return p.price*lag + p.felt*felt
}

// best returns which of the moments to poll at next, before the first of them, if
// nothing is learned but whether the job has ended: dynamic programming after
// Barlow, Hunter and Proschan. There is a poll at the last. next[i] follows i.
func (p prices) best(before mass, at []float64, done []mass) (first int, next []int) {
	next = make([]int, len(at))
	after := make([]float64, len(at)) // what is to come after a poll at i
	choose := func(from mass, since int) (int, float64) {
		choice, least := 0, math.Inf(1)
		for i := since; i < len(at); i++ {
			c := p.cost(from, done[i], at[i])
			if c > least { // and more for each that follows
				break
			}
			if c += 1 - from.all + after[i]; c < least {
				choice, least = i, c
			}
		}
		return choice, least
	}
	for i := len(at) - 2; i >= 0; i-- {
		next[i], after[i] = choose(done[i], i+1)
	}
	first, _ = choose(before, 0)
	return first, next
}

// blind is the best schedule that knows how the durations are spread, and nothing
// of progress. It is exact, but for polling at whole seconds.
func blind(p prices) contender {
	var at []float64
	var done []mass
	for u := shortest.Seconds() + 1; u <= longest.Seconds(); u++ {
		at, done = append(at, u), append(done, logUniform(shortest.Seconds(), longest.Seconds(), u))
	}
	i, next := p.best(mass{}, at, done)
	var polls []time.Duration
	for ; ; i = next[i] {
		polls = append(polls, time.Duration(at[i])*time.Second)
		if i == len(at)-1 {
			break
		}
	}
	return contender{"optimum without progress", func(job simcluster.Job) (int, time.Duration) {
		for i, age := range polls {
			if age >= job.RunsFor {
				return i + 2, age // and one at 0
			}
		}
		panic("a job outlasts the longest")
	}}
}

// belief is that a job has a shape, and lasts between two bounds, in seconds.
type belief struct {
	prior float64
	// shown is, for each percent, between which fractions of the run it is shown.
	shown    [100][2]float64
	from, to float64
}

// shapeSteps is how finely a shape is looked at.
const shapeSteps = 100_000

// beliefs are the shapes of the main set, as often as they are there.
func beliefs() (out []belief) {
	add := func(shape simcluster.Shape, prior float64) {
		b := belief{prior: prior / float64(len(mainCourses)), from: shortest.Seconds(), to: longest.Seconds()}
		for i := range shapeSteps {
			percent := min(shape(float64(i)/shapeSteps), 99)
			if b.shown[percent][1] == 0 {
				b.shown[percent][0] = float64(i) / shapeSteps
			}
			b.shown[percent][1] = float64(i+1) / shapeSteps
		}
		out = append(out, b)
	}
	for _, shape := range []simcluster.Shape{simcluster.Linear, simcluster.None, simcluster.IndexWait, simcluster.SlowStart, simcluster.FastStart} {
		add(shape, 1)
	}
	for tasks := fewestLumps; tasks <= mostLumps; tasks++ {
		add(simcluster.Lumps(tasks), 1./(mostLumps-fewestLumps+1))
	}
	return out
}

// saw narrows the bounds by what a job shows at an age, in seconds.
func (b *belief) saw(percent int, age float64) {
	shown := b.shown[percent]
	if shown[1] == 0 {
		b.to = b.from
		return
	}
	b.from = max(b.from, age/(shown[1]+1./shapeSteps))
	if from := shown[0] - 1./shapeSteps; from > 0 {
		b.to = min(b.to, age/from)
	}
}

// informed knows the shapes of the main set and how the durations are spread. At
// each poll it takes the best schedule for what may still be, as if it were to learn
// nothing more of the progress: a good policy, and maybe not the best.
func informed(p prices) contender {
	all := beliefs()
	return contender{"Bayes, told the shapes", func(job simcluster.Job) (int, time.Duration) {
		held := append([]belief{}, all...)
		for polls, age := 1, time.Duration(0); ; polls++ {
			if age >= job.RunsFor {
				return polls, age
			}
			_, percent, _ := job.At(age)
			for i := range held {
				if age > 0 {
					held[i].saw(percent, age.Seconds())
				}
			}
			age += min(nextBy(p, held, age), schedule.MaxDelay)
		}
	}}
}

// nextBy returns the delay that is best for what is believed.
func nextBy(p prices, held []belief, age time.Duration) time.Duration {
	now, sooner, latest, sum := age.Seconds(), math.Inf(1), 0.0, 0.0
	for _, b := range held {
		if b.from < b.to {
			sooner, latest = min(sooner, b.from), max(latest, b.to)
			sum += b.prior * math.Log(b.to/b.from)
		}
	}
	if sum == 0 { // by rounding
		return settings.MinDelay + age/4
	}
	var at []float64
	var done []mass
	for u := max(math.Ceil(sooner), now+1); ; u = min(math.Ceil(max(u+1, now+(u-now)*1.05)), math.Ceil(latest)) {
		var m mass
		for _, b := range held {
			if b.from < b.to {
				part, one := b.prior*math.Log(b.to/b.from)/sum, logUniform(b.from, b.to, u)
				m = mass{m.all + part*one.all, m.durations + part*one.durations, m.felt + part*one.felt}
			}
		}
		at, done = append(at, u), append(done, m)
		if u >= latest {
			break
		}
	}
	first, _ := p.best(mass{}, at, done)
	return time.Duration(at[first]-now) * time.Second
}

// optimum is the least polls that are known for a set, at many prices of a lag.
type optimum struct {
	name string
	// curve has the prices for the mean lag alone, atLag the mean lag of fixed 30 s;
	// unfelt too, but a felt lag of at most 5 %.
	curve         []pricedResult
	atLag, unfelt pricedResult
}

// feltPrice is how many times a lag's price its felt part costs, so that the
// felt lag keeps to 5 %.
const feltPrice = 500

func newOptimum(name string, s set, at func(prices) contender, asSoon func(result) bool) optimum {
	o := optimum{name: name}
	for _, price := range []float64{0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5} {
		o.curve = append(o.curve, pricedResult{price, measure(s, at(prices{price, 0}))})
	}
	// A higher price is less lag, so its inverse is tuned as a pace is.
	o.atLag = tune(s, func(pace float64) contender { return at(prices{1 / pace, 0}) }, asSoon)
	o.unfelt = tune(s, func(pace float64) contender { return at(prices{1 / pace, feltPrice / pace}) },
		func(r result) bool { return asSoon(r) && mean(r.felt) <= 0.05 })
	return o
}

// newOptima measures both on sets as the study's: informed takes long, so it
// follows fewer jobs.
func newOptima(st *study, jobsPerShape int) []optimum {
	return []optimum{
		newOptimum("optimum without progress", st.set, blind, st.asSoon),
		newOptimum("Bayes, told the shapes", mainSet(jobsPerShape), informed, st.asSoon),
	}
}

func printOptima(out io.Writer, st *study, optima []optimum) {
	const columns = "%-44s %12s %9s\n"
	fmt.Fprintf(out, columns, "at the mean lag of fixed 30 s", "polls, of its", "felt lag")
	for _, o := range optima {
		fmt.Fprintf(out, columns, o.name, digits(st.ofFixed30(o.atLag.result))+" %", digits(100*mean(o.atLag.felt))+" %")
		fmt.Fprintf(out, columns, o.name+", felt lag at most 5 %", digits(st.ofFixed30(o.unfelt.result))+" %", digits(100*mean(o.unfelt.felt))+" %")
	}
	fmt.Fprintln(out)
}

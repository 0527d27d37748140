package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"refresh-poller/internal/poller"
	"refresh-poller/internal/schedule"
)

// result is what a contender did on a set. The lag is from the end of a job to
// the poll that saw it.
type result struct {
	name  string
	polls float64 // a job
	// lag and felt are those of each job, sorted: in seconds, and as part of its
	// duration and feltAtLeast.
	lag, felt []float64
	// running is how many jobs may run at once if 20 requests a second have to
	// do for all.
	running float64
}

// feltAtLeast is added to a duration, in seconds, for nobody feels a second's lag
// of a job of two.
const feltAtLeast = 30

func measure(s set, c contender) result {
	const requestsPerSecond = 20
	r := result{name: c.name}
	polls, durations := 0, time.Duration(0)
	for _, job := range s.jobs {
		n, seen := c.follow(job)
		lag := (seen - job.RunsFor).Seconds()
		polls += n
		durations += job.RunsFor
		r.lag = append(r.lag, lag)
		r.felt = append(r.felt, lag/(job.RunsFor.Seconds()+feltAtLeast))
	}
	slices.Sort(r.lag)
	slices.Sort(r.felt)
	r.polls = float64(polls) / float64(len(s.jobs))
	r.running = requestsPerSecond * durations.Seconds() / float64(polls)
	return r
}

func mean(of []float64) float64 {
	sum := 0.0
	for _, x := range of {
		sum += x
	}
	return sum / float64(len(of))
}

// p95 is of sorted values.
func p95(of []float64) float64 { return of[len(of)*95/100] }

// study is all that was measured on a set.
type study struct {
	set    set
	others []result
	// curve is the schedule at many paces, shipped the schedule as it is.
	curve   []pricedResult
	shipped result
	// atLag has the mean lag of fixed 30 s, atPolls the polls of fixed 60 s.
	fixed30, fixed60, atLag, atPolls pricedResult
	// hinted has fair hints and, like what follows, the mean lag of fixed 30 s;
	// of misled, one hint in twenty is wrong by anything, of muchMisled one in five.
	// spaced may wait as long as SQS does.
	hinted, misled, muchMisled, spaced pricedResult
	// former is the schedule of version 0.2 at that lag.
	former pricedResult
}

// pricedResult is a result and what it was tuned by: a pace, or the price of a lag.
type pricedResult struct {
	by float64
	result
}

func newStudy(s set) *study {
	st := &study{set: s}
	for _, c := range append(peers(),
		intervals("loop of 2 s", 2*time.Second, 1, 2*time.Second),
		fixed(10*time.Second), fixed(15*time.Second), fixed(30*time.Second), fixed(60*time.Second),
		intervals("5 s × 2", 5*time.Second, 2, settings.MaxDelay),
		former(3),
		oracle(),
	) {
		st.others = append(st.others, measure(s, c))
	}
	named := func(name string) result {
		return st.others[slices.IndexFunc(st.others, func(r result) bool { return r.name == name })]
	}
	st.fixed30, st.fixed60 = pricedResult{result: named("fixed 30 s")}, pricedResult{result: named("fixed 60 s")}
	for _, pace := range []float64{0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 12, 1e6} {
		st.curve = append(st.curve, pricedResult{pace, measure(s, ours("ours", pace))})
	}
	st.shipped = measure(s, ours("ours", schedule.Pace))
	st.atLag = st.tuned(nil, noHint)
	st.atPolls = tune(s, func(pace float64) contender { return ours("ours at the polls of fixed 60 s", pace) },
		func(r result) bool { return r.polls >= st.fixed60.polls })
	st.former = tune(s, former, st.asSoon)
	st.hinted = st.tuned(nil, hints(0))
	st.misled = st.tuned(nil, hints(0.05))
	st.muchMisled = st.tuned(nil, hints(0.2))
	st.spaced = st.tuned(func(s *poller.Settings) { s.MaxDelay = schedule.MaxDelay }, noHint)
	return st
}

// tuned is ours, with other settings or hints, at the mean lag of fixed 30 s.
func (st *study) tuned(change func(*poller.Settings), h hint) pricedResult {
	return tune(st.set, func(pace float64) contender {
		return oursBy("ours", func(s *poller.Settings) {
			if change != nil {
				change(s)
			}
			s.Pace = pace
		}, h)
	}, st.asSoon)
}

// asSoon reports whether the mean lag is at most that of fixed 30 s.
func (st *study) asSoon(r result) bool { return mean(r.lag) <= mean(st.fixed30.lag) }

// tune returns what came of the largest pace, to four parts in a thousand, at which
// a condition that small ones meet still holds.
func tune(s set, at func(pace float64) contender, holds func(result) bool) (best pricedResult) {
	low, high := 0.1, 20.0
	for high/low > 1.004 {
		middle := math.Sqrt(low * high)
		if r := measure(s, at(middle)); holds(r) {
			low, best = middle, pricedResult{middle, r}
		} else {
			high = middle
		}
	}
	return best
}

const columns = "%-28s %9s %9s %9s %9s %9s %11s\n"

func (st *study) printTable(out io.Writer) {
	fmt.Fprintf(out, "%s: %d jobs\n", st.set.name, len(st.set.jobs))
	fmt.Fprintf(out, columns, "", "polls", "mean lag", "p95 lag", "felt lag", "p95", "jobs at")
	fmt.Fprintf(out, columns, "", "a job", "s", "s", "%", "%", "20 calls/s")
	rows := append([]result{}, st.others...)
	shipped := st.shipped
	shipped.name = fmt.Sprintf("ours (pace %g)", schedule.Pace)
	rows = append(rows, shipped)
	slices.SortFunc(rows, func(a, b result) int { return cmp.Compare(b.polls, a.polls) })
	for _, r := range rows {
		printRow(out, r)
	}
	fmt.Fprintln(out)
}

func printRow(out io.Writer, r result) {
	fmt.Fprintf(out, columns, r.name, digits(r.polls), digits(mean(r.lag)), digits(p95(r.lag)),
		digits(100*mean(r.felt)), digits(100*p95(r.felt)), fmt.Sprintf("%.0f", r.running))
}

func (st *study) printCurve(out io.Writer) {
	const columns = "%9s %9s %9s %9s\n"
	fmt.Fprintf(out, columns, "pace", "polls", "mean lag", "felt lag")
	fmt.Fprintf(out, columns, "", "a job", "s", "%")
	for _, r := range st.curve {
		pace := fmt.Sprintf("%g", r.by)
		if math.Sqrt(longest.Seconds())*r.by > 1e5 {
			pace = "no end"
		}
		fmt.Fprintf(out, columns, pace, digits(r.polls), digits(mean(r.lag)), digits(100*mean(r.felt)))
	}
	fmt.Fprintln(out)
}

// printAtLag prints what has the mean lag of fixed 30 s, in its polls.
func (st *study) printAtLag(out io.Writer) {
	const columns = "%-44s %12s %9s %9s\n"
	fmt.Fprintf(out, columns, "at the mean lag of fixed 30 s", "polls, of its", "felt lag", "pace")
	for _, row := range []struct {
		name string
		pricedResult
	}{
		{"version 0.2", st.former}, {"ours", st.atLag}, {"ours, up to 900 s", st.spaced},
		{"ours, with fair hints", st.hinted},
		{"ours, with one hint in 20 wrong by anything", st.misled}, {"ours, with one in 5", st.muchMisled},
	} {
		fmt.Fprintf(out, columns, row.name, digits(st.ofFixed30(row.result))+" %", digits(100*mean(row.felt))+" %", fmt.Sprintf("%.2f", row.by))
	}
	fmt.Fprintln(out)
}

// ofFixed30 is the polls in percent of those of fixed 30 s.
func (st *study) ofFixed30(r result) float64 { return 100 * r.polls / st.fixed30.polls }

func digits(x float64) string { return fmt.Sprintf("%.1f", x) }

// promise is an upper limit that the schedule has to keep.
type promise struct {
	what       string
	got, limit float64 // percent
}

func (p promise) kept() bool { return p.got <= p.limit }

func (p promise) String() string {
	verdict := "holds"
	if !p.kept() {
		verdict = "DOES NOT HOLD"
	}
	return fmt.Sprintf("%s: %.1f %%, at most %.0f %%: %s", p.what, p.got, p.limit, verdict)
}

func (st *study) promises() []promise {
	return []promise{
		{fmt.Sprintf("polls, of fixed 30 s at its mean lag (pace %.2f)", st.atLag.by), st.ofFixed30(st.atLag.result), 41},
		{"felt lag then", 100 * mean(st.atLag.felt), 5},
		{"felt lag, as shipped", 100 * mean(st.shipped.felt), 5},
		{"felt lag, as shipped, p95", 100 * p95(st.shipped.felt), 20},
		{fmt.Sprintf("polls with fair hints, of fixed 30 s at its mean lag (pace %.2f)", st.hinted.by), st.ofFixed30(st.hinted.result), 26},
		{"felt lag then", 100 * mean(st.hinted.felt), 5},
		{fmt.Sprintf("mean lag, of fixed 60 s at its polls (pace %.2f)", st.atPolls.by), 100 * mean(st.atPolls.lag) / mean(st.fixed60.lag), 40},
	}
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"refresh-poller/internal/schedule"
)

// result is what a contender did on a set. The lag is from the end of a job to
// the poll that saw it.
type result struct {
	name  string
	polls float64 // a job
	// lag and relative are those of each job, sorted: in seconds, and as part
	// of its duration.
	lag, relative []float64
	// relativeLong is relative for the jobs of more than 60 s.
	relativeLong []float64
	// running is how many jobs may run at once if 20 requests a second have to
	// do for all.
	running float64
}

func measure(s set, c contender) result {
	const requestsPerSecond = 20
	r := result{name: c.name}
	polls, durations := 0, time.Duration(0)
	for _, job := range s.jobs {
		n, seen := c.follow(job)
		lag := (seen - job.RunsFor).Seconds()
		relative := lag / job.RunsFor.Seconds()
		polls += n
		durations += job.RunsFor
		r.lag = append(r.lag, lag)
		r.relative = append(r.relative, relative)
		if job.RunsFor > time.Minute {
			r.relativeLong = append(r.relativeLong, relative)
		}
	}
	slices.Sort(r.lag)
	slices.Sort(r.relative)
	slices.Sort(r.relativeLong)
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
	curve   []pacedResult
	shipped result
	// atLag has the mean lag of fixed 30 s, atPolls the polls of fixed 60 s.
	fixed30, fixed60, atLag, atPolls result
	lagPace, pollsPace               float64
}

type pacedResult struct {
	pace float64
	result
}

func newStudy(s set) *study {
	st := &study{set: s}
	for _, c := range []contender{
		intervals("loop of 2 s", 2*time.Second, 1, 2*time.Second),
		fixed(10 * time.Second), fixed(15 * time.Second), fixed(30 * time.Second), fixed(60 * time.Second),
		intervals("5 s × 2", 5*time.Second, 2, settings.MaxDelay),
		intervals("5 s × 1.5", 5*time.Second, 1.5, settings.MaxDelay),
		intervals("5 s × 1.2", 5*time.Second, 1.2, settings.MaxDelay),
		oracle(),
	} {
		st.others = append(st.others, measure(s, c))
	}
	named := func(name string) result {
		return st.others[slices.IndexFunc(st.others, func(r result) bool { return r.name == name })]
	}
	st.fixed30, st.fixed60 = named("fixed 30 s"), named("fixed 60 s")
	for _, pace := range []float64{0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 12, 1e6} {
		st.curve = append(st.curve, pacedResult{pace, measure(s, ours("ours", pace))})
	}
	st.shipped = measure(s, ours("ours", schedule.Pace))
	st.lagPace = st.tune(func(r result) bool { return mean(r.lag) <= mean(st.fixed30.lag) })
	st.atLag = measure(s, ours("ours at the lag of fixed 30 s", st.lagPace))
	st.pollsPace = st.tune(func(r result) bool { return r.polls >= st.fixed60.polls })
	st.atPolls = measure(s, ours("ours at the polls of fixed 60 s", st.pollsPace))
	return st
}

// tune returns the largest pace, to one part in a thousand, at which a
// condition that small ones meet still holds.
func (st *study) tune(holds func(result) bool) float64 {
	low, high := 0.1, 20.0
	for high/low > 1.001 {
		middle := math.Sqrt(low * high)
		if holds(measure(st.set, ours("", middle))) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

const columns = "%-28s %9s %9s %9s %9s %9s %11s\n"

func (st *study) printTable(out io.Writer) {
	fmt.Fprintf(out, "%s: %d jobs\n", st.set.name, len(st.set.jobs))
	fmt.Fprintf(out, columns, "", "polls", "mean lag", "p95 lag", "mean lag", "p95 lag", "jobs at")
	fmt.Fprintf(out, columns, "", "a job", "s", "s", "% of job", "% of job", "20 calls/s")
	rows := append([]result{}, st.others...)
	shipped := st.shipped
	shipped.name = fmt.Sprintf("ours (pace %g)", schedule.Pace)
	rows = append(rows, shipped)
	slices.SortFunc(rows, func(a, b result) int { return cmp.Compare(b.polls, a.polls) })
	for _, r := range rows {
		fmt.Fprintf(out, columns, r.name, digits(r.polls), digits(mean(r.lag)), digits(p95(r.lag)),
			digits(100*mean(r.relative)), digits(100*p95(r.relative)), fmt.Sprintf("%.0f", r.running))
	}
	fmt.Fprintln(out)
}

func (st *study) printCurve(out io.Writer) {
	const columns = "%9s %9s %9s %20s\n"
	fmt.Fprintf(out, columns, "pace", "polls", "mean lag", "p95 lag, % of jobs")
	fmt.Fprintf(out, columns, "", "a job", "s", "of more than 60 s")
	for _, r := range st.curve {
		pace := fmt.Sprintf("%g", r.pace)
		if math.Sqrt(longest.Seconds())*r.pace > 1e5 {
			pace = "no end"
		}
		fmt.Fprintf(out, columns, pace, digits(r.polls), digits(mean(r.lag)), digits(100*p95(r.relativeLong)))
	}
	fmt.Fprintln(out)
}

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
		{fmt.Sprintf("polls, of fixed 30 s at its mean lag (pace %.2f)", st.lagPace), 100 * st.atLag.polls / st.fixed30.polls, 55},
		{fmt.Sprintf("mean lag, of fixed 60 s at its polls (pace %.2f)", st.pollsPace), 100 * mean(st.atPolls.lag) / mean(st.fixed60.lag), 50},
		{fmt.Sprintf("p95 lag, of the duration of jobs over 60 s (pace %g, as shipped)", schedule.Pace), 100 * p95(st.shipped.relativeLong), 15},
	}
}

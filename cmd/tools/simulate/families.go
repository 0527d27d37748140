package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/schedule"
)

// families are jobs of one sort each, beside those of the two sets: each a way in
// which real jobs differ from what the schedule was tuned on.
func families(jobs int) []set {
	logUniform := func(name string, c course) set { return newSet(name, 4, jobs, []course{c}) }
	return []set{
		logUniform("no progress at all", always(simcluster.None)),
		logUniform("2 uneven tasks", uneven(2)),
		logUniform("3 uneven tasks", uneven(3)),
		logUniform("8 uneven tasks", uneven(8)),
		logUniform("90 to 99 for long", creeping),
		logUniform("falls back", func(random *rand.Rand) simcluster.Shape { return simcluster.Retried(2 + random.IntN(4)) }),
		stalled(jobs),
		logUniform("exponentially slow", slowing),
		drawnSet("bimodal", jobs, func(random *rand.Rand) float64 {
			around := []float64{20, 2400}[random.IntN(2)]
			return around * math.Exp(0.3*random.NormFloat64())
		}),
		drawnSet("around 5 min", jobs, func(random *rand.Rand) float64 { return 300 * math.Exp(0.8*random.NormFloat64()) }),
		ticking(jobs, 10*time.Second),
		ticking(jobs, time.Minute),
		logUniform("one task, then 99", always(simcluster.Tasks(1))),
		cutOff(jobs),
	}
}

// mixed has a shape of the main set.
func mixed(random *rand.Rand) simcluster.Shape {
	return mainCourses[random.IntN(len(mainCourses))](random)
}

// uneven has tasks that take as long as chance will have it, then a twentieth of
// the run at 99.
func uneven(tasks int) course {
	return func(random *rand.Rand) simcluster.Shape {
		ends, sum := make([]float64, tasks), 0.0
		for i := range ends {
			sum += 0.05 + random.ExpFloat64()
			ends[i] = sum
		}
		return func(fraction float64) (percent int) {
			for i, end := range ends {
				if fraction >= 0.95*end/sum {
					percent = (i + 1) * 100 / tasks
				}
			}
			return percent
		}
	}
}

// creeping is at 90 after a tenth to two fifths of its run.
func creeping(random *rand.Rand) simcluster.Shape {
	at := 0.1 + 0.3*random.Float64()
	return func(fraction float64) int {
		if fraction < at {
			return int(90 * fraction / at)
		}
		return 90 + int(10*(fraction-at)/(1-at))
	}
}

func slowing(random *rand.Rand) simcluster.Shape {
	rate := 3 + 2*random.Float64()
	return func(fraction float64) int { return int(100 * (1 - math.Exp(-rate*fraction))) }
}

// stalled stands still for 20 minutes.
func stalled(jobs int) set {
	const still = 20 * time.Minute
	s := newSet("stalls for 20 min", 5, jobs, []course{always(simcluster.Linear)})
	random := rand.New(rand.NewPCG(5, 5))
	for i := range s.jobs {
		moves := s.jobs[i].RunsFor
		at := random.Float64() * moves.Seconds()
		s.jobs[i].RunsFor += still
		whole := s.jobs[i].RunsFor.Seconds()
		s.jobs[i].Shape = func(fraction float64) int {
			age := fraction * whole
			return int(100 * (min(age, at) + max(0, age-at-still.Seconds())) / moves.Seconds())
		}
	}
	return s
}

// drawnSet has durations of its own, in seconds, and the shapes of the main set.
func drawnSet(name string, jobs int, seconds func(*rand.Rand) float64) set {
	s := newSet(name, 6, jobs, []course{mixed})
	random := rand.New(rand.NewPCG(6, 6))
	for i := range s.jobs {
		s.jobs[i].RunsFor = time.Duration(max(seconds(random), 2) * float64(time.Second))
	}
	return s
}

// ticking is a server that looks at its jobs now and then: progress and end are
// seen then only.
func ticking(jobs int, tick time.Duration) set {
	s := newSet(fmt.Sprintf("a server's tick of %d s", int(tick.Seconds())), 7, jobs, []course{mixed})
	for i := range s.jobs {
		runs, shape := s.jobs[i].RunsFor.Truncate(tick)+tick, s.jobs[i].Shape
		s.jobs[i].RunsFor = runs
		s.jobs[i].Shape = func(fraction float64) int {
			return shape(math.Floor(fraction*float64(runs/tick)) / float64(runs/tick))
		}
	}
	return s
}

// cutOff ends by the server's own limit, an hour, wherever it stands.
func cutOff(jobs int) set {
	s := newSet("an end at 3600 s sharp", 8, jobs, []course{func(random *rand.Rand) simcluster.Shape {
		top := float64(random.IntN(100))
		return func(fraction float64) int { return int(top * min(3*fraction, 1)) }
	}})
	for i := range s.jobs {
		s.jobs[i].RunsFor = time.Hour
	}
	return s
}

// family is what ours did on a family, beside what the former schedule did.
type family struct {
	set
	ours, before result
}

func measureFamilies(jobs int) (out []family) {
	for _, s := range families(jobs) {
		out = append(out, family{s, measure(s, ours("ours", schedule.Pace)), measure(s, former(3))})
	}
	return out
}

// worse reports whether there are more polls and more lag than before.
func (f family) worse() bool {
	return f.ours.polls > f.before.polls && mean(f.ours.lag) > mean(f.before.lag)
}

// printFamilies reports whether no family is worse off than before.
func printFamilies(out io.Writer, families []family) (kept bool) {
	const columns = "%-24s %9s %9s %9s %9s %9s\n"
	kept = true
	fmt.Fprintf(out, "families of %d jobs, and the schedule of version 0.2\n", len(families[0].jobs))
	fmt.Fprintf(out, columns, "", "polls", "mean lag", "felt lag", "0.2:", "0.2:")
	fmt.Fprintf(out, columns, "", "a job", "s", "%", "polls", "lag, s")
	for _, f := range families {
		fmt.Fprintf(out, columns, f.name, digits(f.ours.polls), digits(mean(f.ours.lag)), digits(100*mean(f.ours.felt)), digits(f.before.polls), digits(mean(f.before.lag)))
		kept = kept && !f.worse()
	}
	verdict := "holds"
	if !kept {
		verdict = "DOES NOT HOLD"
	}
	fmt.Fprintf(out, "no family has both more polls and more lag than in version 0.2: %s\n\n", verdict)
	return kept
}

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"refresh-poller/internal/laptop/simcluster"
)

const shortest, longest = 2 * time.Second, 2 * time.Hour

// set is the jobs that every schedule follows. Each is enqueued as it starts.
type set struct {
	name string
	jobs []simcluster.Job
}

// course makes the progress of one job; random tells it from others of its kind.
type course func(random *rand.Rand) simcluster.Shape

var mainCourses = []course{
	always(simcluster.Linear),
	always(simcluster.None),
	always(simcluster.IndexWait),
	func(random *rand.Rand) simcluster.Shape {
		return simcluster.Lumps(fewestLumps + random.IntN(mostLumps-fewestLumps+1))
	},
	always(simcluster.SlowStart),
	always(simcluster.FastStart),
}

const fewestLumps, mostLumps = 3, 7

// mainSet is what the schedule was tuned on.
func mainSet(jobsPerShape int) set { return newSet("main set", 1, jobsPerShape, mainCourses) }

// holdOutSet has other shapes: what holds on it does not hang on those of the
// main set.
func holdOutSet(jobsPerShape int) set {
	return newSet("hold-out set", 2, jobsPerShape, []course{stall, restart, always(halves), noisy})
}

func always(s simcluster.Shape) course { return func(*rand.Rand) simcluster.Shape { return s } }

// stall stands still for a third to two thirds of the run.
func stall(random *rand.Rand) simcluster.Shape {
	at, still := random.Float64()/3, (1+random.Float64())/3
	return func(fraction float64) int {
		moved := min(fraction, at) + max(0, fraction-at-still)
		return int(100 * moved / (1 - still))
	}
}

// restart falls back to 0 once.
func restart(random *rand.Rand) simcluster.Shape {
	at := 0.2 + 0.6*random.Float64()
	return func(fraction float64) int {
		if fraction < at {
			return int(100 * fraction)
		}
		return int(100 * (fraction - at) / (1 - at))
	}
}

// halves knows 0, 50 and the end.
func halves(fraction float64) int { return simcluster.Lumps(2)(fraction) }

// noisy is off by up to ten points, another number at each hundredth.
func noisy(random *rand.Rand) simcluster.Shape {
	noise := make([]int, 101)
	for i := range noise {
		noise[i] = random.IntN(21) - 10
	}
	return func(fraction float64) int { return int(100*fraction) + noise[int(100*fraction)] }
}

// newSet spreads the logarithms of the durations evenly, one at random in each
// of as many equal parts as there are jobs of a shape.
func newSet(name string, seed uint64, jobsPerShape int, courses []course) set {
	random := rand.New(rand.NewPCG(seed, 0))
	s := set{name: name}
	for i := range jobsPerShape {
		for _, course := range courses {
			part := (float64(i) + random.Float64()) / float64(jobsPerShape)
			s.jobs = append(s.jobs, simcluster.Job{
				ID:             fmt.Sprint(len(s.jobs) + 1),
				CollectionName: fmt.Sprint("ext_", len(s.jobs)+1),
				RunsFor:        time.Duration(float64(shortest) * math.Pow(float64(longest)/float64(shortest), part)),
				Shape:          course(random),
			})
		}
	}
	return s
}

package simcluster

import "math"

// Shape gives the progress of a running job, in percent, at a fraction of its
// run: from 0, as it starts, to 1, as it ends. A job caps it at 99.
type Shape func(fraction float64) int

// Linear rises evenly.
func Linear(fraction float64) int {
	return int(100 * fraction)
}

// None stays at 0 until the job ends.
func None(float64) int {
	return 0
}

// SlowStart is at 12 after half the run, then catches up.
func SlowStart(fraction float64) int {
	return int(100 * math.Pow(fraction, 3))
}

// FastStart is at 87 after half the run, then slows down.
func FastStart(fraction float64) int {
	return int(100 * (1 - math.Pow(1-fraction, 3)))
}

// IndexWait is at 99 after a fifth of the run and stays there: the data is in,
// and the server waits for the indexes.
func IndexWait(fraction float64) int {
	return int(99 * min(1, 5*fraction))
}

// LinearTo rises evenly to percent, for a job that fails or hangs there.
func LinearTo(percent int) Shape {
	return func(fraction float64) int { return int(float64(percent) * fraction) }
}

// Lumps jumps each time one of the job's tasks is done, and stands still
// between. All take equally long; tasks is at least 1.
func Lumps(tasks int) Shape {
	return func(fraction float64) int { return int(fraction*float64(tasks)) * 100 / tasks }
}

// applying is the part of a run, at its end, in which all tasks are done and
// the server applies their result.
const applying = 0.1

// Tasks is how most real jobs go: as Lumps, then at 99 while the result is
// applied. With one task, the most common, that is 0, 99 and the end.
func Tasks(tasks int) Shape {
	lumps := Lumps(tasks)
	return func(fraction float64) int { return min(lumps(fraction/(1-applying)), 99) }
}

// Retried is as Tasks for half the run; then the last task is retried, and
// progress falls, from 99 to 66 with three.
func Retried(tasks int) Shape {
	first := Tasks(tasks)
	return func(fraction float64) int {
		switch {
		case fraction < 0.5:
			return first(2 * fraction)
		case fraction < 1-applying:
			return (tasks - 1) * 100 / tasks
		}
		return 99
	}
}

// Fallen is as s, but ends at percent: for a job whose failure takes progress
// back.
func Fallen(s Shape, percent int) Shape {
	return func(fraction float64) int {
		if fraction < 1 {
			return s(fraction)
		}
		return percent
	}
}

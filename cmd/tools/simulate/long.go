package main

import (
	"fmt"
	"io"
	"time"

	"refresh-poller/internal/poller"
	"refresh-poller/internal/schedule"
)

// longJobs are longer than those of the sets, with the shapes of the main set.
func longJobs(runsFor time.Duration, jobsPerShape int) set {
	s := newSet(fmt.Sprintf("%g h", runsFor.Hours()), 9, jobsPerShape, mainCourses)
	for i := range s.jobs {
		s.jobs[i].RunsFor = runsFor
	}
	return s
}

// printLong shows ours, with deadlines that let them end, beside fixed 60 s.
func printLong(out io.Writer, jobsPerShape int) {
	const columns = "%-12s %12s %12s %14s %14s %14s\n"
	fmt.Fprintf(out, columns, "long jobs", "polls a job", "mean lag, s", "with no", "with a hint:", "fixed 60 s:")
	fmt.Fprintf(out, columns, "", "", "", "progress", "polls, lag", "polls")
	patient := func(s *poller.Settings) { s.Pace, s.Deadline = schedule.Pace, 30*24*time.Hour }
	for _, hours := range []time.Duration{10, 24, 14 * 24} {
		s := longJobs(hours*time.Hour, jobsPerShape)
		all, told := measure(s, oursBy("ours", patient, noHint)), measure(s, oursBy("ours", patient, hints(0)))
		silent := set{jobs: s.jobs[1:2]} // the second of mainCourses
		none := measure(silent, oursBy("ours", patient, noHint))
		fmt.Fprintf(out, columns, s.name, digits(all.polls), digits(mean(all.lag)), digits(none.polls),
			digits(told.polls)+", "+digits(mean(told.lag)), digits(measure(s, fixed(time.Minute)).polls))
	}
	fmt.Fprintln(out)
}

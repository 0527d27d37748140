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

// printLong shows ours, with deadlines that let them end.
func printLong(out io.Writer, jobsPerShape int) {
	const columns = "%-22s %16s %16s %16s\n"
	fmt.Fprintf(out, columns, "polls, and mean lag, s", "up to 300 s", "with a fair hint", "up to 900 s")
	for _, hours := range []time.Duration{10, 24, 14 * 24} {
		s := longJobs(hours*time.Hour, jobsPerShape)
		cell := func(longest time.Duration, h hint) string {
			r := measure(s, oursBy("ours", func(s *poller.Settings) { s.MaxDelay, s.Deadline = longest, 30*24*time.Hour }, h))
			return digits(r.polls) + ", " + digits(mean(r.lag))
		}
		fmt.Fprintf(out, columns, s.name, cell(settings.MaxDelay, noHint), cell(settings.MaxDelay, hints(0)), cell(schedule.MaxDelay, noHint))
	}
	fmt.Fprintln(out)
}

// Command simulate follows one reproducible set of jobs by the poller's schedule
// and by those that it has to beat, prints what each costs and how late it is,
// and draws the trade-off. It exits with 1 if the schedule does not hold what
// docs/schedule.md promises.
package main

import (
	"fmt"
	"io"
	"os"
)

// jobsPerShape makes the figures steady in their second digit.
const jobsPerShape = 1000

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: simulate FILE.svg")
		os.Exit(2)
	}
	kept, err := run(os.Stdout, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(2)
	}
	if !kept {
		os.Exit(1)
	}
}

// run reports whether every promise is kept.
func run(out io.Writer, plotFile string) (kept bool, err error) {
	tuned, heldOut := newStudy(mainSet(jobsPerShape)), newStudy(holdOutSet(jobsPerShape))
	kept = true
	for _, study := range []*study{tuned, heldOut} {
		study.printTable(out)
		study.printCurve(out)
		study.printAtLag(out)
		for _, p := range study.promises() {
			fmt.Fprintln(out, p)
			kept = kept && p.kept()
		}
		fmt.Fprintln(out)
	}
	optima := newOptima(tuned, jobsPerShape/10)
	printOptima(out, tuned, optima)
	printLong(out, jobsPerShape/10)
	kept = printFamilies(out, measureFamilies(jobsPerShape)) && kept
	printForks(out, tuned.set)
	if err := draw(tuned, heldOut, optima, plotFile); err != nil {
		return false, fmt.Errorf("draw %s: %w", plotFile, err)
	}
	return kept, nil
}

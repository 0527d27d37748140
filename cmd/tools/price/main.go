// Command price prints what a poll, a job and a month cost at AWS's list prices, and
// what they cost otherwise, as the tables of docs/deploy.md and README.md. The log
// lines are those that the poller writes as it handles a batch. It exits with 1 if a
// poll by itself costs more than its limit.
package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
)

// limit is what a million polls may cost, each in an invocation of its own.
const limit = 2.40

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: price docs/schedule.md")
		os.Exit(2)
	}
	c, err := newCosts(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "price:", err)
		os.Exit(2)
	}
	for _, t := range append(c.deploy(), c.readme()) {
		fmt.Println(t)
	}
	verdict := "holds"
	if !c.kept() {
		verdict = "DOES NOT HOLD"
	}
	fmt.Printf("a million polls, each in an invocation of its own: %.2f dollars, at most %.2f: %s\n", c.alone.sum()*million, limit, verdict)
	if !c.kept() {
		os.Exit(1)
	}
}

func (c costs) kept() bool { return c.alone.sum()*million <= limit }

// costs is all that the tables say.
type costs struct {
	alone, among poll    // a poll in a batch of one, and in one of ten
	jobPolls     float64 // of a job, in the mean
	metrics      int     // of one's own, that have data where jobs complete
}

var shipped = regexp.MustCompile(`\*\*ours, as shipped\*\* \| \*\*([0-9.]+)\*\*`)

// newCosts takes the polls of a job from the table of make simulate in a file.
func newCosts(schedule string) (c costs, err error) {
	text, err := os.ReadFile(schedule)
	if err != nil {
		return c, err
	}
	found := shipped.FindSubmatch(text)
	if found == nil {
		return c, fmt.Errorf("%s does not say how many polls a job takes, as shipped", schedule)
	}
	if c.jobPolls, err = strconv.ParseFloat(string(found[1]), 64); err != nil {
		return c, err
	}
	one, errOne := invoke(1, running)
	ten, errTen := invoke(10, running)
	last, errLast := invoke(1, completed)
	c.alone, c.among = poll{1, one}, poll{10, ten}
	c.metrics = len(names(slices.Concat(one.metrics, last.metrics)))
	return c, errors.Join(errOne, errTen, errLast)
}

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// table returns a table of Markdown, the columns but the first to the right.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		b.WriteString("|")
		for _, cell := range cells {
			b.WriteString(strings.TrimRight(" "+cell, " ") + " |")
		}
		b.WriteString("\n")
	}
	line(head)
	fmt.Fprintf(&b, "|---%s|\n", strings.Repeat("|--:", len(head)-1))
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// months are the jobs of the months that are compared.
var months = []float64{0, 1000, 100_000}

// deploy returns the tables of docs/deploy.md.
func (c costs) deploy() []string {
	return []string{prices(), c.polls(), c.standing(), c.compared()}
}

func prices() string {
	var b strings.Builder
	b.WriteString("| list price, us-east-1 | dollars | | AWS's page |\n|---|--:|---|---|\n")
	for _, p := range list {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.of, dollars(p.usd), p.unit, p.page)
	}
	return b.String()
}

func (c costs) polls() string {
	row := func(name string, of func(poll) float64) []string {
		return []string{name, cents(million * of(c.alone)), cents(million * of(c.among))}
	}
	return table([]string{"dollars for a million polls, `b` in a batch", "b = 1", "b = 10"}, [][]string{
		row("invocations", poll.requests),
		row(fmt.Sprintf("their time, %g s at 128 MB", seconds), poll.time),
		row("SQS: receive, send and delete", poll.queue),
		row(fmt.Sprintf("log: a line of %d bytes for a poll", size(c.alone.written.polls)), poll.lines),
		row(fmt.Sprintf("log: a line of %d or %d bytes with the metrics", size(c.alone.written.metrics), size(c.among.written.metrics)), poll.metricLines),
		row("keeping these lines for a month", poll.keeping),
		bold(row("a million polls", poll.sum)),
		row("more with `Tracing` `Active`, each invocation traced", poll.traces),
		row("more with `SystemLogLevel: INFO`, Lambda's two lines for each invocation", poll.lambdaLines),
	})
}

func (c costs) standing() string {
	row := func(name string, idle, used float64) []string { return []string{name, cents(idle), cents(used)} }
	return table([]string{fmt.Sprintf("dollars a month, with %d environments of the function", environments), "idle", "in use"}, [][]string{
		row("the secret", secret.each(), secret.each()),
		row(fmt.Sprintf("alarms on %d metrics", alarmed), alarmed*alarm.each(), alarmed*alarm.each()),
		row("looking into the queue, at most", looking(), looking()),
		row(fmt.Sprintf("the poller's own metrics, %d where jobs complete", c.metrics), 0, c.ownMetrics()),
		row("reading the secret, every five minutes in each", 0, reads()),
		bold(row("a month, without its polls", c.idle(), c.idle()+c.inUse())),
	})
}

func (c costs) compared() string {
	head := []string{fmt.Sprintf("dollars, with %g polls a job", c.jobPolls), "a million polls", "a job"}
	for _, jobs := range months {
		head = append(head, fmt.Sprintf("a month of %s jobs", count(jobs)))
	}
	var rows [][]string
	for _, w := range c.ways() {
		row := []string{w.name, cents(million * w.poll), fmt.Sprintf("%.6f", w.ofJob(c.jobPolls))}
		for _, jobs := range months {
			row = append(row, cents(w.month(jobs, c.jobPolls)))
		}
		rows = append(rows, row)
	}
	return table(head, rows)
}

// readme returns the table of README.md.
func (c costs) readme() string {
	ours := c.ways()[0]
	month := func(jobs float64) string { return "$" + cents(ours.month(jobs, c.jobPolls)) }
	return table([]string{"", ""}, [][]string{
		{"a million polls, each by itself", "$" + cents(million*c.alone.sum())},
		{fmt.Sprintf("a job, of 2 s to 2 h: %.0f polls in the mean (`make simulate`), and an event", c.jobPolls), fmt.Sprintf("$%.6f", ours.ofJob(c.jobPolls))},
		{"a month in which nothing happens: the secret, eight alarms, the queue", month(0)},
		{fmt.Sprintf("a month of %s jobs, with the metrics", count(months[1])), month(months[1])},
		{fmt.Sprintf("a month of %s jobs", count(months[2])), month(months[2])},
	})
}

func cents(usd float64) string { return fmt.Sprintf("%.2f", usd) }

func bold(row []string) []string {
	for i := range row {
		row[i] = "**" + row[i] + "**"
	}
	return row
}

// count writes a number of jobs.
func count(n float64) string {
	if n == 0 {
		return "no"
	}
	text := fmt.Sprintf("%.0f", n)
	if len(text) < 5 {
		return text
	}
	return text[:len(text)-3] + " " + text[len(text)-3:]
}

// dollars writes a price as AWS does: all its digits, cents at least.
func dollars(usd float64) string {
	if text := strconv.FormatFloat(usd, 'f', -1, 64); len(text) > len("0.00") {
		return text
	}
	return cents(usd)
}

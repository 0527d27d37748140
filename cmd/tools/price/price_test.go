package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../../../"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func measured(t *testing.T) costs {
	t.Helper()
	c, err := newCosts(root + "docs/schedule.md")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheDocsHaveTheFigures(t *testing.T) {
	c := measured(t)
	for name, tables := range map[string][]string{"docs/deploy.md": c.deploy(), "README.md": {c.readme()}} {
		text := read(t, name)
		for _, table := range tables {
			if !strings.Contains(text, "\n\n"+table+"\n") {
				t.Errorf("%s lacks this of make price:\n%s", name, table)
			}
		}
	}
}

func TestAPollByItselfCostsNoMoreThanItsLimit(t *testing.T) {
	c := measured(t)
	if sum := c.alone.sum() * million; sum > limit {
		t.Errorf("a million cost %.3f dollars, at most %.2f", sum, limit)
	}
	c.alone.written.polls = append(c.alone.written.polls, startLine, reportLine)
	if c.kept() {
		t.Error("with Lambda's own lines the limit would hold too, and so says nothing")
	}
}

// docs/design.md: ten to thirty times, nearly four times.
func TestTheDesignsComparisonsHold(t *testing.T) {
	ways := measured(t).ways()
	for name, want := range map[string]struct{ way, least, most float64 }{
		"the leanest in Step Functions": {2, 10, 12},
		"the loop in Step Functions":    {1, 30, 33},
		"the durable function":          {3, 3.5, 4},
	} {
		if got := ways[int(want.way)].poll / ways[0].poll; got < want.least || got > want.most {
			t.Errorf("a poll of %s costs %.1f times ours", name, got)
		}
	}
}

func TestTheAssumptionsAreTheTemplates(t *testing.T) {
	template := read(t, "template.yaml")
	for _, want := range []string{"MemorySize: 128", "SystemLogLevel: WARN", "BatchSize: 10"} {
		if !strings.Contains(template, want) {
			t.Errorf("template.yaml has no %s", want)
		}
	}
}

func TestABatchWritesALineForEachPollAndOneOfMetrics(t *testing.T) {
	for _, messages := range []int{1, 10} {
		w, err := invoke(messages, running)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range w.polls {
			if !strings.Contains(line, `"msg":"job polled"`) || !strings.Contains(line, `"action":"re-enqueue"`) || strings.Contains(line, "error") {
				t.Errorf("%d messages: %s", messages, line)
			}
		}
		if len(w.polls) != messages || len(w.metrics) != 1 {
			t.Errorf("%d messages: %d lines of polls, %d of metrics", messages, len(w.polls), len(w.metrics))
		}
	}
}

func TestALineCountsWithItsTimeAtItsLongest(t *testing.T) {
	short, long := `{"time":"2026-10-12T00:00:15Z","since":"2026-10-12T00:00:15Z"}`, `{"time":"2026-10-12T00:00:15.123456789Z","since":"2026-10-12T00:00:15Z"}`
	if got, want := size([]string{short, long}), 2*(len(long)+26); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

func TestMetricsAreNamedOnce(t *testing.T) {
	line := `{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"Polls"},{"Name":"Dropped"}]}]},"Polls":1,"Dropped":1}`
	if diff := cmp.Diff([]string{"Dropped", "Polls"}, names([]string{line, line})); diff != "" {
		t.Error(diff)
	}
}

// By the quantiles of the durations of make simulate's jobs.
func TestGlueBillsAMinuteAtLeast(t *testing.T) {
	const parts = 100_000
	sum := 0.0
	for i := range parts {
		sum += max(60, 2*math.Pow(3600, (float64(i)+0.5)/parts))
	}
	if want := sum / parts / 3600; math.Abs(billedHours()-want) > 1e-6 {
		t.Errorf("%g hours, want %g", billedHours(), want)
	}
}

func TestAMonthAddsUp(t *testing.T) {
	w := way{poll: 1, job: 10, standby: 100, inUse: 1000}
	for jobs, want := range map[float64]float64{0: 100, 1: 1113, 2: 1126} {
		if got := w.month(jobs, 3); got != want {
			t.Errorf("%g jobs cost %g, want %g", jobs, got, want)
		}
	}
}

func TestAScheduleWithoutTheFigureIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "schedule.md")
	if err := os.WriteFile(file, []byte("| ours | 17 |"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newCosts(file); err == nil || !strings.HasSuffix(err.Error(), "does not say how many polls a job takes, as shipped") {
		t.Error(err)
	}
}

func TestNumbersAreWrittenAsInTheDocs(t *testing.T) {
	got := []string{dollars(0.2), dollars(8), dollars(0.0000133334), dollars(0.03238), dollars(0.025), count(0), count(1000), count(100_000)}
	want := []string{"0.20", "8.00", "0.0000133334", "0.03238", "0.025", "no", "1000", "100 000"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

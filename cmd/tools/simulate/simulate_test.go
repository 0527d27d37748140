package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/poller"
	"refresh-poller/internal/schedule"
)

var sets = []set{mainSet(100), holdOutSet(100)}

// With a tenth of the jobs a figure is off by as much; make simulate takes each
// promise to the letter.
func TestThePromisesHold(t *testing.T) {
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) {
			for _, p := range newStudy(s).promises() {
				if p.got > 1.1*p.limit {
					t.Error(p)
				}
			}
		})
	}
}

func TestAPromiseThatIsBrokenSaysSo(t *testing.T) {
	p := promise{"polls", 55.1, 55}
	if p.kept() || !strings.Contains(p.String(), "DOES NOT HOLD") {
		t.Error(p)
	}
}

func TestDurationsAreSpreadEvenlyOverOrdersOfMagnitude(t *testing.T) {
	for _, s := range sets {
		var logarithms []float64
		for _, job := range s.jobs {
			logarithms = append(logarithms, math.Log(job.RunsFor.Seconds()))
		}
		slices.Sort(logarithms)
		for i, got := range logarithms {
			part := float64(i) / float64(len(logarithms))
			if want := math.Log(2) + part*math.Log(3600); math.Abs(got-want) > 0.1 {
				t.Fatalf("%s: the logarithm %d is %.2f, want %.2f", s.name, i, got, want)
			}
		}
	}
}

// progressOf is what a job says at each hundredth of its run.
func progressOf(job simcluster.Job) (progress []int) {
	for i := range 100 {
		_, now, _ := job.At(job.RunsFor * time.Duration(i) / 100)
		progress = append(progress, now)
	}
	return progress
}

func TestTheShapesOfTheHoldOutSet(t *testing.T) {
	falls := func(progress []int) (n int) {
		for i, now := range progress[1:] {
			if now < progress[i] {
				n++
			}
		}
		return n
	}
	stands := func(progress []int) (longest int) {
		run := 0
		for i, now := range progress[1:] {
			if run++; now != progress[i] {
				run = 0
			}
			longest = max(longest, run)
		}
		return longest
	}
	jobs := sets[1].jobs
	for i := 0; i < len(jobs); i += 4 {
		if p := progressOf(jobs[i]); falls(p) > 0 || stands(p) < 30 {
			t.Fatalf("stall: %d", p)
		}
		if p := progressOf(jobs[i+1]); falls(p) != 1 || p[99] < 90 {
			t.Fatalf("restart: %d", p)
		}
		if p := progressOf(jobs[i+2]); p[49] != 0 || p[51] != 50 || p[99] != 50 {
			t.Fatalf("halves: %d", p)
		}
		if p := progressOf(jobs[i+3]); falls(p) < 10 {
			t.Fatalf("noisy: %d", p)
		}
	}
}

func TestContenders(t *testing.T) {
	job := simcluster.Job{ID: "1", RunsFor: 61 * time.Second, Shape: simcluster.None}
	tests := map[string]struct {
		contender contender
		polls     int
		seen      time.Duration
	}{
		"fixed":           {fixed(30 * time.Second), 4, 90 * time.Second},
		"doubled":         {intervals("", 5*time.Second, 2, 300*time.Second), 5, 75 * time.Second},
		"doubled, up":     {intervals("", 5*time.Second, 2, 10*time.Second), 8, 65 * time.Second},
		"doubled, no end": {intervals("", time.Second, 2, noLongest), 7, 63 * time.Second},
		"oracle":          {oracle(), 1, 61 * time.Second},
		// At 0, 5, 10, 15, 22, 33 and so on: half the age, then its root, less the jitter.
		"version 0.2": {former(3), 8, 70 * time.Second},
		// At 0, 5, 20, 40 and so on: the root of the age, less the jitter.
		"ours": {ours("", schedule.Pace), 5, 65 * time.Second},
		// At 0, 25, 42 and so on: five times the delay without, then to 0.7 of the hint.
		"ours, with a hint": {oursBy("", func(*poller.Settings) {}, func(simcluster.Job) time.Duration { return time.Minute }), 4, 65 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			polls, seen := tt.contender.follow(job)
			if polls != tt.polls || seen != tt.seen {
				t.Errorf("%d polls until %s, want %d until %s", polls, seen, tt.polls, tt.seen)
			}
		})
	}
}

// What a schedule of the best class can do, none of that class does better: ours
// without progress is one that is blind, and Bayes is told what ours is not.
func TestTheOptimaAreBetterThanAnythingElse(t *testing.T) {
	st := &study{set: newSet("no progress", 1, 1000, []course{always(simcluster.None)})}
	st.fixed30 = pricedResult{result: measure(st.set, fixed(30*time.Second))}
	best := newOptimum("", st.set, blind, st.asSoon)
	if us := st.tuned(nil, noHint); us.polls < best.atLag.polls {
		t.Errorf("%.2f polls, and the optimum has %.2f", us.polls, best.atLag.polls)
	}
	if best.unfelt.polls < best.atLag.polls || mean(best.unfelt.felt) > 0.05 || mean(best.atLag.lag) > mean(st.fixed30.lag) {
		t.Errorf("%.2f polls, %.2f with a felt lag of %.3f", best.atLag.polls, best.unfelt.polls, mean(best.unfelt.felt))
	}
	st.set = mainSet(30)
	if us, told := st.tuned(nil, noHint), newOptimum("", st.set, informed, st.asSoon); us.polls < 1.5*told.atLag.polls {
		t.Errorf("%.2f polls, and one who is told the shapes has %.2f", us.polls, told.atLag.polls)
	}
}

// With two moments the best schedule can be told by hand: to poll at the first too
// costs a poll of the jobs that end later, and spares the others 90 s of lag.
func TestTheOptimumOfTwoMoments(t *testing.T) {
	at := []float64{10, 100}
	done := []mass{logUniform(2, 100, 10), logUniform(2, 100, 100)}
	even := (1 - done[0].all) / (90 * done[0].all)
	for _, tt := range []struct {
		price float64
		first int
	}{{0.99 * even, 1}, {1.01 * even, 0}} {
		if first, _ := (prices{price: tt.price}).best(mass{}, at, done); first != tt.first {
			t.Errorf("at a price of %.4f polls a second: first at %g s", tt.price, at[first])
		}
	}
}

func TestTheMassOfDurationsIsWhatIsDrawn(t *testing.T) {
	s := newSet("", 1, 20_000, []course{always(simcluster.None)})
	for _, u := range []float64{1, 2, 5, 60, 1000, 7200, 1e5} {
		var want mass
		for _, job := range s.jobs {
			if d := job.RunsFor.Seconds(); d <= u {
				want.all += 1. / float64(len(s.jobs))
				want.durations += d / float64(len(s.jobs))
				want.felt += 1 / (d + feltAtLeast) / float64(len(s.jobs))
			}
		}
		got := logUniform(shortest.Seconds(), longest.Seconds(), u)
		if math.Abs(got.all-want.all) > 1e-3 || math.Abs(got.durations-want.durations) > 1 || math.Abs(got.felt-want.felt) > 1e-4 {
			t.Errorf("up to %g s: %+v, want %+v", u, got, want)
		}
	}
}

func TestTheFamiliesAreWhatTheirNamesSay(t *testing.T) {
	for _, f := range families(200) {
		for _, job := range f.jobs {
			p := progressOf(job)
			fault := ""
			switch f.name {
			case "no progress at all":
				if slices.Max(p) > 0 {
					fault = "it shows progress"
				}
			case "90 to 99 for long":
				if p[45] < 90 {
					fault = "it is not at 90 before half its run"
				}
			case "stalls for 20 min":
				if job.RunsFor < 20*time.Minute {
					fault = "it is over sooner"
				}
			case "a server's tick of 60 s":
				if job.RunsFor%time.Minute != 0 {
					fault = "it ends between two ticks"
				}
			case "one task, then 99":
				if p[89] != 0 || p[91] != 99 {
					fault = "it is not 0, then 99"
				}
			case "an end at 3600 s sharp":
				if job.RunsFor != time.Hour {
					fault = "it ends at another time"
				}
			}
			if fault != "" {
				t.Fatalf("%s: %s: %d", f.name, fault, p)
			}
		}
	}
}

func TestNoFamilyIsWorseOff(t *testing.T) {
	for _, f := range measureFamilies(200) {
		if f.worse() {
			t.Errorf("%s: %.1f polls and %.1f s, before %.1f and %.1f s", f.name, f.ours.polls, mean(f.ours.lag), f.before.polls, mean(f.before.lag))
		}
	}
}

func TestAForkedWatchEndsAndCostsTheLessTheFewerExecutionsThereAre(t *testing.T) {
	jobs := mainSet(30)
	for _, f := range forks {
		var last forkCost
		for _, executions := range []int{0, 10, 2} {
			c := measureForks(jobs, f, executions)
			if c.twoEnds < 0 {
				t.Errorf("%s, %d executions: %.0f %% of the watches have no end", f.name, executions, -100*c.twoEnds)
			}
			if executions > 0 && (c.extraPolls >= last.extraPolls || c.twoEnds >= last.twoEnds || mean(c.lasted) >= mean(last.lasted)) {
				t.Errorf("%s, %d executions: %+v, no less than %+v", f.name, executions, c, last)
			}
			last = c
		}
	}
}

func TestFiguresAreTheSameEachTimeAndThePlotIsSVG(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plot.svg")
	var first, second strings.Builder
	var plots [2]string
	for i, out := range []*strings.Builder{&first, &second} {
		tuned, heldOut := newStudy(mainSet(10)), newStudy(holdOutSet(10))
		tuned.printTable(out)
		tuned.printCurve(out)
		tuned.printAtLag(out)
		printLong(out, 3)
		printFamilies(out, measureFamilies(10))
		printForks(out, tuned.set)
		optima := []optimum{{name: "one", curve: tuned.curve}, {name: "another", curve: heldOut.curve}}
		if err := draw(tuned, heldOut, optima, file); err != nil {
			t.Fatal(err)
		}
		plot, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plots[i] = string(plot)
	}
	if first.String() != second.String() || plots[0] != plots[1] {
		t.Errorf("first\n%s\nthen\n%s", &first, &second)
	}
	decoder := xml.NewDecoder(strings.NewReader(plots[0]))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(plots[0], "as shipped") {
		t.Error("our point has no name")
	}
	// The font that it is laid out in is on few machines.
	if n := strings.Count(plots[0], "font-family:"); n == 0 || n != strings.Count(plots[0], ",sans-serif;") {
		t.Errorf("not all of its %d texts have a font to fall back on", n)
	}
}

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

	"refresh-poller/internal/schedule"
	"refresh-poller/internal/simcluster"
)

var sets = []set{mainSet(100), holdOutSet(100)}

func TestThePromisesHold(t *testing.T) {
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) {
			for _, p := range newStudy(s).promises() {
				if !p.kept() {
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
		"fixed":       {fixed(30 * time.Second), 4, 90 * time.Second},
		"doubled":     {intervals("", 5*time.Second, 2, 300*time.Second), 5, 75 * time.Second},
		"doubled, up": {intervals("", 5*time.Second, 2, 10*time.Second), 8, 65 * time.Second},
		"oracle":      {oracle(), 1, 61 * time.Second},
		// At 0, 5, 10, 15, 22, 33 and so on: half the age, then its root, less the jitter.
		"ours": {ours("", schedule.Pace), 8, 69 * time.Second},
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
		printForks(out, tuned.set)
		if err := draw(tuned, heldOut, file); err != nil {
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

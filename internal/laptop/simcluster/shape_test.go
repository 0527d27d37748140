package simcluster

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var shapes = map[string]struct {
	shape Shape
	want  []int // at 0, 10, …, 100 % of the run
	falls bool  // before the end
}{
	"linear rises evenly":                  {Linear, []int{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, false},
	"none stays at 0":                      {None, []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, false},
	"slow start catches up late":           {SlowStart, []int{0, 0, 0, 2, 6, 12, 21, 34, 51, 72, 100}, false},
	"fast start slows down":                {FastStart, []int{0, 27, 48, 65, 78, 87, 93, 97, 99, 99, 100}, false},
	"index wait stands at 99":              {IndexWait, []int{0, 49, 99, 99, 99, 99, 99, 99, 99, 99, 99}, false},
	"linear to 42 ends at 42":              {LinearTo(42), []int{0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42}, false},
	"lumps of four tasks jump by quarters": {Lumps(4), []int{0, 0, 0, 25, 25, 50, 50, 50, 75, 75, 100}, false},
	"a single lump jumps at the end":       {Lumps(1), []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100}, false},
	"one task is at 0, then at 99":         {Tasks(1), []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 99, 99}, false},
	"four tasks end at 99":                 {Tasks(4), []int{0, 0, 0, 25, 25, 50, 50, 75, 75, 99, 99}, false},
	"a retried task falls":                 {Retried(3), []int{0, 0, 33, 66, 66, 66, 66, 66, 66, 99, 99}, true},
	"a failure takes progress back":        {Fallen(Tasks(4), 25), []int{0, 0, 0, 25, 25, 50, 50, 75, 75, 99, 25}, false},
}

func TestShapes(t *testing.T) {
	for name, tt := range shapes {
		t.Run(name, func(t *testing.T) {
			var got []int
			for tenth := range 11 {
				got = append(got, tt.shape(float64(tenth)/10))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgressOfARunningJobStaysBelow100AndFallsOnlyIfATaskIsRetried(t *testing.T) {
	for name, tt := range shapes {
		t.Run(name, func(t *testing.T) {
			job := Job{RunsFor: 997 * time.Millisecond, Shape: tt.shape}
			last, fell := 0, false
			for age := time.Duration(0); age < job.RunsFor; age += time.Millisecond {
				state, progress, _ := job.At(age)
				if state != InProgress || progress > 99 {
					t.Fatalf("%s at %d after %v", state, progress, age)
				}
				fell = fell || progress < last
				last = progress
			}
			if fell != tt.falls {
				t.Errorf("progress fell: %t, want %t", fell, tt.falls)
			}
		})
	}
}

package explore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// toy is a world of threads, each with a number of steps to take.
type toy struct {
	left []int
	said string // by the threads, in their order
	// remembers has State tell the order.
	remembers bool
	// back has a thread start again when it is through.
	back bool
	// bad is what must not be said, at its end.
	bad string
}

var errBad = errors.New("that is bad")

func (w *toy) threads() (all []int) {
	for i, n := range w.left {
		if n > 0 {
			all = append(all, i)
		}
	}
	return all
}

func (w *toy) Choices() int            { return len(w.threads()) }
func (w *toy) Words(choice int) string { return fmt.Sprintf("thread %d", w.threads()[choice]) }
func (w *toy) Close()                  {}

func (w *toy) State() string {
	if w.remembers {
		return w.said
	}
	return fmt.Sprint(w.left)
}

func (w *toy) Take(choice int) error {
	thread := w.threads()[choice]
	w.said += fmt.Sprint(thread)
	if w.left[thread]--; w.left[thread] == 0 && w.back {
		w.left[thread] = 2
	}
	if w.bad != "" && strings.HasSuffix(w.said, w.bad) {
		return errBad
	}
	return nil
}

func system(w toy) System {
	return System{
		New: func() World {
			again := w
			again.left = slices.Clone(w.left)
			return &again
		},
		Within: func(body func()) { body() },
	}
}

func TestEveryInterleavingIsRun(t *testing.T) {
	r := system(toy{left: []int{3, 3}, remembers: true}).Search(0)
	r.Schedules, r.States = 0, 0
	if diff := cmp.Diff(Result{Ends: 20, Longest: 6}, r); diff != "" { // 6 over 3
		t.Error(diff)
	}
}

func TestFromNoStateItGoesOnTwice(t *testing.T) {
	r := system(toy{left: []int{3, 3}}).Search(0)
	// A grid of 4 by 4, with 12 steps each way.
	if diff := cmp.Diff(Result{Schedules: 24, States: 16, Ends: 1, Longest: 6}, r); diff != "" {
		t.Error(diff)
	}
}

func TestTheShortestFailureIsFoundAndCanBeReplayed(t *testing.T) {
	s := system(toy{left: []int{2, 9}, remembers: true, bad: "110"})
	r := s.Search(0)
	want := []string{"thread 1", "thread 1", "thread 0"}
	if r.Failure == nil || !errors.Is(r.Failure, errBad) {
		t.Fatalf("found %v", r.Failure)
	}
	if diff := cmp.Diff(want, r.Failure.Schedule); diff != "" {
		t.Error(diff)
	}
	if err := s.Replay(r.Failure.Schedule); !errors.Is(err, errBad) {
		t.Errorf("replayed: %v", err)
	}
	if !strings.HasSuffix(r.Failure.Error(), "\n"+strings.Join(want, "\n")) {
		t.Errorf("told as %q", r.Failure)
	}
}

func TestBeyondTheBoundAllRunsFairlyToItsEnd(t *testing.T) {
	tests := map[string]struct {
		bad  string
		want []string
	}{
		"all well":                {"", nil},
		"wrong after the bound":   {"10000", []string{"thread 1", "thread 0", "thread 0", "thread 0", "thread 0"}},
		"wrong on no fair course": {"101", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := system(toy{left: []int{4, 2}, remembers: true, bad: tt.bad}).Search(1)
			if !r.Cut || r.Schedules != 2 {
				t.Errorf("cut: %v, after %d schedules", r.Cut, r.Schedules)
			}
			var got []string
			if r.Failure != nil {
				got = r.Failure.Schedule
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAWorldThatMayNeverEndIsFound(t *testing.T) {
	r := system(toy{left: []int{3}, back: true}).Search(0)
	if !errors.Is(r.Failure, ErrEndless) || len(r.Failure.Schedule) != 1 {
		t.Errorf("found %v", r.Failure)
	}
}

// forgetful doesn't tell that a thread is through.
type forgetful struct{ *toy }

func (w forgetful) State() string { return fmt.Sprint(w.left[0]) }

func TestStatesThatAreTakenForOneAreFound(t *testing.T) {
	s := system(toy{left: []int{1, 1}})
	whole := s.New
	s.New = func() World { return forgetful{whole().(*toy)} }
	if r := s.Search(0); !errors.Is(r.Failure, ErrState) {
		t.Errorf("found %v", r.Failure)
	}
}

func TestAScheduleThatCannotHappenIsNotReplayed(t *testing.T) {
	err := system(toy{left: []int{1, 1}}).Replay([]string{"thread 0", "thread 0"})
	if err == nil || err.Error() != "step 2 can't happen: thread 0" {
		t.Errorf("replayed: %v", err)
	}
}

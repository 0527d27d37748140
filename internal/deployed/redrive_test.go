package deployed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// redrive looks at all letters and moves those whose reason contains text, as the
// command does.
func redrive(t *testing.T, q *fakeQueues, text string) (*Letters, Moved) {
	t.Helper()
	letters, err := theStack.Look(t.Context(), q, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	moved, err := letters.Move(t.Context(), text, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := letters.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return letters, moved
}

func bodiesOf(q *fakeQueues) (bodies []string) {
	for _, e := range q.sent {
		bodies = append(bodies, *e.MessageBody)
	}
	slices.Sort(bodies)
	return bodies
}

func TestLettersGoBackWithTheirOwnAttributesOnly(t *testing.T) {
	q := &fakeQueues{}
	q.die("rejected", "the body is empty: send one")
	q.die("moved by SQS", "")
	letters, moved := redrive(t, q, "")
	if diff := cmp.Diff([]Reason{{NotHandled, 1}, {"the body is empty", 1}}, letters.Reasons()); diff != "" {
		t.Error(diff)
	}
	if moved != (Moved{Sent: 2}) || len(q.dead) != 0 {
		t.Errorf("%+v, %d left", moved, len(q.dead))
	}
	for _, e := range q.sent {
		if len(e.MessageAttributes) != 1 || *e.MessageAttributes["tenant"].StringValue != "t of "+*e.MessageBody {
			t.Errorf("%s goes back with %v", *e.MessageBody, e.MessageAttributes)
		}
	}
	if diff := cmp.Diff([]string{"moved by SQS", "rejected"}, bodiesOf(q)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyLettersWithTheReasonGoBackAndTheOthersShowAgain(t *testing.T) {
	tests := map[string]struct{ text, moved, shown string }{
		"by what is wrong":      {"empty", "a", "b c"},
		"by what is right":      {"digits", "b", "a c"},
		"moved by SQS":          {"received too often", "c", "a b"},
		"none":                  {"Empty", "", "a b c"},
		"all, where none given": {"", "a b c", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := &fakeQueues{}
			q.die("a", "the body is empty: send one")
			q.die("b", "jobId has a sign: write it in digits")
			q.die("c", "")
			redrive(t, q, tt.text)
			if got := strings.Join(bodiesOf(q), " "); got != tt.moved {
				t.Errorf("moved %q", got)
			}
			if got := strings.Join(q.visible(), " "); got != tt.shown || len(q.dead) != len(strings.Fields(got)) {
				t.Errorf("shown again %q of %d", got, len(q.dead))
			}
		})
	}
}

// SQS counts about, brings few at a time, some twice; others arrive meanwhile.
func TestEachLetterThatIsThereIsSeenOnce(t *testing.T) {
	const there = 47
	tests := map[string]struct {
		habits func(q *fakeQueues)
		most   int // receives
	}{
		"as it should be":        {func(*fakeQueues) {}, 6},
		"few at a time":          {func(q *fakeQueues) { q.batch = 3 }, 17},
		"some again":             {func(q *fakeQueues) { q.again = true }, 8},
		"few at a time and some": {func(q *fakeQueues) { q.batch, q.again = 2, true }, 52},
		"counted too many":       {func(q *fakeQueues) { q.counted = 5 }, 8},
		"counted none":           {func(q *fakeQueues) { q.counted = -there }, 6},
		"one arrives with each receive": {func(q *fakeQueues) {
			q.onReceive = func() { q.die("late", "the body is empty: send one") }
		}, 7},
		"one arrives with each receive, and counted too many": {func(q *fakeQueues) {
			q.counted = 5
			q.onReceive = func() { q.die("late", "the body is empty: send one") }
		}, 9},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueues{}
				for i := range there {
					q.die(fmt.Sprintf("body %02d", i), "")
				}
				tt.habits(q)
				_, moved := redrive(t, q, "")
				sent := slices.DeleteFunc(bodiesOf(q), func(body string) bool { return body == "late" })
				if len(sent) != there || len(slices.Compact(sent)) != there || moved.Doubled > 0 {
					t.Errorf("%d of %d letters were moved: %+v", len(sent), there, moved)
				}
				for _, d := range q.dead {
					if *d.Body != "late" {
						t.Errorf("%s is still there", *d.Body)
					}
				}
				receives := len(slices.DeleteFunc(q.calls, func(call string) bool { return call != "receive" }))
				if receives > tt.most {
					t.Errorf("%d receives, more than %d", receives, tt.most)
				}
			})
		})
	}
}

func TestALetterThatIsNotSentStaysAndOneThatIsNotDeletedIsDoubled(t *testing.T) {
	q := &fakeQueues{}
	for i := range 25 {
		q.die(fmt.Sprintf("body %02d", i), "")
	}
	q.refuse = func(body string) bool { return body == "body 03" || body == "body 17" }
	tries := 0
	q.undeletable = func(body string) bool {
		if body == "body 06" {
			tries++
		}
		return body == "body 05" || body == "body 06" && tries < 3
	}
	_, moved := redrive(t, q, "")
	if moved.Sent != 23 || moved.Refused != 2 || moved.Doubled != 1 || !strings.Contains(moved.Cause.Error(), "not today") {
		t.Errorf("%+v", moved)
	}
	if diff := cmp.Diff([]string{"body 03", "body 17"}, q.visible()); diff != "" {
		t.Error(diff)
	}
}

// Wherever a run ends: what was deleted has been sent.
func TestNoLetterIsLostWhereverTheRunIsCalledOff(t *testing.T) {
	const there = 25
	for last := range 20 {
		t.Run(fmt.Sprint("after call ", last), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &fakeQueues{}
				for i := range there {
					q.die(fmt.Sprintf("body %02d", i), "")
				}
				killed := errors.New("the process is gone")
				q.fail = func(string) error {
					if len(q.calls) > last {
						return killed
					}
					return nil
				}
				if letters, err := theStack.Look(t.Context(), q, func(int, int) {}); err == nil {
					letters.Move(t.Context(), "", func(int) {})
				}
				q.fail = nil
				time.Sleep(Hidden + time.Second)
				redrive(t, q, "")
				if sent := slices.Compact(bodiesOf(q)); len(sent) != there || len(q.dead) > 0 {
					t.Errorf("%d of %d came back, %d are left", len(sent), there, len(q.dead))
				}
			})
		})
	}
}

func TestAnInterruptEndsBetweenTwoBatches(t *testing.T) {
	q := &fakeQueues{}
	for i := range 25 {
		q.die(fmt.Sprintf("body %02d", i), "")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	letters, err := theStack.Look(ctx, q, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	moved, err := letters.Move(ctx, "", func(int) { interrupt() })
	if err != nil || moved.Sent != 10 || len(q.dead) != 15 {
		t.Errorf("%+v, %v: %d are left", moved, err, len(q.dead))
	}
	if err := letters.Release(t.Context()); err != nil || len(q.visible()) != 15 {
		t.Errorf("%d show again, %v", len(q.visible()), err)
	}
	letters, err = theStack.Look(ctx, q, func(int, int) {})
	if err != nil || letters.Len() != 0 {
		t.Errorf("an interrupted look saw %d, %v", letters.Len(), err)
	}
}

func TestALetterThatOthersMayHaveByNowIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueues{}
		q.die("a", "")
		letters, err := theStack.Look(t.Context(), q, func(int, int) {})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(Hidden)
		moved, err := letters.Move(t.Context(), "", func(int) {})
		if err != nil || moved != (Moved{Late: 1}) || len(q.sent) > 0 {
			t.Errorf("%+v, %v", moved, err)
		}
	})
}

func TestABatchIsNotLargerThanACall(t *testing.T) {
	q := &fakeQueues{}
	for i := range 5 {
		q.die(strings.Repeat(fmt.Sprint(i), 400<<10), "r: s")
	}
	q.die(strings.Repeat("x", 1<<20), "")
	if _, moved := redrive(t, q, ""); moved != (Moved{Sent: 6}) { // the fake takes no larger call
		t.Errorf("%+v", moved)
	}
}

func TestWhatThereIsNoRoomForIsLeftToTheNextRun(t *testing.T) {
	q, large := &fakeQueues{}, strings.Repeat("x", 1<<20)
	for range 300 {
		q.die(large, "")
	}
	letters, moved := redrive(t, q, "")
	if !letters.Full || moved.Sent < 250 || moved.Sent == 300 {
		t.Errorf("%+v, full: %v", moved, letters.Full)
	}
	letters, _ = redrive(t, q, "")
	if letters.Full || len(q.dead) > 0 {
		t.Errorf("%d are left, full: %v", len(q.dead), letters.Full)
	}
}

func TestTheReasonsAreCountedByWhatIsWrong(t *testing.T) {
	q := &fakeQueues{}
	for _, reason := range []string{"b: 1", "a: 1", "b: 2", "", "without a colon", "b: 1"} {
		q.die("x", reason)
	}
	letters, err := theStack.Look(t.Context(), q, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	want := []Reason{{"b", 3}, {"a", 1}, {NotHandled, 1}, {"without a colon", 1}}
	if diff := cmp.Diff(want, letters.Reasons()); diff != "" {
		t.Error(diff)
	}
}

func TestLettersThatAnotherRunLooksAtAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueues{}
		q.die("a", "")
		if _, err := theStack.Look(t.Context(), q, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		letters, err := theStack.Look(t.Context(), q, func(int, int) {})
		if err != nil || letters.Len() != 0 || letters.Elsewhere != 1 {
			t.Errorf("%d seen, %d elsewhere, %v", letters.Len(), letters.Elsewhere, err)
		}
	})
}

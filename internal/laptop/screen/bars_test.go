package screen

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
)

// onTerminal returns a screen with bars, and without colours, whose events go to
// the terminal too.
func onTerminal(tty *terminal) *Screen {
	s := inLines(nil, tty)
	s.draw(tty.size, false)
	return s
}

// onBars runs a screen with bars of that width on the clock of a bubble, and
// returns what the terminal shows after Close.
func onBars(t *testing.T, width int, follow func(*Screen, *terminal)) (shown string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tty := &terminal{t: t, width: width}
		s := onTerminal(tty)
		defer s.Close()
		follow(s, tty)
		s.Close()
		shown = tty.shown()
	})
	return shown
}

func TestABarShowsProgressStateAgeAndNextPoll(t *testing.T) {
	onBars(t, 80, func(s *Screen, tty *terminal) {
		poll(s, "poll", 1, "errorKind", "notFound", "error", "no such job", "delaySeconds", 2)
		time.Sleep(2500 * time.Millisecond)
		poll(s, running(42)...)
		time.Sleep(1600 * time.Millisecond)
		want := "449503829274509313  [======>---------]  42 %  in progress        4s  next 4s\n"
		if diff := cmp.Diff(want, tty.shown()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnOverduePollIsUnderWay(t *testing.T) {
	onBars(t, 80, func(s *Screen, tty *terminal) {
		poll(s, running(42)...)
		time.Sleep(6 * time.Second)
		if !strings.HasSuffix(tty.shown(), "  polling\n") {
			t.Error(tty.shown())
		}
		time.Sleep(2 * time.Minute)
		if !strings.HasSuffix(tty.shown(), "  late 2m01s\n") {
			t.Error(tty.shown())
		}
	})
}

func TestAWideTerminalHasRoomForTheFault(t *testing.T) {
	onBars(t, 120, func(s *Screen, tty *terminal) {
		poll(s, append(running(42), "errorKind", "throttled", "error", "request is rejected by limiter (HTTP 200, code 1807)")...)
		time.Sleep(1100 * time.Millisecond)
		want := "449503829274509313  [=======>----------]  42 %  throttled          1s  next 4s      request is rejected by limiter (HTT…\n"
		if diff := cmp.Diff(want, tty.shown()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheBarsStayAsTheyEndedBelowTheEvents(t *testing.T) {
	shown := onBars(t, 80, func(s *Screen, tty *terminal) {
		poll(s, running(42)...)
		reject(s, "jobId has an exponent: a job id is a whole number from 1 to 9223372036854775807, written in digits")
		s.Event(`{"jobId":"2","state":"RefreshFailed","terminal":true,"outcome":"failed","collectionName":"ext_books","reason":"no such\u001b object"}`)
		poll(s, "jobId", "2", "poll", 2, "state", "RefreshFailed", "progress", 60, "outcome", "failed", "reason", "no such object")
		time.Sleep(3 * time.Second)
		s.Event(`{"jobId":"449503829274509313","state":"RefreshCompleted","terminal":true,"outcome":"succeeded"}`)
		poll(s, completed...)
		time.Sleep(time.Minute)
		s.Event(`{"jobId":"4","state":"RefreshInProgress","progress":7}`)
		poll(s, "jobId", "3", "poll", 1, "state", "JobNotFound", "outcome", "notFound", "reason", "never seen")
	})
	want := `   0.0s  message rejected: jobId has an exponent: a job id is a whole number
         from 1 to 9223372036854775807, written in digits
   0.0s  → event RefreshFailed 2 (ext_books): no such  object
   3.0s  → event RefreshCompleted 449503829274509313
  63.0s  → event RefreshInProgress 4 7 %
449503829274509313  [================] 100 %  ✓ completed        3s
2                   [=========>------]  60 %  ✗ failed           0s
3                   [----------------]        ! not found        0s
`
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
}

func TestABarThatFallsBackIsDrawnShorter(t *testing.T) {
	onBars(t, 80, func(s *Screen, tty *terminal) {
		for _, progress := range []int{100, 10} {
			poll(s, running(progress)...)
			time.Sleep(time.Second)
		}
		if !strings.Contains(tty.shown(), "[=>--------------]  10 %") {
			t.Error(tty.shown())
		}
	})
}

func TestANoteIsNotLostWithoutABar(t *testing.T) {
	shown := onBars(t, 80, func(s *Screen, _ *terminal) { s.Note("nothing to follow") })
	if diff := cmp.Diff("nothing to follow\n", shown); diff != "" {
		t.Error(diff)
	}
}

func TestAHintOnATerminalSaysWhatFailed(t *testing.T) {
	shown := onBars(t, 80, func(s *Screen, _ *terminal) {
		s.Hint(milvus.Refused, "Check the token.")
		poll(s, "poll", 1, "errorKind", "refused", "error", "user hasn't authenticated (HTTP 401, code 1800)", "delaySeconds", 300)
	})
	want := `   0.0s  job 449503829274509313 refused: user hasn't authenticated (HTTP 401,
         code 1800)
         Check the token.
449503829274509313  [----------------]        refused            0s  next 5m00s
`
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
}

func TestAnInterruptEchoedByTheTerminalLeavesNoTrace(t *testing.T) {
	shown := onBars(t, 80, func(s *Screen, tty *terminal) {
		poll(s, running(42)...)
		time.Sleep(1100 * time.Millisecond)
		fmt.Fprint(tty, "^C")
	})
	if want := "449503829274509313  [======>---------]  42 %  in progress        1s  next 4s\n"; shown != want {
		t.Error(cmp.Diff(want, shown))
	}
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for _, width := range []int{20, 40, 60, 72, 80, 100, 132, 160, 200} {
		onBars(t, width, func(s *Screen, _ *terminal) { // the terminal complains
			s.Status(func() string { return strings.Repeat("waiting ", 30) })
			poll(s, append(running(42), "errorKind", "temporary", "error", strings.Repeat("long ", 100))...)
			time.Sleep(time.Second)
			poll(s, completed...)
			time.Sleep(time.Second)
		})
	}
}

func TestATerminalThatDoesNotKnowItsSizeHas80Columns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tty := &terminal{t: t, width: 80}
		s := inLines(nil, tty)
		s.draw(func() (int, int, error) { return 0, 0, nil }, false)
		poll(s, running(42)...)
		s.Close()
		if !strings.Contains(tty.shown(), "next 5s") {
			t.Error(tty.shown())
		}
	})
}

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errors.New("input/output error") }

func TestATerminalThatIsGoneDoesNotStopTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := inLines(&out, gone{})
		s.draw(func() (int, int, error) { return 80, 24, nil }, true)
		poll(s, running(1)...)
		time.Sleep(time.Second)
		poll(s, "jobId", "2", "poll", 1, "delaySeconds", 1)
		s.Note("unseen")
		s.Event("{}")
		s.Close()
		if out.String() != "{}\n" {
			t.Errorf("%q", out.String())
		}
	})
}

func TestJobsAreShownInTheirOrderBeforeTheFirstPoll(t *testing.T) {
	onBars(t, 80, func(s *Screen, tty *terminal) {
		s.Expect("3", "three")
		s.Expect("1", "1")
		poll(s, append(running(42), "jobId", "1")...)
		time.Sleep(1100 * time.Millisecond)
		want := "three [------------------]        waiting            1s  polling\n" +
			"1     [=======>----------]  42 %  in progress        1s  next 4s\n"
		if diff := cmp.Diff(want, tty.shown()); diff != "" {
			t.Error(diff)
		}
	})
}

// Two names of a collection may come to one job, and look the same.
func TestEachWatchHasARowWhateverItIsCalled(t *testing.T) {
	shown := onBars(t, 80, func(s *Screen, _ *terminal) {
		for watchID, title := range []string{"ext\x1b[2J\r\nbooks", "ext\u009b[2J\u2028\nbooks", "书籍"} {
			s.Expect(fmt.Sprint(watchID), title)
		}
		for watchID := range 3 {
			poll(s, append(completed, "watchId", fmt.Sprint(watchID))...)
		}
		s.Event(`{"jobId":"449503829274509313","state":"RefreshCompleted","terminal":true,"outcome":"succeeded","watch":{"id":"0"}}`)
	})
	want := `   0.0s  → event RefreshCompleted ext [2J  books (449503829274509313)
ext [2J  books [==================] 100 %  ✓ completed        0s
ext [2J  books [==================] 100 %  ✓ completed        0s
书籍           [==================] 100 %  ✓ completed        0s
`
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
}

// A frame with more lines than the terminal would push those of the one before out
// of the cursor's reach.
func TestOfMoreJobsThanLinesTheFirstAreCountedUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tty := &terminal{t: t, width: 80, height: 6}
		s := onTerminal(tty)
		for job := range 9 {
			poll(s, append(running(42), "jobId", fmt.Sprint(job))...)
		}
		lines := func(shown string) (jobs string) {
			for line := range strings.Lines(shown) {
				jobs += line[:1]
			}
			return jobs
		}
		for range 3 {
			time.Sleep(time.Second)
			if shown := tty.shown(); !strings.HasPrefix(shown, "… and 5 jobs more\n") || lines(shown)[1:] != "5678" {
				t.Errorf("shown is\n%s", shown)
			}
		}
		s.Close()
		if shown := tty.shown(); lines(shown) != "012345678" {
			t.Errorf("in the end\n%s", shown)
		}
	})
}

func TestPollsOfManyJobsAtOnceDoNotBlockEachOther(t *testing.T) {
	onBars(t, 80, func(s *Screen, _ *terminal) {
		var jobs sync.WaitGroup
		for job := range 10 {
			jobs.Go(func() {
				for progress := range 50 {
					poll(s, append(running(progress), "jobId", fmt.Sprint(job))...)
					s.Note("note")
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		jobs.Wait()
	})
}

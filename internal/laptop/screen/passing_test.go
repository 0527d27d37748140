package screen

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logAt has the screen show a line of that time about a poll of the watch w.
func logAt(s *Screen, at time.Time, msg string, attrs ...any) {
	r := slog.NewRecord(at, slog.LevelInfo, msg, 0)
	r.Add("kind", "external_collection", "jobId", jobID, "watchId", "w", "since", at.Add(-62*time.Minute), "collection", "ext_books")
	r.Add(attrs...)
	s.Handle(context.Background(), r)
}

var noon = time.Date(2024, 4, 11, 12, 0, 0, 0, time.Local)

func TestAPassingWatchIsALineWithTheTimeOfDayItsAgeAndWhatItIsAbout(t *testing.T) {
	var out, notes bytes.Buffer
	s := inLines(&out, &notes)
	s.Passing()
	logAt(s, noon, "job polled", running(42)...)
	logAt(s, noon.Add(time.Second), "job polled", "poll", 2, "errorKind", "throttled", "error", "too many", "delaySeconds", 5)
	logAt(s, noon.Add(2*time.Second), "job polled", "kind", "import", "poll", 3, "state", "Sorting", "delaySeconds", 5)
	logAt(s, noon.Add(3*time.Second), "job polled", "since", noon.Add(time.Hour), "poll", 4, "state", "RefreshFailed", "reason", "no such object")
	s.Event("{}")
	want := `12:00:00 449503829274509313   poll 2    in progress     42 %    1h02m  next 5s      ext_books
12:00:01 449503829274509313   poll 2    throttled               1h02m  next 5s      too many
12:00:02 449503829274509313   poll 3    sorting                 1h02m  next 5s      import ext_books
12:00:03 449503829274509313   poll 4    failed                     0s               no such object
`
	if diff := cmp.Diff(want, notes.String()); diff != "" || out.String() != "{}\n" {
		t.Errorf("%s%s", out.String(), diff)
	}
}

func TestAPassingWatchLeavesALineWhereItsBarWas(t *testing.T) {
	var now time.Time
	shown := onBars(t, 120, func(s *Screen, tty *terminal) {
		s.Passing()
		now = time.Now()
		logAt(s, now, "job polled", running(42)...)
		logAt(s, now, "job polled", append(running(7), "watchId", "other")...)
		time.Sleep(1100 * time.Millisecond)
		want := "449503829274509313  [=======>----------]  42 %  in progress     1h02m  next 4s      ext_books\n" +
			"449503829274509313  [>-----------------]   7 %  in progress     1h02m  next 4s      ext_books\n"
		if diff := cmp.Diff(want, tty.shown()); diff != "" {
			t.Error("two watches of a job", diff)
		}
		logAt(s, now, "message dropped", "reason", "its watch goes on in another message")
		logAt(s, now, "job polled", "poll", 3, "state", "RefreshFailed", "progress", 60, "reason", "no such object")
		logAt(s, now, "job polled", "watchId", "unseen", "poll", 1, "state", "RefreshCompleted")
		s.Event("{}")
		time.Sleep(time.Second)
	})
	want := `12:00:00 message dropped: job 449503829274509313 (ext_books): its watch goes on in another message
12:00:00 job 449503829274509313 (ext_books) failed after 1h02m: no such object
12:00:00 job 449503829274509313 (ext_books) completed after 1h02m
449503829274509313  [>-----------------]   7 %  in progress     1h02m  next 3s      ext_books
`
	if diff := cmp.Diff(want, strings.ReplaceAll(shown, now.Local().Format("15:04:05"), "12:00:00")); diff != "" {
		t.Error(diff)
	}
}

func TestALineThatNamesAJobAndIsNoPollEndsNothing(t *testing.T) {
	onBars(t, 80, func(s *Screen, tty *terminal) {
		poll(s, append(running(42), "watchId", "w")...)
		slog.New(s).Info("message dropped", "kind", "external_collection", "jobId", jobID, "watchId", "w", "poll", 2, "reason", "r")
		time.Sleep(1100 * time.Millisecond)
		if !strings.HasSuffix(tty.shown(), "42 %  in progress        1s  next 4s\n") {
			t.Error(tty.shown())
		}
	})
}

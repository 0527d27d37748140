package screen

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
)

const jobID = "449503829274509313"

func poll(s *Screen, attrs ...any) {
	slog.New(s).With("awsRequestId", "r").WithGroup("g").Info("job polled", append([]any{"kind", "external_collection", "jobId", jobID}, attrs...)...)
}

func reject(s *Screen, reason string) {
	slog.New(s).Warn("message rejected", "messageId", "m", "reason", reason)
}

func running(progress int) []any {
	return []any{"poll", 2, "state", "RefreshInProgress", "progress", progress, "delaySeconds", 5}
}

var completed = []any{"poll", 3, "state", "RefreshCompleted", "outcome", "succeeded", "progress", 100}

func TestWithoutATerminalEveryPollIsALineOfTheNotesAndEveryEventOneOfTheOther(t *testing.T) {
	outRead, out := pipe(t)
	notesRead, notes := pipe(t)
	s, err := New(out, notes)
	if err != nil {
		t.Fatal(err)
	}
	s.begun = time.Now().Add(-90 * time.Second)
	s.Note("one job")
	reject(s, "the body is empty")
	poll(s, running(42)...)
	s.Event(`{"jobId":"449503829274509313","state":"RefreshCompleted","terminal":true}`)
	poll(s, completed...)
	s.Close()
	out.Close()
	notes.Close()

	if diff := cmp.Diff("{\"jobId\":\"449503829274509313\",\"state\":\"RefreshCompleted\",\"terminal\":true}\n", all(t, outRead)); diff != "" {
		t.Error("events", diff)
	}
	want := `one job
  90.0s  message rejected: the body is empty
  90.0s  449503829274509313   poll 2    in progress     42 %  next 5s
  90.0s  → event RefreshCompleted 449503829274509313
  90.0s  449503829274509313   poll 3    completed      100 %
`
	if diff := cmp.Diff(want, all(t, notesRead)); diff != "" {
		t.Error("notes", diff)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func all(t *testing.T, r *os.File) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDebugLinesAreNotShown(t *testing.T) {
	var notes bytes.Buffer
	slog.New(inLines(&notes, &notes)).Debug("job polled", "jobId", "1")
	if notes.Len() > 0 {
		t.Error(notes.String())
	}
}

func TestAClosedScreenShowsNoMoreOfTheLog(t *testing.T) {
	var out, notes bytes.Buffer
	s := inLines(&out, &notes)
	s.Close()
	s.Close()
	poll(s, completed...)
	s.Event("{}")
	s.Note("the end")
	if diff := cmp.Diff("{}\n", out.String()); diff != "" {
		t.Error("events", diff)
	}
	if diff := cmp.Diff("the end\n", notes.String()); diff != "" {
		t.Error("notes", diff)
	}
}

// tooSmall takes so many writes, and fails at all others.
type tooSmall int

func (w *tooSmall) Write(b []byte) (int, error) {
	if *w--; *w < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestAnEventThatIsNotWrittenStaysAnError(t *testing.T) {
	const want = "an event could not be written: disk full"
	room := tooSmall(1)
	s := inLines(&room, io.Discard)
	if err := s.Event("{}"); err != nil {
		t.Error(err)
	}
	s.Note("what is no event does not count")
	for range 2 {
		if err := s.Event("{}"); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := s.Close(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNotesThatAreNotWrittenAreNoError(t *testing.T) {
	s := inLines(io.Discard, gone{})
	s.Note("one job")
	poll(s, completed...)
	if err := s.Event("{}"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAHintComesOnceAndOnlyForAJobNotSeen(t *testing.T) {
	refused := []any{"poll", 1, "errorKind", "refused", "error", "who?", "delaySeconds", 5}
	tests := map[string]struct {
		polls [][]any
		want  int
	}{
		"refused at first":        {[][]any{refused}, 1},
		"refused again":           {[][]any{refused, refused}, 1},
		"refused once it is seen": {[][]any{append(refused, "state", "RefreshPending")}, 0},
		"another failure":         {[][]any{{"poll", 1, "errorKind", "temporary", "delaySeconds", 5}}, 0},
		"no failure":              {[][]any{completed}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var notes bytes.Buffer
			s := inLines(&notes, &notes)
			s.Hint(milvus.Refused, "check the token")
			for _, attrs := range tt.polls {
				poll(s, attrs...)
			}
			if got := strings.Count(notes.String(), "         check the token\n"); got != tt.want {
				t.Errorf("%d hints, not %d, in\n%s", got, tt.want, notes.String())
			}
		})
	}
}

func TestAWatchThatBeganWithoutAJobIsShownByItsCollection(t *testing.T) {
	var notes strings.Builder
	s := inLines(nil, &notes)
	log := slog.New(s)
	log.Info("job polled", "jobId", "", "watchId", "w", "poll", 1, "collection", "ext_books", "delaySeconds", 5, "reason", "the refresh was started")
	log.Info("job polled", "jobId", "7", "watchId", "w", "poll", 2, "collection", "ext_books", "state", "RefreshInProgress", "progress", 42, "delaySeconds", 5)
	log.Info("job polled", "jobId", "8", "watchId", "x", "poll", 2, "collection", "ext_books", "state", "RefreshInProgress", "progress", 42, "delaySeconds", 5)
	s.Event(`{"collectionName":"ext_books","state":"RefreshNotStarted","outcome":"notStarted","terminal":true,"reason":"no"}`)
	want := `   0.0s  ext_books            poll 1    waiting               next 5s      the refresh was started
   0.0s  ext_books            poll 2    in progress     42 %  next 5s
   0.0s  8                    poll 2    in progress     42 %  next 5s      ext_books
   0.0s  → event RefreshNotStarted ext_books: no
`
	if diff := cmp.Diff(want, notes.String()); diff != "" {
		t.Error(diff)
	}
}

// Package screen shows watches to a person as they are followed: bars on a
// terminal, a line for each poll elsewhere. It is fed by the poller's own log.
package screen

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/term"

	"refresh-poller/internal/milvus"
)

// Screen is a slog.Handler for the poller's log, and takes its events. Events
// go to one writer as JSON lines, everything else, the notes, to another.
type Screen struct {
	begun  time.Time
	events io.Writer
	notes  io.Writer
	// size is the terminal's, or nil where notes is none.
	size func() (width, height int)

	mu    sync.Mutex
	hints map[milvus.Kind]string
	// bars is nil in plain mode, and after Close.
	bars *bars
	// hold keeps events back that would tear the bars apart.
	hold   bool
	held   []string
	closed bool
}

// New returns a screen that writes events to out and all else to notes, as bars
// if that is a terminal. Close it before the program ends.
func New(out, notes *os.File) *Screen {
	// The bars are drawn with escape sequences, which these two don't know.
	plain := runtime.GOOS == "windows" || os.Getenv("TERM") == "dumb"
	if fd := int(notes.Fd()); !plain && term.IsTerminal(fd) {
		return onTerminal(out, notes, func() (int, int, error) { return term.GetSize(fd) }, term.IsTerminal(int(out.Fd())))
	}
	return inLines(out, notes)
}

func inLines(out, notes io.Writer) *Screen {
	return &Screen{begun: time.Now(), events: out, notes: notes, hints: map[milvus.Kind]string{}}
}

// onTerminal returns a screen with bars. It holds the events back to its end
// when they go to the terminal too.
func onTerminal(out, notes io.Writer, size func() (int, int, error), hold bool) *Screen {
	s := inLines(out, notes)
	s.size = func() (width, height int) {
		width, height, err := size()
		if err != nil || width < 1 || height < 2 { // some terminals don't know, and say 0
			return 80, 24
		}
		return width, height
	}
	s.bars, s.hold = newBars(notes, s.size), hold
	return s
}

// Hint has text shown the first time that a poll fails with kind while the job
// has not been seen yet: then something may be wrong with how it was asked for.
func (s *Screen) Hint(kind milvus.Kind, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hints[kind] = text
}

// Event writes an event's JSON as one line.
func (s *Screen) Event(json string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold {
		s.held = append(s.held, json)
		return
	}
	fmt.Fprintln(s.events, json)
}

// Note writes text, above the bars if there are any.
func (s *Screen) Note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(text)
}

// Close leaves the bars as they stand and writes the events that were held
// back. What the poller logs afterwards is not shown.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil {
		s.bars.close()
	}
	for _, json := range s.held {
		fmt.Fprintln(s.events, json)
	}
	s.bars, s.hold, s.held, s.closed = nil, false, nil, true
}

// Enabled takes every level from INFO up.
func (s *Screen) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// WithAttrs and WithGroup drop what a person needn't see.
func (s *Screen) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup does as WithAttrs.
func (s *Screen) WithGroup(string) slog.Handler { return s }

// Handle shows one line of the poller's log.
func (s *Screen) Handle(_ context.Context, record slog.Record) error {
	e := read(record)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	stamp := fmt.Sprintf("%6.1fs  ", record.Time.Sub(s.begun).Seconds())
	hint := ""
	if e.state == "" {
		hint = s.hints[e.kind]
		delete(s.hints, e.kind)
	}
	switch {
	case e.jobID == "":
		s.print(stamp + e.sentence())
	case s.bars == nil:
		s.print(stamp + e.line())
	default:
		s.bars.show(e)
		// There is no room for it beside the bar.
		if e.remark() != "" && (e.ended || hint != "") {
			s.print(fmt.Sprintf("%sjob %s %s: %s", stamp, e.jobID, e.word(), e.remark()))
		}
	}
	if hint != "" {
		s.print(indent + hint)
	}
	return nil
}

// indent is as wide as the time that leads every line of the log.
const indent = "         "

// print writes a note. The caller holds the lock.
func (s *Screen) print(text string) {
	if s.size != nil {
		width, _ := s.size()
		text = wrap(text, width)
	}
	if s.bars != nil {
		s.bars.print(text)
		return
	}
	fmt.Fprintln(s.notes, text)
}

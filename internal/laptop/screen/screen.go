// Package screen shows watches to a person as they are followed: bars on a
// terminal, a line for each poll elsewhere. It is fed by the poller's own log and
// its events.
package screen

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

// Screen is a slog.Handler for the poller's log, and takes its events. Events
// go to one writer as JSON lines, everything else, the notes, to another. A person
// at a terminal gets no JSON: each event is a short line of the notes too.
type Screen struct {
	begun time.Time
	// events is nil where it is the terminal that notes is.
	events io.Writer
	// brief says that events is another terminal, which takes the short lines.
	brief bool
	notes io.Writer
	// size is the terminal's, or nil where notes is none.
	size func() (width, height int)

	mu    sync.Mutex
	hints map[milvus.ErrorKind]string
	// titles are the names of jobs that are not shown by their ids.
	titles map[string]string
	// asked has the collections of watches that began without a job.
	asked map[string]string
	// bars is nil in plain mode, and after Close.
	bars    *bars
	colours bool
	closed  bool
	// passing says that watches come and go for as long as the screen is open.
	passing bool
	// lost is why an event could not be written.
	lost error
}

// New returns a screen that writes events to out and all else to notes, as bars
// if that is a terminal and what is written to out can appear there only where
// this program puts it. Close it before the program ends. The error says that out
// was closed when the program began.
func New(out, notes *os.File) (*Screen, error) {
	if discards(out) && readable(out) {
		return nil, errors.New("stdout is closed, or /dev/null opened for reading too: give it a place for the events, such as > /dev/null")
	}
	brief := term.IsTerminal(int(out.Fd()))
	// Windows has no way to tell its console from itself.
	same := sameFile(out, notes) || runtime.GOOS == "windows" && brief && term.IsTerminal(int(notes.Fd()))
	var events io.Writer = out
	if same && brief {
		events = nil
	}
	s := inLines(events, notes)
	s.brief = brief
	s.size = terminalSize(notes)
	if size := sizeOf(notes); size != nil && (same || silent(out)) {
		s.draw(size, os.Getenv("NO_COLOR") == "") // no-color.org: an empty one does not count
	}
	return s, nil
}

// sizeOf returns what tells the terminal's size, or nil where no bars can be drawn:
// they take escape sequences, which Windows and TERM=dumb don't know.
func sizeOf(notes *os.File) func() (width, height int, err error) {
	fd := int(notes.Fd())
	if runtime.GOOS == "windows" || os.Getenv("TERM") == "dumb" || !term.IsTerminal(fd) {
		return nil
	}
	return func() (width, height int, err error) { return term.GetSize(fd) }
}

// terminalSize returns what tells the size to wrap notes to, or nil where that is no
// terminal.
func terminalSize(notes *os.File) func() (width, height int) {
	fd := int(notes.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	return known(func() (int, int, error) { return term.GetSize(fd) })
}

// Wrapped returns a message as to shows it: broken between words if that is a
// terminal, with indent before all lines but the first.
func Wrapped(to *os.File, text, indent string) string {
	size := terminalSize(to)
	if size == nil {
		return text
	}
	width, _ := size()
	return wrap(text, indent, width)
}

func sameFile(a, b *os.File) bool {
	aInfo, errA := a.Stat()
	bInfo, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(aInfo, bInfo)
}

// silent reports whether nobody shows what is written to out as it comes. Who
// reads a pipe may write to the same terminal, and /dev/tty is it under another
// name.
func silent(out *os.File) bool {
	info, err := out.Stat()
	return err == nil && info.Mode().IsRegular() || discards(out)
}

func discards(out *os.File) bool {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return false
	}
	defer null.Close()
	return sameFile(out, null)
}

// readable tells the null device that Go's runtime puts in the place of a closed
// stdout, to read and write (runtime/fds_unix.go), from one that is only written
// to, as a shell opens it.
func readable(null *os.File) bool {
	_, err := null.Read(make([]byte, 1))
	return err == io.EOF
}

func inLines(out, notes io.Writer) *Screen {
	return &Screen{begun: time.Now(), events: out, notes: notes, hints: map[milvus.ErrorKind]string{}, titles: map[string]string{}, asked: map[string]string{}}
}

// draw has the screen show bars, on a terminal of that size.
func (s *Screen) draw(size func() (int, int, error), colours bool) {
	s.size, s.colours = known(size), colours
	s.bars = newBars(s.notes, s.size, colours)
}

// known returns a size that is always one: some terminals don't know, and say 0.
func known(size func() (int, int, error)) func() (width, height int) {
	return func() (width, height int) {
		width, height, err := size()
		if err != nil || width < 1 || height < 2 {
			return 80, 24
		}
		return width, height
	}
}

// Passing has the screen show watches that begin and end elsewhere, for as long as
// it is open: with the time of day, without the rows of those that have ended, and
// without the events where they would go to the terminal that shows the ends.
func (s *Screen) Passing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passing = true
	if s.bars != nil {
		s.bars.passing = true
	}
}

// Hint has text shown the first time that a poll fails with kind while the job
// has not been seen yet: then something may be wrong with how it was asked for.
func (s *Screen) Hint(kind milvus.ErrorKind, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hints[kind] = text
}

// Expect has jobs shown in this order, and all from the first poll on, where there
// are bars.
func (s *Screen) Expect(jobIDs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range jobIDs {
		if s.bars != nil {
			s.bars.expected = append(s.bars.expected, entry{jobID: id, title: s.title(id), progress: -1})
		}
	}
}

// Call has jobs shown by names that say more than their ids. Call it before Expect.
func (s *Screen) Call(titles map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.titles = titles
	if s.bars != nil {
		s.bars.titles = 0
		for _, title := range titles {
			s.bars.titles = max(s.bars.titles, len(title))
		}
	}
}

// name gives the watch of a refresh that a message asked for the collection's name,
// for it has no job at first. The caller holds the lock.
func (s *Screen) name(e *entry) {
	if e.polled && e.jobID == "" {
		s.asked[e.watchID] = e.collection
	}
	e.jobID = cmp.Or(s.asked[e.watchID], e.jobID)
	e.title = s.title(e.jobID)
}

func (s *Screen) title(jobID string) string { return cmp.Or(s.titles[jobID], jobID) }

// Status has the text of now stand below the bars, where there are any.
func (s *Screen) Status(now func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil {
		s.bars.status(now)
	}
}

// Event shows an event, whose JSON it is given. It returns an error once one could
// not be written.
func (s *Screen) Event(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	short, look := s.short(text)
	if short != "" && !s.passing && !s.closed {
		s.print(fmt.Sprintf("%6.1fs  %s", time.Since(s.begun).Seconds(), short), indent, look)
	}
	switch {
	case s.events == nil:
		return nil
	case s.brief:
		text = short
	}
	if _, err := fmt.Fprintln(s.events, text); err != nil {
		s.lost = fmt.Errorf("an event could not be written: %w", err)
	}
	return s.lost
}

// short is an event in a line for a person, without the time, and how it looks. It
// is empty for what is no event.
func (s *Screen) short(text string) (string, paint) {
	var e event.Detail
	if json.Unmarshal([]byte(text), &e) != nil || e.State == "" {
		return "", ""
	}
	about := cmp.Or(s.title(e.JobID), e.CollectionName)
	if e.CollectionName != "" && e.CollectionName != about {
		about += " (" + e.CollectionName + ")"
	}
	short := "→ event " + e.State + " " + about
	if !e.Terminal {
		if e.Progress != nil {
			short += fmt.Sprintf(" %d %%", *e.Progress)
		}
		return Printable(short), ""
	}
	if e.Reason != "" {
		short += ": " + e.Reason
	}
	_, look := lookOf(e.Outcome)
	return Printable(short), look
}

// Note writes text, above the bars if there are any.
func (s *Screen) Note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	indent := strings.Repeat(" ", len(text)-len(strings.TrimLeft(text, " ")))
	if indent != "" {
		indent += "  "
	}
	s.print(text, indent, "")
}

// Close leaves the bars as they stand. What the poller logs afterwards is not
// shown, nor that an event comes. It returns the error of Event, also if called
// again.
func (s *Screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil {
		s.bars.close()
	}
	s.bars, s.closed = nil, true
	return s.lost
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
	s.name(&e)
	stamp, age := fmt.Sprintf("%6.1fs  ", record.Time.Sub(s.begun).Seconds()), ""
	if s.passing {
		stamp, age = record.Time.Local().Format("15:04:05 "), fmt.Sprintf("%7s  ", e.age())
	}
	hint := ""
	if e.state == "" {
		hint = s.hints[e.kind]
		delete(s.hints, e.kind)
	}
	switch {
	case !e.polled:
		s.print(stamp+e.sentence(), indent, "")
	case s.bars == nil:
		s.print(stamp+e.line(age), indent, "")
	default:
		s.bars.show(e)
		if s.passing && e.ended {
			_, look := lookOf(e.outcome)
			s.print(stamp+e.end(), indent, look)
		} else if e.why() != "" && hint != "" { // it has no room beside the bar
			s.print(fmt.Sprintf("%sjob %s %s: %s", stamp, e.title, e.word(), e.why()), indent, "")
		}
	}
	if hint != "" {
		s.print(indent+hint, indent, "")
	}
	return nil
}

// indent is as wide as the time that leads every line of the log.
const indent = "         "

// print writes a note. The caller holds the lock.
func (s *Screen) print(text, indent string, look paint) {
	if s.size != nil {
		width, _ := s.size()
		text = wrap(text, indent, width)
	}
	if s.colours {
		text = look.on(text)
	}
	if s.bars != nil {
		s.bars.print(text)
		return
	}
	fmt.Fprintln(s.notes, text)
}

package screen

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars are the rows at the bottom of a terminal, one for each watch.
type bars struct {
	console  *console
	progress *mpb.Progress
	rows     map[string]*row // by the watch
	// passing takes away the rows of jobs that have ended.
	passing bool
	colours bool
	// titles is how many cells the longest title has that was expected.
	titles int
	// last is the status below the rows, or nil.
	last *mpb.Bar
	// expected are the watches to add before the first that is shown.
	expected []entry
}

// row is one job's. mpb draws it while the log goes on, so what it shows is
// replaced as a whole.
type row struct {
	bar  *mpb.Bar
	view atomic.Pointer[view]
}

func newBars(out io.Writer, size func() (width, height int), colours bool) *bars {
	c := &console{out: out, size: size}
	return &bars{
		console:  c,
		progress: mpb.New(mpb.WithConsoleWriter(c), mpb.WithRefreshRate(200*time.Millisecond)),
		rows:     map[string]*row{},
		colours:  colours,
	}
}

func (b *bars) expect(e entry) {
	b.titles = max(b.titles, runewidth.StringWidth(e.title))
	b.expected = append(b.expected, e)
}

func (b *bars) show(e entry) {
	for _, first := range b.expected {
		first.at = e.at
		b.update(first)
	}
	b.expected = nil
	b.update(e)
}

// update brings a job's row up to date, adds it, or takes it away.
func (b *bars) update(e entry) {
	r := b.rows[e.watchID]
	v := &view{entry: e, begun: e.since, seen: e.at}
	switch {
	case !v.begun.IsZero():
	case r != nil:
		v.begun = r.view.Load().begun
	default:
		v.begun = e.at
	}
	switch {
	case e.ended && b.passing:
		if r != nil {
			r.bar.Abort(true)
			delete(b.rows, e.watchID)
		}
	case r != nil:
		r.view.Store(v)
	default:
		b.add(v)
	}
}

func (b *bars) add(v *view) {
	r := &row{}
	r.view.Store(v)
	colours, titles := b.colours, cmp.Or(b.titles, longestID)
	r.bar = b.line(func(width int) string { return r.view.Load().row(width, titles, time.Now(), colours) })
	if r.bar != nil { // else the terminal is gone
		b.rows[v.watchID] = r
	}
}

// status has a text below the rows.
func (b *bars) status(now func() string) {
	colours := b.colours
	b.last = b.line(func(width int) string {
		text := fit(now(), width)
		if colours {
			text = faint.on(text)
		}
		return text
	}, mpb.BarPriority(math.MaxInt))
}

// line adds one that draws itself, or returns nil.
func (b *bars) line(draw func(width int) string, options ...mpb.BarOption) *mpb.Bar {
	bar, err := b.progress.Add(0, mpb.BarFillerFunc(func(w io.Writer, stat decor.Statistics) error {
		_, err := io.WriteString(w, draw(stat.AvailableWidth))
		return err
	}), append(options, mpb.BarFillerTrim())...)
	if err != nil {
		return nil
	}
	return bar
}

// print writes text above the bars.
func (b *bars) print(text string) { fmt.Fprintln(b.progress, text) }

// close draws the bars for the last time, and all of them.
func (b *bars) close() {
	for _, r := range b.rows {
		r.bar.Abort(false)
	}
	if b.last != nil {
		b.last.Abort(false)
	}
	b.progress.Wait()
	b.console.leave()
}

// console takes mpb's frames to a terminal, each in one write. mpb's own begins
// a frame in the column where the cursor is, and a ^C that the terminal echoes
// moves that. It also counts the lines wrong where a frame has too many.
type console struct {
	bytes.Buffer // the notes since the last frame
	out          io.Writer
	size         func() (width, height int)
	// rows are those of the frame under way, last those of the one before.
	rows, last []string
	// lines is how many of the last frame the next one overwrites.
	lines int
}

// IsTerminal is part of mpb.ConsoleWriter.
func (c *console) IsTerminal() bool { return true }

// GetTermSize has mpb leave out no row.
func (c *console) GetTermSize() (width, height int, err error) {
	width, _ = c.size()
	return width, math.MaxInt, nil
}

// ReadFrom takes a row.
func (c *console) ReadFrom(row io.Reader) (int64, error) {
	text, err := io.ReadAll(row)
	c.rows = append(c.rows, string(text))
	return int64(len(text)), err
}

// Flush draws a frame. A line is for the cursor, below the bars.
func (c *console) Flush(int) error {
	_, height := c.size()
	c.last, c.rows = c.rows, nil
	return c.draw(height - 1)
}

// draw writes the notes, and the rows in at most so many lines. More than the
// terminal has would push the first out of the cursor's reach.
func (c *console) draw(most int) error {
	rows := c.last
	if excess := len(rows) - most; excess > 0 {
		hidden := excess + 1 // for the line that says so
		rows = append([]string{fmt.Sprintf("… and %d jobs more\n", hidden)}, rows[hidden:]...)
	}
	frame := "\r"
	if c.lines > 0 {
		frame += fmt.Sprintf("\x1b[%dA", c.lines)
	}
	// Clearing each line as it is written does not flicker.
	frame += "\x1b[K" + strings.ReplaceAll(c.String()+strings.Join(rows, ""), "\n", "\n\x1b[K") + "\x1b[J"
	c.Reset()
	c.lines = len(rows)
	_, err := io.WriteString(c.out, frame)
	return err
}

// leave draws the last frame again, with all rows and the notes that came too late
// for it.
func (c *console) leave() { _ = c.draw(len(c.last)) }

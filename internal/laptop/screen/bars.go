package screen

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars are the rows at the bottom of a terminal, one for each job.
type bars struct {
	console  *console
	progress *mpb.Progress
	rows     map[string]*row // by the job; by the watch where they pass
	// passing takes away the rows of jobs that have ended.
	passing bool
	colours bool
	// titles is how many cells are for the jobs' names.
	titles int
	// last is the status below the rows, or nil.
	last *mpb.Bar
	// expected are the jobs to add before the first that is shown.
	expected []entry
}

// row is one job's. mpb draws it while the log goes on, so what it shows is
// replaced as a whole.
type row struct {
	bar  *mpb.Bar
	view atomic.Pointer[view]
}

func newBars(out io.Writer, size func() (width, height int), colours bool) *bars {
	const longestID = 19 // of those that are numbers
	c := &console{out: out, size: size}
	return &bars{
		console:  c,
		progress: mpb.New(mpb.WithConsoleWriter(c), mpb.WithRefreshRate(200*time.Millisecond)),
		rows:     map[string]*row{},
		colours:  colours,
		titles:   longestID,
	}
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
	key := e.jobID
	if b.passing { // it may be watched twice
		key = e.watchID
	}
	r := b.rows[key]
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
			delete(b.rows, key)
			b.count()
		}
	case r != nil:
		r.view.Store(v)
	default:
		b.add(key, v)
	}
}

func (b *bars) add(key string, v *view) {
	r := &row{}
	r.view.Store(v)
	colours, titles := b.colours, b.titles
	r.bar = b.line(func(width int) string { return r.view.Load().row(width, titles, time.Now(), colours) })
	if r.bar != nil { // else the terminal is gone
		b.rows[key] = r
		b.count()
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
	b.count()
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

// count tells the console how many lines there are.
func (b *bars) count() {
	lines := len(b.rows)
	if b.last != nil {
		lines++
	}
	b.console.jobs.Store(int64(lines))
}

// print writes text above the bars.
func (b *bars) print(text string) { fmt.Fprintln(b.progress, text) }

// close draws the bars for the last time, and all of them.
func (b *bars) close() {
	b.console.jobs.Store(0)
	for _, r := range b.rows {
		r.bar.Abort(false)
	}
	if b.last != nil {
		b.last.Abort(false)
	}
	b.progress.Wait()
	if b.console.unseen > 0 { // the last frame was begun too early to have them all
		b.redraw()
	}
	b.console.leave()
}

func (b *bars) redraw() {
	width, _ := b.console.size()
	byAge := func(r, other *row) int { return r.bar.ID() - other.bar.ID() }
	for _, r := range slices.SortedFunc(maps.Values(b.rows), byAge) {
		fmt.Fprintln(b.console, r.view.Load().row(width, b.titles, time.Now(), b.colours))
		b.console.drawn++
	}
	b.console.Flush(0)
}

// console takes mpb's frames to a terminal, each in one write. mpb's own begins
// a frame in the column where the cursor is, and a ^C that the terminal echoes
// moves that.
type console struct {
	bytes.Buffer // the frame under way
	out          io.Writer
	size         func() (width, height int)
	// jobs is how many rows there are, or 0 once the last frame may have them all.
	jobs atomic.Int64
	// hidden is how many of them have no line in the frame under way, drawn how many
	// lines it has for the others, and one for how many are hidden.
	hidden, drawn int
	// lines is how many of the last frame the next one overwrites, unseen how many
	// rows it hid.
	lines, unseen int
}

// IsTerminal is part of mpb.ConsoleWriter.
func (c *console) IsTerminal() bool { return true }

// GetTermSize leaves a line free for the cursor, below the bars, and one above them
// where there are too many.
func (c *console) GetTermSize() (width, height int, err error) {
	width, height = c.size()
	switch jobs := int(c.jobs.Load()); {
	case jobs == 0:
		return width, math.MaxInt, nil
	case jobs > height-1:
		height--
	}
	return width, height - 1, nil
}

// ReadFrom takes a row, from the first to the last. One beyond the terminal's height,
// which is nearer to the first, is empty.
func (c *console) ReadFrom(row io.Reader) (int64, error) {
	before := c.Len()
	text, err := io.ReadAll(row)
	switch {
	case len(text) == 0:
		c.hidden++
		return 0, err
	case c.drawn == 0 && c.hidden > 0:
		fmt.Fprintf(c, "… and %d jobs more\n", c.hidden)
		c.drawn++
	}
	c.drawn++
	c.Write(text)
	return int64(c.Len() - before), err
}

// Flush draws a frame; the lines drawn are at its end. mpb's own count of them is too
// low where rows are hidden.
func (c *console) Flush(int) error {
	frame := "\r"
	if c.lines > 0 {
		frame += fmt.Sprintf("\x1b[%dA", c.lines)
	}
	// Clearing each line as it is written does not flicker.
	frame += "\x1b[K" + strings.ReplaceAll(c.String(), "\n", "\n\x1b[K") + "\x1b[J"
	c.Reset()
	c.lines, c.unseen, c.drawn, c.hidden = c.drawn, c.hidden, 0, 0
	_, err := io.WriteString(c.out, frame)
	return err
}

// leave writes what came too late for a frame, below the bars.
func (c *console) leave() {
	c.lines = 0
	if c.Len() > 0 {
		c.Flush(0)
	}
}

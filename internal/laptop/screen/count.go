package screen

import (
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Count is a bar for something that is counted, on a terminal; elsewhere it shows
// nothing.
type Count struct {
	progress *mpb.Progress
	bar      *mpb.Bar
}

// NewCount returns a bar with a word before it. Close it before anything else is
// written to notes.
func NewCount(notes *os.File, word string) *Count {
	if size := sizeOf(notes); size != nil {
		return newCount(notes, size, word)
	}
	return &Count{}
}

func newCount(notes io.Writer, size func() (int, int, error), word string) *Count {
	progress := mpb.New(mpb.WithConsoleWriter(&console{out: notes, size: known(size)}), mpb.WithRefreshRate(200*time.Millisecond))
	return &Count{progress, progress.AddBar(0,
		mpb.PrependDecorators(decor.Name(word)), mpb.AppendDecorators(decor.CountersNoUnit("%d of %d")))}
}

// Show shows that it has come to n, of that many.
func (c *Count) Show(n, of int) {
	if c.bar != nil {
		c.bar.SetTotal(int64(of), false)
		c.bar.SetCurrent(int64(n))
	}
}

// Close takes the bar away.
func (c *Count) Close() {
	if c.bar != nil {
		c.bar.Abort(true)
		c.progress.Wait()
	}
}

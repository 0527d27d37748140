package main

import (
	"slices"
	"strings"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// piece is characters of a line that look the same.
type piece struct {
	column, cells int
	text          string
	fill          string // a colour, or "" for the text's
	faint         bool
}

// frame is what the terminal shows from some time on: its lines, each of pieces.
type frame struct {
	from  time.Duration
	lines [][]piece
}

// blink is the time in which two frames are one to the eye.
const blink = 150 * time.Millisecond

// play has a terminal show what was written, and returns the frames that differ.
func play(written []chunk) []frame {
	terminal := vt.NewEmulator(columns, rows)
	var frames []frame
	for i, c := range written {
		terminal.Write(c.text)
		if i+1 < len(written) && written[i+1].at-c.at < blink {
			continue
		}
		lines := linesOf(terminal)
		if last := len(frames) - 1; last < 0 || !slices.EqualFunc(frames[last].lines, lines, slices.Equal) {
			frames = append(frames, frame{c.at, lines})
		}
	}
	return frames
}

// palette has the colours that the program uses, to be read on a dark ground.
var palette = map[ansi.BasicColor]string{ansi.Red: "#ff7b72", ansi.Green: "#3fb950", ansi.Yellow: "#d29922"}

// linesOf returns the lines down to the last with a text.
func linesOf(terminal *vt.Emulator) (lines [][]piece) {
	used := 0
	for y := range rows {
		lines = append(lines, lineOf(terminal, y))
		if lines[y] != nil {
			used = y + 1
		}
	}
	return lines[:used]
}

func lineOf(terminal *vt.Emulator, y int) (line []piece) {
	for x := 0; x < columns; {
		cell := terminal.CellAt(x, y)
		if cell == nil || cell.Width == 0 {
			cell = &uv.EmptyCell
		}
		next := piece{column: x, cells: cell.Width, text: cell.Content, faint: cell.Style.Attrs&uv.AttrFaint != 0}
		if fg, basic := cell.Style.Fg.(ansi.BasicColor); basic {
			next.fill = palette[fg]
		}
		if last := len(line) - 1; last >= 0 && line[last].fill == next.fill && line[last].faint == next.faint {
			line[last].text += next.text
			line[last].cells += next.cells
		} else {
			line = append(line, next)
		}
		x += cell.Width
	}
	return trim(line)
}

// trim takes away the spaces at the end.
func trim(line []piece) []piece {
	for len(line) > 0 {
		last := &line[len(line)-1]
		text := strings.TrimRight(last.text, " ")
		last.cells -= len(last.text) - len(text)
		last.text = text
		if text != "" {
			return line
		}
		line = line[:len(line)-1]
	}
	return nil
}

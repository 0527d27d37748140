package screen

import (
	"strings"
	"time"

	"refresh-poller/internal/milvus"
)

// view is what a row shows.
type view struct {
	entry
	begun, seen time.Time
}

// The cells of a row's columns, with the spaces before them.
const (
	percentCells = 1 + 5
	wordCells    = 2 + 13
	ageCells     = 1 + 7
	nextCells    = 2 + 11
	// Those of the bar, and of the remark, from when it is worth while.
	leastBar, mostBar = 1 + 6, 1 + 20
	leastRemark       = 2 + 14
)

// longestID is how many cells the longest id has that is a number.
const longestID = 19

// row draws the view in so many cells, of which some are for the title: a quarter, or
// what an id takes, at most. Where the rest is too little, the remark goes first,
// then the age, the bar and the next poll.
func (v *view) row(width, titles int, now time.Time, colours bool) string {
	titles = min(titles, max(longestID, width/4))
	room := width - titles - percentCells - wordCells
	take := func(cells int) int {
		if room < cells {
			return 0
		}
		room -= cells
		return cells
	}
	next, bar, age := take(nextCells), take(leastBar), take(ageCells)
	if bar > 0 {
		bar += take(min(mostBar-bar, max(room, 0)))
	}
	mark, look := v.mark()
	text := fit(v.title, titles)
	if bar > 0 {
		text += " " + drawBar(v.progress, bar-1)
	}
	text += " " + padLeft(v.percent(), percentCells-1)
	// A long word may use the space before the age.
	lasted := ""
	if age > 0 {
		lasted = " " + span(v.age(now).Truncate(time.Second))
	}
	word := wordCells - 2 + age
	text += "  " + fit(mark+v.word(), word-len(lasted)) + lasted
	if next > 0 {
		text += "  " + fit(v.next(now), nextCells-2)
	}
	if room >= leastRemark {
		text += "  " + fit(v.remark(), room-2)
	}
	text = strings.TrimRight(fit(text, width), " ")
	if colours {
		text = look.on(text)
	}
	return text
}

// age is how long the watch has lasted, or did.
func (v *view) age(now time.Time) time.Duration {
	if v.ended {
		now = v.seen
	}
	return max(now.Sub(v.begun), 0)
}

// next says when the next poll is.
func (v *view) next(now time.Time) string {
	switch left := v.seen.Add(v.delay).Sub(now); {
	case v.ended:
		return ""
	case left < -time.Minute:
		return "late " + span(-left)
	case left <= 0:
		return "polling"
	default:
		return "next " + span(left)
	}
}

// mark tells an end before the word, and how the row looks.
func (v *view) mark() (string, paint) {
	switch {
	case v.ended:
		return lookOf(v.outcome)
	case v.kind != "":
		return "", yellow
	}
	return "", ""
}

func drawBar(progress, cells int) string {
	room := cells - 2
	full := (room*max(progress, 0) + 50) / 100
	bar := strings.Repeat("=", full)
	if full > 0 && progress < 100 {
		bar = bar[1:] + ">"
	}
	return "[" + bar + strings.Repeat("-", room-full) + "]"
}

func padLeft(text string, n int) string { return strings.Repeat(" ", max(n-len(text), 0)) + text }

// paint is a colour: a parameter of the terminal's SGR, or none.
type paint string

const (
	red, green, yellow, faint paint = "31", "32", "33", "2"
)

// on paints each line of a text.
func (p paint) on(text string) string {
	if p == "" {
		return text
	}
	begin, end := "\x1b["+string(p)+"m", "\x1b[m"
	return begin + strings.ReplaceAll(text, "\n", end+"\n"+begin) + end
}

// lookOf tells ends apart at a glance.
func lookOf(outcome milvus.Outcome) (mark string, look paint) {
	switch outcome {
	case milvus.Succeeded:
		return "✓ ", green
	case milvus.Failed:
		return "✗ ", red
	}
	return "! ", yellow
}

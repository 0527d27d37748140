package main

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// Measures in pixels. A piece of text is stretched to its cells, so that another
// font than the first moves no column.
const (
	cellWidth  = 8.4
	lineHeight = 18
	fontSize   = 14
	border     = 16
)

// pause is how long the last frame stays before the film begins again.
const pause = 8 * time.Second

const head = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="refresh-poller demo in a terminal">
<style>
text { font: %[3]dpx ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; font-variant-ligatures: none; white-space: pre; fill: #c9d1d9 }
.faint { opacity: .65 }
#film { animation: film %.1[4]fs step-end infinite }
@media (prefers-reduced-motion: reduce) { #film { animation: none } }
@keyframes film {
%[5]s}
</style>
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
`

// draw makes a film of the frames, which stand side by side behind a window. What
// plays none shows the last.
func draw(frames []frame) string {
	width, height := 2*border+int(columns*cellWidth), 0
	var strip, times strings.Builder
	lines := &lines{ids: map[string]int{}}
	last := frames[len(frames)-1]
	length := last.from + pause
	for i, f := range frames {
		fmt.Fprintf(&times, "%.2f%% { transform: translateX(%dpx) }\n", 100*f.from.Seconds()/length.Seconds(), -i*width)
		fmt.Fprintf(&strip, "<g transform=\"translate(%d 0)\">", i*width)
		for row, line := range f.lines {
			if line != nil {
				fmt.Fprintf(&strip, `<use href="#%s" y="%d"/>`, lines.id(line), border+row*lineHeight+fontSize)
			}
		}
		strip.WriteString("</g>\n")
		height = max(height, 2*border+len(f.lines)*lineHeight)
	}
	return fmt.Sprintf(head, width, height, fontSize, length.Seconds(), times.String()) +
		"<defs>\n" + lines.text.String() + "</defs>\n" +
		fmt.Sprintf("<g id=\"film\" transform=\"translate(%d 0)\">\n%s</g>\n</svg>\n", -(len(frames)-1)*width, strip.String())
}

// lines are those of all frames, each only once.
type lines struct {
	ids  map[string]int
	text strings.Builder
}

func (l *lines) id(line []piece) string {
	var text strings.Builder
	for _, p := range line {
		x := border + float64(p.column)*cellWidth
		fmt.Fprintf(&text, `<text x="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs" xml:space="preserve"`, x, float64(p.cells)*cellWidth)
		if p.fill != "" {
			fmt.Fprintf(&text, ` style="fill:%s"`, p.fill)
		}
		if p.faint {
			text.WriteString(` class="faint"`)
		}
		text.WriteString(">")
		xml.EscapeText(&text, []byte(p.text)) // can't fail: neither does a Builder
		text.WriteString("</text>")
	}
	id, known := l.ids[text.String()]
	if !known {
		id = len(l.ids)
		l.ids[text.String()] = id
		fmt.Fprintf(&l.text, "<g id=\"l%d\">%s</g>\n", id, text.String())
	}
	return fmt.Sprintf("l%d", id)
}

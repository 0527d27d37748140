package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsOverwrittenWithinABlinkIsNotSeen(t *testing.T) {
	frames := play([]chunk{
		{0, []byte("one\r\n")},
		{time.Second, []byte("\x1b[1A\x1b[Knever seen\r")},
		{time.Second + blink/2, []byte("\x1b[K\x1b[31mtwo\x1b[m <&>  \r\n\x1b[2mqueue\x1b[m")},
		{2 * time.Second, nil},
	})
	want := []frame{
		{0, [][]piece{{{text: "one", cells: 3}}}},
		{time.Second + blink/2, [][]piece{
			{{text: "two", cells: 3, fill: "#ff7b72"}, {column: 3, text: " <&>", cells: 4}},
			{{text: "queue", cells: 5, faint: true}},
		}},
	}
	if diff := cmp.Diff(want, frames, cmp.AllowUnexported(frame{}, piece{})); diff != "" {
		t.Error(diff)
	}
}

func TestTheFilmHasEachLineOnceAndEndsOnTheLastFrame(t *testing.T) {
	line := []piece{{text: "<&>", cells: 3, fill: "#ff7b72"}}
	svg := draw([]frame{{0, [][]piece{line}}, {2 * time.Second, [][]piece{nil, line}}})
	for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"animation: film 10.0s", "20.00% { transform: translateX(-704px) }",
		`<g id="film" transform="translate(-704 0)">`, `<use href="#l0" y="48"/>`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in\n%s", want, svg)
		}
	}
	if got := strings.Count(svg, "&lt;&amp;&gt;"); got != 1 {
		t.Errorf("the line is there %d times", got)
	}
}

func TestAProgramIsRecordedInATerminalOfItsOwn(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	program := filepath.Join(t.TempDir(), "program")
	script := "#!/bin/sh\ntest -t 0 && test -t 1 && test -z \"$NO_COLOR\" && echo \"$1 in $(stty size)\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	written, err := record(program)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, c := range written {
		all.Write(c.text)
	}
	if diff := cmp.Diff("$ make demo\r\ndemo in 48 80\r\n", all.String()); diff != "" {
		t.Error(diff)
	}
}

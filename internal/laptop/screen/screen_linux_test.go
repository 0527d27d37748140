package screen

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pseudoTerminal returns both ends of a terminal of 80 columns.
func pseudoTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminal: ", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: 80, Row: 24})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skip("no pseudo-terminal: ", err)
	}
	return master, slave
}

func TestThereAreBarsOnlyWhereNothingElseCanWriteToTheTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	_, other := pseudoTerminal(t)
	_, piped := pipe(t)
	file := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	closed := file(t.TempDir() + "/closed")
	closed.Close()
	tests := map[string]struct {
		out  *os.File // nil is the terminal itself
		bars bool
	}{
		"events on the same terminal":            {nil, true},
		"events in a file":                       {file(t.TempDir() + "/events"), true},
		"events thrown away":                     {file(os.DevNull), true},
		"events to a program":                    {piped, false},
		"events on what may be another terminal": {other, false},
		"events to a device":                     {file("/dev/full"), false},
		"events to nowhere":                      {closed, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			master, notes := pseudoTerminal(t)
			s, err := New(cmp.Or(tt.out, notes), notes)
			if err != nil {
				t.Fatal(err)
			}
			poll(s, running(42)...)
			s.Close()
			notes.Close()
			written, _ := io.ReadAll(master) // ends in an error, as the other end is closed
			if got := bytes.ContainsRune(written, '\x1b'); got != tt.bars {
				t.Errorf("bars: %t, want %t, in %q", got, tt.bars, written)
			}
		})
	}
}

func TestAnOutputThatWasClosedIsRefused(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0) // as the runtime opens it then
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	_, notes := pseudoTerminal(t)
	if _, err := New(null, notes); err == nil || !strings.HasPrefix(err.Error(), "stdout is closed") {
		t.Errorf("got %v", err)
	}
}

const failedEvent = `{"jobId":"1","state":"RefreshFailed","terminal":true,"outcome":"failed","reason":"why"}`

// onPseudoTerminal returns what is written to a terminal that a screen has for both.
func onPseudoTerminal(t *testing.T) string {
	t.Helper()
	master, slave := pseudoTerminal(t)
	s, err := New(slave, slave)
	if err != nil {
		t.Fatal(err)
	}
	s.Event(failedEvent)
	poll(s, running(42)...)
	s.Close()
	slave.Close()
	written, _ := io.ReadAll(master) // ends in an error, as the other end is closed
	return string(written)
}

func TestOnATerminalThereAreBarsUnlessItIsDumb(t *testing.T) {
	const event = "   0.0s  → event RefreshFailed 1: why\n"
	tests := map[string]struct{ term, want string }{
		"a terminal":      {"xterm", event + "449503829274509313  [======>---------]  42 %  in progress        0s  next 5s\n"},
		"a dumb terminal": {"dumb", event + "   0.0s  449503829274509313   poll 2    in progress     42 %  next 5s\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", tt.term)
			tty := &terminal{t: t, width: 80}
			io.WriteString(tty, onPseudoTerminal(t))
			if got := tty.shown(); got != tt.want {
				t.Errorf("the terminal shows\n%s", got)
			}
		})
	}
}

func TestThereAreColoursOnATerminalThatHasThemUnlessTheyAreNotWanted(t *testing.T) {
	tests := map[string]struct {
		term, noColor string
		want          bool
	}{
		"a terminal":      {"xterm", "", true},
		"NO_COLOR":        {"xterm", "1", false},
		"a dumb terminal": {"dumb", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", tt.term)
			t.Setenv("NO_COLOR", tt.noColor)
			if written := onPseudoTerminal(t); strings.Contains(written, "\x1b[31m   0.0s  → event") != tt.want || strings.Contains(written, "\x1b[m") != tt.want {
				t.Errorf("%q", written)
			}
		})
	}
}

func TestLinesOnATerminalAreWrappedBetweenWords(t *testing.T) {
	t.Setenv("TERM", "dumb")
	master, slave := pseudoTerminal(t)
	s, err := New(slave, slave)
	if err != nil {
		t.Fatal(err)
	}
	poll(s, append(running(42), "errorKind", "throttled", "error", "request is rejected by limiter")...)
	slave.Close()
	written, _ := io.ReadAll(master)
	want := "   0.0s  449503829274509313   poll 2    throttled       42 %  next 5s\r\n         request is rejected by limiter\r\n"
	if got := string(written); got != want {
		t.Errorf("%q", got)
	}
}

func TestAMessageIsWrappedForATerminalOnly(t *testing.T) {
	message := "watch: the cluster asks for a certificate (no answer: remote error: tls: certificate required): put it"
	want := "watch: the cluster asks for a certificate (no answer: remote error: tls:\n       certificate required): put it"
	_, slave := pseudoTerminal(t)
	if got := Wrapped(slave, message, "       "); got != want {
		t.Errorf("on a terminal %q", got)
	}
	_, file := pipe(t)
	if got := Wrapped(file, message, "       "); got != message {
		t.Errorf("elsewhere %q", got)
	}
}

func TestAnotherTerminalGetsTheEventsInShort(t *testing.T) {
	t.Setenv("TERM", "xterm")
	master, out := pseudoTerminal(t)
	_, notes := pipe(t)
	s, err := New(out, notes)
	if err != nil {
		t.Fatal(err)
	}
	s.Event(failedEvent)
	out.Close()
	written, _ := io.ReadAll(master)
	if got := string(written); got != "→ event RefreshFailed 1: why\r\n" {
		t.Errorf("%q", got)
	}
}

package screen

import (
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

func TestOnATerminalThereAreBarsUnlessItIsDumb(t *testing.T) {
	tests := map[string]struct{ term, want string }{
		"a terminal":      {"xterm", "449503829274509313  [======>---------]  42 %  in progress        0s  next 5s\n{\"a\":1}\n"},
		"a dumb terminal": {"dumb", "{\"a\":1}\n   0.0s  449503829274509313   poll 2    in progress     42 %  next 5s\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", tt.term)
			master, slave := pseudoTerminal(t)
			s := New(slave, slave)
			s.Event(`{"a":1}`)
			poll(s, running(42)...)
			s.Close()
			slave.Close()
			written, _ := io.ReadAll(master) // ends in an error, as the other end is closed
			tty := &terminal{t: t, width: 80}
			tty.Write(written)
			if got := tty.shown(); !strings.HasSuffix(got, tt.want) {
				t.Errorf("the terminal shows\n%s", got)
			}
		})
	}
}

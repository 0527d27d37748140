// Command record runs the demo in a terminal of its own, and draws what it shows as
// an animated SVG. A run differs from the next by parts of a second.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// The terminal's size: as wide as most are at first, and high enough for all.
const (
	columns = 80
	rows    = 48
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: record PROGRAM FILE.svg")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(program, file string) error {
	written, err := record(program)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(draw(play(written))), 0o644)
}

// chunk is what the program wrote at once, and how long after its start.
type chunk struct {
	at   time.Duration
	text []byte
}

// record runs the program's demo to its end.
func record(program string) ([]chunk, error) {
	command := exec.Command(program, "demo")
	command.Args[0] = filepath.Join("bin", filepath.Base(program))         // which the demo names
	command.Env = append(os.Environ(), "TERM=xterm-256color", "NO_COLOR=") // which counts as none
	begun := time.Now()
	terminal, err := pty.StartWithSize(command, &pty.Winsize{Cols: columns, Rows: rows})
	if err != nil {
		return nil, err
	}
	defer terminal.Close()
	written := []chunk{{0, []byte("$ make demo\r\n")}}
	for buffer := make([]byte, 1<<16); ; {
		n, err := terminal.Read(buffer)
		written = append(written, chunk{time.Since(begun), slices.Clone(buffer[:n])})
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, syscall.EIO): // Linux's, once the other end is closed
			return written, command.Wait()
		case err != nil:
			return nil, err
		}
	}
}

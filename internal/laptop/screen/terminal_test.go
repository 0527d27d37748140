package screen

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// terminal is a writer that understands as much as the bars need of what a real
// one does. It shows no colours.
type terminal struct {
	t             *testing.T
	width, height int // a height of 0 is 24

	mu       sync.Mutex
	lines    [][]rune
	row, col int
}

func (s *terminal) size() (width, height int, err error) { return s.width, cmp.Or(s.height, 24), nil }

var control = regexp.MustCompile(`^(?:\r|\n|\x1b\[(\d*)([AJKm]))`)

func (s *terminal) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := string(b); rest != ""; {
		for len(s.lines) <= s.row {
			s.lines = append(s.lines, nil)
		}
		match := control.FindStringSubmatch(rest)
		if match == nil {
			r, size := utf8.DecodeRuneInString(rest)
			s.put(r)
			rest = rest[size:]
			continue
		}
		s.obey(match[0], match[1])
		rest = rest[len(match[0]):]
	}
	return len(b), nil
}

func (s *terminal) obey(sequence, number string) {
	switch line := s.lines[s.row]; sequence[len(sequence)-1] {
	case '\r':
		s.col = 0
	case '\n': // the tty adds the carriage return
		s.row, s.col = s.row+1, 0
	case 'A':
		n, _ := strconv.Atoi(number)
		s.row = max(s.row-n, 0)
	case 'J':
		s.lines = s.lines[:s.row+1]
		fallthrough
	case 'K':
		s.lines[s.row] = line[:min(s.col, len(line))]
	}
}

func (s *terminal) put(r rune) {
	if s.col >= s.width || r < ' ' {
		s.t.Errorf("%q stands in column %d of %d, after %q", r, s.col+1, s.width, string(s.lines[s.row]))
	}
	for len(s.lines[s.row]) <= s.col {
		s.lines[s.row] = append(s.lines[s.row], ' ')
	}
	s.lines[s.row][s.col] = r
	s.col++
}

// shown is what can be read, without white space at the ends of lines.
func (s *terminal) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shown strings.Builder
	for _, line := range s.lines {
		shown.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return strings.TrimRight(shown.String(), "\n") + "\n"
}

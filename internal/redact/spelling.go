package redact

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	replacement = utf8.RuneError // what encoders make of a byte that is no character

	// Encoders may have been at work on each other's text: up to four of JSON, three
	// of URLs. So many backslashes may stand before a quote that has one itself.
	maxBackslashes = 31
	maxReadings    = 8 // of a character, or the slices of them grow
)

var percents = []string{"%", "%25", "%2525"}

// characters returns those of s, and for a byte that is none a negative one.
func characters(s string) []rune {
	var all []rune
	for s != "" {
		char, size := character(s)
		all, s = append(all, char), s[size:]
	}
	return all
}

func character(s string) (char rune, size int) {
	char, size = utf8.DecodeRuneInString(s)
	if char == replacement && size <= 1 {
		return -rune(s[0]), 1
	}
	return char, size
}

// spelledAt returns where the characters end that s spells from pos on; -1 if it
// doesn't.
func spelledAt(s string, pos int, chars []rune) int {
	// There may be two readings, of %25 as of a %, so it goes on from all ends.
	var space [2][8]int
	var readSpace [maxReadings]reading
	ends, next := append(space[0][:0], pos), space[1][:0]
	for _, char := range chars {
		next = next[:0]
		for _, end := range ends {
			if end < len(s) && onlyItself(s[end]) { // most are: twice as fast
				if rune(s[end]) == char {
					next = append(next, end+1)
				}
				continue
			}
			for _, read := range readings(readSpace[:0], s, end) {
				if read.char == char || char < 0 && read.char == replacement {
					next = append(next, read.end)
				}
			}
		}
		if len(next) == 0 {
			return -1
		}
		if len(next) > 1 {
			slices.Sort(next)
			next = slices.Compact(next)
		}
		ends, next = next, ends
	}
	return ends[len(ends)-1]
}

// reading is a way to read a character in a text.
type reading struct {
	char rune
	end  int // where it ends
}

// readings adds to all each way to read the character that s has at pos.
func readings(all []reading, s string, pos int) []reading {
	if pos == len(s) {
		return all
	}
	char, size := character(s[pos:])
	all = append(all, reading{char, pos + size})
	switch char {
	case '+':
		all = append(all, reading{' ', pos + 1})
	case '%':
		for _, percent := range percents {
			all = ofBytes(all, s, pos, percent)
		}
	case '\\':
		// One that is doubled is taken for itself, and the others for the next
		// character's.
		n := backslashes(s[pos:])
		if behind := pos + n; n <= maxBackslashes && behind < len(s) {
			char, size := character(s[behind:])
			all = append(all, reading{char, behind + size})
			all = ofEscape(all, s, behind)
			all = ofBytes(all, s, pos, s[pos:behind]+"x")
		}
	}
	return all
}

// onlyItself reports whether there is one way to read the byte, as what it is.
func onlyItself(b byte) bool {
	return b < utf8.RuneSelf && b != '\\' && b != '%' && b != '+'
}

// backslashes returns how many s begins with, but not beyond one too many.
func backslashes(s string) int {
	begin := s[:min(len(s), maxBackslashes+1)]
	return len(begin) - len(strings.TrimLeft(begin, `\`))
}

// ofEscape adds the character of the escape that s has at pos, behind its
// backslashes: u00f6, ud83d\udd11, U0001f511 or xf6.
func ofEscape(all []reading, s string, pos int) []reading {
	digits := map[byte]int{'u': 4, 'U': 8, 'x': 2}[s[pos]]
	if digits == 0 {
		return all
	}
	char, end := hex(s, pos, s[pos:pos+1], digits)
	if utf16.IsSurrogate(char) {
		var low rune
		low, end = hex(s, end+backslashes(s[end:]), "u", 4)
		char = utf16.DecodeRune(char, low)
	}
	if end < 0 {
		return all
	}
	return append(all, reading{char, end})
}

// ofBytes adds the character whose bytes s has at pos, each as sign and two digits,
// and what its first byte is alone.
func ofBytes(all []reading, s string, pos int, sign string) []reading {
	var bytes []byte
	for end := pos; len(bytes) < utf8.UTFMax; {
		if n := backslashes(s[end:]); n > 0 && n <= maxBackslashes {
			sign = s[end:end+n] + "x"
		}
		value, next := hex(s, end, sign, 2)
		if next < 0 {
			break
		}
		bytes, end = append(bytes, byte(value)), next
		char, size := character(string(bytes))
		if size == len(bytes) {
			all = append(all, reading{char, end})
		}
		if char >= 0 {
			break
		}
	}
	return all
}

// hex returns the number that so many hexadecimal digits behind sign are, which s
// has at pos, and where they end; that is -1 if it has none.
func hex(s string, pos int, sign string, digits int) (value rune, end int) {
	start := pos + len(sign)
	end = start + digits
	if end > len(s) || s[pos:start] != sign {
		return 0, -1
	}
	n, err := strconv.ParseUint(s[start:end], 16, 31)
	if err != nil {
		return 0, -1
	}
	return rune(n), end
}

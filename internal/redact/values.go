package redact

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// minCredential is the length, in bytes, below which a literal credential would
// match by chance and garble ordinary text.
const minCredential = 4

// Values replaces each of the given literal credentials in s by ***, be it as it
// is or as encoders of JSON, of URLs or Go's %q write it, once or several times.
// It ignores credentials shorter than 4 bytes: a one-letter password would
// garble every text. Control characters, which no HTTP header can carry, are not
// looked for in their escaped forms.
func Values(s string, credentials ...string) string {
	known := slices.DeleteFunc(slices.Clone(credentials), func(c string) bool {
		return len(c) < minCredential
	})
	// The longest first: one that begins with another must go whole.
	slices.SortFunc(known, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var out strings.Builder
	done := 0
	for pos := 0; pos < len(s); pos++ {
		for _, c := range known {
			if end := spelledAt(s, pos, c); end > pos {
				out.WriteString(s[done:pos] + mask)
				done, pos = end, end-1
				break
			}
		}
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// spelledAt returns where the credential ends that s spells from pos on; -1 if it
// doesn't. Which characters are escaped, and whether in capital digits, differs
// from encoder to encoder; letters and digits of ASCII never are.
func spelledAt(s string, pos int, credential string) int {
	// There may be two readings, of %25 as of a %, so it goes on from all ends.
	var space [2][8]int
	ends, next := append(space[0][:0], pos), space[1][:0]
	for credential != "" && len(ends) > 0 {
		char, size := utf8.DecodeRuneInString(credential) // an invalid byte is U+FFFD, as in JSON
		next = next[:0]
		for _, end := range ends {
			next = spell(next, s, end, char, credential[:size])
		}
		slices.Sort(next)
		ends, next = slices.Compact(next), ends
		credential = credential[size:]
	}
	if len(ends) == 0 {
		return -1
	}
	return ends[len(ends)-1]
}

// Encoders may have been at work on each other's text: up to four of JSON, three
// of URLs.
const maxBackslashes = 15 // before a quote

var percents = []string{"%", "%25", "%2525"}

// spell adds to ends where the character ends that s has at pos, in each way that
// it can be read.
func spell(ends []int, s string, pos int, char rune, raw string) []int {
	rest := s[pos:]
	switch {
	case strings.HasPrefix(rest, raw):
		ends = append(ends, pos+len(raw))
	case char == utf8.RuneError && strings.HasPrefix(rest, "\uFFFD"):
		ends = append(ends, pos+len("\uFFFD"))
	}
	if rest == "" || char == '-' || char == '_' || '0' <= char && char <= '9' || 'A' <= char && char <= 'Z' || 'a' <= char && char <= 'z' {
		return ends
	}
	if char == ' ' && rest[0] == '+' {
		ends = append(ends, pos+1)
	}
	if rest[0] != '\\' && rest[0] != '%' {
		return ends
	}
	for _, percent := range percents {
		if n := bytesLen(rest, percent, raw); n > 0 {
			ends = append(ends, pos+n)
		}
	}
	n := backslashes(rest)
	if char == '\\' {
		for _, doubled := range []int{2, 4, 8} {
			if doubled <= n {
				ends = append(ends, pos+doubled)
			}
		}
	}
	if n == 0 || n > maxBackslashes {
		return ends
	}
	if strings.HasPrefix(rest[n:], raw) {
		ends = append(ends, pos+n+len(raw))
	}
	if escaped := escapeLen(rest[n:], char); escaped > 0 {
		ends = append(ends, pos+n+escaped)
	}
	return ends
}

// backslashes returns how many s begins with, but not beyond one too many.
func backslashes(s string) int {
	begin := s[:min(len(s), maxBackslashes+1)]
	return len(begin) - len(strings.TrimLeft(begin, `\`))
}

// escapeLen returns the length of char's escape that s begins with, behind its
// backslashes: u00f6, ud83d\udd11, U0001f511 or xf6. It is 0 if there is none.
func escapeLen(s string, char rune) int {
	high, low := utf16.EncodeRune(char)
	if n := hexLen(s, "u", 4, high); n > 0 && char > 0xFFFF {
		second := n + backslashes(s[n:])
		if m := hexLen(s[second:], "u", 4, low); m > 0 && second > n {
			return second + m
		}
	}
	return max(hexLen(s, "u", 4, char), hexLen(s, "U", 8, char), hexLen(s, "x", 2, char))
}

// bytesLen returns the length of the percent-encoding, or Go's escapes, of all
// bytes that s begins with, else 0.
func bytesLen(s, percent, bytes string) int {
	pos := 0
	for _, b := range []byte(bytes) {
		sign := percent
		if n := backslashes(s[pos:]); n > 0 && n <= maxBackslashes {
			sign = s[pos:pos+n] + "x"
		}
		n := hexLen(s[pos:], sign, 2, rune(b))
		if n == 0 {
			return 0
		}
		pos += n
	}
	return pos
}

// hexLen returns the length of sign and so many digits if s begins with them and
// they are char's, else 0.
func hexLen(s, sign string, digits int, char rune) int {
	n := len(sign) + digits
	if len(s) < n || !strings.HasPrefix(s, sign) {
		return 0
	}
	if value, err := strconv.ParseUint(s[len(sign):n], 16, 32); err != nil || rune(value) != char {
		return 0
	}
	return n
}

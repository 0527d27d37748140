package redact

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// minCredential is the length, in bytes, below which a literal credential would
// match by chance and garble ordinary text.
const minCredential = 4

// Literals are given credentials. The zero value is none.
type Literals struct{ spelled *regexp.Regexp }

// NewLiterals returns the given credentials, but for those shorter than 4 bytes:
// a one-letter password would garble every text. It is worth keeping.
func NewLiterals(credentials ...string) Literals {
	known := slices.DeleteFunc(slices.Clone(credentials), func(c string) bool {
		return len(c) < minCredential
	})
	if len(known) == 0 {
		return Literals{}
	}
	// The longest first: one that begins with another must go whole.
	slices.SortFunc(known, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for i, c := range known {
		known[i] = spellings(c)
	}
	return Literals{regexp.MustCompile(strings.Join(known, "|"))}
}

// Mask replaces each of the credentials in s by ***, be it as it is or as an
// encoder of JSON, of URLs or Go's %q may have written it, once or several
// times. Control characters, which no HTTP header can carry, are not expected in
// a credential.
func (l Literals) Mask(s string) string {
	if l.spelled == nil {
		return s
	}
	return l.spelled.ReplaceAllLiteralString(s, mask)
}

// spellings returns a regular expression of all the ways to write a credential.
// Which characters are escaped, and whether in capital digits, differs from
// encoder to encoder; letters and digits of ASCII never are.
func spellings(credential string) string {
	var all strings.Builder
	for credential != "" {
		r, size := utf8.DecodeRuneInString(credential) // an invalid byte is U+FFFD, as in JSON
		bytes := []byte(credential[:size])
		credential = credential[size:]
		switch {
		case r < 0x80 && strings.ContainsRune("-_", r), '0' <= r && r <= '9', 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z':
			all.WriteRune(r)
			continue
		case r == '\\':
			all.WriteString(`(?i:\\+`)
		case r == ' ':
			all.WriteString(`(?i: |\+`)
		default:
			// In JSON within JSON a quote has several backslashes.
			fmt.Fprintf(&all, `(?i:\\*(?-i:%s)`, regexp.QuoteMeta(string(r)))
		}
		if high, low := utf16.EncodeRune(r); high != '\uFFFD' {
			fmt.Fprintf(&all, `|\\+u%04x\\+u%04x`, high, low)
		}
		fmt.Fprintf(&all, `|\\+(?:u%04[1]x|U%08[1]x|x%02[1]x)|`, r)
		for _, b := range bytes {
			fmt.Fprintf(&all, `(?:%%(?:25)*|\\+x)%02x`, b)
		}
		all.WriteByte(')')
	}
	return all.String()
}

package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	// minCredential is the length, in bytes, below which a literal credential would
	// match by chance and garble ordinary text.
	minCredential = 4

	// A piece of a credential counts if it is half of it, in characters. But fewer
	// than minPiece stand in a text by chance; and maxPiece count of whatever is
	// longer, for the 15 or fewer that are seen leave at least 17 to be guessed.
	minPiece, maxPiece = 8, 16

	// headerSpace does not count around a credential: no header's value begins or
	// ends with it (RFC 9110, section 5.5).
	headerSpace = " \t"
)

// Values replaces each of the given literal credentials in s by ***, and each piece
// of one: half of it in characters, but no fewer than 8, and 16 of any. Letters alone
// may be a word, so only 16 of them are a piece. Be it as it is or as encoders of
// JSON, of URLs or Go's %q write it, once or several times. Of user:password, the
// user alone is no credential. Spaces around one don't count.
//
// Of PEM, the credential is the base64 in it, wherever its lines break.
//
// It ignores credentials shorter than 4 bytes: a one-letter password would garble
// every text. Control characters, which no HTTP header can carry, are not looked
// for in their escaped forms.
func Values(s string, credentials ...string) string { return indexed(credentials).Values(s) }

// Known are credentials made ready to be looked for. A long one takes a while.
type Known struct {
	// of has their shortest pieces that count, in order, by their first character as it
	// may be read in a text.
	of map[rune][][]rune
}

// Values is the function of that name.
func (k *Known) Values(s string) string {
	var out strings.Builder
	var space [maxReadings]reading
	done := 0 // s[:done] is written, or masked
	for pos := range len(s) {
		end := -1
		for _, first := range readings(space[:0], s, pos) {
			for _, piece := range k.beginning(first, s) {
				end = max(end, spelledAt(s, pos, piece))
			}
		}
		if end > pos && pos >= done {
			out.WriteString(s[done:pos] + mask)
		}
		// A longer piece is found as several that overlap.
		done = max(done, end)
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// beginning returns the pieces that may begin with what was read in s: of the
// thousands of a private key, those of the same two characters.
func (k *Known) beginning(first reading, s string) [][]rune {
	all := k.of[first.char]
	if len(all) == 0 || len(all[0]) == 1 || first.char == replacement || first.end == len(s) || !onlyItself(s[first.end]) {
		return all
	}
	second := rune(s[first.end])
	by := func(piece []rune, char rune) int { return cmp.Compare(piece[1], char) }
	from, _ := slices.BinarySearchFunc(all, second, by)
	count, _ := slices.BinarySearchFunc(all[from:], second+1, by)
	return all[from : from+count]
}

// lastIndex is that of the credentials which Values was given last: those of all
// texts of a batch.
var lastIndex atomic.Pointer[struct {
	of    []string
	known *Known
}]

func indexed(credentials []string) *Known {
	if last := lastIndex.Load(); last != nil && slices.Equal(last.of, credentials) {
		return last.known
	}
	known := Index(credentials...)
	lastIndex.Store(&struct {
		of    []string
		known *Known
	}{slices.Clone(credentials), known})
	return known
}

// Index makes credentials ready, for whoever has them for long. Values keeps but
// those that it was given last.
func Index(credentials ...string) *Known {
	known := map[rune][][]rune{}
	var all [][]rune
	for _, credential := range credentials {
		if block, _ := pem.Decode([]byte(credential)); block != nil {
			credential = base64.StdEncoding.EncodeToString(block.Bytes)
		}
		all = append(all, pieces(strings.Trim(credential, headerSpace))...)
	}
	slices.SortFunc(all, slices.Compare)
	for _, piece := range slices.CompactFunc(all, slices.Equal) {
		known[piece[0]] = append(known[piece[0]], piece)
		if piece[0] < 0 {
			known[replacement] = append(known[replacement], piece)
		}
	}
	return &Known{known}
}

// pieces returns the shortest pieces of a credential that count; any longer one
// consists of them. The user before a password goes with its first.
func pieces(credential string) [][]rune {
	user, password, ok := strings.Cut(credential, ":")
	password = strings.Trim(password, headerSpace)
	chars, secret := characters(credential), characters(password)
	switch {
	case len(credential) < minCredential:
		return nil
	case !ok:
		user, secret = "", chars
	case len(password) < minCredential:
		return [][]rune{chars}
	}
	size := min(len(secret), max(len(secret)/2, minPiece), maxPiece)
	var all [][]rune
	if user != "" {
		all = append(all, chars[:len(chars)-len(secret)+size])
	}
	for i := range len(secret) - size + 1 {
		all = append(all, piece(secret, i, i+size))
	}
	return all
}

// piece returns secret[from:to], and as much around it as makes it no word.
func piece(secret []rune, from, to int) []rune {
	for to-from < min(maxPiece, len(secret)) && !slices.ContainsFunc(secret[from:to], isNoLetter) {
		if to < len(secret) {
			to++
		} else {
			from--
		}
	}
	return secret[from:to]
}

func isNoLetter(char rune) bool { return (char < 'a' || 'z' < char) && (char < 'A' || 'Z' < char) }

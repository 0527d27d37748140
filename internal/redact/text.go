package redact

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	// headerScheme is how the value of an Authorization header begins.
	headerScheme = regexp.MustCompile(`(?i)^(?:(?:bearer|basic|digest|token|apikey|negotiate|sharedkey|aws|aws4-hmac-sha256)[ \t]+)+`)
	// schemeValue is such a beginning, and the value, anywhere.
	schemeValue = regexp.MustCompile(`\b((?i)(?:(?:bearer|basic)[ \t]+)+)([^\s` + quotes + `]+)`)
	accessKeyID = regexp.MustCompile(`(?:AKIA|ASIA)[A-Z0-9]{16}`)

	// afterScheme are words that follow a scheme's name in a sentence.
	afterScheme = []string{
		"access", "and", "are", "auth", "authentication", "authorization", "cannot",
		"credential", "credentials", "expired", "for", "has", "header", "headers",
		"in", "invalid", "is", "key", "missing", "must", "not", "of", "or",
		"realm=", "rejected", "required", "scheme", "token", "tokens", "was", "with",
	}
)

// text goes once through a free text.
func text(s string) string {
	// URLs before pairs, or https://token:x@host would lose its host, and
	// https://host/?sig=x#part its fragment.
	s = pairs(words(s))
	// Most texts hold neither, and regexp would copy each.
	if strings.ContainsAny(s, " \t") {
		s = schemeValue.ReplaceAllStringFunc(s, maskScheme)
	}
	if accessKeyID.MatchString(s) {
		s = accessKeyID.ReplaceAllLiteralString(s, mask)
	}
	return s
}

// maskScheme masks the value in a match of schemeValue, unless the match is
// part of a sentence: basic authentication failed, basic check failed.
func maskScheme(match string) string {
	m := schemeValue.FindStringSubmatch(match)
	value := strings.TrimRight(m[2], trailing)
	isWord := strings.TrimSpace(m[1]) == "basic" && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz") == ""
	if isWord || slices.Contains(afterScheme, strings.ToLower(value)) {
		return match
	}
	return m[1] + mask + m[2][len(value):]
}

// pairs masks the values of keys that name a secret: key=value, key: value,
// "key": "value", and the same inside a JSON string.
func pairs(s string) string {
	var out strings.Builder
	done, pos := 0, 0
	for {
		sep := pos + indexAny(s[pos:], ":=")
		switch {
		case sep < len(s):
		case done == 0:
			return s
		default:
			out.WriteString(s[done:])
			return out.String()
		}
		value := len(s) - len(strings.TrimLeft(s[sep:], ":=>"))
		value = len(s) - len(strings.TrimLeftFunc(s[value:], unicode.IsSpace))
		// The key may lie in what was masked as a value (credential: token: x),
		// but values don't overlap; and no key reaches back over the last
		// separator. Both keep this linear.
		if value >= done && endsInSecretKey(s[pos:sep]) {
			if start, end := valueSpan(s[value:]); start < end && !isWord(s[pos:sep], s[value+start:value+end]) {
				out.WriteString(s[done:value+start] + mask)
				done = value + end
			}
		}
		pos = value
	}
}

// endsInSecretKey reports whether the text before a separator ends in a key
// that names a secret: token, "token", \"token\", conf[token], access key.
func endsInSecretKey(before string) bool {
	before = strings.TrimRightFunc(before, unicode.IsSpace)
	before = strings.TrimSuffix(before, "]")
	before = strings.TrimRight(strings.TrimRight(before, quotes), `\`)
	before, name := cutLastWord(before)
	switch {
	case secretKey(name):
		return true
	case name != "" && strings.HasSuffix(before, `\`): // \nsig=
		return secretKey(name[1:])
	case strings.EqualFold(name, "key") && strings.HasSuffix(before, " "):
		_, word := cutLastWord(strings.TrimRight(before, " "))
		return secretKey(word + name)
	}
	return false
}

// isWord reports whether a value is a word of a sentence, as in "invalid signature:
// parent certificate cannot sign" (crypto/x509). A signature is not of small letters
// only.
func isWord(before, value string) bool {
	return strings.HasSuffix(before, " signature") && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz") == ""
}

func cutLastWord(s string) (before, word string) {
	before = strings.TrimRightFunc(s, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-.", r)
	})
	return before, s[len(before):]
}

// valueSpan returns where the value lies that s begins with, quotes left out.
func valueSpan(s string) (start, end int) {
	// A quote has as many backslashes before it as there are JSON texts
	// around it; Python puts a b before bytes.
	prefix := strings.TrimPrefix(s, "b")
	bare := strings.TrimLeft(prefix, `\`)
	if bare != "" && strings.Contains(quotes, bare[:1]) {
		start = len(s) - len(bare) + 1
		return start, start + closingQuote(bare[1:], bare[:1], len(prefix)-len(bare))
	}
	if s != "" && strings.Contains("{[(", s[:1]) {
		return 0, closingBracket(s)
	}
	if n := len(headerScheme.FindString(s)); n > 0 {
		return 0, n + indexAny(s[n:], space+quotes)
	}
	return 0, indexAny(s, space+",;&)]}")
}

// closingQuote returns the length of a string up to its closing quote, which
// has as many backslashes before it as the opening one (or fewer, where the
// text around ends). The string's own quotes have more, and its own
// backslashes come in groups of twice as many.
func closingQuote(s, quote string, backslashes int) int {
	for pos := 0; ; pos++ {
		n := strings.Index(s[pos:], quote)
		if n < 0 {
			return len(s)
		}
		body := strings.TrimRight(s[pos:pos+n], `\`)
		pos += n
		if left := (n - len(body)) % (2 * (backslashes + 1)); left <= backslashes {
			return pos - left
		}
	}
}

// closingBracket returns the length of the object or list that s begins with,
// or of s if it isn't closed.
func closingBracket(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[', '(':
			open++
		case '}', ']', ')':
			if open--; open == 0 {
				return i + 1
			}
		case '"':
			backslashes := i - len(strings.TrimRight(s[:i], `\`))
			i += 1 + closingQuote(s[i+1:], `"`, backslashes) + backslashes
		}
	}
	return len(s)
}

// indexAny is strings.IndexAny, but gives the end of s where nothing is found.
func indexAny(s, chars string) int {
	if n := strings.IndexAny(s, chars); n >= 0 {
		return n
	}
	return len(s)
}

package redact

import (
	"regexp"
	"strings"
)

const (
	space  = " \t\r\n\v\f"
	quotes = "\"'`"
	// urlMarks are what a URL has at least one of.
	urlMarks = `/\?#`

	// trailing is punctuation that belongs to the sentence around a URL.
	trailing = `.,;:!)]}\`

	host = `(?:\[[0-9A-Fa-f:.]*(?:%[\w.~-]*)?\]|[^:]*)`
	port = `:[0-9]{1,5}`
)

var (
	// hostPorts is an authority without user information: a host, or several
	// with a port each, separated by commas (mongodb://a:1,b:2).
	hostPorts = regexp.MustCompile(`^` + host + `(?:` + port + `(?:,` + host + port + `)*)?$`)

	// bareUser is user information without a scheme before it.
	bareUser = regexp.MustCompile(`^[^/\\\s:@"'{\[]{2,}:[^/\s@]+@`)

	// pathQuery is a query after a path without a scheme, where a bare ? is a
	// glob.
	pathQuery = regexp.MustCompile(`\?[^?#/\s]*=[^#]*`)
)

// location takes the credentials out of a source that is a URL or a path. All
// of it is one location, white space and quotes included.
func location(s string) string {
	if !strings.Contains(s, "://") {
		s = bareUser.ReplaceAllString(pathQuery.ReplaceAllString(s, ""), "")
	}
	return text(urls(s, ""))
}

// words applies urls to each word of a free text, because white space, quotes
// and angle brackets end a URL there.
func words(s string) string {
	if !strings.ContainsAny(s, urlMarks) {
		return s
	}
	var out strings.Builder
	for {
		n := indexAny(s, space+quotes+"<>")
		out.WriteString(urls(s[:n], trailing))
		if n == len(s) {
			return out.String()
		}
		out.WriteByte(s[n])
		s = s[n+1:]
	}
}

// urls removes user information and queries from the URLs in run. Characters
// of keep that end the run don't belong to its query.
func urls(run, keep string) string {
	if !strings.ContainsAny(run, urlMarks) {
		return run
	}
	lastAt := strings.LastIndexByte(run, '@') // found once: run may be long
	var out strings.Builder
	inURL := false
	for pos := 0; ; {
		mark := pos + indexAny(run[pos:], urlMarks)
		out.WriteString(run[pos:mark])
		if mark == len(run) {
			return out.String()
		}
		switch {
		case run[mark] == '?' && inURL:
			pos = mark + indexAny(run[mark:], "#")
			out.WriteString(afterQuery(run[mark:pos], keep))
		case run[mark] == '?' || run[mark] == '#':
			pos = mark + 1
			out.WriteByte(run[mark])
			inURL = false
		default:
			// The slashes may be escaped (s3:\/\/, by some JSON encoders),
			// collapsed (s3:/, by path cleaning), or have no scheme.
			pos = len(run) - len(strings.TrimLeft(run[mark:], `/\`))
			slashes := run[mark:pos]
			out.WriteString(slashes)
			scheme := mark > 0 && run[mark-1] == ':'
			isURL := scheme && strings.Count(slashes, "/") >= 2
			if scheme || len(slashes) >= 2 {
				var rest string
				rest, pos = authority(run, pos, lastAt, isURL)
				out.WriteString(rest)
			}
			inURL = inURL || isURL
		}
	}
}

// authority returns what may stay of the authority at run[start:], and where
// the run goes on after it. Where it is no certain URL (a//b@c), only the form
// user:password@ counts as user information.
func authority(run string, start, lastAt int, isURL bool) (rest string, next int) {
	end := start + indexAny(run[start:], urlMarks)
	rest = run[start:end]
	at := strings.LastIndexByte(rest, '@')
	bare := strings.TrimRight(rest, trailing)
	switch {
	case at >= 0 && (isURL || strings.Contains(rest[:at], ":")):
		return rest[at+1:], end
	case hostPorts.MatchString(rest):
		return rest, end
	case lastAt > end: // the password has one of /\?# in it
		return "", lastAt + 1
	case isURL && !hostPorts.MatchString(bare): // cut off before the @
		return mask + rest[len(bare):], end
	}
	return rest, end
}

// afterQuery returns what follows query in its URL's place: its last
// characters that are in keep. A secret's key without a value stays too: the
// value may stand in the quotes that end the URL, and is for pairs to find.
func afterQuery(query, keep string) string {
	last := query[strings.LastIndexAny(query, "?&;")+1:]
	if key, value, ok := strings.Cut(last, "="); ok && value == "" && keep != "" && secretKey(key) {
		return "?" + last
	}
	return query[len(strings.TrimRight(query, keep)):]
}

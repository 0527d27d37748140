// Package redact takes credentials out of text that an upstream API sent us,
// before it reaches a log, a queue message or an event: the location of an
// external collection ([Source]), an error message ([Text]), or any text that
// may repeat a credential we hold ourselves ([Values]).
//
// It knows credentials by their place (user information and query of a URL,
// the value of a key that names a secret) or by their look (an authorization
// scheme, an AWS access key id). Where a text can be read in two ways, it
// takes away too much rather than too little. It decides nothing about who
// may see the rest of the text.
//
// It does not know percent-encoded text, XML, command-line flags, or pairs such
// as {"name": "password", "value": "x"}; nor, in free text, user:password@host
// without a scheme and passwords with white space or quotes in them.
package redact

const (
	// mask stands where a credential stood.
	mask = "***"

	// maxRounds bounds how often a text is gone through. Ordinary text settles
	// in two rounds; only text built to do so needs more.
	maxRounds = 5
)

// Source returns externalSource (a JSON text, a URL or a path) without
// credentials: the values of keys that name a secret become "***", URLs lose
// their user information and their query. A source that holds none comes back
// byte for byte; so does the rest of a JSON text that holds some, save for
// strings that had to change. JSON that doesn't parse is treated as [Text].
func Source(s string) string {
	return settle(s, func(s string) string { return source(s, 0) })
}

// Text returns free text (an error message, a failure reason) without
// credentials: URLs lose their user information and their query, and the
// values of keys that name a secret, authorization schemes' values and AWS
// access key ids become ***.
func Text(s string) string {
	return settle(s, text)
}

// settle applies step until it changes nothing more, because what one step
// leaves may look like a credential to the next. So Source and Text give their
// own results back unchanged. A text that doesn't settle is given up whole.
func settle(s string, step func(string) string) string {
	for range maxRounds {
		next := step(s)
		if next == s {
			return s
		}
		s = next
	}
	return mask
}

package watch

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseContext reads a context. Those of running watches were taken once, and are
// taken again, whatever numbers and texts they hold.
func parseContext(raw json.RawMessage, running bool) (json.RawMessage, error) {
	switch {
	case raw[0] != '{':
		return nil, refuse("context is %s: it must be a JSON object", typeOf(raw))
	case len(raw) > MaxContext:
		return nil, refuse("context has %d bytes: at most %d are handed on", len(raw), MaxContext)
	}
	deepest, fault := scan(raw)
	switch {
	case deepest > maxContextDepth:
		return nil, refuse("context is nested deeper than the %d levels that an event can carry", maxContextDepth)
	case fault != nil && !running:
		return nil, fault
	}
	return raw, nil
}

// scan returns how deep objects and arrays are nested in valid JSON, and the first
// thing in it, if any, that EventBridge takes in no event (API reference,
// PutEvents; Detail is text in UTF-8, which has no half of a pair).
func scan(raw json.RawMessage) (deepest int, fault error) {
	level := 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			n := valueLen(raw[i:])
			if fault == nil && halfPair(raw[i:i+n]) {
				fault = refuse("context holds half a surrogate pair, which an event can't carry: give both halves, or the character itself")
			}
			i += n - 1
		case c == '-' || '0' <= c && c <= '9':
			n := len(raw[i:]) - len(bytes.TrimLeft(raw[i:], "-+.0123456789eE"))
			if fault == nil && tooLarge(string(raw[i:i+n])) {
				fault = refuse("context holds a whole number beyond int64, which an event can't carry: write it as a string")
			}
			i += n - 1
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest, fault
}

// tooLarge reports whether a JSON number is whole, and beyond int64.
func tooLarge(number string) bool {
	_, err := strconv.ParseInt(number, 10, 64)
	return err != nil && !strings.ContainsAny(number, ".eE")
}

// halfPair reports whether a JSON string escapes half of a surrogate pair.
func halfPair(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++
		if text[i] != 'u' {
			continue
		}
		first := escaped(text[i-1:])
		i += 4
		if !utf16.IsSurrogate(first) {
			continue
		}
		if utf16.DecodeRune(first, escaped(text[i+1:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escaped returns the character that a text begins with, escaped as \u and four
// digits; U+FFFD if it doesn't.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return utf8.RuneError
	}
	value, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(value)
}

package watch

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// parseBareID reads a body that is no object.
func parseBareID(body string) (int64, error) {
	if json.Valid([]byte(body)) && strings.ContainsRune(`["tfn`, rune(body[0])) {
		text := ""
		if json.Unmarshal([]byte(body), &text) != nil || !likeNumber.MatchString(text) && !hasForeignDigit(text) {
			return 0, refuse("the body is %s: %s", typeOf(json.RawMessage(body)), forms)
		}
		body = text
	}
	if !likeNumber.MatchString(body) && !hasForeignDigit(body) {
		return 0, refuse("the body is neither a job id nor a JSON object: %s", forms)
	}
	return parseDigits(body, "the body")
}

func parseID(raw json.RawMessage) (int64, error) {
	text := string(raw)
	switch {
	case raw[0] == '"':
		// Valid JSON, so this can't fail; an escaped digit is a digit.
		_ = json.Unmarshal(raw, &text)
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return 0, refuse("jobId is %s: it must be a number or a string of digits", typeOf(raw))
	}
	return parseDigits(text, "jobId")
}

var likeNumber = regexp.MustCompile(`^[-+]?[0-9.][-+0-9.eE]*$`)

// parseDigits reads a positive int64 in digits, or names the fault of text.
func parseDigits(text, where string) (int64, error) {
	const right = "a job id is a whole number from 1 to 9223372036854775807, written in digits"
	switch {
	case text == "":
		return 0, refuse("%s is empty: %s", where, right)
	case hasForeignDigit(text):
		return 0, refuse("%s has digits other than 0 to 9: %s", where, right)
	case !likeNumber.MatchString(text):
		return 0, refuse("%s is not a number: %s", where, right)
	case text[0] == '-' || text[0] == '+':
		return 0, refuse("%s has a sign, or is negative: %s", where, right)
	case strings.ContainsAny(text, "eE"):
		return 0, refuse("%s has an exponent: %s", where, right)
	case strings.Contains(text, "."):
		return 0, refuse("%s has a fraction: %s", where, right)
	case text == "0":
		return 0, refuse("%s is 0: %s", where, right)
	case text[0] == '0':
		return 0, refuse("%s has a leading zero: %s", where, right)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil && strings.Trim(text, "0123456789") == "":
		return 0, refuse("%s is more than an int64 holds: %s", where, right)
	case err != nil:
		return 0, refuse("%s is not a number: %s", where, right)
	}
	return id, nil
}

func hasForeignDigit(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsDigit(r) })
}

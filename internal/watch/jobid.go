package watch

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"refresh-poller/internal/milvus"
)

// jobID is an id as a message has it: an int64 as a number, other text as a string.
type jobID milvus.Ref

// MarshalJSON never fails.
func (id jobID) MarshalJSON() ([]byte, error) {
	if milvus.Ref(id).Number() {
		return []byte(id.ID), nil
	}
	return json.Marshal(id.ID)
}

// parseBareID reads a body that is no object.
func parseBareID(body string, kind milvus.JobKind) (string, error) {
	isJSON := json.Valid([]byte(body))
	text := body
	if isJSON && body[0] == '"' {
		text = string(unquote(json.RawMessage(body)))
	}
	switch likely := likeNumber.MatchString(text) || hasForeignDigit(text); {
	case kind.TextID(text) && (text != body || !isJSON):
		return text, nil
	case isJSON && !(likely && kind.Int64IDs()):
		return "", refuse("the body is %s: %s", typeOf(json.RawMessage(body)), forms)
	case !likely:
		return "", refuse("the body is neither a job id nor a JSON object: %s", forms)
	}
	return parseDigits(text, "the body", kind)
}

func parseID(raw json.RawMessage, kind milvus.JobKind) (string, error) {
	switch {
	case raw[0] == '"':
		text := string(unquote(raw)) // an escaped digit is a digit
		if kind.TextID(text) {
			return text, nil
		}
		return parseDigits(text, "jobId", kind)
	case !kind.Int64IDs():
		return "", refuse("jobId is %s: %s", typeOf(raw), kind.IDRule())
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return "", refuse("jobId is %s: it must be a number or a string of digits", typeOf(raw))
	}
	return parseDigits(string(raw), "jobId", kind)
}

var likeNumber = regexp.MustCompile(`^[-+]?[0-9.][-+0-9.eE]*$`)

// parseDigits reads a positive int64 in digits, or names the fault of text.
func parseDigits(text, where string, kind milvus.JobKind) (string, error) {
	right := kind.IDRule()
	switch {
	case !kind.Int64IDs():
		return "", refuse("%s is no such id: %s", where, right)
	case text == "":
		return "", refuse("%s is empty: %s", where, right)
	case hasForeignDigit(text):
		return "", refuse("%s has digits other than 0 to 9: %s", where, right)
	case !likeNumber.MatchString(text):
		return "", refuse("%s is not a number: %s", where, right)
	case text[0] == '-' || text[0] == '+':
		return "", refuse("%s has a sign, or is negative: %s", where, right)
	case strings.ContainsAny(text, "eE"):
		return "", refuse("%s has an exponent: %s", where, right)
	case strings.Contains(text, "."):
		return "", refuse("%s has a fraction: %s", where, right)
	case text == "0":
		return "", refuse("%s is 0: %s", where, right)
	case text[0] == '0':
		return "", refuse("%s has a leading zero: %s", where, right)
	}
	_, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil && strings.Trim(text, "0123456789") == "":
		return "", refuse("%s is more than an int64 holds: %s", where, right)
	case err != nil:
		return "", refuse("%s is not a number: %s", where, right)
	}
	return text, nil
}

func hasForeignDigit(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsDigit(r) })
}

package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"refresh-poller/internal/milvus"
)

// Refusal is why a body can't be read, in one sentence.
type Refusal struct{ sentence string }

// Error returns the sentence.
func (r *Refusal) Error() string { return r.sentence }

func refuse(format string, args ...any) error {
	return &Refusal{fmt.Sprintf(format, args...)}
}

// parseObject reads the forms that are objects.
func parseObject(raw json.RawMessage, kind milvus.JobKind) (Message, error) {
	if err := json.Unmarshal(raw, new(json.RawMessage)); err != nil {
		return Message{}, refuse("the body is not valid JSON (%v): %s", err, forms)
	}
	body, err := fields(raw, append(options, "jobId", "refresh", "code", "data", "detail")...)
	if err != nil {
		return Message{}, err
	}
	_, asks := given(body, "refresh")
	switch detail, isEvent := body["detail"]; {
	case asks:
		return parseRefreshRequest(body)
	case body["jobId"] != nil:
		return parseRequest(body, kind)
	case body["code"] != nil || body["data"] != nil:
		return parseRefreshResponse(body, kind)
	case isEvent && detail[0] == '{':
		return parseDetail(detail, kind)
	case isEvent:
		return Message{}, refuse("detail is %s: %s", typeOf(detail), forms)
	}
	return Message{}, refuse("the body has no jobId: %s", forms)
}

// parseDetail reads the detail of an EventBridge event, which is one of the
// other objects, but not an event again.
func parseDetail(raw json.RawMessage, kind milvus.JobKind) (Message, error) {
	detail, err := fields(raw, append(options, "jobId", "refresh", "code", "data")...)
	_, asks := given(detail, "refresh")
	switch {
	case err != nil:
		return Message{}, err
	case asks:
		return parseRefreshRequest(detail)
	case detail["jobId"] != nil:
		return parseRequest(detail, kind)
	case detail["code"] != nil || detail["data"] != nil:
		return parseRefreshResponse(detail, kind)
	}
	return Message{}, refuse("detail has no jobId: %s", forms)
}

// parseRequest reads {"jobId": …, "context": …, "deadlineSeconds": …,
// "expectedSeconds": …, "watch": …}.
func parseRequest(body map[string]json.RawMessage, kind milvus.JobKind) (m Message, err error) {
	if m, err = parseOptions(body, kind); err == nil {
		m.JobID, err = parseID(body["jobId"], m.Kind)
	}
	return m, err
}

// options are the keys that may stand beside the job's.
var options = []string{"kind", "context", "deadlineSeconds", "expectedSeconds", "watch"}

// parseOptions reads them. One that is null is not given.
func parseOptions(body map[string]json.RawMessage, kind milvus.JobKind) (m Message, err error) {
	_, running := given(body, "watch")
	if m.Kind, err = parseKind(body, running, kind); err != nil {
		return Message{}, err
	}
	if raw, ok := given(body, "context"); ok {
		if m.Context, err = parseContext(raw, running); err != nil {
			return Message{}, err
		}
	}
	if m.Deadline, err = parseSeconds(body, "deadlineSeconds"); err != nil {
		return Message{}, err
	}
	if m.Expected, err = parseSeconds(body, "expectedSeconds"); err != nil {
		return Message{}, err
	}
	if raw, ok := given(body, "watch"); ok {
		_, asks := given(body, "refresh")
		if m.Watch, err = parseState(raw, asks); err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

// parseSeconds reads an option that is a span within a watch; 0 if not given.
func parseSeconds(body map[string]json.RawMessage, option string) (time.Duration, error) {
	raw, ok := given(body, option)
	if !ok {
		return 0, nil
	}
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || seconds < 1 || seconds > int64(MaxDeadline/time.Second) {
		return 0, refuse("%s is not a whole number of seconds from 1 to %d", option, int64(MaxDeadline/time.Second))
	}
	return time.Duration(seconds) * time.Second, nil
}

// parseKind returns the kind that a message names, or else the stack's; that of a
// running watch, which an older version may have sent on, is ExternalCollection.
func parseKind(body map[string]json.RawMessage, running bool, stacks milvus.JobKind) (milvus.JobKind, error) {
	raw, ok := given(body, "kind")
	switch {
	case ok && raw[0] == '"' && milvus.JobKind(unquote(raw)).Known():
		return milvus.JobKind(unquote(raw)), nil
	case ok:
		return "", refuse("kind is not one of %s", milvus.KindNames())
	case running:
		return milvus.ExternalCollection, nil
	}
	return stacks, nil
}

func given(body map[string]json.RawMessage, option string) (json.RawMessage, bool) {
	raw, ok := body[option]
	return raw, ok && string(raw) != "null"
}

// parseRefreshResponse reads {"code": 0, "data": {"jobId": …}}. A producer may
// have put a context beside them.
func parseRefreshResponse(body map[string]json.RawMessage, kind milvus.JobKind) (m Message, err error) {
	switch code := strings.Trim(string(body["code"]), `"`); {
	case body["code"] == nil:
		return Message{}, refuse("the body has data but no code: %s", forms)
	case integer.MatchString(code) && code != "0":
		return Message{}, refuse("the body is an error response (code %s): no job was started, so there is none to watch", code)
	case code != "0":
		return Message{}, refuse("code is not a whole number: %s", forms)
	}
	if data := body["data"]; data == nil || data[0] != '{' {
		return Message{}, refuse("the refresh endpoint's response has no data object: %s", forms)
	}
	data, err := fields(body["data"], "jobId")
	if err != nil {
		return Message{}, err
	}
	if data["jobId"] == nil {
		return Message{}, refuse("the refresh endpoint's response has no data.jobId: %s", forms)
	}
	if m, err = parseOptions(body, kind); err == nil {
		m.JobID, err = parseID(data["jobId"], m.Kind)
	}
	return m, err
}

var integer = regexp.MustCompile(`^-?[0-9]{1,19}$`)

// fields returns the values of the named keys of an object that is valid JSON.
// Not a struct, for encoding/json would take JOBID for jobId, and the last of
// two job ids for the one that was meant.
func fields(object json.RawMessage, names ...string) (map[string]json.RawMessage, error) {
	values := make(map[string]json.RawMessage, len(names))
	for key, value := range members(object) {
		for _, name := range names {
			if string(key) != name {
				continue
			}
			if values[name] != nil {
				return nil, refuse("%s stands twice in one object: give it once", name)
			}
			values[name] = value
		}
	}
	return values, nil
}

// members returns the keys, unescaped, and the values of an object that is valid
// JSON, in their order. A json.Decoder would copy each of them, and take five to
// ten times as long for a mebibyte of small ones: a second, where the function
// has a fraction of a core (BenchmarkParseHostile).
func members(object json.RawMessage) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func(key []byte, value json.RawMessage) bool) {
		rest := bytes.TrimLeft(object[1:], jsonSpace)
		for rest[0] != '}' {
			n := valueLen(rest)
			key := unquote(rest[:n])
			rest = bytes.TrimLeft(rest[n:], jsonSpace+":")
			n = valueLen(rest)
			if !yield(key, rest[:n]) {
				return
			}
			rest = bytes.TrimLeft(rest[n:], jsonSpace+",")
		}
	}
}

const jsonSpace = " \t\r\n"

// valueLen returns the length of the value, or key, that a part of a valid JSON
// object begins with.
func valueLen(text []byte) int {
	level, inString := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inString && c == '\\':
			i++
			continue
		case c == '"':
			inString = !inString
		case inString:
			continue
		case c == '{' || c == '[':
			level++
		case level > 0 && (c == '}' || c == ']'):
			level--
		case level == 0 && strings.IndexByte(jsonSpace+",}", c) >= 0: // behind a number or a word
			return i
		}
		if level == 0 && !inString && strings.IndexByte(`"}]`, c) >= 0 {
			return i + 1
		}
	}
	return len(text)
}

// unquote returns the text of a JSON string.
func unquote(raw json.RawMessage) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	var text string
	_ = json.Unmarshal(raw, &text) // valid JSON, so this can't fail
	return []byte(text)
}

// typeOf names the type of a JSON value.
func typeOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

package event

import (
	"encoding/json"
	"strings"
	"testing"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
)

func TestAContextIsHandedOnByteForByte(t *testing.T) {
	for name, context := range map[string]string{
		"nothing in it":              `{}`,
		"numbers no float64 holds":   `{"a":[1e400,18446744073709551616,449503829274509313,1.10,-0]}`,
		"HTML":                       `{"a":"<script>&'\"</script>"}`,
		"line separators":            "{\"a\":\"\u2028\u2029\"}",
		"escapes as they stand":      `{"a":"\u003c\u2028\/\ud83d\ude00é"}`,
		"half a surrogate":           `{"a":"\ud800"}`,
		"the same key twice":         `{"a":1,"a":2}`,
		"keys out of order":          `{"b":1,"a":{"d":null,"c":[]}}`,
		"keys of the event's own":    `{"id":"x","jobId":1,"context":{}}`,
		"white space in its strings": `{"a b":" \t "}`,
	} {
		t.Run(name, func(t *testing.T) {
			m := polled()
			m.Context = json.RawMessage(context)
			got := New(m, milvus.Job{}, StateNotFound, NotFound, endpoint, now).JSON()
			schematest.Detail(t, got)
			if want := `,"context":` + context + `}`; !strings.HasSuffix(got, want) {
				t.Errorf("%s does not end in %s", got, want)
			}
		})
	}
}

func TestWhiteSpaceOfAContextIsDropped(t *testing.T) {
	m := polled()
	m.Context = json.RawMessage("{ \"a\" :\r\n\t[ 1 , 2 ] }")
	got := New(m, milvus.Job{}, StateNotFound, NotFound, endpoint, now).JSON()
	if !strings.HasSuffix(got, `,"context":{"a":[1,2]}}`) {
		t.Error(got)
	}
}

func TestAContextThatIsNoJSONIsAFaultOfTheProgram(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	m := polled()
	m.Context = json.RawMessage(`{`)
	New(m, milvus.Job{}, StateNotFound, NotFound, endpoint, now).JSON()
}

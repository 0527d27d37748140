package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"refresh-poller/internal/milvus"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// largest is the size of the largest message, in bytes.
const largest = 1 << 20

// filled returns a text of size bytes, whose middle repeats unit.
func filled(size int, before, unit, behind string) string {
	n := (size - len(before) - len(behind)) / len(unit)
	return before + strings.Repeat(unit, n) + behind
}

func nested(open, inner, shut string, levels int) string {
	return strings.Repeat(open, levels) + inner + strings.Repeat(shut, levels)
}

// huge are bodies of that size, each with the fault that is to be named; none
// for those that are right.
func huge(size int) map[string]struct{ body, fault string } {
	return map[string]struct{ body, fault string }{
		"an object with a long text":     {filled(size, `{"jobId":1,"x":"`, "x", `"}`), ""},
		"an object with many keys":       {filled(size, `{"jobId":1`, `,"a":1`, `}`), ""},
		"an object with escaped keys":    {filled(size, `{"jobId":1`, `,"\u0061":1`, `}`), ""},
		"an object with many lists":      {filled(size, `{"jobId":1,"x":[0`, `,[]`, `]}`), ""},
		"an id among white space":        {filled(size, "", " ", "1"), ""},
		"digits":                         {strings.Repeat("9", size), "the body is more than an int64 holds"},
		"minus signs":                    {strings.Repeat("-", size), "the body is neither a job id"},
		"digits of another script":       {filled(size, "", "٤", ""), "the body has digits other than 0 to 9"},
		"white space":                    {strings.Repeat(" ", size), "the body is empty"},
		"NULs":                           {strings.Repeat("\x00", size), "the body is neither a job id"},
		"invalid UTF-8":                  {strings.Repeat("\xff", size), "the body is not valid UTF-8"},
		"a string":                       {filled(size, `"`, "x", `"`), "the body is a string"},
		"lists":                          {filled(size, "", "[", ""), "the body is neither a job id"},
		"objects":                        {filled(size, "", `{"a":`, ""), "the body is not valid JSON"},
		"quotes":                         {filled(size, "{", `"`, ""), "the body is not valid JSON"},
		"backslashes":                    {filled(size, `{"`, `\`, ""), "the body is not valid JSON"},
		"an object without an end":       {filled(size, `{"jobId":1`, `,"a":1`, ""), "the body is not valid JSON"},
		"a context":                      {filled(size, `{"jobId":1,"context":{"x":"`, "x", `"}}`), "context has "},
		"a jobId":                        {filled(size, `{"jobId":`, "9", `}`), "jobId is more than an int64 holds"},
		"a jobId with an exponent":       {filled(size, `{"jobId":1e`, "9", `}`), "jobId has an exponent"},
		"a jobId with a fraction":        {filled(size, `{"jobId":0.`, "0", `1}`), "jobId has a fraction"},
		"a jobId that is a text":         {filled(size, `{"jobId":"`, "9", `"}`), "jobId is more than an int64 holds"},
		"a jobId that is an object":      {filled(size, `{"jobId":{"x":"`, "x", `"}}`), "jobId is an object"},
		"deadlineSeconds":                {filled(size, `{"jobId":1,"deadlineSeconds":1`, "0", `}`), "deadlineSeconds is not a whole number"},
		"expectedSeconds":                {filled(size, `{"jobId":1,"expectedSeconds":1`, "0", `}`), "expectedSeconds is not a whole number"},
		"a code":                         {filled(size, `{"code":1`, "0", `,"data":{"jobId":1}}`), "code is not a whole number"},
		"a data.jobId":                   {filled(size, `{"code":0,"data":{"jobId":1`, "0", `}}`), "jobId is more than an int64 holds"},
		"a detail":                       {filled(size, `{"detail":{"x":"`, "x", `"}}`), "detail has no jobId"},
		"a watch":                        {filled(size, `{"jobId":1,"watch":{"version":1,"id":"a","since":1,"x":"`, "x", `"}}`), ""},
		"a watch with many keys":         {filled(size, `{"jobId":1,"watch":{"version":1,"id":"a","since":1`, `,"b":1`, `}}`), ""},
		"a watch with a long id":         {filled(size, `{"jobId":1,"watch":{"version":1,"id":"`, "x", `","since":1}}`), "watch.id is not 1 to 128 bytes long"},
		"a watch with a long since":      {filled(size, `{"jobId":1,"watch":{"version":1,"id":"a","since":1`, "0", `}}`), "watch can't be read"},
		"a jobId stands again and again": {filled(size, `{"jobId":1`, `,"jobId":1`, `}`), "jobId stands twice"},
	}
}

// hostile are small bodies that mean harm.
var hostile = map[string]struct{ body, fault string }{
	"a list 10 000 deep":                {nested("[", "", "]", 10000), "the body is an array"},
	"a list 10 001 deep":                {nested("[", "", "]", 10001), "the body is neither a job id"},
	"an object 10 001 deep":             {nested(`{"a":`, "1", "}", 10001), "the body is not valid JSON (invalid character '{' exceeded max depth)"},
	"a context 10 000 deep":             {`{"jobId":1,"context":` + nested(`{"a":`, "1", "}", 9998) + `}`, "context has 59989 bytes"},
	"a context 8 000 deep":              {`{"jobId":1,"context":{"a":` + nested("[", "", "]", 8000) + `}}`, "context is nested deeper"},
	"a watch 9 998 deep":                {`{"jobId":1,"watch":` + nested(`{"a":`, "1", "}", 9998) + `}`, "watch has version 0"},
	"a detail 9 998 deep":               {`{"detail":` + nested(`{"detail":`, "1", "}", 9998) + `}`, "detail has no jobId"},
	"data 9 998 deep":                   {`{"code":0,"data":` + nested(`{"data":`, "1", "}", 9998) + `}`, "the refresh endpoint's response has no data.jobId"},
	"a huge exponent":                   {"1e999999999", "the body has an exponent"},
	"a jobId with a huge exponent":      {`{"jobId":1e999999999}`, "jobId has an exponent"},
	"a deadline with an exponent":       {`{"jobId":1,"deadlineSeconds":1e3}`, "deadlineSeconds is not a whole number"},
	"a deadline over int64":             {`{"jobId":1,"deadlineSeconds":9223372036854775808}`, "deadlineSeconds is not a whole number"},
	"a deadline that overflows":         {`{"jobId":1,"deadlineSeconds":9223372037}`, "deadlineSeconds is not a whole number"},
	"a hint with an exponent":           {`{"jobId":1,"expectedSeconds":1e3}`, "expectedSeconds is not a whole number"},
	"a hint over int64":                 {`{"jobId":1,"expectedSeconds":9223372036854775808}`, "expectedSeconds is not a whole number"},
	"a hint that overflows":             {`{"jobId":1,"expectedSeconds":9223372037}`, "expectedSeconds is not a whole number"},
	"a hint that is an object":          {`{"jobId":1,"expectedSeconds":{"a":1}}`, "expectedSeconds is not a whole number"},
	"a code over int64":                 {`{"code":18446744073709551616,"data":{"jobId":1}}`, "code is not a whole number"},
	"a version with a fraction":         {`{"jobId":1,"watch":{"version":1.0,"id":"a","since":1}}`, "watch can't be read"},
	"a since with an exponent":          {`{"jobId":1,"watch":{"version":1,"id":"a","since":1e3}}`, "watch can't be read"},
	"polls over int64":                  {`{"jobId":1,"watch":{"version":1,"id":"a","since":1,"polls":9223372036854775808}}`, "watch can't be read"},
	"an id that overtakes another":      {`{"jobId":1,"jobId":2}`, "jobId stands twice"},
	"an escaped twin of jobId":          {`{"jobId":1,"job\u0049d":2}`, "jobId stands twice"},
	"a deadline twice":                  {`{"jobId":1,"deadlineSeconds":1,"deadlineSeconds":1209600}`, "deadlineSeconds stands twice"},
	"a hint twice":                      {`{"jobId":1,"expectedSeconds":1,"expectedSeconds":null}`, "expectedSeconds stands twice"},
	"a context twice":                   {`{"jobId":1,"context":{},"context":{}}`, "context stands twice"},
	"a watch twice":                     {`{"jobId":1,"watch":{},"watch":{}}`, "watch stands twice"},
	"a code twice":                      {`{"code":1100,"code":0,"data":{"jobId":1}}`, "code stands twice"},
	"data twice":                        {`{"code":0,"data":{"jobId":1},"data":{"jobId":2}}`, "data stands twice"},
	"a detail twice":                    {`{"detail":{"jobId":1},"detail":{"jobId":2}}`, "detail stands twice"},
	"a detail with a context twice":     {`{"detail":{"jobId":1,"context":{},"context":{}}}`, "context stands twice"},
	"a detail with a watch twice":       {`{"detail":{"jobId":1,"watch":{},"watch":{}}}`, "watch stands twice"},
	"null and an id":                    {`{"jobId":null,"jobId":1}`, "jobId stands twice"},
	"a watch.id twice":                  {`{"jobId":1,"watch":{"version":1,"id":"a","id":"b","since":1}}`, "watch holds a key twice"},
	"an escaped twin in watch":          {`{"jobId":1,"watch":{"version":1,"id":"a","since":1,"s\u0069nce":2}}`, "watch holds a key twice"},
	"a twin of watch.since in capitals": {`{"jobId":1,"watch":{"version":1,"id":"a","since":1,"SINCE":2}}`, "watch holds a key twice, or in other letters"},
	"a watch in capitals":               {`{"jobId":1,"watch":{"VERSION":1,"ID":"a","SINCE":1}}`, "watch holds a key twice, or in other letters"},
	"a watch with a long s":             {`{"jobId":1,"watch":{"version":1,"id":"a","ſince":1}}`, "watch holds a key twice, or in other letters"},
	"other letters":                     {`{"JobID":1}`, "the body has no jobId"},
	"other letters in data":             {`{"code":0,"data":{"jobID":1}}`, "the refresh endpoint's response has no data.jobId"},
	"other letters of detail":           {`{"Detail":{"jobId":1}}`, "the body has no jobId"},
	"a NUL":                             {"\x00", "the body is neither a job id"},
	"a NUL behind the id":               {"1\x00", "the body is neither a job id"},
	"a NUL in a string":                 {"{\"jobId\":\"1\x00\"}", "the body is not valid JSON (invalid character '\\x00'"},
	"an escaped NUL in a string":        {`{"jobId":"1\u0000"}`, "jobId is not a number"},
	"an escaped NUL in the key":         {`{"jobId\u0000":1}`, "the body has no jobId"},
	"an escape sequence of terminals":   {"\x1b[2J1", "the body is neither a job id"},
	"UTF-16":                            {"{\x00\"\x00j\x00", "the body is not valid JSON (invalid character '\\x00'"},
	"a byte order mark and an id":       {"\uFEFF1", "the body begins with a byte order mark"},
	"a byte order mark and an object":   {" \uFEFF{\"jobId\":1}", "the body begins with a byte order mark"},
	"a byte order mark in a key":        {"{\"\uFEFFjobId\":1}", "the body has no jobId"},
	"a byte order mark behind the id":   {"1\uFEFF", "the body is neither a job id"},
	"half a surrogate pair in the id":   {`{"jobId":"1\ud83d"}`, "jobId is not a number"},
	"half a pair behind a number":       {`{"jobId":1,"context":{"a":[1,"\ud83d"]}}`, "context holds half a surrogate pair"},
	"half a pair behind a line end":     {`{"jobId":1,"context":{"a":"\n\ud83d"}}`, "context holds half a surrogate pair"},
	"half a pair behind an escape":      {`{"jobId":1,"context":{"a":"\u0041\ud83d"}}`, "context holds half a surrogate pair"},
	"half a pair before no escape":      {`{"jobId":1,"context":{"a":"\ud83dxudd11"}}`, "context holds half a surrogate pair"},
	"half a surrogate pair, encoded":    {"{\"jobId\":1,\"context\":{\"k\":\"\xed\xa0\xbd\"}}", "the body is not valid UTF-8"},
	"an overlong slash":                 {"{\"jobId\":1,\"context\":{\"k\":\"\xc0\xaf\"}}", "the body is not valid UTF-8"},
	"half a character":                  {"{\"jobId\":1,\"context\":{\"k\":\"\xc3", "the body is not valid UTF-8"},
	"a sentence's end in the body":      {"1\n\nRejectReason: none", "the body is neither a job id"},
}

func TestHostileBodiesAreRefusedInOneSentence(t *testing.T) {
	// A quarter, for the race detector's sake; internal/poller sends whole ones.
	tests := huge(largest / 4)
	maps.Copy(tests, hostile)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(tt.body, messageID, sent, milvus.ExternalCollection)
			if tt.fault == "" {
				if err != nil || m.JobID != "1" || len(m.Body()) > 1000 {
					t.Errorf("got job %s, %v", m.JobID, err)
				}
				return
			}
			if err == nil {
				t.Fatalf("accepted as job %s", m.JobID)
			}
			if _, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("the reason is %q, not %q", err, tt.fault)
			}
			wantSentence(t, err.Error())
		})
	}
}

// wantSentence checks that SQS takes a text as an attribute, and that it is one
// line of bounded length.
func wantSentence(t *testing.T, text string) {
	t.Helper()
	control := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFE' || r == '\uFFFF' }
	if len(text) > 400 || !utf8.ValidString(text) || strings.ContainsFunc(text, control) {
		t.Errorf("%d bytes are not one sentence: %q", len(text), text)
	}
}

func TestWhatIsNotReadMayBeOdd(t *testing.T) {
	tests := map[string]string{
		"10 000 levels beside the id":      `{"jobId":1,"x":` + nested("[", "", "]", 9999) + `}`,
		"huge numbers beside the id":       `{"jobId":1,"x":1e999999999,"y":` + strings.Repeat("9", 1000) + `}`,
		"keys twice in another object":     `{"jobId":1,"x":{"jobId":2,"jobId":3}}`,
		"keys in other letters":            `{"JOBID":2,"jobId":1,"Watch":{},"DeadlineSeconds":0}`,
		"a key that is half a pair":        `{"\ud83d":2,"jobId":1}`,
		"an unknown key in watch, twice":   `{"jobId":1,"watch":{"version":1,"id":"` + messageID + `","since":1712832000123,"x":1,"x":2}}`,
		"braces and quotes in texts":       `{"a}\\":"{\"}[","jobId":1,"b":["}",{"c":"]"}]}`,
		"white space between all":          " { \"jobId\" : 1 ,\t\"x\" : [ 1 , { } ] ,\r\n\"y\" : null } ",
		"a number at the end":              `{"jobId":1,"x":-1.5e+3}`,
		"a word at the end":                `{"jobId":1,"x":true}`,
		"a key that is empty":              `{"":2,"jobId":1}`,
		"an id in escaped digits":          `{"jobId":"\u0031"}`,
		"an escaped key":                   `{"\u006aobId":1}`,
		"the code of the refresh response": `{"jobId":1,"code":1100}`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(body, messageID, sent, milvus.ExternalCollection)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Message{Kind: milvus.ExternalCollection, JobID: "1", Watch: State{ID: messageID, Since: sent}}, m); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnOddContextIsHandedOnAsItIs(t *testing.T) {
	for _, context := range []string{
		`{"n":1e999999999}`, `{"n":[-9223372036854775808,9223372036854775807]}`, `{"k":1,"k":2}`, `{"k":"\uD83D\udd11\\ud83d"}`, `{"k":"\u0000\u001b[2J"}`,
		`{"watch":{"version":2},"jobId":2}`, `{"a":` + nested("[", "", "]", 899) + `}`, "{\"\uFEFF\":\"\u202E\"}",
		`{"n":0.9223372036854775808}`, `{"lists":[` + strings.Repeat("[],", 2000) + `[]]}`,
	} {
		m, err := Parse(`{"jobId":1,"context":`+context+`}`, messageID, sent, milvus.ExternalCollection)
		if err != nil || string(m.Context) != context || !strings.Contains(m.Body(), `"context":`+context+`,`) {
			t.Errorf("%.60s became %.100s, %v", context, m.Body(), err)
		}
	}
}

// What a running watch was given is not refused in the middle of its way.
func TestTheContextOfARunningWatchIsTaken(t *testing.T) {
	for _, context := range []string{`{"n":` + strings.Repeat("9", 10000) + `}`, `{"k":"\ud83d"}`} {
		m := Message{Kind: milvus.ExternalCollection, JobID: "1", Context: json.RawMessage(context), Watch: State{ID: messageID, Since: sent}}
		if got, err := Parse(m.Body(), "another", sent, milvus.ExternalCollection); err != nil || cmp.Diff(m, got) != "" {
			t.Errorf("%.60s became %+v, %v", context, got, err)
		}
	}
}

// It goes into an event as it is.
func TestTheSourceOfAForgedFailureIsFreedOfCredentials(t *testing.T) {
	m, err := Parse(`{"jobId":1,"watch":{"version":1,"id":"a","since":1,"state":"RefreshFailed","unexplained":1,"externalSource":"s3://key:secret@books"}}`, messageID, sent, milvus.ExternalCollection)
	if err != nil || m.Watch.Job.ExternalSource != "s3://books" {
		t.Errorf("%q, %v", m.Watch.Job.ExternalSource, err)
	}
}

// The largest numbers that a forged watch may hold.
func TestAForgedWatchIsBounded(t *testing.T) {
	text := strings.Repeat("x", maxText)
	forged := fmt.Sprintf(`{"jobId":1,"watch":{"version":1,"id":"%s","since":%d,"polls":999999999,"failures":999999999,"restarts":999999999,
		"lastError":"%s","state":"%[3]s","collectionName":"%[3]s","progress":100,"startTime":%d,"seen":%[4]d,"ends":%[4]d,
		"reason":"%[3]s","externalSource":"%[5]s","notFound":%[4]d,"overdue":%[4]d}}`,
		strings.Repeat("a", 128), sent.Add(time.Minute).UnixMilli(), text, int64(maxUnixMilli), strings.Repeat("x", maxSource))
	m, err := Parse(forged, messageID, sent, milvus.ExternalCollection)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.Body()); n > 14<<10 {
		t.Errorf("the message goes on with %d bytes", n)
	}
	m.Watch.Polls++
	m.Watch.Failures++
	m.Watch.Restarts++
	if again, err := Parse(m.Body(), "another", sent.Add(time.Hour), milvus.ExternalCollection); err != nil || cmp.Diff(m, again) != "" {
		t.Errorf("the next poll reads %+v, %v", again, err)
	}
}

func BenchmarkParseHostile(b *testing.B) {
	for name := range huge(largest) {
		for _, size := range []int{largest / 16, largest} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				body := huge(size)[name].body
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					Parse(body, messageID, sent, milvus.ExternalCollection)
				}
			})
		}
	}
}

func FuzzMembers(f *testing.F) {
	for _, object := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":-1.5e3 ,"b":true,"c":null}`, `{"a\"}":"{\\","b":[{"c":"]"}],"d":{}}`, `{"\u0061":"\ud83d"}`,
		"{\t\"a\" :\n[ ] , \"\" : \"\" }", `{"a":{"a":{"a":{}}},"a":[[],[[]]]}`,
	} {
		f.Add(object)
	}
	f.Fuzz(func(t *testing.T, object string) {
		object = strings.TrimSpace(object)
		if !strings.HasPrefix(object, "{") || !json.Valid([]byte(object)) || !utf8.ValidString(object) {
			t.Skip("no object")
		}
		dec := json.NewDecoder(strings.NewReader(object))
		dec.Token()
		for key, value := range members(json.RawMessage(object)) {
			want, err := dec.Token()
			if err != nil || want != string(key) {
				t.Fatalf("the key %q is %q, %v", want, key, err)
			}
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil || !bytes.Equal(raw, value) {
				t.Fatalf("the value %q is %q, %v", raw, value, err)
			}
		}
		if end, err := dec.Token(); end != json.Delim('}') {
			t.Fatalf("%v, %v left out", end, err)
		}
		if _, err := dec.Token(); err != io.EOF {
			t.Fatal(err)
		}
	})
}

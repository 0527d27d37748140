package watch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
)

var books = milvus.Collection{Name: "ext_books"}

// asked is a message of a watch of a refresh that asks for books.
func asked(change func(*Message)) Message {
	m := Message{Kind: milvus.ExternalCollection, Refresh: books, Watch: State{ID: messageID, Since: sent}}
	change(&m)
	return m
}

func TestAMessageMayAskForARefresh(t *testing.T) {
	tests := map[string]struct {
		body string
		want Message
	}{
		"alone":                      {`{"refresh": {"collectionName": "ext_books"}}`, asked(func(*Message) {})},
		"with a database":            {`{"refresh": {"collectionName": "ext_books", "dbName": "library"}}`, asked(func(m *Message) { m.Refresh.Database = "library" })},
		"with a database of null":    {`{"refresh": {"collectionName": "ext_books", "dbName": null}}`, asked(func(*Message) {})},
		"with its kind":              {`{"refresh": {"collectionName": "ext_books"}, "kind": "external_collection"}`, asked(func(*Message) {})},
		"with options that are null": {`{"refresh": {"collectionName": "ext_books"}, "kind": null, "context": null, "deadlineSeconds": null, "watch": null}`, asked(func(*Message) {})},
		"with options": {`{"refresh": {"collectionName": "ext_books"}, "context": {"a": 1}, "deadlineSeconds": 60}`, asked(func(m *Message) {
			m.Context, m.Deadline = json.RawMessage(`{"a": 1}`), time.Minute
		})},
		"beside keys that are ignored":     {`{"other": {"refresh": 5}, "refresh": {"collectionName": "ext_books"}}`, asked(func(*Message) {})},
		"as an event's detail":             {`{"source": "x", "detail": {"refresh": {"collectionName": "ext_books"}}}`, asked(func(*Message) {})},
		"by a name of 255 bytes":           {`{"refresh": {"collectionName": "` + strings.Repeat("b", 255) + `"}}`, asked(func(m *Message) { m.Refresh.Name = strings.Repeat("b", 255) })},
		"by a name with escapes":           {`{"refresh": {"\u0063ollectionName": "\u0065xt_books"}}`, asked(func(*Message) {})},
		"by a name that has to be escaped": {`{"refresh": {"collectionName": "\uFFFE\"<\\"}}`, asked(func(m *Message) { m.Refresh.Name = "\uFFFE\"<\\" })},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// Whatever the stack's kind is.
			got, err := Parse(tt.body, messageID, sent, "import")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if err := schematest.MessageFault(tt.body); err != nil {
				t.Errorf("the schema refuses it: %v", err)
			}
			schematest.Message(t, got.Body())
		})
	}
}

func TestEveryFaultOfARefreshIsNamed(t *testing.T) {
	long := strings.Repeat("b", 256)
	tests := map[string]struct{ body, fault string }{
		"beside a jobId":           {`{"refresh": {"collectionName": "b"}, "jobId": 1}`, "both refresh and jobId"},
		"beside a response":        {`{"refresh": {"collectionName": "b"}, "code": 0, "data": {"jobId": 1}}`, "both refresh and code"},
		"in a detail with a jobId": {`{"detail": {"refresh": {"collectionName": "b"}, "jobId": 1}}`, "both refresh and jobId"},
		"of another kind":          {`{"refresh": {"collectionName": "b"}, "kind": "import"}`, "kind is not external_collection"},
		"a text":                   {`{"refresh": "b"}`, "refresh is a string"},
		"an array":                 {`{"refresh": ["b"]}`, "refresh is an array"},
		"empty":                    {`{"refresh": {}}`, "refresh has no collectionName"},
		"a name of null":           {`{"refresh": {"collectionName": null}}`, "refresh has no collectionName"},
		"a name that is a number":  {`{"refresh": {"collectionName": 5}}`, "refresh.collectionName is a number"},
		"an empty name":            {`{"refresh": {"collectionName": ""}}`, "refresh.collectionName has 0 bytes"},
		"a long name":              {`{"refresh": {"collectionName": "` + long + `"}}`, "refresh.collectionName has 256 bytes"},
		"an empty database":        {`{"refresh": {"collectionName": "b", "dbName": ""}}`, "refresh.dbName has 0 bytes"},
		"a long database":          {`{"refresh": {"collectionName": "b", "dbName": "` + long + `"}}`, "refresh.dbName has 256 bytes"},
		"a database of true":       {`{"refresh": {"collectionName": "b", "dbName": true}}`, "refresh.dbName is true or false"},
		"a spec":                   {`{"refresh": {"collectionName": "b", "externalSpec": "secret"}}`, "refresh has the key externalSpec, which is not used"},
		"a source":                 {`{"refresh": {"collectionName": "b", "externalSource": "s3://b"}}`, "refresh has the key externalSource, which is not used"},
		"a key in other letters":   {`{"refresh": {"CollectionName": "b"}}`, "refresh has the key CollectionName, which is not used"},
		"a key that is odd":        {`{"refresh": {"collectionName": "b", "the secret": 1}}`, "refresh has a key that is not used"},
		"bad context":              {`{"refresh": {"collectionName": "b"}, "context": 5}`, "context is a number"},
		"a watch of a job":         {`{"refresh": {"collectionName": "b"}, "watch": {"version": 1, "id": "a", "since": 1}}`, "watch has version 1, not 3"},
		"a watch with an odd job":  {`{"refresh": {"collectionName": "b"}, "watch": {"version": 3, "id": "a", "since": 1, "jobId": "x"}}`, "job id that is none"},
		"a watch with a zero job":  {`{"refresh": {"collectionName": "b"}, "watch": {"version": 3, "id": "a", "since": 1, "jobId": "01"}}`, "job id that is none"},
		"a watch that knows oddly": {`{"refresh": {"collectionName": "b"}, "watch": {"version": 3, "id": "a", "since": 1, "known": ["../1"]}}`, "job id that is none"},
		"a watch that knows much":  {`{"refresh": {"collectionName": "b"}, "watch": {"version": 3, "id": "a", "since": 1, "known": ["1"` + strings.Repeat(`,"1"`, MaxKnown) + `]}}`, "more than 16 jobs"},
		"a watch of minus a turn":  {`{"refresh": {"collectionName": "b"}, "watch": {"version": 3, "id": "a", "since": 1, "turns": -1}}`, "out of its range"},
		"a watch of a job's third": {`{"jobId": 1, "watch": {"version": 3, "id": "a", "since": 1}}`, "watch has version 3, not 1 or 2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tt.body, messageID, sent, milvus.ExternalCollection)
			if err == nil || !strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q", err, tt.fault)
			}
			if schematest.MessageFault(tt.body) == nil && !strings.Contains(name, "zero job") {
				t.Error("the schema takes it")
			}
		})
	}
	twice := `{"refresh": {"collectionName": "a", "collectionName": "b"}}`
	if _, err := Parse(twice, messageID, sent, milvus.ExternalCollection); err == nil || !strings.Contains(err.Error(), "collectionName stands twice") {
		t.Error(err)
	}
}

func TestARefreshKeepsItsFormFromPollToPoll(t *testing.T) {
	for name, tt := range map[string]struct {
		message Message
		watch   string
	}{
		"at first":      {asked(func(*Message) {}), `{"version":3,"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":1712832000123,"polls":0}`},
		"with a start":  {asked(func(m *Message) { m.Watch.Turns, m.Watch.Started = 1, sent.Add(time.Second) }), `{"version":3,"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":1712832000123,"polls":0,"turns":1,"started":1712832001123}`},
		"with a job":    {asked(func(m *Message) { m.Watch.JobID, m.Watch.Joined = exactID, true }), `{"version":3,"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":1712832000123,"polls":0,"jobId":"449503829274509313","joined":true}`},
		"with a list":   {asked(func(m *Message) { m.Watch.Known = []string{exactID, "job-1"} }), `{"version":3,"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":1712832000123,"polls":0,"known":["449503829274509313","job-1"]}`},
		"with no known": {asked(func(m *Message) { m.Watch.Known = []string{} }), `{"version":3,"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":1712832000123,"polls":0,"known":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			body := tt.message.Body()
			want := `{"refresh":{"collectionName":"ext_books"},"kind":"external_collection","watch":` + tt.watch + `}`
			if diff := cmp.Diff(want, body); diff != "" {
				t.Error(diff)
			}
			schematest.Message(t, body)
			if got, err := Parse(body, "another", sent.Add(time.Hour), "cloud"); err != nil || cmp.Diff(tt.message, got) != "" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// Messages about jobs keep the form that older versions write and read.
func TestWhatIsARefreshsStandsInNoOtherMessage(t *testing.T) {
	m := Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: State{ID: messageID, Since: sent, Polls: 3}}
	want := `{"jobId":449503829274509313,"kind":"external_collection","watch":{"version":1,"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":1712832000123,"polls":3}}`
	if diff := cmp.Diff(want, m.Body()); diff != "" {
		t.Error(diff)
	}
	forged := `{"jobId":449503829274509313,"watch":{"version":1,"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":1712832000123,"polls":3,"jobId":"7","turns":9,"started":1,"known":["7"],"joined":true}}`
	if got, err := Parse(forged, "another", sent, milvus.ExternalCollection); err != nil || cmp.Diff(m, got) != "" || got.Turn() != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatNamesTheJobOfAMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		message Message
		want    string
		seeks   bool
	}{
		"its own":           {Message{Kind: milvus.ExternalCollection, JobID: "7", Watch: State{Polls: 2}}, "7", false},
		"none":              {asked(func(m *Message) { m.Watch.Turns = 2 }), "", true},
		"that of its watch": {asked(func(m *Message) { m.Watch.JobID, m.Watch.Turns = "8", 2 }), "8", false},
	} {
		if got := tt.message; got.Ref() != (milvus.Ref{Kind: milvus.ExternalCollection, ID: tt.want}) || got.Seeks() != tt.seeks || got.Turn() != 2 {
			t.Errorf("%s: %v, seeks: %v, turn %d", name, got.Ref(), got.Seeks(), got.Turn())
		}
	}
}

func TestARefreshMayBeAskedForWhereRefreshesMayBeStarted(t *testing.T) {
	for name, tt := range map[string]struct {
		message Message
		ok      bool
	}{
		"a job":                           {Message{JobID: "7"}, true},
		"a refresh":                       {asked(func(*Message) {}), false},
		"a refresh that has its job":      {asked(func(m *Message) { m.Watch.JobID = "7" }), true},
		"a refresh that may be under way": {asked(func(m *Message) { m.Watch.Started = sent }), true},
	} {
		if err := tt.message.Permitted(false); (err == nil) != tt.ok || err != nil && !strings.Contains(err.Error(), "StartRefreshes") {
			t.Errorf("%s: %v", name, err)
		}
		if err := tt.message.Permitted(true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The largest state that a refresh may have.
func TestALargeWatchOfARefreshIsRead(t *testing.T) {
	m := asked(func(m *Message) {
		m.Refresh = milvus.Collection{Name: strings.Repeat("<", maxName), Database: strings.Repeat("&", maxName)}
		m.Watch.Turns, m.Watch.JobID = MaxCount, "9223372036854775807"
		for i := range MaxKnown {
			m.Watch.Known = append(m.Watch.Known, fmt.Sprintf("job-%s%02d", strings.Repeat("z", 62), i))
		}
	})
	if got, err := Parse(m.Body(), "another", sent, milvus.ExternalCollection); err != nil || cmp.Diff(m, got) != "" || len(m.Body()) > 4<<10 {
		t.Errorf("%d bytes become %+v, %v", len(m.Body()), got, err)
	}
}

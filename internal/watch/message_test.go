package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"refresh-poller/internal/milvus"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/tests/schematest"
)

const (
	exactID   = "449503829274509313" // no float64 holds it
	messageID = "059f36b4-87a3-44ab-83d2-661975830a7d"
)

var sent = time.UnixMilli(1712832000123).UTC()

func TestEveryFormStartsAWatch(t *testing.T) {
	begun := State{ID: messageID, Since: sent}
	plain := Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: begun}
	tests := map[string]struct {
		body string
		want Message
	}{
		"a bare id":                        {"449503829274509313", plain},
		"white space around a bare id":     {" \t\r\n449503829274509313\n", plain},
		"the smallest id":                  {"1", Message{Kind: milvus.ExternalCollection, JobID: "1", Watch: begun}},
		"the largest id":                   {"9223372036854775807", Message{Kind: milvus.ExternalCollection, JobID: "9223372036854775807", Watch: begun}},
		"an object":                        {`{"jobId": 449503829274509313}`, plain},
		"the largest id in an object":      {`{"jobId":9223372036854775807}`, Message{Kind: milvus.ExternalCollection, JobID: "9223372036854775807", Watch: begun}},
		"an object with a string":          {`{"jobId": "449503829274509313"}`, plain},
		"a string":                         {` "449503829274509313" `, plain},
		"a string with an escaped digit":   {`"\u003449503829274509313"`, plain},
		"options that are null":            {`{"jobId": 449503829274509313, "context": null, "deadlineSeconds": null, "expectedSeconds": null, "watch": null}`, plain},
		"a response with null options":     {`{"code": 0, "data": {"jobId": 449503829274509313}, "context": null, "deadlineSeconds": null}`, plain},
		"white space around an object":     {"\n {\"jobId\": 449503829274509313} \n", plain},
		"unknown keys":                     {`{"JOBID": 1, "other": {"jobId": 2}, "jobId": 449503829274509313}`, plain},
		"an unknown key twice":             {`{"x": 1, "x": 2, "jobId": 449503829274509313}`, plain},
		"a refresh response":               {`{"code": 0, "data": {"jobId": 449503829274509313}}`, plain},
		"a refresh response with strings":  {`{"code": "0", "data": {"jobId": "449503829274509313"}}`, plain},
		"an event with the object":         {`{"detail-type": "x", "detail": {"jobId": 449503829274509313}}`, plain},
		"an event with a refresh response": {`{"source": "x", "detail": {"code": 0, "data": {"jobId": 449503829274509313}}}`, plain},
		"context and deadline": {
			`{"jobId": 449503829274509313, "context": {"a": [1e400, "<é>"]}, "deadlineSeconds": 60}`,
			Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: begun, Deadline: time.Minute, Context: json.RawMessage(`{"a": [1e400, "<é>"]}`)},
		},
		"context beside a refresh response": {
			`{"code": 0, "data": {"jobId": 449503829274509313}, "context": {"a": 1}, "deadlineSeconds": 5}`,
			Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: begun, Deadline: 5 * time.Second, Context: json.RawMessage(`{"a": 1}`)},
		},
		"an expected duration": {`{"jobId": 449503829274509313, "expectedSeconds": 1}`, Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: begun, Expected: time.Second}},
		"an expected duration beside a refresh response": {
			`{"code": 0, "data": {"jobId": 449503829274509313}, "expectedSeconds": 900}`,
			Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: begun, Expected: 15 * time.Minute},
		},
		"an expected duration in an event": {
			`{"detail": {"jobId": 449503829274509313, "expectedSeconds": 1209600}}`,
			Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: begun, Expected: MaxDeadline},
		},
		"context and deadline in an event": {
			`{"detail": {"jobId": 449503829274509313, "context": {}, "deadlineSeconds": 1209600}}`,
			Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: begun, Deadline: MaxDeadline, Context: json.RawMessage(`{}`)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tt.body, messageID, sent, milvus.ExternalCollection)
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

// unseen are the faults that no schema can tell.
var unseen = map[string]bool{
	"invalid UTF-8": true, "jobId twice": true, "data with two": true, "an event with two": true, "context twice": true,
	"context over int64": true, "context under int64": true, "context with a high half": true, "context with a low half": true,
	"context with two high ones": true, "context with a key in half": true, "a response with half a pair": true, "an event with half a pair": true,
	"context too long": true, "context too deep": true, "watch from the future": true,
	"watch with two versions": true, "watch with two ids": true, "watch with an odd failure": true, "watch with a told failure": true,
	// Numbers that are whole all the same.
	"a whole fraction": true, "an exponent": true, "a capital exponent": true, "jobId fraction": true, "jobId exponent": true,
}

func TestEveryFaultIsNamed(t *testing.T) {
	context := func(length int) string {
		return fmt.Sprintf(`{"jobId":1,"context":{"k":"%s"}}`, strings.Repeat("x", length-len(`{"k":""}`)))
	}
	watch := func(state string) string { return `{"jobId":1,"watch":` + state + `}` }
	tests := map[string]struct{ body, fault string }{
		"empty":                       {"", "the body is empty"},
		"white space":                 {" \n\t", "the body is empty"},
		"invalid UTF-8":               {"{\"jobId\":1,\"context\":{\"k\":\"\xff\"}}", "not valid UTF-8"},
		"prose":                       {"refresh, please", "neither a job id nor a JSON object"},
		"XML":                         {"<jobId>1</jobId>", "neither a job id nor a JSON object"},
		"two ids":                     {"1 2", "neither a job id nor a JSON object"},
		"a string":                    {`"ext_books"`, "the body is a string"},
		"a string with a fraction":    {`"1.5"`, "the body has a fraction"},
		"a string of arabic digits":   {`"٤٤٩"`, "the body has digits other than 0 to 9"},
		"a string with a space":       {`" 1"`, "the body is a string"},
		"an empty string":             {`""`, "the body is a string"},
		"an array":                    {`[449503829274509313]`, "the body is an array"},
		"null":                        {`null`, "the body is null"},
		"true":                        {`true`, "the body is true or false"},
		"zero":                        {"0", "is 0"},
		"negative":                    {"-5", "negative"},
		"a sign":                      {"+5", "sign"},
		"a fraction":                  {"1.5", "fraction"},
		"a whole fraction":            {"1.0", "fraction"},
		"an exponent":                 {"1e3", "exponent"},
		"a capital exponent":          {"1E3", "exponent"},
		"a leading zero":              {"007", "leading zero"},
		"more than int64":             {"9223372036854775808", "more than an int64 holds"},
		"far more than int64":         {strings.Repeat("9", 1000), "more than an int64 holds"},
		"arabic digits":               {"٤٤٩", "digits other than 0 to 9"},
		"fullwidth digits":            {"４４９", "digits other than 0 to 9"},
		"hexadecimal":                 {"0x1F", "neither a job id"},
		"digit groups":                {"1_000", "neither a job id"},
		"minus inside":                {"1-2", "not a number"},
		"not JSON":                    {`{"jobId": 1`, "not valid JSON"},
		"trailing data":               {`{"jobId": 1} x`, "not valid JSON"},
		"too deep for JSON":           {`{"a":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`, "not valid JSON"},
		"no key":                      {`{}`, "no jobId"},
		"another case":                {`{"jobid": 1}`, "no jobId"},
		"jobId null":                  {`{"jobId": null}`, "jobId is null"},
		"jobId true":                  {`{"jobId": true}`, "jobId is true or false"},
		"jobId object":                {`{"jobId": {}}`, "jobId is an object"},
		"jobId array":                 {`{"jobId": [1]}`, "jobId is an array"},
		"jobId empty string":          {`{"jobId": ""}`, "jobId is empty"},
		"jobId spaced string":         {`{"jobId": " 1 "}`, "jobId is not a number"},
		"jobId 0":                     {`{"jobId": 0}`, "jobId is 0"},
		"jobId -0":                    {`{"jobId": -0}`, "sign"},
		"jobId negative":              {`{"jobId": -1}`, "negative"},
		"jobId fraction":              {`{"jobId": 449503829274509313.0}`, "fraction"},
		"jobId exponent":              {`{"jobId": 4495e14}`, "exponent"},
		"jobId over int64":            {`{"jobId": 9223372036854775808}`, "more than an int64 holds"},
		"jobId leading zero":          {`{"jobId": "01"}`, "leading zero"},
		"jobId leading zero unquoted": {`{"jobId": 01}`, "not valid JSON"},
		"jobId sign":                  {`{"jobId": "+1"}`, "sign"},
		"jobId foreign digits":        {`{"jobId": "٤٤٩"}`, "digits other than 0 to 9"},
		"jobId twice":                 {`{"jobId": 1, "jobId": 2}`, "jobId stands twice"},
		"context over int64":          {`{"jobId":1,"context":{"a":[{"b":9223372036854775808}]}}`, "context holds a whole number beyond int64"},
		"context under int64":         {`{"jobId":1,"context":{"a":-9223372036854775809,"b":1}}`, "context holds a whole number beyond int64"},
		"context with a high half":    {`{"jobId":1,"context":{"a":"x\ud83dx"}}`, "context holds half a surrogate pair"},
		"context with a low half":     {`{"jobId":1,"context":{"a":"\udd11"}}`, "context holds half a surrogate pair"},
		"context with two high ones":  {`{"jobId":1,"context":{"a":"\ud83d\ud83d\udd11"}}`, "context holds half a surrogate pair"},
		"context with a key in half":  {`{"jobId":1,"context":{"\uD83D":1}}`, "context holds half a surrogate pair"},
		"a response with half a pair": {`{"code":0,"data":{"jobId":1},"context":{"a":"\ud83d"}}`, "context holds half a surrogate pair"},
		"an event with half a pair":   {`{"detail":{"jobId":1,"context":{"a":"\ud83d"}}}`, "context holds half a surrogate pair"},
		"context string":              {`{"jobId": 1, "context": "x"}`, "context is a string"},
		"context array":               {`{"jobId": 1, "context": []}`, "context is an array"},
		"context number":              {`{"jobId": 1, "context": 1}`, "context is a number"},
		"context too long":            {context(MaxContext + 1), "context has 16385 bytes"},
		"context too deep":            {`{"jobId":1,"context":{"a":` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + `}}`, "nested deeper"},
		"context twice":               {`{"jobId": 1, "context": {}, "context": {}}`, "context stands twice"},
		"deadline 0":                  {`{"jobId": 1, "deadlineSeconds": 0}`, "deadlineSeconds is not"},
		"deadline too long":           {`{"jobId": 1, "deadlineSeconds": 1209601}`, "1 to 1209600"},
		"deadline negative":           {`{"jobId": 1, "deadlineSeconds": -1}`, "deadlineSeconds is not"},
		"deadline fraction":           {`{"jobId": 1, "deadlineSeconds": 1.5}`, "deadlineSeconds is not"},
		"deadline string":             {`{"jobId": 1, "deadlineSeconds": "60"}`, "deadlineSeconds is not"},
		"expected 0":                  {`{"jobId": 1, "expectedSeconds": 0}`, "expectedSeconds is not a whole number of seconds from 1 to 1209600"},
		"expected too long":           {`{"jobId": 1, "expectedSeconds": 1209601}`, "expectedSeconds is not"},
		"expected negative":           {`{"jobId": 1, "expectedSeconds": -1}`, "expectedSeconds is not"},
		"expected fraction":           {`{"jobId": 1, "expectedSeconds": 1.5}`, "expectedSeconds is not"},
		"expected string":             {`{"jobId": 1, "expectedSeconds": "60"}`, "expectedSeconds is not"},
		"an error response":           {`{"code": 1100, "message": "no such collection"}`, "error response (code 1100)"},
		"an error response's string":  {`{"code": "1800", "message": "no"}`, "error response (code 1800)"},
		"an odd code":                 {`{"code": 0.5, "data": {"jobId": 1}}`, "code is not a whole number"},
		"data without code":           {`{"data": {"jobId": 1}}`, "data but no code"},
		"code without data":           {`{"code": 0}`, "no data object"},
		"data of another type":        {`{"code": 0, "data": [1]}`, "no data object"},
		"data without jobId":          {`{"code": 0, "data": {}}`, "no data.jobId"},
		"data with a bad jobId":       {`{"code": 0, "data": {"jobId": 0}}`, "jobId is 0"},
		"data with two":               {`{"code": 0, "data": {"jobId": 1, "jobId": 2}}`, "stands twice"},
		"an event without a detail":   {`{"source": "x"}`, "no jobId"},
		"an event with a text":        {`{"detail": "1"}`, "detail is a string"},
		"an event with nothing":       {`{"detail": {"x": 1}}`, "detail has no jobId"},
		"an event with a code only":   {`{"detail": {"code": 0}}`, "response has no data object"},
		"an event with two":           {`{"detail": {"jobId": 1, "jobId": 1}}`, "stands twice"},
		"an event in an event":        {`{"detail": {"detail": {"jobId": 1}}}`, "detail has no jobId"},
		"watch string":                {watch(`"x"`), "watch can't be read"},
		"watch of wrong types":        {watch(`{"version": "1"}`), "watch can't be read"},
		"watch unversioned":           {watch(`{"id": "a", "since": 1}`), "version 0"},
		"watch of a later version":    {watch(`{"version": 3, "id": "a", "since": 1}`), "version 3"},
		"watch without id":            {watch(`{"version": 1, "since": 1}`), "watch.id"},
		"watch without since":         {watch(`{"version": 1, "id": "a"}`), "a time that is none"},
		"watch from the future":       {watch(fmt.Sprintf(`{"version": 1, "id": "a", "since": %d}`, sent.Add(2*time.Minute).UnixMilli())), "later than the message"},
		"watch with odd sight":        {watch(`{"version": 1, "id": "a", "since": 1, "seen": -1}`), "a time that is none"},
		"watch with an odd end":       {watch(`{"version": 1, "id": "a", "since": 1, "ends": -1}`), "a time that is none"},
		"watch with a far end":        {watch(`{"version": 1, "id": "a", "since": 1, "ends": 253402300800000}`), "a time that is none"},
		"watch with a far sight":      {watch(`{"version": 1, "id": "a", "since": 1, "seen": 253402300800000}`), "a time that is none"},
		"watch with odd polls":        {watch(`{"version": 1, "id": "a", "since": 1, "polls": -1}`), "out of its range"},
		"watch with too many polls":   {watch(`{"version": 1, "id": "a", "since": 1, "polls": 9223372036854775807}`), "out of its range"},
		"watch with odd progress":     {watch(`{"version": 1, "id": "a", "since": 1, "progress": 101}`), "out of its range"},
		"watch with two versions":     {watch(`{"version": 1, "version": 1, "id": "a", "since": 1}`), "a key twice, or in other letters"},
		"watch with two ids":          {watch(`{"x": 1, "version": 1, "id": "a", "id": "a", "since": 1}`), "a key twice, or in other letters"},
		"watch with an odd failure":   {watch(`{"version": 1, "id": "a", "since": 1, "unexplained": 1, "state": "RefreshCompleted"}`), "a failure that is none"},
		"watch with a told failure":   {watch(`{"version": 1, "id": "a", "since": 1, "unexplained": 1, "state": "RefreshFailed", "reason": "x"}`), "a failure that is none"},
		"watch with a long text":      {watch(`{"version": 1, "id": "a", "since": 1, "lastError": "` + strings.Repeat("x", 1025) + `"}`), "more than 1024 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(tt.body, messageID, sent, milvus.ExternalCollection)
			if err == nil {
				t.Fatalf("accepted as %+v", m)
			}
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Errorf("%T is no refusal", err)
			}
			if !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("the reason %q does not name %q", err, tt.fault)
			}
			if strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 400 {
				t.Errorf("the reason is not one sentence: %q", err)
			}
			if seen := schematest.MessageFault(tt.body) != nil; seen == unseen[name] {
				t.Errorf("a validator sees it: %t", seen)
			}
		})
	}
}

func TestAContextOfTheLargestSizeSurvivesEveryPoll(t *testing.T) {
	// Characters that JSON encoders like to write longer than they were.
	filler := strings.Repeat("<&>\u2028\u2029é", 2000)
	limit := MaxContext - len(`{"k": ""}`)
	for len(filler) > limit || strings.ToValidUTF8(filler, "") != filler {
		filler = filler[:len(filler)-1]
	}
	filler += strings.Repeat("x", limit-len(filler))
	body := `{"jobId":1,"context":{"k": "` + filler + `"}}`
	for range 3 {
		m, err := Parse(body, messageID, sent, milvus.ExternalCollection)
		if err != nil {
			t.Fatal(err)
		}
		var context struct{ K string }
		if err := json.Unmarshal(m.Context, &context); err != nil || context.K != filler {
			t.Fatal("the context has changed")
		}
		body = m.Body()
	}
}

func TestAMessageComesBackAsItWasSent(t *testing.T) {
	want := Message{
		Kind: milvus.ExternalCollection, JobID: exactID, Deadline: time.Hour, Expected: time.Minute, Context: json.RawMessage(`{"n":18446744073709551616,"s":"<a>"}`),
		Watch: State{
			ID: messageID, Since: sent, Polls: 7, Failures: 2, LastError: "no answer", Restarts: 1,
			Job: Sight{State: "RefreshInProgress", Progress: new(0), CollectionName: "ext_books", StartTime: sent, SeenAt: sent.Add(time.Minute), EndsAt: sent.Add(time.Hour)},
		},
	}
	body := want.Body()
	schematest.Message(t, body)
	if !strings.Contains(body, `"jobId":449503829274509313,`) {
		t.Errorf("the id is not exact in %s", body)
	}
	got, err := Parse(body, "another id", sent.Add(time.Hour), milvus.ExternalCollection)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAStateThatCanBeWrittenCanBeRead(t *testing.T) {
	long := strings.Repeat("é", 1000)
	m := Message{Kind: milvus.ExternalCollection, JobID: "1", Watch: State{ID: "a", Since: sent, LastError: "x" + long, Job: Sight{State: long, CollectionName: long}}}
	schematest.Message(t, m.Body())
	if _, err := Parse(m.Body(), messageID, sent, milvus.ExternalCollection); err != nil {
		t.Error(err)
	}
}

func TestCharactersThatSQSRefusesAreEscaped(t *testing.T) {
	want := Message{Kind: milvus.ExternalCollection, JobID: "1", Watch: State{ID: "a\uFFFE", Since: sent, LastError: "b\uFFFF"}}
	body := want.Body()
	if strings.ContainsAny(body, "\uFFFE\uFFFF") {
		t.Errorf("the body is %q", body)
	}
	got, err := Parse(body, "x", sent, milvus.ExternalCollection)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, body := range []string{
		"449503829274509313", `{"jobId": "9223372036854775807", "context": {"a": 1}, "deadlineSeconds": 5, "expectedSeconds": 4}`,
		`{"code": 0, "data": {"jobId": 1}}`, `{"detail": {"jobId": 1}}`, `{"code": 1100, "message": "x"}`,
		Message{Kind: milvus.ExternalCollection, JobID: "1", Watch: State{ID: "a", Since: sent, Job: Sight{Progress: new(3)}}}.Body(),
		`{"refresh":{"collectionName":"ext_books","dbName":"a"},"kind":null}`, `{"refresh":{"collectionName":"a","x":1}}`, `{"refresh":null,"jobId":1}`,
		asked(func(m *Message) { m.Watch.JobID, m.Watch.Known, m.Watch.Started = "1", []string{"2"}, sent }).Body(),
		"", "-1", "٤", "1e9", `{"jobId":1,"jobId":2}`, `{"jobId":1,"watch":{"version":1}}`, "{\"jobId\":1}\xff", `{"detail":"`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		m, err := Parse(body, messageID, sent, milvus.ExternalCollection)
		if err != nil {
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Fatalf("%T is no refusal", err)
			}
			return
		}
		if (m.JobID == "") != m.AsksForRefresh() || !m.Kind.Known() || m.Watch.ID == "" {
			t.Fatalf("accepted %+v", m)
		}
		if !strings.Contains(body, fmt.Sprint(m.JobID)) && !strings.Contains(body, `\u`) {
			t.Fatalf("the id %s does not stand in the body", m.JobID)
		}
		// Of a watch, which is the poller's own, more is read than is written.
		if err := schematest.MessageFault(body); err != nil && m.Watch.ID == messageID {
			t.Fatalf("the schema refuses what is accepted: %v", err)
		}
		schematest.Message(t, m.Body())
		again, err := Parse(m.Body(), "another", sent, milvus.ExternalCollection)
		if err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		}
		if m.Body() != again.Body() {
			t.Fatalf("a poll changes the message from %s to %s", m.Body(), again.Body())
		}
	})
}

func TestAMessageIsOfAKind(t *testing.T) {
	const state = `"watch":{"version":%d,"id":"a","since":1}`
	running := func(version int) string { return fmt.Sprintf(state, version) }
	tests := map[string]struct {
		stack milvus.JobKind
		body  string
		want  milvus.Ref
	}{
		"the stack's":                    {"import", "7", milvus.Ref{Kind: "import", ID: "7"}},
		"the stack's, in an object":      {"import", `{"jobId":7}`, milvus.Ref{Kind: "import", ID: "7"}},
		"the stack's, if null":           {"import", `{"jobId":7,"kind":null}`, milvus.Ref{Kind: "import", ID: "7"}},
		"its own":                        {"cloud", `{"jobId":"7","kind":"snapshot"}`, milvus.Ref{Kind: "snapshot", ID: "7"}},
		"its own, with an escape":        {"cloud", `{"jobId":"7","kind":"snap\u0073hot"}`, milvus.Ref{Kind: "snapshot", ID: "7"}},
		"its own, in an event":           {"cloud", `{"detail":{"jobId":7,"kind":"import"}}`, milvus.Ref{Kind: "import", ID: "7"}},
		"its own, beside a response":     {"cloud", `{"code":0,"data":{"jobId":"7"},"kind":"import"}`, milvus.Ref{Kind: "import", ID: "7"}},
		"a refresh, if it runs already":  {"cloud", `{"jobId":7,` + running(1) + `}`, milvus.Ref{Kind: milvus.ExternalCollection, ID: "7"}},
		"its own, though it runs":        {"cloud", `{"jobId":7,"kind":"import",` + running(2) + `}`, milvus.Ref{Kind: "import", ID: "7"}},
		"a text, alone":                  {"cloud", "job-0a_1-B", milvus.Ref{Kind: "cloud", ID: "job-0a_1-B"}},
		"a text, as a JSON string":       {"cloud", `"job-0a_1-B"`, milvus.Ref{Kind: "cloud", ID: "job-0a_1-B"}},
		"digits that are a text":         {"cloud", `"007"`, milvus.Ref{Kind: "cloud", ID: "007"}},
		"a text of a refresh":            {milvus.ExternalCollection, "job-0a1B", milvus.Ref{Kind: milvus.ExternalCollection, ID: "job-0a1B"}},
		"a text of a refresh, in object": {milvus.ExternalCollection, `{"jobId":"job-0a1B"}`, milvus.Ref{Kind: milvus.ExternalCollection, ID: "job-0a1B"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(tt.body, messageID, sent, tt.stack)
			if err != nil || m.Ref() != tt.want {
				t.Fatalf("got %+v, %v, want %+v", m.Ref(), err, tt.want)
			}
			again, err := Parse(m.Body(), "another", sent, "snapshot")
			if diff := cmp.Diff(m, again); err != nil || diff != "" {
				t.Errorf("the next poll reads %s as another: %v %s", m.Body(), err, diff)
			}
			schematest.Message(t, m.Body())
		})
	}
}

func TestAnIDOfAnotherKindIsRefused(t *testing.T) {
	tests := map[string]struct {
		stack       milvus.JobKind
		body, fault string
	}{
		"a kind that is none":           {"import", `{"jobId":7,"kind":"Import"}`, "kind is not one of " + milvus.KindNames()},
		"a kind that is no text":        {"import", `{"jobId":7,"kind":7}`, "kind is not one of "},
		"a kind twice":                  {"import", `{"jobId":7,"kind":"import","kind":"cloud"}`, "kind stands twice"},
		"a text of an import":           {"import", `{"jobId":"job-a"}`, "jobId is not a number"},
		"a text of an import, alone":    {"import", `job-a`, "the body is neither a job id"},
		"a number of a cloud job":       {"cloud", `{"jobId":7}`, "jobId is a number: a job id of cloud is a string"},
		"a number, alone":               {"cloud", `7`, "the body is a number"},
		"a path":                        {"cloud", `"a/b"`, "the body is a string"},
		"a path in an object":           {"cloud", `{"jobId":"../b"}`, "jobId is no such id: a job id of cloud is a string"},
		"a text that is too long":       {"cloud", `{"jobId":"` + strings.Repeat("a", 129) + `"}`, "jobId is no such id"},
		"a dash at first":               {"cloud", `{"jobId":"-a"}`, "jobId is no such id"},
		"a line feed":                   {"cloud", `{"jobId":"a\n"}`, "jobId is no such id"},
		"an empty text":                 {"cloud", `{"jobId":""}`, "jobId is no such id"},
		"a text of a refresh, too long": {milvus.ExternalCollection, `{"jobId":"job-` + strings.Repeat("a", 65) + `"}`, "jobId is not a number"},
		"another text of a refresh":     {milvus.ExternalCollection, `{"jobId":"job_a"}`, "jobId is not a number"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(tt.body, messageID, sent, tt.stack)
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%+v, %v, want %q", m.Ref(), err, tt.fault)
			}
		})
	}
}

// An older version reads what bears version 1, and takes it for a refresh.
func TestWhatAnOlderVersionWouldMisreadBearsAnotherVersion(t *testing.T) {
	for ref, want := range map[milvus.Ref]int{
		{Kind: milvus.ExternalCollection, ID: "7"}: 1, {Kind: milvus.ExternalCollection, ID: "job-7"}: 2,
		{Kind: "import", ID: "7"}: 2, {Kind: "snapshot", ID: "7"}: 2, {Kind: "cloud", ID: "7"}: 2,
	} {
		m := Message{Kind: ref.Kind, JobID: ref.ID, Watch: State{ID: "a", Since: sent}}
		if !strings.Contains(m.Body(), fmt.Sprintf(`"watch":{"version":%d,`, want)) {
			t.Errorf("%s, want version %d", m.Body(), want)
		}
	}
}

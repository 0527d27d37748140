// Package watch is the language of JobQueue: the bodies that start a watch, and
// the body with which the poller hands a watch on to its next poll. A body is
// read into a Message or refused with one sentence.
//
// When the next poll is, and what an answer of the cluster means, is decided
// elsewhere.
package watch

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"refresh-poller/internal/milvus"
)

// Limits of a message.
const (
	// MaxContext is the largest context, in bytes as the producer wrote it.
	MaxContext = 16 << 10
	// maxContextDepth keeps an event below the 1000 levels of JSON that
	// EventBridge processes (API reference, PutEvents).
	maxContextDepth = 900
	// MaxDeadline is the longest a watch may last: 14 days.
	MaxDeadline = 1209600 * time.Second
)

// Message is what one message of JobQueue says.
type Message struct {
	// Kind is the job's; JobID is one of its ids, an int64 in digits. A message that
	// asks for a refresh has none: its job's is the watch's.
	Kind  milvus.JobKind
	JobID string
	// Refresh is the collection whose refresh is asked for, or zero.
	Refresh milvus.Collection
	// Context is the producer's JSON object, or nil.
	Context json.RawMessage
	// Deadline is how long the producer lets the watch last, 1 s to
	// MaxDeadline; 0 means that the stack's own deadline holds.
	Deadline time.Duration
	// Expected is how long the producer expects the job to run from its start,
	// 1 s to MaxDeadline, and a hint only; 0 means that it did not say.
	Expected time.Duration
	// Watch is the poller's own state; in a producer's message, that of a
	// watch that begins with it.
	Watch State
}

const forms = `send the job id alone, {"jobId": …}, the refresh endpoint's response, or an EventBridge event with one of these objects as its detail`

// Ref names the job. Of a message that has none yet the id is empty.
func (m Message) Ref() milvus.Ref {
	return milvus.Ref{Kind: m.Kind, ID: cmp.Or(m.JobID, m.Watch.JobID)}
}

// Parse reads the body of the message with that id, sent at that time (SQS's
// SentTimestamp). The kind is that of a new watch whose message names none. The
// error is one sentence that says what is wrong and what is right; it repeats
// nothing of the body but numbers and the name of a key.
func Parse(body, id string, sent time.Time, kind milvus.JobKind) (Message, error) {
	trimmed := strings.TrimSpace(body)
	var m Message
	var err error
	switch {
	case trimmed == "":
		return Message{}, refuse("the body is empty: %s", forms)
	case !utf8.ValidString(trimmed):
		return Message{}, refuse("the body is not valid UTF-8: %s", forms)
	case strings.HasPrefix(trimmed, "\uFEFF"):
		return Message{}, refuse("the body begins with a byte order mark: leave it out")
	case trimmed[0] == '{':
		m, err = parseObject(json.RawMessage(trimmed), kind)
	default:
		m.Kind = kind
		m.JobID, err = parseBareID(trimmed, kind)
	}
	if err != nil {
		return Message{}, err
	}
	if m.Watch.ID == "" {
		m.Watch = State{ID: id, Since: sent}
	}
	if w := m.Watch; !w.UnexplainedSince.IsZero() && (m.Kind.Outcome(w.Job.State) != milvus.Failed || w.Job.Reason != "") {
		return Message{}, refuse("watch holds a failure that is none: leave watch out, it is the poller's own")
	}
	// SQS stamped both, so a later beginning was made up; it would put the
	// deadline off.
	if m.Watch.Since.After(sent.Add(time.Minute)) {
		return Message{}, refuse("watch.since is later than the message itself: leave watch out, it is the poller's own")
	}
	return m, nil
}

// Body returns the message in the object form, whatever form came in.
func (m Message) Body() string {
	object := struct {
		JobID           jobID           `json:"jobId,omitzero"`
		Refresh         refreshJSON     `json:"refresh,omitzero"`
		Kind            milvus.JobKind  `json:"kind"`
		Context         json.RawMessage `json:"context,omitempty"`
		DeadlineSeconds int64           `json:"deadlineSeconds,omitempty"`
		ExpectedSeconds int64           `json:"expectedSeconds,omitempty"`
		Watch           stateJSON       `json:"watch"`
	}{jobID{}, refreshJSON{m.Refresh.Name, m.Refresh.Database}, m.Kind, m.Context, int64(m.Deadline / time.Second), int64(m.Expected / time.Second), m.Watch.json(m.version())}
	if !m.AsksForRefresh() {
		object.JobID = jobID(m.Ref())
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	// Escaping would make a context longer than its producer was allowed.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		// Only a Context that is not JSON can do this, and Parse lets none in.
		panic(err)
	}
	body := strings.TrimSuffix(b.String(), "\n")
	if !strings.Contains(body, "\xEF\xBF") { // as both begin: Replace copies in any case
		return body
	}
	return forSQS.Replace(body)
}

// forSQS escapes the two characters that JSON allows as they are and SQS
// refuses (API reference, SendMessageBatch).
var forSQS = strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`)

package milvus

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"refresh-poller/internal/redact"
)

// Bounds on what is kept of the cluster's texts, in bytes.
const (
	maxMessage = 500
	maxName    = 255 // Milvus's own limit of a collection's name
	maxReason  = 4 << 10
	maxSource  = 8 << 10
)

// Job is what the cluster says of a job, without its credentials.
type Job struct {
	CollectionName string
	// Type says which job it is, where a kind has several.
	Type string
	// State is the API's own word, never empty.
	State string
	// Outcome is what the state means for a job that has ended; else empty.
	Outcome Outcome
	// Unexplained says that the job has failed, and the cluster has not saved yet
	// when and why: describe shows a refresh as failed as soon as one of its tasks
	// is, for milliseconds or for seconds (milvus-io/milvus,
	// internal/datacoord/external_collection_refresh_manager.go).
	Unexplained bool
	// Progress is 0 to 100; nil when the answer holds no such number.
	Progress *int
	// ExternalSource is a JSON text, a URL or empty.
	ExternalSource string
	// Reason says why the job failed, or why it still pends.
	Reason string
	// ImportedRows and TotalRows are of an import; nil when not known.
	ImportedRows, TotalRows *int64
	// StartTime and EndTime are zero until the job has started or ended.
	StartTime, EndTime time.Time
}

// Terminal reports whether the job has ended.
func (j Job) Terminal() bool { return j.Outcome != "" }

// answer is the body of every response:
//
//	{"code": 0, "data": {"jobId": 449503829274509300, "collectionName": "ext_books",
//	  "state": "RefreshInProgress", "progress": 42, "externalSource": "…",
//	  "startTime": 1712832000000, "endTime": 0}}
//	{"code": 1100, "message": "refresh job 449503829274509300 not found"}
type answer struct {
	Code    number          `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// number is an int64 that the API shows as a number or as a decimal string.
// Anything else is not known, and no error.
type number struct {
	value int64
	known bool
}

// UnmarshalJSON never fails and never passes through a float64.
func (n *number) UnmarshalJSON(raw []byte) error {
	value, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil {
		value = 0 // ParseInt gives the nearest int64, which may be another job's id
	}
	*n = number{value: value, known: err == nil}
	return nil
}

// read turns a response into a job, or says why it is none. The texts of both
// are freed of the token and of the credentials that redact knows.
func read(status int, header http.Header, body []byte, ref Ref, token string) (Job, error) {
	kind := ref.Kind.row()
	var a answer
	if err := decode(body, &a); err != nil {
		return Job{}, newError(kindOfStatus(status), status, header, "the answer is not the API's JSON")
	}
	message := clean(a.Message, token, maxMessage)
	if a.Code.value != 0 {
		failure := newError(kindOf(status, a, kind, ref.ID), status, header, cmp.Or(message, "the answer has no message"))
		failure.Code = a.Code.value
		return Job{}, failure
	}
	if status != http.StatusOK {
		return Job{}, newError(kindOfStatus(status), status, header, cmp.Or(message, "the answer is not HTTP 200"))
	}
	var d data
	switch err := json.Unmarshal(a.Data, &d); {
	case !a.Code.known:
		return Job{}, newError(Temporary, status, header, "the answer has no code")
	case err != nil || d == nil:
		return Job{}, newError(Temporary, status, header, "the answer has no data")
	}
	if fault := d.fault(kind, ref.ID); fault != "" {
		return Job{}, newError(Temporary, status, header, fault)
	}
	return d.job(kind, token), nil
}

// decode leaves a field of the wrong type empty: json goes on after such an
// error, and one odd field must not hide the job's state.
func decode(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); odd {
		return nil
	}
	return err
}

// cleanState leaves the states that matter as they are, though they may hold
// the password of root:Completed.
func cleanState(kind row, state, token string) string {
	if kind.ends[state] != "" || slices.Contains(kind.begins, state) {
		return state
	}
	return clean(state, token, maxName)
}

const (
	// maxRedacted is how much of a text is gone through for credentials, in bytes:
	// that takes time which no deadline ends, and little of a text is kept.
	maxRedacted = 16 << 10
	// maxUnfinished is more than the beginning of a credential may take, in bytes,
	// that is too short to be found: 15 characters of 4 bytes, each of which Go has
	// escaped behind 31 backslashes.
	maxUnfinished = 2 << 10
)

// clean returns one line of text without credentials, at most limit bytes of it.
func clean(text, token string, limit int) string {
	long := len(text) > maxRedacted
	if long {
		text = text[:maxRedacted]
	}
	oneLine := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = redact.Values(oneLine, token)
	if long {
		// The text may have been cut in the token, so its end goes; and then within
		// a word, which may be another credential.
		end := strings.LastIndexByte(text[:max(len(text)-maxUnfinished, 0)], ' ')
		if end <= 0 {
			return "***"
		}
		text = text[:end]
	}
	return cut(redact.Text(text), limit)
}

// cleanSource returns externalSource without credentials. One that is too long
// is left out: half a JSON text is of no use.
func cleanSource(source, token string) string {
	if len(source) > maxSource {
		return ""
	}
	return redact.Source(redact.Values(source, token))
}

// cut shortens text to limit bytes, between two characters.
func cut(text string, limit int) string {
	const mark = "…"
	if len(text) <= limit {
		return text
	}
	end := limit - len(mark)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

package milvus

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// data is that of a successful answer, by the keys of a kind's row; one that a row
// does not name, "", holds nothing. A field of the wrong type is not known: one
// odd field must not hide the job's state. externalSpec is not read on purpose: it
// holds access keys.
type data map[string]json.RawMessage

// fault says what an answer about the job lacks, or "".
func (d data) fault(kind *row, id string) string {
	switch got, known := d.id(); {
	case !known:
		return "the answer has no jobId"
	case got != id:
		return "the answer is about another job"
	case d.text(kind.stateKey) == "":
		return "the answer has no " + kind.stateKey
	}
	return ""
}

// id returns the id, whether it is a number or a string.
func (d data) id() (id string, known bool) {
	if id = d.text("jobId"); id != "" {
		return id, true
	}
	return string(d["jobId"]), d.number("jobId").known
}

func (d data) job(kind *row, token string) Job {
	state := d.text(kind.stateKey)
	job := Job{
		CollectionName: clean(d.text(kind.collectionKey), token, maxName),
		Type:           clean(d.text(kind.typeKey), token, maxName),
		State:          cleanState(kind, state, token),
		Outcome:        kind.ends[state],
		Progress:       d.percent("progress"),
		ExternalSource: cleanSource(d.text(kind.sourceKey), token),
		Reason:         clean(d.text("reason"), token, maxReason),
		ImportedRows:   d.count(kind.importedKey),
		TotalRows:      d.count(kind.totalKey),
		StartTime:      d.instant(kind.startKey),
		EndTime:        d.instant(kind.endKey),
	}
	if took := d.number(kind.tookKey); took.value > 0 && job.Terminal() && !job.StartTime.IsZero() {
		job.EndTime = instant(job.StartTime.UnixMilli() + min(took.value, maxInstant))
	}
	job.Unexplained = kind.early && job.Outcome == Failed && job.Reason == "" && job.EndTime.IsZero()
	return job
}

func (d data) text(key string) (text string) {
	raw := d[key]
	switch {
	case key == "" || len(raw) < 2 || raw[0] != '"':
	case bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw): // nothing to decode
		return string(raw[1 : len(raw)-1])
	default:
		_ = json.Unmarshal(raw, &text) // a string, so this can't fail
	}
	return text
}

func (d data) number(key string) (n number) {
	if raw := d[key]; key != "" && len(raw) > 0 && raw[0] != 'n' { // as null
		_ = n.UnmarshalJSON(raw) // never fails
	}
	return n
}

func (d data) percent(key string) *int {
	n := d.number(key)
	if !n.known || n.value < 0 || n.value > 100 {
		return nil
	}
	return new(int(n.value))
}

func (d data) count(key string) *int64 {
	n := d.number(key)
	if !n.known || n.value < 0 {
		return nil
	}
	value := n.value // or n would be on the heap, also where it is not known
	return &value
}

// maxInstant is the last millisecond of the year 9999, the last that RFC 3339
// can write.
const maxInstant = 253402300799999

// instant reads Unix milliseconds or RFC 3339.
func (d data) instant(key string) time.Time {
	if n := d.number(key); n.known {
		return instant(n.value)
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(d.text(key)))
	if err != nil {
		return time.Time{}
	}
	return instant(at.UnixMilli())
}

func instant(millis int64) time.Time {
	if millis <= 0 || millis > maxInstant {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

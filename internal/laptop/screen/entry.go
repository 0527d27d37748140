package screen

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

// entry is what a line of the poller's log says. Texts hold only printable
// characters: a cluster's must not get at the terminal.
type entry struct {
	at      time.Time
	message string
	// polled is whether the line is about the poll of a job; others may name one.
	polled         bool
	jobID, watchID string
	// title is what the job is shown as.
	title      string
	poll       int64
	jobKind    milvus.JobKind
	collection string
	// since is when the watch began, if that is known.
	since time.Time
	// state is the last known, progress too; they are "" and -1 before.
	state    string
	progress int
	// kind and fault say how the poll failed, reason why it ended as it did.
	kind          milvus.ErrorKind
	fault, reason string
	// delay is until the next poll, if the watch hasn't ended.
	delay time.Duration
	ended bool
	// outcome is what the end means.
	outcome milvus.Outcome
}

func read(record slog.Record) entry {
	// A line of an older version names no kind.
	e := entry{at: record.Time, message: Printable(record.Message), polled: record.Message == "job polled", jobKind: milvus.ExternalCollection, progress: -1, ended: true}
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "kind":
			e.jobKind = milvus.JobKind(Printable(a.Value.String()))
		case "jobId":
			e.jobID = Printable(a.Value.String())
			e.title = e.jobID
		case "watchId":
			e.watchID = a.Value.String()
		case "since":
			e.since = a.Value.Time()
		case "collection":
			e.collection = Printable(a.Value.String())
		case "poll":
			e.poll = a.Value.Int64()
		case "state":
			e.state = Printable(a.Value.String())
		case "progress":
			e.progress = int(a.Value.Int64())
		case "outcome":
			e.outcome = milvus.Outcome(a.Value.String())
		case "errorKind":
			e.kind = milvus.ErrorKind(Printable(a.Value.String()))
		case "error":
			e.fault = Printable(a.Value.String())
		case "reason":
			e.reason = Printable(a.Value.String())
		case "delaySeconds":
			e.delay, e.ended = time.Duration(a.Value.Int64())*time.Second, false
		}
		return true
	})
	return e
}

// words are short for the states that are the poller's, and for the faults of a
// poll, whose kind says more than the state before it.
var (
	stateWords = map[string]string{
		"":                  "waiting",
		event.StateNotFound: "not found",
		event.StateExpired:  "expired",

		event.StateNotStarted: "not started",
	}
	kindWords = map[milvus.ErrorKind]string{
		milvus.NotFound:  "not found yet",
		milvus.Temporary: "unavailable",
	}
)

// word is where the job stands, or what the last poll failed with.
func (e entry) word() string {
	if e.kind != "" && !e.ended {
		return cmp.Or(kindWords[e.kind], string(e.kind))
	}
	return cmp.Or(stateWords[e.state], e.jobKind.Words(e.state))
}

// remark is what there is to say beside the word.
func (e entry) remark() string { return cmp.Or(e.why(), e.subject()) }

// why is the reason for the word, if there is one.
func (e entry) why() string {
	if e.ended {
		return e.reason
	}
	return cmp.Or(e.fault, e.reason)
}

// subject is what the job is about, as far as its id does not say it.
func (e entry) subject() string {
	kind := string(e.jobKind)
	if e.jobKind == milvus.ExternalCollection {
		kind = ""
	}
	collection := e.collection
	if collection == e.title {
		collection = ""
	}
	return strings.TrimSpace(kind + " " + collection)
}

// name is the job's id, and what it is about.
func (e entry) name() string {
	if subject := e.subject(); subject != "" {
		return e.title + " (" + subject + ")"
	}
	return e.title
}

// age is how long the watch has lasted, if that is known; clocks may differ.
func (e entry) age() string {
	if e.since.IsZero() {
		return ""
	}
	return span(max(e.at.Sub(e.since), 0).Truncate(time.Second))
}

func (e entry) percent() string {
	if e.progress < 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", e.progress)
}

// line is a poll in columns; those for the age are the caller's.
func (e entry) line(age string) string {
	next := ""
	if !e.ended {
		next = "next " + span(e.delay)
	}
	return strings.TrimRight(fmt.Sprintf("%-19s  poll %-3d  %-13s  %5s  %s%-11s  %s",
		e.title, e.poll, e.word(), e.percent(), age, next, e.remark()), " ")
}

// end tells how a watch has ended, whose row is gone.
func (e entry) end() string {
	text := "job " + e.name() + " " + e.word()
	if age := e.age(); age != "" {
		text += " after " + age
	}
	if e.reason != "" {
		text += ": " + e.reason
	}
	return text
}

// sentence is a line that is not about the poll of a job.
func (e entry) sentence() string {
	text := e.message
	if e.jobID != "" {
		text += ": job " + e.name()
	}
	for _, why := range []string{e.reason, e.fault} {
		if why != "" {
			text += ": " + why
		}
	}
	return text
}

// span writes a duration in at most 7 characters, rounded up to seconds: 9s,
// 4m59s, 335h59m.
func span(d time.Duration) string {
	seconds := int64((d + time.Second - 1) / time.Second)
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%dh%02dm", seconds/3600, seconds/60%60)
}

// Printable returns text on one line, without what a terminal would obey.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// wrap breaks text between words into lines of at most width cells, where it has
// any. All but the first begin with indent.
func wrap(text, indent string, width int) string {
	var lines []string
	for runewidth.StringWidth(text) > width {
		at := strings.LastIndex(runewidth.Truncate(text, width+1, ""), " ")
		if at <= len(indent) {
			break
		}
		lines = append(lines, strings.TrimRight(text[:at], " "))
		text = indent + text[at+1:]
	}
	return strings.Join(append(lines, text), "\n")
}

// fit makes text n cells wide: it fills it up, or cuts it off.
func fit(text string, n int) string {
	return runewidth.FillRight(runewidth.Truncate(text, max(n, 0), "…"), n)
}

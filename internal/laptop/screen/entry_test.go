package screen

import (
	"log/slog"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
)

// polled is the poller's log line about job 42, with some attributes changed.
func polled(attrs ...any) slog.Record {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "job polled", 0)
	r.Add("kind", "external_collection", "jobId", "449503829274509313", "watchId", "w", "poll", 3)
	r.Add(attrs...)
	return r
}

func TestEveryPollIsALineInColumns(t *testing.T) {
	tests := map[string]struct {
		attrs []any
		want  string
	}{
		"pending": {
			[]any{"state", "RefreshPending", "progress", 0, "delaySeconds", 5},
			"449503829274509313   poll 3    pending          0 %  next 5s",
		},
		"in progress": {
			[]any{"state", "RefreshInProgress", "progress", 42, "delaySeconds", 300},
			"449503829274509313   poll 3    in progress     42 %  next 5m00s",
		},
		"a state of a newer server": {
			[]any{"state", "RefreshPaused", "delaySeconds", 900},
			"449503829274509313   poll 3    paused                next 15m00s",
		},
		"not found yet": {
			[]any{"errorKind", "notFound", "error", "refresh job 1 not found (HTTP 200, code 1100)", "delaySeconds", 5},
			"449503829274509313   poll 3    not found yet         next 5s      refresh job 1 not found (HTTP 200, code 1100)",
		},
		"throttled while in progress": {
			[]any{"state", "RefreshInProgress", "progress", 99, "errorKind", "throttled", "error", "too many", "delaySeconds", 5},
			"449503829274509313   poll 3    throttled       99 %  next 5s      too many",
		},
		"no answer": {
			[]any{"errorKind", "temporary", "error", "timeout", "delaySeconds", 5},
			"449503829274509313   poll 3    unavailable           next 5s      timeout",
		},
		"refused": {
			[]any{"errorKind", "refused", "error", "who?", "delaySeconds", 5},
			"449503829274509313   poll 3    refused               next 5s      who?",
		},
		"misconfigured": {
			[]any{"errorKind", "misconfigured", "error", "HTTP 404", "delaySeconds", 5},
			"449503829274509313   poll 3    misconfigured         next 5s      HTTP 404",
		},
		"not reached": {
			[]any{"reason", "not reached: no time", "delaySeconds", 5},
			"449503829274509313   poll 3    waiting               next 5s      not reached: no time",
		},
		"completed": {
			[]any{"state", "RefreshCompleted", "progress", 100},
			"449503829274509313   poll 3    completed      100 %",
		},
		"failed": {
			[]any{"state", "RefreshFailed", "progress", 60, "reason", "no such object"},
			"449503829274509313   poll 3    failed          60 %               no such object",
		},
		"not found": {
			[]any{"state", "JobNotFound", "reason", "never seen", "errorKind", "notFound", "error", "not found"},
			"449503829274509313   poll 3    not found                          never seen",
		},
		"expired": {
			[]any{"state", "WatchExpired", "progress", 73, "reason", "too long", "errorKind", "temporary", "error", "timeout"},
			"449503829274509313   poll 3    expired         73 %               too long",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, read(polled(tt.attrs...)).line("")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTextsOfTheClusterCannotReachTheTerminal(t *testing.T) {
	e := read(polled("state", "Refresh\x1b[2J", "collection", "a\x1b[2J", "reason", "two\nlines\r\x07\u009b31m\u202e", "error", "\x1b]0;title\x07", "errorKind", "refused", "delaySeconds", 5))
	for _, text := range []string{e.line(""), e.end(), e.name(), e.state, e.reason} {
		if strings.ContainsAny(text, "\x1b\n\r\x07\u009b\u202e") {
			t.Errorf("%q is not printable", text)
		}
	}
}

func TestALineAboutNoJobSaysWhy(t *testing.T) {
	r := slog.NewRecord(time.Now(), slog.LevelError, "batch item failed", 0)
	r.Add("messageId", "m", "error", "panic: oops")
	if diff := cmp.Diff("batch item failed: panic: oops", read(r).sentence()); diff != "" {
		t.Error(diff)
	}
}

func TestSpansAreShort(t *testing.T) {
	tests := map[string]struct {
		d    time.Duration
		want string
	}{
		"nothing":               {0, "0s"},
		"rounded up":            {time.Millisecond, "1s"},
		"seconds":               {59 * time.Second, "59s"},
		"rounded up to minutes": {59*time.Second + 1, "1m00s"},
		"minutes":               {15 * time.Minute, "15m00s"},
		"most of an hour":       {time.Hour - time.Second, "59m59s"},
		"hours":                 {61*time.Minute + 59*time.Second, "1h01m"},
		"the longest watch":     {14 * 24 * time.Hour, "336h00m"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := span(tt.d); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLongNotesAreWrappedBetweenWords(t *testing.T) {
	tests := map[string]struct {
		text  string
		width int
		want  string
	}{
		"fits exactly":         {"four five", 9, "four five"},
		"one break":            {"the quick brown fox jumps", 20, "the quick brown fox\n         jumps"},
		"a word that fits not": {"https://a-very-long-name.example.org", 20, "https://a-very-long-name.example.org"},
		"wide characters":      {"ééééé ééééé ééééé ééééé", 18, "ééééé ééééé ééééé\n         ééééé"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, wrap(tt.text, indent, tt.width)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrappingLosesNoWord(t *testing.T) {
	keepsWords := func(text string, width uint8) bool {
		return strings.Join(strings.Fields(wrap(text, indent, int(width))), " ") == strings.Join(strings.Fields(text), " ")
	}
	if err := quick.Check(keepsWords, nil); err != nil {
		t.Error(err)
	}
}

package deployed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/tests/schematest"
)

// fakeLog is a log group that answers in pages, with an empty one before the last.
type fakeLog struct {
	events []types.FilteredLogEvent
	page   int
	fail   error
}

func (l *fakeLog) write(at time.Time, text string) {
	l.events = append(l.events, types.FilteredLogEvent{EventId: aws.String(strconv.Itoa(len(l.events))), Timestamp: aws.Int64(at.UnixMilli()), Message: &text})
}

func (l *fakeLog) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	if l.fail != nil || *in.LogGroupName != "group" {
		return nil, l.fail
	}
	var found []types.FilteredLogEvent
	for _, e := range l.events {
		if *e.Timestamp >= *in.StartTime {
			found = append(found, e)
		}
	}
	first, _ := strconv.Atoi(aws.ToString(in.NextToken))
	switch last := first + l.page; {
	case l.page == 0 || first > len(found):
		return &cloudwatchlogs.FilterLogEventsOutput{Events: found[min(first, len(found)):]}, nil
	case last >= len(found):
		return &cloudwatchlogs.FilterLogEventsOutput{Events: found[first:], NextToken: aws.String(strconv.Itoa(len(found) + 1))}, nil
	default:
		return &cloudwatchlogs.FilterLogEventsOutput{Events: found[first:last], NextToken: aws.String(strconv.Itoa(last))}, nil
	}
}

// pollOf is a line of a watch; without a delay its last.
func pollOf(watchID string, poll int, delay string) string {
	return fmt.Sprintf(`{"time":"2024-04-11T10:40:00Z","level":"INFO","msg":"job polled","kind":"external_collection","jobId":"7","watchId":%q,"poll":%d%s}`, watchID, poll, delay)
}

const goesOn = `,"delaySeconds":5`

// read returns what the lines that are new say.
func read(t *testing.T, l *Log) (told string) {
	t.Helper()
	lines, err := l.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		told += fmt.Sprint(" ", line.WatchID, line.Poll)
	}
	return strings.TrimSpace(told)
}

func TestEachLineIsReadOnceHoweverLateItIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group, began := &fakeLog{page: 2}, time.Now()
		log := NewLog(group, "group")
		group.write(began.Add(-ReadBack-time.Second), pollOf("old", 1, goesOn))
		for i := range 5 {
			group.write(began.Add(time.Duration(i-600)*time.Second), pollOf("a", i, goesOn))
		}
		if got := read(t, log); got != "a0 a1 a2 a3 a4" {
			t.Error("at first:", got)
		}
		time.Sleep(2 * time.Second)
		if got := read(t, log); got != "" {
			t.Error("with nothing new:", got)
		}
		group.write(began.Add(time.Second), pollOf("a", 5, goesOn))
		group.write(began.Add(-30*time.Second), pollOf("b", 1, goesOn))
		if got := read(t, log); got != "b1 a5" {
			t.Error("with one later than the other:", got)
		}
		group.write(began.Add(-20*time.Second), pollOf("c", 1, goesOn))
		group.write(began.Add(-20*time.Second), pollOf("a", 4, goesOn)) // of another environment
		if got := read(t, log); got != "c1" {
			t.Error("with two that come late:", got)
		}
		group.write(began.Add(-10*time.Second), pollOf("a", 4, ""))
		if got := read(t, log); got != "a4" {
			t.Error("with an end that comes late:", got)
		}
		if len(log.seen) > 6 || len(log.newest) > 3 {
			t.Errorf("%d lines and %d watches are kept", len(log.seen), len(log.newest))
		}
	})
}

func TestAReadThatFailedIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := &fakeLog{fail: errors.New("throttled")}
		log := NewLog(group, "group")
		group.write(time.Now(), pollOf("a", 1, goesOn))
		if _, err := log.Read(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "read the log group group: ") {
			t.Error(err)
		}
		time.Sleep(3 * time.Hour) // as a laptop does
		group.fail = nil
		group.write(time.Now().Add(-time.Hour), pollOf("b", 1, goesOn))
		if got := read(t, log); got != "a1 b1" {
			t.Error(got)
		}
	})
}

func TestALineFromTheFutureHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := &fakeLog{}
		log := NewLog(group, "group")
		group.write(time.Now().Add(2*time.Hour), pollOf("forged", 1, goesOn))
		read(t, log)
		time.Sleep(time.Minute)
		group.write(time.Now(), pollOf("a", 1, goesOn))
		if got := read(t, log); got != "a1" {
			t.Error(got)
		}
	})
}

func TestOnlyWhatThePollerWritesIsALine(t *testing.T) {
	tests := map[string]struct {
		text string
		want string // Msg, WatchID
	}{
		"a poll":                    {pollOf("w", 1, goesOn), "job polled w"},
		"an end":                    {pollOf("w", 1, ""), "job polled w"},
		"a rejection":               {`{"level":"WARN","msg":"message rejected","reason":"r"}`, "message rejected "},
		"a drop":                    {`{"level":"INFO","msg":"message dropped","jobId":"7","watchId":"w","poll":2}`, "message dropped "},
		"a text":                    {"START RequestId: 1", ""},
		"a report of Lambda's":      {`{"time":"2024-04-11T10:40:00Z","type":"platform.report","record":{"status":"success"}}`, ""},
		"metrics":                   {`{"_aws":{"Timestamp":1},"Stack":"orders","Polls":1}`, ""},
		"a poll of no job":          {`{"level":"INFO","msg":"job polled","watchId":"w","poll":1,"delaySeconds":5}`, ""},
		"a poll of a collection":    {`{"level":"INFO","msg":"job polled","jobId":"","collection":"b","watchId":"w","poll":1,"delaySeconds":5}`, "job polled w"},
		"a poll of no watch":        {`{"level":"INFO","msg":"job polled","jobId":"7","poll":1,"delaySeconds":5}`, ""},
		"a progress that is none":   {pollOf("w", 1, `,"progress":101`), ""},
		"a progress that is less":   {pollOf("w", 1, `,"progress":-1`), ""},
		"a delay that is none":      {pollOf("w", 1, `,"delaySeconds":901`), ""},
		"a poll that is none":       {pollOf("w", -1, ""), ""},
		"a progress that is a text": {pollOf("w", 1, `,"progress":"1"`), ""},
		"a since that is none":      {pollOf("w", 1, `,"since":"yesterday"`), ""},
		"a level that is none":      {`{"level":"LOUD","msg":"x"}`, ""},
		"a number that overflows":   {pollOf("w", 1, `,"delaySeconds":1e400`), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, ok := parseLine(tt.text, time.Now())
			if got := strings.TrimPrefix(l.Msg+" "+l.WatchID, " "); got != tt.want || ok != (tt.want != "") {
				t.Errorf("%q, %v", got, ok)
			}
		})
	}
}

func TestALineGoesToTheScreenAsThePollerLoggedIt(t *testing.T) {
	const text = `{"time":"2024-04-11T10:41:33.5Z","level":"WARN","msg":"job polled","kind":"import","jobId":"7","watchId":"w","since":"2024-04-11T10:40:00.123Z","poll":3,"state":"Sorting","collection":"books","progress":0,"delaySeconds":5,"reason":"r","errorKind":"refused","error":"e"}`
	at := time.UnixMilli(1712832093500).UTC()
	line, ok := parseLine(text, at)
	if !ok {
		t.Fatal("not read")
	}
	got := map[string]any{}
	record := line.Record()
	record.Attrs(func(a slog.Attr) bool {
		got[a.Key] = a.Value.Any()
		return true
	})
	want := map[string]any{
		"kind": "import", "jobId": "7", "watchId": "w", "since": time.UnixMilli(1712832000123).UTC(), "poll": int64(3), "state": "Sorting", "collection": "books",
		"progress": int64(0), "delaySeconds": int64(5), "reason": "r", "errorKind": "refused", "error": "e",
	}
	if diff := cmp.Diff(want, got); diff != "" || record.Message != "job polled" || record.Level != slog.LevelWarn || !record.Time.Equal(at) {
		t.Errorf("%v%s", record, diff)
	}
}

func TestTheLastLineOfAWatchTellsItsEvent(t *testing.T) {
	const text = `{"time":"2024-04-11T10:41:33.5Z","level":"INFO","msg":"job polled","kind":"external_collection","jobId":"449503829274509313","watchId":"059f36b4-87a3-44ab-83d2-661975830a7d","since":"2024-04-11T10:39:58.12Z","poll":8,"action":"publish","eventId":"74594594b164ec97cf129c277adb8a07","outcome":"succeeded","state":"RefreshCompleted","collection":"ext_books","progress":100}`
	line, ok := parseLine(text, time.UnixMilli(1712832093500))
	if !ok || !line.Ended() {
		t.Fatal("not read as an end")
	}
	want := `{"version":"1","id":"74594594b164ec97cf129c277adb8a07","kind":"external_collection","jobId":"449503829274509313","state":"RefreshCompleted","terminal":true,"outcome":"succeeded","collectionName":"ext_books","progress":100,"clusterEndpoint":"https://cluster.example","watch":{"id":"059f36b4-87a3-44ab-83d2-661975830a7d","since":"2024-04-11T10:39:58.120Z","polls":8}}`
	got := line.Event("https://cluster.example")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	schematest.Detail(t, got)
	for _, other := range []string{pollOf("w", 1, ""), pollOf("w", 1, goesOn), `{"msg":"message rejected"}`} {
		if line, _ := parseLine(other, time.Now()); line.Event("https://cluster.example") != "" {
			t.Errorf("%s tells an event", other)
		}
	}
}

func FuzzAnyLineIsReadOrNot(f *testing.F) {
	for _, text := range []string{"x", "{}", pollOf("w", 1, goesOn), pollOf("w", 1, ""), `{"msg":"m","jobId":"7"}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, ok := parseLine(text, time.Now())
		if !ok {
			return
		}
		record := line.Record()
		record.Attrs(func(a slog.Attr) bool {
			if len(a.Value.String()) > 1024 {
				t.Errorf("%s has %d bytes", a.Key, len(a.Value.String()))
			}
			return true
		})
		line.Event("https://cluster.example")
	})
}

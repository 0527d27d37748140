package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
	"refresh-poller/internal/watch"
)

const (
	exactID  = "449503829274509313" // no float64 holds it
	watchID  = "059f36b4-87a3-44ab-83d2-661975830a7d"
	endpoint = "https://milvus.example.org:19530"
)

var (
	since = time.Date(2024, 4, 11, 10, 39, 0, 123e6, time.UTC)
	start = time.Date(2024, 4, 11, 10, 40, 0, 0, time.UTC)
	end   = start.Add(93 * time.Second)
	now   = end.Add(2100 * time.Millisecond)
)

// polled is a watch after its twelfth poll.
func polled() watch.Message {
	return watch.Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: watch.State{ID: watchID, Since: since, Polls: 12}}
}

func indented(t *testing.T, d *Detail) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(d.JSON()), "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheDetailOfEveryState(t *testing.T) {
	withContext, seen := polled(), polled()
	withContext.Context = json.RawMessage(`{"pipeline": "nightly"}`)
	seen.Watch.Job = watch.Sight{State: "RefreshInProgress", Progress: new(42)}
	tests := map[string]struct {
		detail *Detail
		want   string
	}{
		"a job that completed": {
			New(withContext, milvus.Job{
				CollectionName: "ext_books", State: "RefreshCompleted", Progress: new(100),
				ExternalSource: `{"type":"volume","path":"volume://my-volume/books"}`, StartTime: start, EndTime: end,
			}, "RefreshCompleted", milvus.Succeeded, endpoint, now),
			`{
  "version": "1",
  "id": "74594594b164ec97cf129c277adb8a07",
  "kind": "external_collection",
  "jobId": "449503829274509313",
  "state": "RefreshCompleted",
  "terminal": true,
  "outcome": "succeeded",
  "collectionName": "ext_books",
  "progress": 100,
  "externalSource": "{\"type\":\"volume\",\"path\":\"volume://my-volume/books\"}",
  "clusterEndpoint": "https://milvus.example.org:19530",
  "startTime": "2024-04-11T10:40:00.000Z",
  "endTime": "2024-04-11T10:41:33.000Z",
  "durationMs": 93000,
  "watch": {
    "id": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "since": "2024-04-11T10:39:00.123Z",
    "polls": 12,
    "detectionLagMs": 2100
  },
  "context": {
    "pipeline": "nightly"
  }
}`,
		},
		"a job that failed": {
			New(polled(), milvus.Job{
				CollectionName: "ext_orders", State: "RefreshFailed", Progress: new(60),
				Reason: "read s3://orders/2024.parquet: no such object", StartTime: start, EndTime: end,
			}, "RefreshFailed", milvus.Failed, endpoint, now),
			`{
  "version": "1",
  "id": "8f19be92a227b7228aa7b0b442320402",
  "kind": "external_collection",
  "jobId": "449503829274509313",
  "state": "RefreshFailed",
  "terminal": true,
  "outcome": "failed",
  "collectionName": "ext_orders",
  "progress": 60,
  "reason": "read s3://orders/2024.parquet: no such object",
  "clusterEndpoint": "https://milvus.example.org:19530",
  "startTime": "2024-04-11T10:40:00.000Z",
  "endTime": "2024-04-11T10:41:33.000Z",
  "durationMs": 93000,
  "watch": {
    "id": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "since": "2024-04-11T10:39:00.123Z",
    "polls": 12,
    "detectionLagMs": 2100
  }
}`,
		},
		"a job that was never found": {
			New(polled(), milvus.Job{Reason: "the cluster knows no such job"}, StateNotFound, NotFound, endpoint, now),
			`{
  "version": "1",
  "id": "a255161d49251c028e663b2585485862",
  "kind": "external_collection",
  "jobId": "449503829274509313",
  "state": "JobNotFound",
  "terminal": true,
  "outcome": "notFound",
  "reason": "the cluster knows no such job",
  "clusterEndpoint": "https://milvus.example.org:19530",
  "watch": {
    "id": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "since": "2024-04-11T10:39:00.123Z",
    "polls": 12
  }
}`,
		},
		"a watch that expired": {
			New(seen, milvus.Job{
				CollectionName: "ext_stuck", State: "RefreshInProgress", Progress: new(42), Reason: "too long", StartTime: start,
			}, StateExpired, Expired, endpoint, now),
			`{
  "version": "1",
  "id": "480ef607d23f1d34613bf7713d8d49b7",
  "kind": "external_collection",
  "jobId": "449503829274509313",
  "state": "WatchExpired",
  "terminal": true,
  "outcome": "expired",
  "collectionName": "ext_stuck",
  "progress": 42,
  "reason": "too long",
  "clusterEndpoint": "https://milvus.example.org:19530",
  "startTime": "2024-04-11T10:40:00.000Z",
  "watch": {
    "id": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "since": "2024-04-11T10:39:00.123Z",
    "polls": 12
  }
}`,
		},
		"a job that has just been seen": {
			New(polled(), milvus.Job{CollectionName: "ext_books", State: "RefreshPending", Progress: new(0)}, "RefreshPending", "", endpoint, now),
			`{
  "version": "1",
  "id": "a6dc0223970e3240283508ffdbe54e2c",
  "kind": "external_collection",
  "jobId": "449503829274509313",
  "state": "RefreshPending",
  "terminal": false,
  "collectionName": "ext_books",
  "progress": 0,
  "clusterEndpoint": "https://milvus.example.org:19530",
  "watch": {
    "id": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "since": "2024-04-11T10:39:00.123Z",
    "polls": 12
  }
}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			schematest.Detail(t, tt.detail.JSON())
			if diff := cmp.Diff(tt.want, indented(t, tt.detail)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAJobIDStandsExactlyAsAString(t *testing.T) {
	for id, want := range map[string]string{
		"1":                   `"jobId":"1"`,
		exactID:               `"jobId":"449503829274509313"`,
		"9223372036854775807": `"jobId":"9223372036854775807"`,
	} {
		m := polled()
		m.JobID = id
		if got := New(m, milvus.Job{}, StateNotFound, NotFound, endpoint, now).JSON(); !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestTimesAreUTCInMilliseconds(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	job := milvus.Job{StartTime: start.Add(1999 * time.Microsecond).In(zone), EndTime: end.In(zone)}
	d := New(polled(), job, "RefreshCompleted", milvus.Succeeded, endpoint, now)
	if d.StartTime != "2024-04-11T10:40:00.001Z" || d.EndTime != "2024-04-11T10:41:33.000Z" {
		t.Errorf("%s to %s", d.StartTime, d.EndTime)
	}
}

func TestTheTimeOfAnEventIsTheJobsEndWhereKnown(t *testing.T) {
	tests := map[string]struct {
		end, want time.Time
	}{
		"ended":                            {end, end},
		"no end known":                     {time.Time{}, now},
		"an end that was just ahead":       {now.Add(5 * time.Minute), now},
		"an end too far ahead":             {now.Add(5*time.Minute + time.Millisecond), now},
		"an end in the year 9999":          {time.UnixMilli(253402300799999), now},
		"an end a day before the watch":    {since.Add(-24 * time.Hour), since.Add(-24 * time.Hour)},
		"an end longer before the watch":   {since.Add(-24*time.Hour - time.Millisecond), now},
		"an end in seconds, not in milli-": {time.UnixMilli(end.Unix()), now},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := New(polled(), milvus.Job{EndTime: tt.end}, "RefreshCompleted", milvus.Succeeded, endpoint, now)
			if !d.Time.Equal(tt.want) {
				t.Errorf("got %s, want %s", d.Time, tt.want)
			}
			if d.EndTime != timestamp(tt.end) {
				t.Errorf("endTime is %s, the cluster said %s", d.EndTime, tt.end)
			}
		})
	}
}

func TestDurationsAreKnownOnlyWhereTheirEndsAre(t *testing.T) {
	const year = 365 * 24 * time.Hour
	tests := map[string]struct {
		start, end    time.Time
		duration, lag *int64
	}{
		"both known":                       {start, end, new(int64(93000)), new(int64(2100))},
		"no start":                         {time.Time{}, end, nil, new(int64(2100))},
		"no end":                           {start, time.Time{}, nil, nil},
		"the cluster's clock is ahead":     {start, now.Add(time.Second), new(int64(96100)), new(int64(0))},
		"the cluster's clock is far ahead": {start, start.Add(24 * time.Hour), nil, nil},
		"the times are in seconds":         {time.UnixMilli(start.Unix()), time.UnixMilli(end.Unix()), nil, nil},
		"the start is in seconds":          {time.UnixMilli(start.Unix()), end, nil, new(int64(2100))},
		"the clock is ahead by 5 min":      {start, now.Add(5 * time.Minute), new(int64(395100)), new(int64(0))},
		"and by more":                      {start, now.Add(5*time.Minute + time.Millisecond), nil, nil},
		"a job of a year before its watch": {since.Add(-year), since, new(year.Milliseconds()), new(now.Sub(since).Milliseconds())},
		"and of more":                      {since.Add(-year - time.Millisecond), since, nil, new(now.Sub(since).Milliseconds())},
		"an end before the start":          {end, start, new(int64(0)), new(int64(95100))},
		"an end at once after the start":   {start, start, new(int64(0)), new(int64(95100))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := New(polled(), milvus.Job{StartTime: tt.start, EndTime: tt.end}, "RefreshCompleted", milvus.Succeeded, endpoint, now)
			if diff := cmp.Diff(tt.duration, d.DurationMs); diff != "" {
				t.Error("duration", diff)
			}
			if diff := cmp.Diff(tt.lag, d.Watch.DetectionLagMs); diff != "" {
				t.Error("lag", diff)
			}
		})
	}
}

// SQS, as a rule's target, takes neither as it is.
func TestNoEventHoldsACharacterThatSQSRefuses(t *testing.T) {
	const bad = "a\uFFFEb\uFFFF"
	d := New(polled(), milvus.Job{CollectionName: bad, Reason: bad, ExternalSource: bad}, bad, "", endpoint, now)
	if text := d.JSON(); strings.ContainsAny(text, "\uFFFE\uFFFF") || strings.Count(text, "a\uFFFDb\uFFFD") != 4 {
		t.Error(text)
	}
}

func TestTheLargestEventFitsEventBridge(t *testing.T) {
	const most = 256_000                                             // bytes; the smallest limit that EventBridge has had
	worst := func(n int) string { return strings.Repeat("\x01", n) } // six bytes each, in JSON
	m := polled()
	m.Context = json.RawMessage(`{"k":"` + strings.Repeat("x", watch.MaxContext-len(`{"k":""}`)) + `"}`)
	d := New(m, milvus.Job{
		CollectionName: worst(255), State: worst(255), Progress: new(100), Reason: worst(4 << 10), ExternalSource: worst(8 << 10),
		StartTime: start, EndTime: end,
	}, worst(255), "", "https://"+strings.Repeat("x", 255), now)
	schematest.Detail(t, d.JSON())
	if n := len(d.JSON()); n > most {
		t.Errorf("%d bytes", n)
	}
}

func FuzzJSONIsOneLineThatSaysWhatTheDetailDoes(f *testing.F) {
	f.Add("no such object", "volume://books", `{"a": 1e400}`)
	f.Add("two\nlines \u2028 <é>", "\x00\x7f\u009b", " {} ")
	f.Add("\xff", "", `{"a":"\ud800"}`)
	f.Fuzz(func(t *testing.T, reason, source, context string) {
		m := polled()
		if context = strings.TrimSpace(context); strings.HasPrefix(context, "{") && utf8.ValidString(context) && json.Valid([]byte(context)) {
			m.Context = json.RawMessage(context)
		}
		d := New(m, milvus.Job{Reason: reason, ExternalSource: source, StartTime: start, EndTime: end}, "RefreshFailed", milvus.Failed, endpoint, now)
		text := d.JSON()
		if len(reason) <= 4<<10 { // the client's bound
			schematest.Detail(t, text)
		}
		if strings.ContainsAny(text, "\n\r") || !utf8.ValidString(text) {
			t.Fatalf("not one line of UTF-8: %q", text)
		}
		var got Detail
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		want := *d
		want.Time = time.Time{}
		want.Reason, want.ExternalSource = deliverable.Replace(strings.ToValidUTF8(reason, "\ufffd")), deliverable.Replace(strings.ToValidUTF8(source, "\ufffd"))
		if m.Context != nil {
			var compact bytes.Buffer
			json.Compact(&compact, m.Context)
			want.Context = json.RawMessage(deliverable.Replace(compact.String()))
		}
		if !utf8.ValidString(reason) || !utf8.ValidString(source) { // how many characters stand for a fault is not promised
			got.Reason, got.ExternalSource = want.Reason, want.ExternalSource
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

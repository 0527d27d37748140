package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/tests/schematest"
)

// Bus stands in for the SDK's client.
var _ = []interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}{(*eventbridge.Client)(nil), (*Bus)(nil)}

func put(source, detailType, detail string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{Source: &source, DetailType: &detailType, Detail: &detail}
}

// putAll puts the entries on a new bus and returns what its subscriber got.
func putAll(entries ...types.PutEventsRequestEntry) ([]events.EventBridgeEvent, *eventbridge.PutEventsOutput, error) {
	var bus Bus
	var got []events.EventBridgeEvent
	bus.Subscribe(func(e events.EventBridgeEvent) { got = append(got, e) })
	out, err := bus.PutEvents(context.Background(), &eventbridge.PutEventsInput{Entries: entries})
	return got, out, err
}

func TestPutEventsDeliversEachEventInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := time.Date(2024, 4, 11, 12, 40, 0, 0, time.FixedZone("", 2*60*60))
		timed := put("refresh-poller", "State Change", `{"jobId":"1"}`)
		timed.Time, timed.Resources = &ended, []string{"arn"}
		got, out, err := putAll(timed, put("refresh-poller", "State Change", `{"jobId":"2"}`))
		if err != nil || out.FailedEntryCount != 0 || len(out.Entries) != 2 {
			t.Fatalf("output %v, error %v", out, err)
		}
		want := []events.EventBridgeEvent{{
			Version: "0", ID: *out.Entries[0].EventId, Source: "refresh-poller", DetailType: "State Change",
			AccountID: "000000000000", Region: "local", Time: ended.UTC(), Resources: []string{"arn"}, Detail: json.RawMessage(`{"jobId":"1"}`),
		}, {
			Version: "0", ID: *out.Entries[1].EventId, Source: "refresh-poller", DetailType: "State Change",
			AccountID: "000000000000", Region: "local", Time: time.Now().UTC(), Resources: []string{}, Detail: json.RawMessage(`{"jobId":"2"}`),
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got[0].Time.Location() != time.UTC {
			t.Errorf("time %s, want it in UTC", got[0].Time)
		}
	})
}

func TestAnEventHasTheFormOfTheSchema(t *testing.T) {
	text, err := os.ReadFile("../../../events/published/completed.json")
	if err != nil {
		t.Fatal(err)
	}
	var sample events.EventBridgeEvent
	if err := json.Unmarshal(text, &sample); err != nil {
		t.Fatal(err)
	}
	got, _, err := putAll(put(sample.Source, sample.DetailType, string(sample.Detail)))
	if err != nil {
		t.Fatal(err)
	}
	delivered, err := json.Marshal(got[0])
	if err != nil {
		t.Fatal(err)
	}
	schematest.Event(t, string(delivered))
}

func TestAnEventPutTwiceIsDeliveredTwiceWithIDsOfItsOwn(t *testing.T) {
	same := put("s", "t", "{}")
	got, _, err := putAll(same, same)
	if err != nil || len(got) != 2 || got[0].ID == got[1].ID {
		t.Errorf("events %v, error %v", got, err)
	}
}

func TestEverySubscriberGetsEveryEvent(t *testing.T) {
	var bus Bus
	var got []string
	for _, name := range []string{"a", "b"} {
		bus.Subscribe(func(e events.EventBridgeEvent) { got = append(got, name+string(e.Detail)) })
	}
	if _, err := bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		put("s", "t", `{"n":1}`), put("s", "t", `{"n":2}`),
	}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`a{"n":1}`, `b{"n":1}`, `a{"n":2}`, `b{"n":2}`}, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestAnEntryThatEventBridgeRefusesFailsInItsPlace(t *testing.T) {
	tests := map[string]struct {
		entry types.PutEventsRequestEntry
		want  string
	}{
		"no source":                       {put("", "t", "{}"), "InvalidArgument"},
		"no detail type":                  {put("s", "", "{}"), "InvalidArgument"},
		"no detail":                       {put("s", "t", ""), "InvalidArgument"},
		"nothing at all":                  {types.PutEventsRequestEntry{}, "InvalidArgument"},
		"a detail type of 129 characters": {put("s", strings.Repeat("ü", 129), "{}"), "InvalidArgument"},
		"a source that is AWS's own":      {put("aws.s3", "t", "{}"), "NotAuthorizedForSourceException"},
		"a detail that is no JSON":        {put("s", "t", "{"), "MalformedDetail"},
		"a detail that is a list":         {put("s", "t", "[]"), "MalformedDetail"},
		"a detail that is null":           {put("s", "t", "null"), "MalformedDetail"},
		"a detail of two objects":         {put("s", "t", "{}{}"), "MalformedDetail"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, out, err := putAll(put("s", "t", `{"n":1}`), tt.entry, put("s", strings.Repeat("ü", 128), `{"n":3}`))
			if err != nil || len(got) != 2 || out.FailedEntryCount != 1 {
				t.Fatalf("events %v, output %v, error %v", got, out, err)
			}
			var codes []string
			for _, e := range out.Entries {
				if (e.EventId == nil) != (e.ErrorCode != nil && e.ErrorMessage != nil) {
					t.Errorf("entry has to be accepted or explained: %v", e)
				}
				codes = append(codes, aws.ToString(e.ErrorCode))
			}
			if diff := cmp.Diff([]string{"", tt.want, ""}, codes); diff != "" {
				t.Errorf("error codes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPutEventsRefusesARequestBeyondTheLimits(t *testing.T) {
	// Together one byte short of the limit: source 1, detail type 1, time 14,
	// resource 2, detail the rest.
	full := put("s", "t", `{"a":"`+strings.Repeat("x", putBytesLimit-1-1-1-14-2-8)+`"}`)
	full.Time, full.Resources = aws.Time(time.Unix(0, 0)), []string{"ü"}
	over := full
	over.Resources = []string{"ü", "r"}
	tests := map[string]struct {
		entries []types.PutEventsRequestEntry
		refused bool
	}{
		"no entries":                {nil, true},
		"ten entries":               {slices.Repeat([]types.PutEventsRequestEntry{put("s", "t", "{}")}, 10), false},
		"eleven entries":            {slices.Repeat([]types.PutEventsRequestEntry{put("s", "t", "{}")}, 11), true},
		"an entry below 1 MB":       {[]types.PutEventsRequestEntry{full}, false},
		"an entry of 1 MB":          {[]types.PutEventsRequestEntry{over}, true},
		"entries above it in total": {[]types.PutEventsRequestEntry{full, put("s", "t", "{}")}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, _, err := putAll(tt.entries...)
			if refused := err != nil; refused != tt.refused || refused != (len(got) == 0) {
				t.Errorf("error %v, %d events", err, len(got))
			}
		})
	}
}

func TestNothingIsPutOnceTheContextIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var bus Bus
	_, err := bus.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{put("s", "t", "{}")}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

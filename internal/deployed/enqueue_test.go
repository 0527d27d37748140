package deployed

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
	"refresh-poller/internal/watch"
)

func TestTheMessagesAreThoseThatThePollerReads(t *testing.T) {
	tests := map[string]struct {
		options Options
		ids     []string
		kind    milvus.JobKind // the stack's
		want    watch.Message  // of the first
	}{
		"ids alone": {Options{}, []string{"449503829274509313", "9223372036854775807"}, milvus.ExternalCollection,
			watch.Message{Kind: milvus.ExternalCollection, JobID: "449503829274509313"}},
		"ids of the stack's kind": {Options{}, []string{"job-1"}, "cloud", watch.Message{Kind: "cloud", JobID: "job-1"}},
		"all options": {Options{Kind: "import", Context: json.RawMessage(`{"a": "<&>"}`), Deadline: 2 * time.Hour}, []string{"7"}, milvus.ExternalCollection,
			watch.Message{Kind: "import", JobID: "7", Context: json.RawMessage(`{"a":"<&>"}`), Deadline: 2 * time.Hour}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bodies, err := tt.options.Bodies(tt.ids, tt.kind)
			if err != nil || len(bodies) != len(tt.ids) {
				t.Fatalf("%q, %v", bodies, err)
			}
			got, err := watch.Parse(bodies[0], "id", time.Time{}, tt.kind)
			if err != nil {
				t.Fatal(err)
			}
			got.Watch = watch.State{}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if err := schematest.MessageFault(bodies[0]); err != nil && tt.kind == milvus.ExternalCollection {
				t.Error(err)
			}
		})
	}
}

func TestWhatThePollerWouldNotReadIsNotMade(t *testing.T) {
	tests := map[string]struct {
		options Options
		ids     []string
		want    string
	}{
		"an id":                     {Options{}, []string{"1", "4.495e17"}, "jobId has an exponent: a job id is a whole number from 1 to 9223372036854775807, written in digits"},
		"a kind":                    {Options{Kind: "compaction"}, []string{"1", "2"}, "kind is not one of external_collection, import, snapshot, cloud"},
		"a context of another type": {Options{Context: json.RawMessage(`[1]`)}, []string{"1", "2"}, "context is an array: it must be a JSON object"},
		"a context that is no JSON": {Options{Context: json.RawMessage(`{}, "watch": {}`)}, []string{"1"}, "context is not valid JSON: it must be a JSON object"},
		"a deadline in between":     {Options{Deadline: 1500 * time.Millisecond}, []string{"1"}, "deadlineSeconds is not a whole number of seconds from 1 to 1209600"},
		"a deadline too long":       {Options{Deadline: 337 * time.Hour}, []string{"1"}, "deadlineSeconds is not a whole number of seconds from 1 to 1209600"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bodies, err := tt.options.Bodies(tt.ids, milvus.ExternalCollection)
			if err == nil {
				t.Fatalf("%q", bodies)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachMessageIsToldByItsIdOrByWhyItWasNotSent(t *testing.T) {
	var bodies, want, got []string
	for i := range 23 {
		bodies = append(bodies, strconv.Itoa(i))
		want = append(want, fmt.Sprintf("%d message-%d <nil>", i, i+1))
	}
	q := &fakeQueues{refuse: func(body string) bool { return body == "22" }}
	want[22] = "22  SQS refuses it: InternalError: not today"
	err := theStack.Enqueue(t.Context(), q, bodies, func(i int, messageID string, err error) error {
		got = append(got, fmt.Sprint(i, " ", messageID, " ", err))
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil || len(q.calls) != 3 {
		t.Errorf("%s%v after %q", diff, err, q.calls)
	}
}

func TestNothingIsSentAfterACallThatFails(t *testing.T) {
	q := &fakeQueues{}
	q.fail = func(string) error {
		if len(q.calls) == 2 {
			return errors.New("unreachable")
		}
		return nil
	}
	told := 0
	err := theStack.Enqueue(t.Context(), q, strings.Fields(strings.Repeat("x ", 25)), func(int, string, error) error {
		told++
		return nil
	})
	if err == nil || err.Error() != "send to the job queue: AWS gives no answer: check the region, the network and the sign-in (unreachable)" || told != 10 || len(q.calls) != 2 {
		t.Errorf("%v, %d told after %q", err, told, q.calls)
	}
}

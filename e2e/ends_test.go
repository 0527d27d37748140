//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/laptop/simcluster"
)

// sourceSecret and reasonSecret are credentials that the cluster sends.
const (
	sourceSecret = "secret-within-the-external-source"
	reasonSecret = "secret-within-a-failure-reason"
)

func completion(t *testing.T, s *stack) func(t *testing.T) {
	const producers = `{"pipeline": "nightly", "run": 9007199254740993, "of": ["a", {"b": null}]}`
	s.cluster.Add(simcluster.Job{
		ID: largestJob, CollectionName: "ext_books", PendingFor: 2 * time.Second, RunsFor: 4 * time.Second, Shape: simcluster.Tasks(1),
		ExternalSource: "s3://key:" + sourceSecret + "@bucket/books",
	})
	s.cluster.Add(simcluster.Job{ID: oddJob, VisibleAfter: 2 * time.Second, PendingFor: 2 * time.Second, RunsFor: 4 * time.Second})
	ids := s.send(t, fmt.Sprintf(`{"jobId": "%s", "context": %s}`, largestJob, producers), oddJob)

	return func(t *testing.T) {
		e := s.end(t, largestJob)
		got, watch := e.Detail, e.Detail["watch"].(map[string]any)
		want := map[string]any{
			"version": "1", "id": got["id"], "kind": "external_collection", "jobId": largestJob, "state": "RefreshCompleted", "terminal": true, "outcome": "succeeded",
			"collectionName": "ext_books", "progress": json.Number("100"), "externalSource": "s3://bucket/books",
			"clusterEndpoint": s.cluster.URL, "startTime": got["startTime"], "endTime": got["endTime"], "durationMs": json.Number("6000"),
			"watch":   map[string]any{"id": ids[0], "since": watch["since"], "polls": watch["polls"], "detectionLagMs": watch["detectionLagMs"]},
			"context": map[string]any{"pipeline": "nightly", "run": json.Number("9007199254740993"), "of": []any{"a", map[string]any{"b": nil}}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("detail (-want +got):\n%s", diff)
		}
		if e.Source != "refresh-poller" || e.DetailType != "External Collection Refresh Job State Change" {
			t.Errorf("event from %q, %q", e.Source, e.DetailType)
		}
		if at := s.sentTime(t, got["id"]); at != got["endTime"] {
			t.Errorf("event sent with the time %s about a job that ended at %v", at, got["endTime"])
		}
		// moto drops the fraction of the second, and kumo gives an event its own time.
		if at := e.Time.Format("2006-01-02T15:04:05"); s.emulator.others == nil && !strings.HasPrefix(fmt.Sprint(got["endTime"]), at) {
			t.Errorf("event at %s about a job that ended at %v", at, got["endTime"])
		}
		if end := s.end(t, oddJob).Detail; end["jobId"] != oddJob || end["state"] != "RefreshCompleted" {
			t.Errorf("job %v ended as %v", end["jobId"], end["state"])
		}
		for _, job := range []string{largestJob, oddJob} {
			// Each poll asked for this very id, and the message carried it on.
			if asked, sent := len(s.cluster.describes(job)), len(s.sentOn(job)); asked < 2 || sent != asked-1 {
				t.Errorf("job %s was asked for %d times and sent on %d times", job, asked, sent)
			}
		}
	}
}

// sentTime returns the time that the function gave an event, to the millisecond.
func (s *stack) sentTime(t *testing.T, id any) string {
	t.Helper()
	for _, c := range s.emulator.called() {
		var in struct {
			Entries []struct {
				Time   float64
				Detail string
			}
		}
		if c.Target != putEvents {
			continue
		}
		decode(t, string(c.Body), &in)
		for _, entry := range in.Entries {
			if strings.Contains(entry.Detail, fmt.Sprint(id)) {
				return time.UnixMilli(int64(math.Round(entry.Time * 1000))).UTC().Format("2006-01-02T15:04:05.000Z")
			}
		}
	}
	t.Fatalf("no call put the event %v", id)
	return ""
}

func failure(t *testing.T, s *stack) func(t *testing.T) {
	s.cluster.Add(simcluster.Job{
		ID: failedJob, CollectionName: "ext_orders", RunsFor: 2 * time.Second, Shape: simcluster.LinearTo(60),
		Fails: "read s3://key:" + reasonSecret + "@orders/2024.parquet: no such object", ReasonAfter: 2 * time.Second,
	})
	s.send(t, `{"code": 0, "data": {"jobId": `+failedJob+`}}`)
	return func(t *testing.T) {
		got := s.end(t, failedJob).Detail
		if got["state"] != "RefreshFailed" || got["reason"] != "read s3://orders/2024.parquet: no such object" {
			t.Errorf("state %v, reason %v", got["state"], got["reason"])
		}
	}
}

func notFound(t *testing.T, s *stack) func(t *testing.T) {
	s.cluster.Add(simcluster.Job{ID: unknownJob, NeverVisible: true})
	s.send(t, `{"detail-type": "Refresh submitted", "detail": {"jobId": `+unknownJob+`}}`)
	return func(t *testing.T) {
		if got := s.end(t, unknownJob).Detail; got["state"] != "JobNotFound" {
			t.Errorf("state %v, reason %v", got["state"], got["reason"])
		}
		s.wantLastPoll(t, unknownJob, "NOT_FOUND_GRACE_SECONDS", s.Function.Environment["NOT_FOUND_GRACE_SECONDS"])
	}
}

func expiry(t *testing.T, s *stack) func(t *testing.T) {
	s.cluster.Add(simcluster.Job{ID: hangingJob, RunsFor: time.Second, Shape: simcluster.LinearTo(42), Hangs: true})
	s.send(t, `{"jobId": `+hangingJob+`, "deadlineSeconds": 5}`)
	return func(t *testing.T) {
		got := s.end(t, hangingJob).Detail
		reason := fmt.Sprint(got["reason"])
		if got["state"] != "WatchExpired" || got["progress"] != json.Number("42") || !strings.Contains(reason, "RefreshInProgress at 42 %") {
			t.Errorf("state %v, progress %v, reason %v", got["state"], got["progress"], reason)
		}
		s.wantLastPoll(t, hangingJob, "deadlineSeconds", "5")
	}
}

// wantLastPoll checks that the last poll of a watch was at that age, or as much
// later as the batching window and a busy machine make it.
func (s *stack) wantLastPoll(t *testing.T, jobID, what, seconds string) {
	t.Helper()
	since, err := time.Parse(time.RFC3339, s.end(t, jobID).Detail["watch"].(map[string]any)["since"].(string))
	age, err2 := time.ParseDuration(seconds + "s")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	describes := s.cluster.describes(jobID)
	if last := describes[len(describes)-1].Sub(since); last < age || last > age+5*time.Second {
		t.Errorf("the last poll was %s after the watch began, with a %s of %s s", last, what, seconds)
	}
}

func progress(t *testing.T, s *stack) func(t *testing.T) {
	s.cluster.Add(simcluster.Job{ID: progressJob, PendingFor: 3 * time.Second, RunsFor: 9 * time.Second})
	s.send(t, progressJob)
	return func(t *testing.T) {
		if bus := s.Outputs["EventBusName"]; bus != namedBus {
			t.Errorf("the stack publishes on %q", bus)
		}
		s.end(t, progressJob)
		var states []string
		last := int64(-1)
		for _, e := range s.caught(progressJob) {
			percent, err := strconv.ParseInt(fmt.Sprint(e.Detail["progress"]), 10, 64)
			if err != nil || percent < last {
				t.Errorf("progress %v after %d", e.Detail["progress"], last)
			}
			last = percent
			if state := fmt.Sprint(e.Detail["state"], " ", e.Detail["terminal"]); len(states) == 0 || states[len(states)-1] != state {
				states = append(states, state)
			}
		}
		s.wantArchived(t, len(s.caught(progressJob)))
		if diff := cmp.Diff([]string{"RefreshPending false", "RefreshInProgress false", "RefreshCompleted true"}, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	}
}

// wantArchived checks that the stack's archive has at least so many events.
func (s *stack) wantArchived(t *testing.T, events int) {
	t.Helper()
	out, err := eventbridge.NewFromConfig(s.emulator.client()).ListArchives(t.Context(), &eventbridge.ListArchivesInput{
		EventSourceArn: aws.String(s.Outputs["EventBusArn"]),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Archives) != 1 || out.Archives[0].EventCount < int64(events) {
		t.Errorf("archives %+v, want one with %d events or more", out.Archives, events)
	}
}

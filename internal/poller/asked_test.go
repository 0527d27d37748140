package poller

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/milvus"
)

// The rest of a batch may put a decision off until after the grace or the
// deadline. What counts is when the cluster was asked.
func TestAnAnswerCountsFromWhenItWasAskedFor(t *testing.T) {
	tests := map[string]struct {
		answer Answer
		asked  time.Duration
		action Action
		delay  time.Duration
		state  string // of the event
	}{
		"not found before the end of the grace": {fault(milvus.NotFound), settings.Grace - time.Second, Reenqueue, time.Second, ""},
		"not found at the end of the grace":     {fault(milvus.NotFound), settings.Grace, Publish, 0, "JobNotFound"},
		"in progress before the deadline":       {running, settings.Deadline - time.Second, Reenqueue, time.Second, ""},
		"no answer before the deadline":         {fault(milvus.Temporary), settings.Deadline - time.Second, Reenqueue, time.Second, ""},
		"in progress at the deadline":           {running, settings.Deadline, Publish, 0, "WatchExpired"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.answer.Asked = begun.Add(tt.asked)
			d := Decide(settings, missing(3, 100*time.Second), tt.answer, tt.answer.Asked.Add(20*time.Second))
			state := ""
			if d.Event != nil {
				state = d.Event.State
			}
			if d.Action != tt.action || d.Delay != tt.delay || state != tt.state {
				t.Errorf("%s after %s with %q, want %s after %s with %q", d.Action, d.Delay, state, tt.action, tt.delay, tt.state)
			}
		})
	}
}

func TestASlowBatchDoesNotEndTheGraceOfItsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Cluster = fakeCluster(func(_ context.Context, _ string, jobID int64) (milvus.Job, error) {
			if jobID == 1 {
				return milvus.Job{}, fault(milvus.NotFound).Failure
			}
			time.Sleep(8 * time.Second)
			return completed.Job, nil
		})
		batch := batchOf("1", "2")
		sent := time.Now().Add(time.Second - h.Settings.Grace)
		batch.Records[0].Attributes["SentTimestamp"] = fmt.Sprint(sent.UnixMilli())
		if _, err := h.Handle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if len(h.aws.messages[jobQueue]) != 1 || h.aws.messages[jobQueue][0].DelaySeconds != 1 {
			t.Errorf("sent on: %v, want job 1 after a second; events: %v", h.aws.bodies(jobQueue), h.aws.details(t))
		}
	})
}

// The second request, with the secret read anew, is made after the deadline and
// brings no verdict: neither it nor the one before may end the watch.
func TestARefusalBeforeTheDeadlineEndsNoWatchThatIsThrottledAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		asked := 0
		h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
			if asked++; asked == 1 {
				time.Sleep(8 * time.Second)
				return milvus.Job{}, fault(milvus.Refused).Failure
			}
			return milvus.Job{}, throttled(0).Failure
		})
		batch := batchOf("1")
		sent := time.Now().Add(4*time.Second - h.Settings.Deadline)
		batch.Records[0].Attributes["SentTimestamp"] = fmt.Sprint(sent.UnixMilli())
		if _, err := h.Handle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if asked != 2 || len(h.aws.messages[jobQueue]) != 1 {
			t.Errorf("after %d describes %d messages are sent on, want 1; events: %v", asked, len(h.aws.messages[jobQueue]), h.aws.details(t))
		}
	})
}

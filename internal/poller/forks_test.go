package poller

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// bodyOf is a message of one watch after so many polls.
func bodyOf(polls int) string {
	return watch.Message{Kind: milvus.ExternalCollection, JobID: "7", Watch: watch.State{ID: "watch-1", Since: begun, Polls: polls}}.Body()
}

func runningHarness(t *testing.T) (h *harness, describes *atomic.Int32) {
	h, describes = newHarness(t), &atomic.Int32{}
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		describes.Add(1)
		return running.Job, nil
	})
	return h, describes
}

func TestAWatchThatWasSentOnIsNotSentOnAgain(t *testing.T) {
	for name, polls := range map[string]int{"the same poll": 5, "an earlier poll": 2, "the first message": 0} {
		t.Run(name, func(t *testing.T) {
			h, describes := runningHarness(t)
			h.handle(t, bodyOf(5))
			if failed := h.handle(t, bodyOf(polls)); failed != nil {
				t.Errorf("items %v failed", failed)
			}
			if n := len(h.aws.bodies(jobQueue)); n != 1 || describes.Load() != 1 {
				t.Errorf("%d messages sent after %d describes, want 1 after 1", n, describes.Load())
			}
			if !strings.Contains(h.log.String(), `"jobId":"7","watchId":"watch-1","poll":`+strconv.Itoa(polls+1)+`,"action":"drop"`) {
				t.Errorf("the log does not tell:\n%s", h.log)
			}
			if got := h.lastMeasured(t)["Dropped"]; got != 1.0 {
				t.Errorf("Dropped is %v", got)
			}
		})
	}
}

func TestAnotherWatchOfTheSameJobIsPolled(t *testing.T) {
	h, _ := runningHarness(t)
	h.handle(t, bodyOf(5))
	h.handle(t, "7")
	if n := len(h.aws.bodies(jobQueue)); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

func TestTheNextPollIsMade(t *testing.T) {
	h, describes := runningHarness(t)
	h.handle(t, bodyOf(5))
	h.handle(t, h.aws.bodies(jobQueue)[0])
	if len(h.aws.bodies(jobQueue)) != 2 || describes.Load() != 2 {
		t.Errorf("%d messages after %d describes", len(h.aws.bodies(jobQueue)), describes.Load())
	}
}

func TestAWatchThatHasEndedHasNoOtherEnd(t *testing.T) {
	h := newHarness(t)
	h.handle(t, bodyOf(5))
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return failed.Job, nil })
	h.handle(t, bodyOf(5))
	h.handle(t, bodyOf(9)) // of a chain that was faster
	if len(h.aws.published) != 1 {
		t.Errorf("%d events", len(h.aws.published))
	}
}

func TestARedeliveryAfterAFailedSendIsNeverDropped(t *testing.T) {
	for name, breakDown := range map[string]func(*fakeAWS, bool){
		"the whole call": func(f *fakeAWS, broken bool) {
			f.err = nil
			if broken {
				f.err = context.DeadlineExceeded
			}
		},
		"the entry": func(f *fakeAWS, broken bool) {
			all := func(string) bool { return broken }
			f.refuseMessage, f.refuseEvent = all, all
		},
	} {
		for outcome, job := range map[string]milvus.Job{"sent on": running.Job, "ended": completed.Job} {
			t.Run(name+", a watch to be "+outcome, func(t *testing.T) {
				h := newHarness(t)
				h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return job, nil })
				breakDown(h.aws, true)
				for range 3 {
					if failed := h.handle(t, bodyOf(5)); !slices.Equal(failed, []string{"0"}) {
						t.Fatalf("failed: %v", failed)
					}
				}
				breakDown(h.aws, false)
				if failed := h.handle(t, bodyOf(5)); failed != nil {
					t.Errorf("failed: %v", failed)
				}
				if n := len(h.aws.bodies(jobQueue)) + len(h.aws.published); n != 1 {
					t.Errorf("%d messages and events, want 1", n)
				}
			})
		}
	}
}

func TestAMessageThatWasNotReachedIsNotBehindItsCopy(t *testing.T) {
	h, _ := runningHarness(t)
	h.Limiter.Hold(limiter.MaxHold)
	for range 2 {
		h.handle(t, bodyOf(5))
	}
	if n := len(h.aws.bodies(jobQueue)); n != 2 {
		t.Errorf("%d messages, want 2: nothing was polled", n)
	}
}

func TestOfTwoChainsInOneBatchTheForemostGoesOn(t *testing.T) {
	h, describes := runningHarness(t)
	h.handle(t, bodyOf(4), "8", bodyOf(6), bodyOf(6), bodyOf(5))
	sent := h.aws.bodies(jobQueue)
	if len(sent) != 2 || !strings.Contains(sent[1], `"polls":7`) || describes.Load() != 2 {
		t.Errorf("%d describes, sent %q", describes.Load(), sent)
	}
	if got := h.lastMeasured(t); got["Polls"] != 2.0 || got["Dropped"] != 3.0 {
		t.Errorf("measured %v, want 2 polls and 3 dropped", got)
	}
}

func TestTheForemostStaysInTheQueueWhereItCannotBeSent(t *testing.T) {
	breaks := map[string]func(*harness){
		"as SQS refuses it": func(h *harness) {
			h.aws.refuseMessage = func(body string) bool { return strings.Contains(body, "watch-1") }
		},
		"after a panic": func(h *harness) {
			h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { panic("a bug") })
		},
	}
	for name, breakIt := range breaks {
		t.Run(name, func(t *testing.T) {
			h, _ := runningHarness(t)
			breakIt(h)
			if failed := h.handle(t, bodyOf(4), bodyOf(6), bodyOf(5)); !slices.Equal(failed, []string{"1"}) {
				t.Errorf("items %v failed, want 1", failed)
			}
		})
	}
}

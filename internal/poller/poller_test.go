package poller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/connection"
	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

func TestABatchOfEveryKindIsDealtWithInOneTurn(t *testing.T) {
	h := newHarness(t)
	h.Cluster = fakeCluster(func(_ context.Context, _ string, jobID int64) (milvus.Job, error) {
		switch jobID {
		case 1:
			return completed.Job, nil
		case 2:
			return running.Job, nil
		case 3:
			return milvus.Job{}, &milvus.Error{Kind: milvus.Temporary, Message: "no answer"}
		}
		return milvus.Job{}, errors.New("an error of no kind")
	})
	if failed := h.handle(t, "1", "2", "3", "4", "not a job", `{"jobId":1.5}`); failed != nil {
		t.Errorf("items %v failed", failed)
	}
	if got := slices.Collect(maps.Keys(h.aws.details(t))); !slices.Equal(got, []string{"1"}) {
		t.Errorf("events were published for %v", got)
	}
	var again []string
	for _, body := range h.aws.bodies(jobQueue) {
		m, err := watch.Parse(body, "x", begun, milvus.ExternalCollection)
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, m.JobID)
	}
	if diff := cmp.Diff([]string{"2", "3", "4"}, again); diff != "" {
		t.Error("re-enqueued", diff)
	}
	if diff := cmp.Diff([]string{"not a job", `{"jobId":1.5}`}, h.aws.bodies(deadLetterQueue)); diff != "" {
		t.Error("rejected", diff)
	}
	if h.aws.sendCalls != 2 || h.aws.putCalls != 1 {
		t.Errorf("%d calls of SendMessageBatch and %d of PutEvents, want one a queue and one", h.aws.sendCalls, h.aws.putCalls)
	}
}

func TestTenJobsCostTenDescribesAndOneCall(t *testing.T) {
	var describes atomic.Int32
	h := newHarness(t)
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		describes.Add(1)
		return running.Job, nil
	})
	h.handle(t, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
	if describes.Load() != 10 || h.aws.sendCalls != 1 || h.aws.putCalls != 0 {
		t.Errorf("%d describes, %d SendMessageBatch, %d PutEvents; want 10, 1, 0", describes.Load(), h.aws.sendCalls, h.aws.putCalls)
	}
}

func TestTheSameJobIsDescribedOnce(t *testing.T) {
	var describes atomic.Int32
	h := newHarness(t)
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		describes.Add(1)
		return completed.Job, nil
	})
	h.handle(t, "7", `{"jobId":"7"}`, "7")
	if describes.Load() != 1 {
		t.Errorf("%d describes, want 1", describes.Load())
	}
	ids := map[string]bool{}
	for _, e := range h.aws.published {
		var d struct{ ID string }
		json.Unmarshal([]byte(*e.Detail), &d)
		ids[d.ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("three watches published %d distinct events", len(ids))
	}
}

func TestJobsAreDescribedConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
			time.Sleep(time.Second)
			return completed.Job, nil
		})
		start := time.Now()
		h.handle(t, "1", "2", "3", "4", "5")
		if took := time.Since(start); took != time.Second {
			t.Errorf("five describes of a second took %s", took)
		}
	})
}

func TestIdsAreExactInTheEventAndTheNextMessage(t *testing.T) {
	for _, id := range []int64{9223372036854775807, exactNumber} {
		h := newHarness(t)
		h.Cluster = fakeCluster(func(_ context.Context, _ string, jobID int64) (milvus.Job, error) {
			if jobID != id {
				t.Errorf("described %d, want %d", jobID, id)
			}
			return completed.Job, nil
		})
		h.handle(t, strconv.FormatInt(id, 10))
		if !strings.Contains(*h.aws.published[0].Detail, fmt.Sprintf(`"jobId":"%d"`, id)) {
			t.Errorf("event %s", *h.aws.published[0].Detail)
		}
		h = newHarness(t)
		h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return running.Job, nil })
		h.handle(t, strconv.FormatInt(id, 10))
		if !strings.HasPrefix(h.aws.bodies(jobQueue)[0], fmt.Sprintf(`{"jobId":%d,`, id)) {
			t.Errorf("message %s", h.aws.bodies(jobQueue)[0])
		}
	}
}

func TestAPanicFailsOnlyItsOwnJob(t *testing.T) {
	h := newHarness(t)
	h.Cluster = fakeCluster(func(_ context.Context, _ string, jobID int64) (milvus.Job, error) {
		if jobID == 2 {
			panic("a bug")
		}
		return completed.Job, nil
	})
	if failed := h.handle(t, "1", "2", "3", "2"); !slices.Equal(failed, []string{"1", "3"}) {
		t.Errorf("items %v failed, want those of job 2", failed)
	}
	if len(h.aws.published) != 2 {
		t.Errorf("%d events, want those of jobs 1 and 3", len(h.aws.published))
	}
	if !strings.Contains(h.log.String(), "panic: a bug") {
		t.Error("the log does not tell of the panic")
	}
}

func TestARefusedCredentialIsReadAgainOnceABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		current, readAt, reads := token, time.Now().Add(-time.Second), 0
		h := newHarness(t)
		h.Tokens = fakeTokens(func(_ context.Context, newerThan time.Time) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if !readAt.After(newerThan) {
				current, readAt = rotatedToken, time.Now()
				reads++
			}
			return current, nil
		})
		refuse := func(token string) error {
			time.Sleep(time.Millisecond)
			if token != rotatedToken {
				return &milvus.Error{Kind: milvus.Refused, Message: "user hasn't authenticated"}
			}
			return nil
		}
		h.Cluster = fakeCluster(func(_ context.Context, token string, _ int64) (milvus.Job, error) {
			return completed.Job, refuse(token)
		})
		h.handle(t, "1", "2", "3")
		if len(h.aws.published) != 3 || reads != 1 {
			t.Errorf("%d events after %d reads of the secret, want 3 after 1", len(h.aws.published), reads)
		}
	})
}

func TestAStaleConnectionCostsASecondRequestAndNoPoll(t *testing.T) {
	stale := &milvus.Error{Kind: milvus.Temporary, Message: "no answer: EOF", Stale: true}
	refused := &milvus.Error{Kind: milvus.Refused, Message: "no"}
	tests := map[string]struct {
		rate    float64
		answers []error
		sent    string // the state of the event; temporary without one
	}{
		"that answers then":             {100, []error{stale, nil}, "RefreshCompleted"},
		"to one that is too":            {100, []error{stale, stale}, "temporary"},
		"to a cluster that refuses":     {100, []error{stale, refused, nil}, "RefreshCompleted"},
		"for which no request is left":  {1.0 / 60, []error{stale}, "temporary"},
		"that refused, so it was alive": {100, []error{refused, stale}, "temporary"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				h.Limiter = limiter.New(tt.rate)
				describes := 0
				h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
					describes++
					if err := tt.answers[describes-1]; err != nil {
						return milvus.Job{}, err
					}
					return completed.Job, nil
				})
				h.handle(t, "1")
				sent := "temporary"
				for _, e := range h.aws.details(t) {
					sent = e.State
				}
				if sent != tt.sent || describes != len(tt.answers) || len(h.lastMeasured(t)["DescribeLatency"].([]any)) != describes {
					t.Errorf("%s after %d describes; measured %v", sent, describes, h.lastMeasured(t))
				}
			})
		})
	}
}

func TestACredentialRefusedTwiceKeepsTheJob(t *testing.T) {
	var describes atomic.Int32
	h := newHarness(t)
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		describes.Add(1)
		return milvus.Job{}, &milvus.Error{Kind: milvus.Refused, Message: "user hasn't authenticated"}
	})
	if failed := h.handle(t, "1"); failed != nil {
		t.Error("a fault of the cluster failed the item")
	}
	if describes.Load() != 2 {
		t.Errorf("%d describes, want one and one more", describes.Load())
	}
	if got := h.aws.messages[jobQueue][0].DelaySeconds; got != 300 {
		t.Errorf("polled again after %d s, want the slowest pace", got)
	}
}

func TestARefusalStandsWhenTheSecretCannotBeReadAgain(t *testing.T) {
	h := newHarness(t)
	h.Tokens = fakeTokens(func(_ context.Context, newerThan time.Time) (string, error) {
		if !newerThan.IsZero() {
			return "", errors.New("access denied")
		}
		return token, nil
	})
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		return milvus.Job{}, &milvus.Error{Kind: milvus.Refused, Message: "no"}
	})
	h.handle(t, "1")
	if got := h.aws.messages[jobQueue][0].DelaySeconds; got != 300 {
		t.Errorf("polled again after %d s, want the slowest pace", got)
	}
}

func TestASecretThatCannotBeReadKeepsTheJob(t *testing.T) {
	h := newHarness(t)
	h.Tokens = fakeTokens(func(context.Context, time.Time) (string, error) {
		return "", errors.New("read the secret: " + strings.Repeat("x", 5000))
	})
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		t.Error("described without a token")
		return milvus.Job{}, nil
	})
	if failed := h.handle(t, "1", "2"); failed != nil {
		t.Error("the items failed")
	}
	for _, body := range h.aws.bodies(jobQueue) {
		m, err := watch.Parse(body, "x", begun, milvus.ExternalCollection)
		if err != nil {
			t.Fatal(err)
		}
		if m.Watch.Failures != 1 || m.Watch.LastError != "the secret with the cluster's token can't be read" {
			t.Errorf("the watch went on as %+v", m.Watch)
		}
	}
}

func TestAThrottledAnswerHoldsBackTheRestOfTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var asked []time.Duration
		start := time.Now()
		h := newHarness(t)
		h.Limiter = limiter.New(1)
		h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, time.Since(start))
			if len(asked) == 1 {
				return milvus.Job{}, &milvus.Error{Kind: milvus.Throttled, RetryAfter: 5 * time.Second}
			}
			return completed.Job, nil
		})
		h.handle(t, "1", "2")
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second}, asked); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheNextRequestStartsASecondAfterOneIsKnownToHaveArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var asked []time.Duration
		start := time.Now()
		h := newHarness(t)
		h.Limiter = limiter.New(1)
		h.Cluster = fakeCluster(func(ctx context.Context, _ string, _ int64) (milvus.Job, error) {
			mu.Lock()
			asked = append(asked, time.Since(start))
			mu.Unlock()
			time.Sleep(50 * time.Millisecond)
			connection.Arrived(ctx)
			time.Sleep(4 * time.Second)
			return completed.Job, nil
		})
		h.handle(t, "1", "2", "3")
		if diff := cmp.Diff([]time.Duration{0, 1050 * time.Millisecond, 2100 * time.Millisecond}, asked); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsNotReachedInTimeIsReenqueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Limiter = limiter.New(0.2) // one in five seconds
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		response, _ := h.Handle(ctx, batchOf("1", "2", "3", "4", "5", "6", "7", "8", "9", "10"))
		if took := time.Since(start); took > 12*time.Second {
			t.Errorf("describes started until %s of 30 s", took)
		}
		if len(response.BatchItemFailures) != 0 || len(h.aws.published) != 3 || len(h.aws.messages[jobQueue]) != 7 {
			t.Errorf("%d failed, %d ended, %d re-enqueued; want 0, 3, 7", len(response.BatchItemFailures), len(h.aws.published), len(h.aws.messages[jobQueue]))
		}
		if m, err := watch.Parse(h.aws.bodies(jobQueue)[0], "x", begun, milvus.ExternalCollection); err != nil || m.Watch.Polls != 0 {
			t.Errorf("a job that was not reached counts %d polls", m.Watch.Polls)
		}
	})
}

func TestAClusterThatNeverAnswersLeavesTimeToSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Cluster = fakeCluster(func(ctx context.Context, _ string, _ int64) (milvus.Job, error) {
			<-ctx.Done()
			return milvus.Job{}, &milvus.Error{Kind: milvus.Temporary, Message: "no answer"}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		response, _ := h.Handle(ctx, batchOf("1", "2"))
		if took := time.Since(start); took > 23*time.Second || len(response.BatchItemFailures) != 0 || len(h.aws.messages[jobQueue]) != 2 {
			t.Errorf("%d re-enqueued after %s", len(h.aws.messages[jobQueue]), took)
		}
	})
}

func TestAnEmptyBatchIsNoWork(t *testing.T) {
	h := newHarness(t)
	if failed := h.handle(t); failed != nil || h.aws.sendCalls+h.aws.putCalls != 0 {
		t.Error("something was sent")
	}
}

func TestAFailureThatAnOperatorHasToMendIsAWarning(t *testing.T) {
	for kind, level := range map[milvus.ErrorKind]string{
		milvus.Refused: "WARN", milvus.Misconfigured: "WARN",
		milvus.Temporary: "INFO", milvus.NotFound: "INFO", milvus.Throttled: "INFO", milvus.Busy: "INFO",
	} {
		h := newHarness(t)
		h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
			return milvus.Job{}, &milvus.Error{Kind: kind, Message: "no"}
		})
		h.handle(t, "1")
		var line struct{ Level, ErrorKind string }
		if err := json.Unmarshal(h.log.Bytes(), &line); err != nil || line.Level != level || line.ErrorKind != string(kind) {
			t.Errorf("%s, %v: %s", kind, err, h.log.Bytes())
		}
	}
}

func TestAWatchBeginsWithItsFirstMessage(t *testing.T) {
	h := newHarness(t)
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return running.Job, nil })
	h.handle(t, "1")
	m, err := watch.Parse(h.aws.bodies(jobQueue)[0], "another", begun.Add(time.Hour), milvus.ExternalCollection)
	if err != nil || m.Watch.ID != "0" || !m.Watch.Since.Equal(begun) || m.Watch.Polls != 1 {
		t.Errorf("the watch is %+v, %v", m.Watch, err)
	}
}

func TestEveryDecisionIsALine(t *testing.T) {
	h := newHarness(t)
	h.Cluster = fakeCluster(func(_ context.Context, _ string, jobID int64) (milvus.Job, error) {
		switch jobID {
		case exactNumber:
			return running.Job, nil
		case 2:
			return milvus.Job{}, &milvus.Error{Kind: milvus.Refused, Message: "no", Status: 401}
		}
		return completed.Job, nil
	})
	h.handle(t, exactID, "2", "3", "x")
	var lines []map[string]any
	for line := range bytes.Lines(h.log.Bytes()) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		delete(fields, "time")
		delete(fields, "eventId")
		lines = append(lines, fields)
	}
	want := []map[string]any{
		{"level": "INFO", "msg": "job polled", "awsRequestId": "request-1", "kind": "external_collection", "jobId": "449503829274509313", "watchId": "0", "since": "2024-04-11T10:40:00Z", "poll": 1.0, "state": "RefreshInProgress", "collection": "ext_books", "progress": 42.0, "action": "re-enqueue", "delaySeconds": 274.0},
		{"level": "WARN", "msg": "job polled", "awsRequestId": "request-1", "kind": "external_collection", "jobId": "2", "watchId": "1", "since": "2024-04-11T10:40:00Z", "poll": 1.0, "action": "re-enqueue", "delaySeconds": 300.0, "errorKind": "refused", "error": "no (HTTP 401)"},
		{"level": "INFO", "msg": "job polled", "awsRequestId": "request-1", "kind": "external_collection", "jobId": "3", "watchId": "2", "since": "2024-04-11T10:40:00Z", "poll": 1.0, "state": "RefreshCompleted", "collection": "ext_books", "progress": 100.0, "action": "publish", "outcome": "succeeded"},
		{"level": "WARN", "msg": "message rejected", "awsRequestId": "request-1", "messageId": "3", "action": "reject", "reason": "the body is neither a job id nor a JSON object: send the job id alone, {\"jobId\": …}, the refresh endpoint's response, or an EventBridge event with one of these objects as its detail"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

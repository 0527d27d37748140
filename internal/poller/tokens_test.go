package poller

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
)

// A refusal is the operator's to mend, so it must not be lost to a second request
// that never got through: slow pace, warning and alarm hang on its kind.
func TestWhatBecomesOfARefusal(t *testing.T) {
	refused := &milvus.Error{Kind: milvus.Refused, Message: "user hasn't authenticated"}
	tests := map[string]struct {
		rotated bool
		reading time.Duration // of the secret, the second time
		second  error
		want    milvus.ErrorKind
		asked   int
	}{
		"read anew in time, and refused again": {false, 11 * time.Second, refused, milvus.Refused, 2},
		"read anew too late":                   {true, 13 * time.Second, nil, milvus.Refused, 1},
		"read anew, and no answer":             {false, 0, fault(milvus.Temporary).Failure, milvus.Refused, 2},
		"read anew, and throttled":             {false, 0, throttled(0).Failure, milvus.Refused, 2},
		"rotated, and no answer":               {true, 0, fault(milvus.Temporary).Failure, milvus.Temporary, 2},
		"read anew, and not found":             {false, 0, fault(milvus.NotFound).Failure, milvus.NotFound, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				h.Tokens = fakeTokens(func(ctx context.Context, newerThan time.Time) (string, error) {
					if newerThan.IsZero() {
						return token, nil
					}
					select {
					case <-ctx.Done():
						return "", ctx.Err()
					case <-time.After(tt.reading):
					}
					if tt.rotated {
						return rotatedToken, nil
					}
					return token, nil
				})
				began, asked := time.Now(), 0
				h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
					if asked++; asked == 1 {
						return milvus.Job{}, refused
					}
					if late := time.Since(began); late > 12*time.Second {
						t.Errorf("a describe started after %s of 30 s", late)
					}
					return completed.Job, tt.second
				})
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if _, err := h.Handle(ctx, batchOf("1")); err != nil {
					t.Fatal(err)
				}
				errors := "DescribeErrors" + map[milvus.ErrorKind]string{milvus.Refused: "Refused", milvus.Temporary: "Temporary", milvus.NotFound: "NotFound"}[tt.want]
				if line := h.lastMeasured(t); line[errors] != 1.0 || asked != tt.asked {
					t.Errorf("measured %v after %d describes, want %s after %d", line, asked, errors, tt.asked)
				}
			})
		})
	}
}

// The first reading has no more time than the describes after it.
func TestASecretThatHangsLeavesTimeToSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Tokens = fakeTokens(func(ctx context.Context, _ time.Time) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := h.Handle(ctx, batchOf("1")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 12*time.Second || len(h.aws.messages[jobQueue]) != 1 {
			t.Errorf("%d re-enqueued after %s", len(h.aws.messages[jobQueue]), took)
		}
		if line := h.lastMeasured(t); line["Polls"] != 1.0 || line["DescribeErrorsTemporary"] != 1.0 || line["NotReached"] != nil {
			t.Errorf("measured %v", line)
		}
	})
}

func TestWhatIsNotReachedWaitsUntilTheClusterMayBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Limiter = limiter.New(1)
		h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
			return milvus.Job{}, throttled(50 * time.Second).Failure
		})
		batch := batchOf("1", "2")
		for i := range batch.Records {
			delete(batch.Records[i].Attributes, "SentTimestamp") // sent now: the schedule alone would wait for 5 s
		}
		if _, err := h.Handle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for _, e := range h.aws.messages[jobQueue] {
			if e.DelaySeconds != 50 {
				t.Errorf("%s after %d s", *e.MessageBody, e.DelaySeconds)
			}
		}
	})
}

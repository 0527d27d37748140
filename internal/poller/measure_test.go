package poller

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/metric"
	"refresh-poller/internal/milvus"
)

// measured returns the members of the one line of metrics that was written.
func (h *harness) measured(t *testing.T) map[string]any {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(h.metrics.Bytes(), &root); err != nil || strings.Count(h.metrics.String(), "\n") != 1 {
		t.Fatalf("not one line of JSON: %v\n%s", err, h.metrics)
	}
	if root["Stack"] != "stack-1" {
		t.Errorf("the metrics are of the stack %v", root["Stack"])
	}
	delete(root, "Stack")
	delete(root, "_aws")
	return root
}

// lastMeasured returns the members of the last line.
func (h *harness) lastMeasured(t *testing.T) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(h.metrics.String()), "\n")
	var root map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// none is the line of a batch in which nothing happened.
var none = map[string]any{"Polls": 0.0, "Succeeded": 0.0, "DescribeErrorsNotFound": 0.0}

// lineWith is that line with some metrics changed.
func lineWith(changes map[string]any) map[string]any {
	line := maps.Clone(none)
	maps.Copy(line, changes)
	return line
}

func TestABatchIsMeasuredInOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Settings.PublishProgress = true
		start := time.Now()
		h.Cluster = fakeCluster(func(_ context.Context, _ string, jobID int64) (milvus.Job, error) {
			time.Sleep(12 * time.Millisecond)
			switch jobID {
			case 1:
				return milvus.Job{State: milvus.StateCompleted, StartTime: start.Add(-93 * time.Second), EndTime: start.Add(-2 * time.Second)}, nil
			case 2:
				return failed.Job, nil
			case 3:
				return running.Job, nil
			case 4:
				return milvus.Job{}, &milvus.Error{Kind: milvus.Throttled}
			}
			return milvus.Job{}, &milvus.Error{Kind: milvus.NotFound}
		})
		batch := batchOf("1", "2", "3", "4", "5", "not a job")
		for i := range batch.Records {
			batch.Records[i].Attributes["SentTimestamp"] = strconv.FormatInt(start.UnixMilli(), 10)
		}
		h.Handle(t.Context(), batch)
		want := map[string]any{
			"Polls": 5.0, "Succeeded": 3.0, "DescribeErrorsNotFound": 1.0, "DescribeErrorsThrottled": 1.0,
			"DescribeLatency": []any{12.0, 12.0, 12.0, 12.0, 12.0},
			"Reenqueued":      3.0, "Rejected": 1.0,
			"EventsRefreshCompleted": 1.0, "EventsRefreshFailed": 1.0, "EventsProgress": 1.0,
			"DetectionLag": []any{2012.0}, "JobDuration": []any{91000.0}, "PollsPerJob": []any{1.0, 1.0},
		}
		if diff := cmp.Diff(want, h.measured(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEachLineSaysHowManyParametersAreWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.ConfigurationFaults = 2
		h.Handle(t.Context(), batchOf())
		if diff := cmp.Diff(lineWith(map[string]any{"ConfigurationFaults": 2.0}), h.measured(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMeasuresOf(t *testing.T) {
	refuse := func(context.Context, string, int64) (milvus.Job, error) {
		return milvus.Job{}, &milvus.Error{Kind: milvus.Refused}
	}
	tests := map[string]struct {
		prepare func(*harness)
		bodies  []string
		want    map[string]any
	}{
		"an empty batch": {func(*harness) {}, nil, nil},
		"three messages about one job": {
			func(h *harness) {
				h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return failed.Job, nil })
			},
			[]string{"7", "7", `{"jobId":"7"}`},
			map[string]any{"Polls": 1.0, "Succeeded": 1.0, "DescribeLatency": []any{3.0}, "EventsRefreshFailed": 3.0, "PollsPerJob": []any{1.0, 1.0, 1.0}},
		},
		"a rotated credential": {
			func(h *harness) {
				h.Tokens = fakeTokens(func(_ context.Context, newerThan time.Time) (string, error) {
					return map[bool]string{true: token, false: rotatedToken}[newerThan.IsZero()], nil
				})
				h.Cluster = fakeCluster(func(ctx context.Context, current string, jobID int64) (milvus.Job, error) {
					if current == token {
						return refuse(ctx, current, jobID)
					}
					return running.Job, nil
				})
			},
			[]string{"1"},
			map[string]any{"Polls": 1.0, "Succeeded": 1.0, "DescribeLatency": []any{3.0, 3.0}, "Reenqueued": 1.0},
		},
		"a wrong credential": {
			func(h *harness) { h.Cluster = fakeCluster(refuse) },
			[]string{"1"},
			map[string]any{"Polls": 1.0, "DescribeErrorsRefused": 1.0, "DescribeLatency": []any{3.0, 3.0}, "Reenqueued": 1.0},
		},
		"a secret that can't be read": {
			func(h *harness) {
				h.Tokens = fakeTokens(func(context.Context, time.Time) (string, error) { return "", errors.New("access denied") })
			},
			[]string{"1", "2"},
			map[string]any{"Polls": 2.0, "DescribeErrorsTemporary": 2.0, "Reenqueued": 2.0},
		},
		"no time for the second job": {
			func(h *harness) { h.Cluster, h.Limiter = half, limiter.New(0.001) },
			[]string{"6", "8"},
			map[string]any{"Polls": 1.0, "Succeeded": 1.0, "DescribeLatency": []any{3.0}, "Reenqueued": 2.0, "NotReached": 1.0},
		},
		"a bus that takes nothing": {
			func(h *harness) { h.aws.refuseEvent = func(string) bool { return true } },
			[]string{"1", "2"},
			map[string]any{"Polls": 2.0, "Succeeded": 2.0, "DescribeLatency": []any{3.0, 3.0}, "FailedItems": 2.0},
		},
		"a panic": {
			func(h *harness) {
				h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { panic("a bug") })
			},
			[]string{"1"},
			map[string]any{"FailedItems": 1.0},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				tt.prepare(h)
				describe := h.Cluster.Describe
				h.Cluster = fakeCluster(func(ctx context.Context, token string, jobID int64) (milvus.Job, error) {
					time.Sleep(3 * time.Millisecond)
					return describe(ctx, token, jobID)
				})
				h.Handle(t.Context(), batchOf(tt.bodies...))
				if diff := cmp.Diff(lineWith(tt.want), h.measured(t)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Whatever comes of a batch, each poll is counted as a success or one kind of
// error, and each message once.
func TestMeasuresAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	answers := []Answer{
		running, pending, completed, failed, {NotReached: true},
		fault(milvus.Temporary), fault(milvus.Refused), fault(milvus.Misconfigured), fault(milvus.NotFound), throttled(time.Minute),
	}
	for range 300 {
		byJob := map[int64]Answer{}
		polls := 0
		var items []*item
		for range random.IntN(11) {
			if random.IntN(6) == 0 {
				items = append(items, &item{decision: Decision{Action: Reject}})
				continue
			}
			it := &item{message: message(1, 0)}
			it.message.JobID = 1 + random.Int64N(6)
			answer, shared := byJob[it.message.JobID]
			if !shared {
				answer = answers[random.IntN(len(answers))]
				byJob[it.message.JobID] = answer
				if !answer.NotReached {
					polls++
				}
			}
			s := settings
			s.PublishProgress = random.IntN(2) == 0
			it.answer = answer
			it.decision = Decide(s, it.message, answer, begun.Add(time.Duration(random.IntN(26))*time.Hour))
			if random.IntN(6) == 0 {
				it.err = errors.New("not sent")
			}
			items = append(items, it)
		}
		line := map[string]any{}
		if err := json.Unmarshal(measure(items, begun).Line("s", begun), &line); err != nil {
			t.Fatal(err)
		}
		sum := func(names ...metric.Name) (total int) {
			for _, name := range names {
				n, _ := line[string(name)].(float64)
				total += int(n)
			}
			return total
		}
		outcomes := sum(metric.Succeeded, metric.DescribeErrorsNotFound, metric.DescribeErrorsTemporary,
			metric.DescribeErrorsThrottled, metric.DescribeErrorsMisconfigured, metric.DescribeErrorsRefused)
		ends := sum(metric.EventsRefreshCompleted, metric.EventsRefreshFailed, metric.EventsJobNotFound, metric.EventsWatchExpired)
		if sum(metric.Polls) != polls || outcomes != polls {
			t.Fatalf("%d polls are counted as %d with %d outcomes: %v", polls, sum(metric.Polls), outcomes, line)
		}
		if n := sum(metric.Reenqueued, metric.Rejected, metric.FailedItems) + ends; n != len(items) {
			t.Fatalf("%d messages are counted as %d: %v", len(items), n, line)
		}
	}
}

// ended are ten messages whose jobs have ended, each described twice.
func ended() []*item {
	items := make([]*item, 10)
	for i := range items {
		m := message(3, 0)
		m.JobID = int64(i + 1)
		answer := completed
		answer.Took = []time.Duration{time.Millisecond, time.Millisecond}
		items[i] = &item{message: m, answer: answer, decision: Decide(settings, m, answer, begun)}
	}
	return items
}

func TestMeasuringTenMessagesCostsAtMost20Allocations(t *testing.T) {
	items := ended()
	if n := testing.AllocsPerRun(100, func() { measure(items, begun).Line("refresh-poller", begun) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMeasureTenMessages(b *testing.B) {
	items := ended()
	b.ReportAllocs()
	for b.Loop() {
		measure(items, begun).Line("refresh-poller", begun)
	}
	if per := b.Elapsed() / time.Duration(b.N); b.N > 1000 && per > 100*time.Microsecond {
		b.Errorf("%s, more than 0.1 ms", per)
	}
}

package metric

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

var at = time.Date(2024, 4, 11, 10, 40, 0, 999_999, time.UTC)

func TestALine(t *testing.T) {
	var b Batch
	for range 3 {
		b.Count(Polls)
	}
	b.Count(Succeeded)
	b.Count(DescribeErrors(milvus.Refused))
	b.Count(Ended("RefreshCompleted", milvus.Succeeded))
	b.Observe(DescribeLatency, 12)
	b.Observe(DescribeLatency, 0)
	b.Observe(DetectionLag, -7)
	want := `{"_aws":{"Timestamp":1712832000000,"CloudWatchMetrics":[{"Namespace":"RefreshPoller","Dimensions":[["Stack"]],"Metrics":[` +
		`{"Name":"Polls","Unit":"Count"},{"Name":"Succeeded","Unit":"Count"},{"Name":"DescribeErrorsNotFound","Unit":"Count"},` +
		`{"Name":"DescribeErrorsRefused","Unit":"Count"},{"Name":"DescribeLatency","Unit":"Milliseconds"},` +
		`{"Name":"EventsRefreshCompleted","Unit":"Count"},{"Name":"DetectionLag","Unit":"Milliseconds"}]}]},` +
		`"Stack":"books","Polls":3,"Succeeded":1,"DescribeErrorsNotFound":0,"DescribeErrorsRefused":1,"DescribeLatency":[12,0],` +
		`"EventsRefreshCompleted":1,"DetectionLag":[0]}` + "\n"
	if diff := cmp.Diff(want, string(b.Line("books", at))); diff != "" {
		t.Error(diff)
	}
}

func TestAnEmptyBatchHasWhatAlarmsComputeWith(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(new(Batch).Line("books", at), &root); err != nil {
		t.Fatal(err)
	}
	delete(root, "_aws")
	want := map[string]any{"Stack": "books", "Polls": 0.0, "Succeeded": 0.0, "DescribeErrorsNotFound": 0.0}
	if diff := cmp.Diff(want, root); diff != "" {
		t.Error(diff)
	}
}

// Whatever is measured, under whatever stack's name, the line is valid and holds
// every count and the first MaxValues values.
func TestEveryLineIsValidAndComplete(t *testing.T) {
	s := readSchema(t)
	random := rand.New(rand.NewPCG(5, 6))
	stacks := []string{"refresh-poller", `a"b\c`, "two\nlines", "<&>", "\u2028 \x00 é", "\xff", strings.Repeat("s", 1024)}
	for range 300 {
		var b Batch
		want := map[string]any{"Polls": 0.0, "Succeeded": 0.0, "DescribeErrorsNotFound": 0.0}
		for _, d := range Definitions {
			switch n := random.IntN(1 + random.IntN(2*MaxValues)); {
			case n == 0:
			case observed(d):
				var values []any
				for range n {
					value := random.Int64N(1 << uint(1+random.IntN(50))) // exact as a float64
					b.Observe(d.Name, value)
					values = append(values, float64(value))
				}
				want[string(d.Name)] = values[:min(n, MaxValues)]
			default:
				for range n {
					b.Count(d.Name)
				}
				want[string(d.Name)] = float64(n)
			}
		}
		line := b.Line(stacks[random.IntN(len(stacks))], at)
		if err := checkLine(s, line); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if len(line) > 64<<10 {
			t.Fatalf("a line of %d bytes", len(line))
		}
		var root map[string]any
		if err := json.Unmarshal(line, &root); err != nil {
			t.Fatal(err)
		}
		delete(root, "_aws")
		delete(root, Dimension)
		if diff := cmp.Diff(want, root); diff != "" {
			t.Fatal(diff)
		}
	}
}

func observed(d Definition) bool {
	return d.Unit == Milliseconds || d.Name == PollsPerJob
}

func TestTheStackIsNamedAsItIs(t *testing.T) {
	for _, stack := range []string{"books", `a"b\c`, "two\nlines", "é\u2028"} {
		var root struct{ Stack string }
		if err := json.Unmarshal(new(Batch).Line(stack, at), &root); err != nil || root.Stack != stack {
			t.Errorf("%q became %q, %v", stack, root.Stack, err)
		}
	}
}

func TestTheLargestValueStays(t *testing.T) {
	var b Batch
	b.Observe(JobDuration, math.MaxInt64)
	if line := string(b.Line("books", at)); !strings.Contains(line, `"JobDuration":[9223372036854775807]`) {
		t.Error(line)
	}
}

func TestEveryKindAndStateIsCountedByItsName(t *testing.T) {
	kinds := map[milvus.ErrorKind]Name{
		milvus.NotFound:      "DescribeErrorsNotFound",
		milvus.Temporary:     "DescribeErrorsTemporary",
		milvus.Throttled:     "DescribeErrorsThrottled",
		milvus.Misconfigured: "DescribeErrorsMisconfigured",
		milvus.Refused:       "DescribeErrorsRefused",
		"of tomorrow":        "DescribeErrorsTemporary",
	}
	for kind, want := range kinds {
		if got := DescribeErrors(kind); got != want {
			t.Errorf("an error of kind %s counts as %s, want %s", kind, got, want)
		}
	}
	for _, tt := range []struct {
		state   string
		outcome milvus.Outcome
		want    Name
	}{
		{"RefreshCompleted", milvus.Succeeded, "EventsRefreshCompleted"},
		{"RefreshFailed", milvus.Failed, "EventsRefreshFailed"},
		{event.StateNotFound, event.NotFound, "EventsJobNotFound"},
		{event.StateExpired, event.Expired, "EventsWatchExpired"},
		{"Completed", milvus.Succeeded, "EventsSucceeded"},
		{"RestoreSnapshotFailed", milvus.Failed, "EventsFailed"},
		{"CANCELED", milvus.Canceled, "EventsCanceled"},
		{"Uncommitted", milvus.AwaitingCommit, "EventsAwaitingCommit"},
	} {
		if got := Ended(tt.state, tt.outcome); got != tt.want {
			t.Errorf("an end in %s counts as %s, want %s", tt.state, got, tt.want)
		}
	}
}

// ofTen fills a batch of ten messages with as much as there can be of it.
func ofTen() []byte {
	var b Batch
	for range 10 {
		b.Count(Polls)
		b.Count(Succeeded)
		b.Count(Ended("RefreshCompleted", milvus.Succeeded))
		b.Observe(DescribeLatency, 12)
		b.Observe(DescribeLatency, 15)
		b.Observe(DetectionLag, 2100)
		b.Observe(JobDuration, 93000)
		b.Observe(PollsPerJob, 12)
	}
	for _, d := range Definitions {
		if !observed(d) {
			b.Count(d.Name)
		}
	}
	return b.Line("refresh-poller", at)
}

const maxAllocations = 20

func TestABatchOfTenCostsFewAllocations(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { ofTen() }); n > maxAllocations {
		t.Errorf("%v allocations, more than %d", n, maxAllocations)
	}
}

func BenchmarkABatchOfTen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ofTen()
	}
	if per := b.Elapsed() / time.Duration(b.N); b.N > 1000 && per > 100*time.Microsecond {
		b.Errorf("%s, more than 0.1 ms", per)
	}
}

func TestDefinitionsAreDistinctAndInCloudWatchsWords(t *testing.T) {
	var names []Name
	for _, d := range Definitions {
		names = append(names, d.Name)
		if d.Name == Dimension || strings.Trim(string(d.Name), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Errorf("%s is no name of a metric", d.Name)
		}
		if d.Unit != Count && d.Unit != Milliseconds {
			t.Errorf("%s has the unit %s", d.Name, d.Unit)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(Definitions) {
		t.Error("two metrics have one name")
	}
	if diff := cmp.Diff(declared(t), names); diff != "" {
		t.Errorf("constants without a definition, or the other way round (-constants +definitions):\n%s", diff)
	}
}

package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/caarlos0/env/v11"
)

// TestMain makes this test's own binary the function when it runs behind a
// Runtime API.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	p, err := newPoller(env.ToMap(os.Environ()), os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(p.Handle)
}

func TestASoakSendsNewBatchesAndReadsTheMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd()
	samples, err := runSoak(t.Context(), binary, c, 40)
	if err != nil {
		t.Fatal(err)
	}
	if c.messages != 400 || c.rejected != 40 || c.begun < 40*3 || c.begun == 40*9 || c.ended < 40 {
		t.Errorf("of %d messages %d were rejected, %d began a watch, %d events ended one", c.messages, c.rejected, c.begun, c.ended)
	}
	for i, s := range samples {
		if s.batches != i || s.now < 1<<20 || s.peak < s.now {
			t.Errorf("sample %d: %+v", i, s)
		}
	}
	if len(samples) != 41 {
		t.Errorf("%d samples, want one before the first batch and one after each", len(samples))
	}
}

func TestAMessageThatComesToNothingOrFromNowhereIsLost(t *testing.T) {
	c := newCrowd()
	c.sent("JobQueue", []string{`{"jobId": 1}`})
	if !c.lost() {
		t.Error("a message that nobody had sent has come")
	}
	c = newCrowd()
	c.batch()
	if !c.lost() {
		t.Error("a batch of which nothing has come is not lost")
	}
	c.sent("JobQueue", make([]string, 6))
	c.sent("", make([]string, 3))
	c.sent("JobDeadLetterQueue", make([]string, 1))
	if c.lost() {
		t.Error("a batch of which all has come is lost")
	}
}

func TestMemoryIsFlatOnceItHasGrownToItsSize(t *testing.T) {
	tests := map[string]struct {
		at   func(batches int) int64
		want string
	}{
		"it grows at first": {func(n int) int64 { return min(12e6+int64(n)*10_000, 14e6) }, "100.0 % of the second quarter's, at most 103 %: holds"},
		"it falls again":    {func(n int) int64 { return 20e6 - int64(n)*1000 }, "97.4 % of the second quarter's, at most 103 %: holds"},
		"it never stops":    {func(n int) int64 { return 12e6 + int64(n)*1000 }, "104.0 % of the second quarter's, at most 103 %: DOES NOT HOLD"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var samples []sample
			for n := 0; n <= 1000; n++ {
				samples = append(samples, sample{n, tt.at(n), tt.at(n)})
			}
			var out strings.Builder
			r := report{out: &out, kept: true}
			r.flat(samples)
			if !strings.Contains(out.String(), tt.want) || r.kept == strings.Contains(tt.want, "NOT") {
				t.Errorf("kept %t, printed\n%s\nwant …%s", r.kept, out.String(), tt.want)
			}
			if rows := regexp.MustCompile(`(?m)^ +\d+`).FindAllString(out.String(), -1); strings.Join(strings.Fields(strings.Join(rows, "")), " ") != "0 10 100 250 500 750 1000" {
				t.Errorf("rows after %s batches", rows)
			}
		})
	}
}

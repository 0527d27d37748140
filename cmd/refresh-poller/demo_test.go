package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/config"
	"refresh-poller/internal/laptop/embedded"
	"refresh-poller/internal/laptop/simcluster"
)

func TestAnInterruptedDemoEndsAtOnce(t *testing.T) {
	got := runUntil(t, "poll 1", nil, "demo")
	if got.status != exitInterrupted || got.stdout != "" {
		t.Errorf("status %d, stdout %q", got.status, got.stdout)
	}
	if !strings.HasSuffix(got.stderr, "\ndemo: interrupted\n") || strings.Contains(got.stderr, "How the watches ended") {
		t.Error(got.stderr)
	}
}

// asItShould is how a demo ends in which nothing goes wrong.
func asItShould() (dead []embedded.Message, ends map[string]string) {
	ends = map[string]string{}
	for _, w := range demoWatches {
		ends[w.job.ID] = w.want
	}
	reason := map[string]types.MessageAttributeValue{"RejectReason": {StringValue: aws.String("jobId has an exponent")}}
	return []embedded.Message{{Body: demoBadMessage, MessageAttributes: reason}}, ends
}

func TestTheReportNamesEveryEnd(t *testing.T) {
	dead, ends := asItShould()
	var got strings.Builder
	faults := report(func(line string) { fmt.Fprintln(&got, line) }, dead, simcluster.Counts{Describes: 28, Lists: 3, Starts: 1, PeakPerSecond: 6}, ends)
	want := `
How the watches ended:
  ext_orders   RefreshCompleted  completes, as most do
  ext_late     RefreshCompleted  is not visible at first, and completes
  ext_limited  RefreshCompleted  completes behind rate limits and a bad gateway
  ext_broken   RefreshFailed     fails at 60 %
  ext_never    JobNotFound       is never found
  ext_stuck    WatchExpired      hangs, and expires at its deadline
  ext_asked    RefreshCompleted  is started by the poller, and completes
In the dead-letter queue:
  {"jobId": 4.495038292745093e17}
  jobId has an exponent
The cluster was asked 32 times, at most 6 times in a second. It started 1 refresh.
`
	if diff := cmp.Diff(want, got.String()); diff != "" || faults > 0 {
		t.Errorf("%d faults\n%s", faults, diff)
	}
}

func TestTheReportSaysWhatIsNotAsItShouldBe(t *testing.T) {
	dead, ends := asItShould()
	delete(ends, "449503829274509313")
	ends["449503829274509315"] = simcluster.Completed
	var got strings.Builder
	faults := report(func(line string) { fmt.Fprintln(&got, line) }, append(dead, dead...), simcluster.Counts{}, ends)
	if faults != 3 {
		t.Errorf("%d faults", faults)
	}
	for _, want := range []string{
		"  ext_orders   no event          completes, as most do\n  but it should be RefreshCompleted\n",
		"  ext_broken   RefreshCompleted  fails at 60 %\n  but it should be RefreshFailed\n",
		"  but it should be {\"jobId\": 4.495038292745093e17} alone\n",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("%q is not in\n%s", want, got.String())
		}
	}
}

// No screen has fewer columns.
func TestTheStatusOfTheDemoFitsInto60Columns(t *testing.T) {
	s := newStack(config.Config{}, demoToken, nil, slog.DiscardHandler)
	for range len(demoWatches) {
		s.queues.Send(jobQueue, "1", 2*time.Second)
	}
	s.queues.Send(deadLetterQueue, demoBadMessage, 0)
	got := s.status(6)
	if want := "queue: 7 waiting, due in 2s · bus: 6 events · rejected: 1"; got != want || utf8.RuneCountInString(got) > 60 {
		t.Error(got)
	}
}

func TestTheStoryThatIsForetoldNamesEachJob(t *testing.T) {
	for _, w := range demoWatches {
		if !strings.Contains(foretold, w.name) {
			t.Error(w.name, "is not in", foretold)
		}
	}
}

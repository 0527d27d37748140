package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/embedded"
	"refresh-poller/internal/simcluster"
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
	faults := report(func(line string) { fmt.Fprintln(&got, line) }, dead, simcluster.Counts{Describes: 32, PeakPerSecond: 6}, ends)
	want := `
How the watches ended:
  449503829274509313   RefreshCompleted  ext_books
  9223372036854775807  RefreshCompleted  ext_logs
  449503829274509314   RefreshCompleted  ext_clicks
  449503829274509315   RefreshFailed     ext_orders
  449503829274509316   JobNotFound
  449503829274509317   WatchExpired      ext_stuck
In the dead-letter queue:
  {"jobId": 4.495038292745093e17}
  jobId has an exponent
The cluster was asked 32 times, at most 6 times in a second.
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
		"  449503829274509313   no event          ext_books\n  but it should be RefreshCompleted\n",
		"  449503829274509315   RefreshCompleted  ext_orders\n  but it should be RefreshFailed\n",
		"  but it should be {\"jobId\": 4.495038292745093e17} alone\n",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("%q is not in\n%s", want, got.String())
		}
	}
}

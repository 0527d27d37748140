package poller

import (
	"context"
	"strings"
	"testing"
)

const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0"

func TestTheTraceIsInTheLogAndOnTheEvents(t *testing.T) {
	h := newHarness(t)
	ctx := context.WithValue(t.Context(), "x-amzn-trace-id", trace) //lint:ignore SA1029 the key is aws-lambda-go's
	if _, err := h.Handle(ctx, batchOf("1")); err != nil {
		t.Fatal(err)
	}
	if got := h.aws.published[0].TraceHeader; got == nil || *got != trace {
		t.Errorf("the event has the trace header %v", got)
	}
	if !strings.Contains(h.log.String(), `"traceId":"1-5759e988-bd862e3fe1be46a994272793"`) {
		t.Errorf("the log is %s", h.log)
	}
}

func TestWithoutATraceNothingIsSaidOfIt(t *testing.T) {
	h := newHarness(t)
	h.handle(t, "1")
	if h.aws.published[0].TraceHeader != nil || strings.Contains(h.log.String(), "traceId") {
		t.Error("a trace was made up")
	}
}

// With Tracing PassThrough nearly each trace is one that nobody can look up.
func TestATraceIsNamedByItsRootIfItIsRecorded(t *testing.T) {
	for header, want := range map[string]string{
		trace:                                    "1-5759e988-bd862e3fe1be46a994272793",
		"Sampled=1; Root=1-a-b":                  "1-a-b",
		"Self=1-x;Root=1-y;Parent=1-z;Sampled=1": "1-y",
		"Sampled=1;Parent=53995c3f42cd8ad8":      "",
		"Root=1-a-b;Sampled=0":                   "",
		"Root=1-a-b":                             "",
		"Root=1-a-b;Self=1-Sampled=1":            "",
		"":                                       "",
	} {
		if got := recordedTrace(header); got != want {
			t.Errorf("%q has the id %q, want %q", header, got, want)
		}
	}
}

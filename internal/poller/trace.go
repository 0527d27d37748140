package poller

import (
	"context"
	"strings"
)

// traceHeader returns the invocation's X-Ray trace header, or "". aws-lambda-go
// puts it into ctx, where the SDK finds it for SQS, but not for the entries of
// PutEvents (aws/aws-lambda-go, lambda/invoke_loop.go).
func traceHeader(ctx context.Context) string {
	header, _ := ctx.Value("x-amzn-trace-id").(string)
	return header
}

// recordedTrace returns the trace's id in a header such as
// "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
// or "": X-Ray knows nothing of a trace that is not sampled.
func recordedTrace(header string) (id string) {
	sampled := false
	for field := range strings.SplitSeq(header, ";") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(field), "="); name {
		case "Root":
			id = value
		case "Sampled":
			sampled = value == "1"
		}
	}
	if !sampled {
		return ""
	}
	return id
}

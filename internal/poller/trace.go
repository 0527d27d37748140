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

// traceID returns the trace's id in a header such as
// "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".
func traceID(header string) string {
	for field := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(field), "Root="); ok {
			return id
		}
	}
	return ""
}

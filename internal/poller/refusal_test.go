package poller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"refresh-poller/internal/metric"
	"refresh-poller/internal/milvus"
)

// answeredWith is the SDK's error for an answer of that status and code.
func answeredWith(status int, code string) error {
	return &smithy.OperationError{Err: &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code},
	}}}
}

// pickyAWS refuses a whole call for one of its entries.
type pickyAWS struct {
	*fakeAWS
	bad string // is in that entry
	err error
}

func (p pickyAWS) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, o ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	for _, e := range in.Entries {
		if strings.Contains(*e.Detail, p.bad) {
			p.putCalls++
			return nil, p.err
		}
	}
	return p.fakeAWS.PutEvents(ctx, in, o...)
}

func (p pickyAWS) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, o ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	for _, e := range in.Entries {
		if strings.Contains(*e.MessageBody, p.bad) {
			p.sendCalls++
			return nil, p.err
		}
	}
	return p.fakeAWS.SendMessageBatch(ctx, in, o...)
}

func TestACallThatIsRefusedWholeCostsOnlyTheEntryThatIsToBlame(t *testing.T) {
	tests := map[string]struct {
		err           error
		failed        []string
		puts, sends   int // calls
		events, again int // taken
	}{
		"for what it holds":       {answeredWith(400, "ValidationException"), []string{"1", "4"}, 1 + 3, 1 + 3, 2, 2},
		"for its size":            {answeredWith(413, "RequestEntityTooLarge"), []string{"1", "4"}, 1 + 3, 1 + 3, 2, 2},
		"for too many calls":      {answeredWith(400, "ThrottlingException"), []string{"0", "1", "2", "3", "4", "5"}, 1, 1, 0, 0},
		"by a fault of its own":   {answeredWith(500, "InternalFailure"), []string{"0", "1", "2", "3", "4", "5"}, 1, 1, 0, 0},
		"by no answer whatsoever": {errors.New("connection reset"), []string{"0", "1", "2", "3", "4", "5"}, 1, 1, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.Cluster = half
			picky := pickyAWS{h.aws, `"poison"`, tt.err}
			h.SQS, h.EventBridge = picky, picky
			failed := h.handle(t, "1", `{"jobId":2,"context":{"poison":1}}`, "3", "6", `{"jobId":7,"context":{"poison":1}}`, "8")
			if !slices.Equal(failed, tt.failed) {
				t.Errorf("items %v failed, want %v", failed, tt.failed)
			}
			if h.aws.putCalls != tt.puts || h.aws.sendCalls != tt.sends || len(h.aws.published) != tt.events || len(h.aws.messages[jobQueue]) != tt.again {
				t.Errorf("%d of PutEvents and %d of SendMessageBatch brought %d events and %d messages", h.aws.putCalls, h.aws.sendCalls, len(h.aws.published), len(h.aws.messages[jobQueue]))
			}
		})
	}
}

func TestATraceHeaderThatNoEntryTakesIsLeftOut(t *testing.T) {
	for length, sent := range map[int]bool{500: true, 501: false} {
		h := newHarness(t)
		header := "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=" + strings.Repeat("x", length-59)
		ctx := context.WithValue(t.Context(), "x-amzn-trace-id", header) //lint:ignore SA1029 the key is aws-lambda-go's
		if _, err := h.Handle(ctx, batchOf("1")); err != nil {
			t.Fatal(err)
		}
		if got := h.aws.published[0].TraceHeader; (got != nil) != sent {
			t.Errorf("of %d characters: %q", length, aws.ToString(got))
		}
		if !strings.Contains(h.log.String(), `"traceId":"1-5759e988-bd862e3fe1be46a994272793"`) {
			t.Errorf("the log is %s", h.log)
		}
	}
}

func TestARejectedMessageKeepsItsAttributes(t *testing.T) {
	text := func(value string) events.SQSMessageAttribute {
		return events.SQSMessageAttribute{DataType: "String", StringValue: &value}
	}
	h := newHarness(t)
	batch := batchOf("bad")
	own := map[string]events.SQSMessageAttribute{
		"tenant": text("a"), "size": {DataType: "Number", StringValue: aws.String("7")}, "raw": {DataType: "Binary.gzip", BinaryValue: []byte{0, 255}},
		"RejectReason": text("an earlier one"), "OriginalMessageId": text("an earlier one"), "none": {},
	}
	batch.Records[0].MessageAttributes = own
	if _, err := h.Handle(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	got := h.aws.messages[deadLetterQueue][0].MessageAttributes
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{"OriginalMessageId", "RejectReason", "raw", "size", "tenant"}) {
		t.Fatalf("the attributes are %v", names)
	}
	if *got["OriginalMessageId"].StringValue != "0" || !strings.HasPrefix(*got["RejectReason"].StringValue, "the body is neither") {
		t.Errorf("the poller's are %v", got)
	}
	if *got["size"].StringValue != "7" || *got["size"].DataType != "Number" || string(got["raw"].BinaryValue) != "\x00\xff" || *got["raw"].DataType != "Binary.gzip" {
		t.Errorf("its own are %v", got)
	}
}

func TestARejectedMessageKeepsEightAttributesAtMost(t *testing.T) {
	h := newHarness(t)
	batch := batchOf("bad")
	batch.Records[0].MessageAttributes = map[string]events.SQSMessageAttribute{}
	for i := range 10 {
		batch.Records[0].MessageAttributes[fmt.Sprintf("own-%d", i)] = events.SQSMessageAttribute{DataType: "String", StringValue: aws.String("x")}
	}
	if _, err := h.Handle(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	got := h.aws.messages[deadLetterQueue][0].MessageAttributes
	if len(got) != 10 || got["RejectReason"].StringValue == nil || got["own-7"].StringValue == nil {
		t.Errorf("the attributes are %v", slices.Sorted(maps.Keys(got)))
	}
}

// The cluster's own word for a state may be one of the poller's.
func TestAStateOfTheClustersIsNotCountedAsAnEndOfThePollers(t *testing.T) {
	h := newHarness(t)
	h.Settings.PublishProgress = true
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		return milvus.Job{State: "WatchExpired"}, nil
	})
	h.handle(t, "1")
	line := h.lastMeasured(t)
	if line[string(metric.EventsProgress)] != 1.0 || line[string(metric.EventsWatchExpired)] != nil {
		t.Errorf("measured %v", line)
	}
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// Queues stands in for the SDK's client.
var _ = []interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}{(*sqs.Client)(nil), (*Queues)(nil)}

type attributes = map[string]types.MessageAttributeValue

func text(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func entry(id, body string) types.SendMessageBatchRequestEntry {
	return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
}

func entries(n int) []types.SendMessageBatchRequestEntry {
	var all []types.SendMessageBatchRequestEntry
	for i := range n {
		all = append(all, entry(fmt.Sprint(i), "a"))
	}
	return all
}

func send(q *Queues, entries ...types.SendMessageBatchRequestEntry) (*sqs.SendMessageBatchOutput, error) {
	return q.SendMessageBatch(context.Background(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(jobs), Entries: entries})
}

func TestSendMessageBatchEnqueuesEachEntryWithItsDelayAndAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		now, late := entry("now", "a"), entry("late", "b")
		late.DelaySeconds = 900
		late.MessageAttributes = attributes{"RejectReason": text("no job id")}
		out, err := send(q, now, late)
		if err != nil {
			t.Fatal(err)
		}
		got := q.Receive(jobs, 10)
		wantBodies(t, "at once", got, "a")
		time.Sleep(15 * time.Minute)
		got = append(got, q.Receive(jobs, 10)[1:]...)
		wantBodies(t, "after the delay", got, "a", "b")

		reason := got[1].MessageAttributes["RejectReason"]
		if aws.ToString(reason.StringValue) != "no job id" {
			t.Errorf("message attributes %v", got[1].MessageAttributes)
		}
		for i, s := range out.Successful {
			want := fmt.Sprint([]string{"now", "late"}[i], got[i].ID, md5OfBody(got[i].Body))
			if have := fmt.Sprint(*s.Id, *s.MessageId, *s.MD5OfMessageBody); have != want {
				t.Errorf("result %d is %s, want %s", i, have, want)
			}
		}
		if out.Successful[0].MD5OfMessageAttributes != nil || out.Successful[1].MD5OfMessageAttributes == nil {
			t.Error("want a digest of the attributes where there are some, only")
		}
	})
}

func TestAnEntryThatSQSRefusesFailsAloneByFaultOfTheSender(t *testing.T) {
	tooMany := attributes{}
	for i := range 11 {
		tooMany[fmt.Sprint("a", i)] = text("v")
	}
	tests := map[string]struct {
		body       string
		delay      int32
		attributes attributes
		want       string
	}{
		"no body":                           {want: "MissingParameter"},
		"a control character":               {body: "a\x00b", want: "InvalidMessageContents"},
		"a non-character":                   {body: "a\uFFFF", want: "InvalidMessageContents"},
		"text that is not UTF-8":            {body: "a\xff", want: "InvalidMessageContents"},
		"a negative delay":                  {body: "a", delay: -1, want: "InvalidParameterValue"},
		"a delay above 15 minutes":          {body: "a", delay: 901, want: "InvalidParameterValue"},
		"eleven attributes":                 {body: "a", attributes: tooMany, want: "InvalidParameterValue"},
		"an attribute with a bad name":      {body: "a", attributes: attributes{"a..b": text("v")}, want: "InvalidParameterValue"},
		"an attribute with a long name":     {body: "a", attributes: attributes{strings.Repeat("n", 257): text("v")}, want: "InvalidParameterValue"},
		"an attribute without a type":       {body: "a", attributes: attributes{"n": {StringValue: aws.String("v")}}, want: "InvalidParameterValue"},
		"an attribute of an unknown type":   {body: "a", attributes: attributes{"n": {DataType: aws.String("Text"), StringValue: aws.String("v")}}, want: "InvalidParameterValue"},
		"an attribute without a value":      {body: "a", attributes: attributes{"n": text("")}, want: "InvalidParameterValue"},
		"an attribute with a bad character": {body: "a", attributes: attributes{"n": text("\x01")}, want: "InvalidParameterValue"},
		"a binary attribute with text":      {body: "a", attributes: attributes{"n": {DataType: aws.String("Binary"), StringValue: aws.String("v")}}, want: "InvalidParameterValue"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := newTestQueues()
			bad := entry("bad", tt.body)
			bad.DelaySeconds, bad.MessageAttributes = tt.delay, tt.attributes
			out, err := send(q, bad, entry("good", "good"))
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Failed) != 1 || len(out.Successful) != 1 || *out.Successful[0].Id != "good" {
				t.Fatalf("failed %v, successful %v", out.Failed, out.Successful)
			}
			if f := out.Failed[0]; *f.Id != "bad" || *f.Code != tt.want || !f.SenderFault || *f.Message == "" {
				t.Errorf("failed with %s %s %q, sender's fault %t", *f.Id, *f.Code, *f.Message, f.SenderFault)
			}
			wantBodies(t, "the queue", q.Messages(jobs), "good")
		})
	}
}

func TestABatchThatSQSRefusesSendsNothing(t *testing.T) {
	big := strings.Repeat("x", maxBatchBytes/2)
	attributed := entry("b", big[1:])
	attributed.MessageAttributes = attributes{"n": text("v")}
	tests := map[string]struct {
		entries []types.SendMessageBatchRequestEntry
		want    error
	}{
		"no entries":                         {nil, &types.EmptyBatchRequest{}},
		"eleven entries":                     {entries(11), &types.TooManyEntriesInBatchRequest{}},
		"an entry without an id":             {[]types.SendMessageBatchRequestEntry{{MessageBody: &big}}, &types.InvalidBatchEntryId{}},
		"an id with a space":                 {[]types.SendMessageBatchRequestEntry{entry("a b", "a")}, &types.InvalidBatchEntryId{}},
		"an id used twice":                   {append(entries(1), entries(1)...), &types.BatchEntryIdsNotDistinct{}},
		"a message above 1 MiB":              {[]types.SendMessageBatchRequestEntry{entry("a", big+big+"x")}, &types.BatchRequestTooLong{}},
		"messages above 1 MiB in total":      {[]types.SendMessageBatchRequestEntry{entry("a", big), entry("b", big+"x")}, &types.BatchRequestTooLong{}},
		"attributes that lead to over 1 MiB": {[]types.SendMessageBatchRequestEntry{entry("a", big), attributed}, &types.BatchRequestTooLong{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := newTestQueues()
			_, err := send(q, tt.entries...)
			if got, want := fmt.Sprintf("%T", err), fmt.Sprintf("%T", tt.want); got != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if q.Depth(jobs) != 0 {
				t.Error("something was sent")
			}
		})
	}
}

func TestABatchAtTheLimitsOfSQSIsSent(t *testing.T) {
	q := newTestQueues()
	full := entries(10)
	binary := types.MessageAttributeValue{DataType: aws.String("Binary.gz"), BinaryValue: []byte{0}}
	full[0].MessageAttributes = attributes{"a.b_c-d": binary, "n": {DataType: aws.String("Number"), StringValue: aws.String("1")}}
	full[1].MessageBody = aws.String("tab\t, lines\r\n, \uFFFD and \U0010FFFF")
	rest := 0
	for _, e := range full {
		rest += size(e)
	}
	full[9].MessageBody = aws.String(strings.Repeat("x", maxBatchBytes-rest+1))
	out, err := send(q, full...)
	if err != nil || len(out.Successful) != 10 {
		t.Fatalf("sent %v, error %v", out, err)
	}
}

func TestSendingToAnUnknownQueueSaysThatItDoesNotExist(t *testing.T) {
	_, err := NewQueues().SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(jobs), Entries: entries(1)})
	if missing := (*types.QueueDoesNotExist)(nil); !errors.As(err, &missing) {
		t.Errorf("error %v, want %T", err, missing)
	}
}

func TestNothingIsSentOnceTheContextIsDone(t *testing.T) {
	q := newTestQueues()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := q.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(jobs), Entries: entries(1)})
	if !errors.Is(err, context.Canceled) || q.Depth(jobs) != 0 {
		t.Errorf("error %v, depth %d", err, q.Depth(jobs))
	}
}

func TestAMessageDoesNotShareItsAttributesWithSenderOrConsumer(t *testing.T) {
	q := newTestQueues()
	e := entry("a", "a")
	e.MessageAttributes = attributes{"n": text("v")}
	if _, err := send(q, e); err != nil {
		t.Fatal(err)
	}
	delete(e.MessageAttributes, "n")
	delete(q.Messages(jobs)[0].MessageAttributes, "n")
	if len(q.Messages(jobs)[0].MessageAttributes) != 1 {
		t.Error("the message lost its attribute")
	}
}

// The digests are those that AWS's own SDKs compute for these attributes.
func TestAttributesHaveTheDigestThatConsumersCheck(t *testing.T) {
	word := text("attribValue 1")
	number := types.MessageAttributeValue{DataType: aws.String("Number.float"), StringValue: aws.String("4563442423554324324264524243.32543234")}
	binary := types.MessageAttributeValue{DataType: aws.String("Binary"), BinaryValue: []byte("Hello binary world!")}
	tests := map[string]struct {
		attributes attributes
		want       string
	}{
		"text":            {attributes{"attribName1": word}, "19e27d4e946b072f3f58da80d94fd778"},
		"a custom type":   {attributes{"customNumberTypeAttrib": number}, "9fe1b90bbd9965bdf77bac517c7d2495"},
		"binary":          {attributes{"binaryAttribute": binary}, "31a92b15d92f8db860eda32aceb656c3"},
		"several, sorted": {attributes{"customNumberTypeAttrib": number, "binaryAttribute": binary, "attribName1": word}, "c932db14a896c663f83c260297d594ff"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, md5OfAttributes(tt.attributes)); diff != "" {
				t.Errorf("digest (-want +got):\n%s", diff)
			}
		})
	}
}

package poller

import (
	"maps"
	"slices"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Attributes of a rejected message, beside its own.
const (
	attributeReason = "RejectReason"
	attributeID     = "OriginalMessageId"
)

// maxAttributes is how many a message may have (Amazon SQS Developer Guide,
// "Amazon SQS message metadata").
const maxAttributes = 10

// rejectParcel leaves the body as it is. Beside one that fills a message, only
// as much is said of it, and kept of its own attributes, as there is room for.
func rejectParcel(it *item) parcel[sqstypes.SendMessageBatchRequestEntry] {
	out := parcel[sqstypes.SendMessageBatchRequestEntry]{
		item:  it,
		entry: sqstypes.SendMessageBatchRequestEntry{MessageBody: &it.record.Body, MessageAttributes: map[string]sqstypes.MessageAttributeValue{}},
		bytes: len(it.record.Body),
	}
	attach := func(name string, value sqstypes.MessageAttributeValue) {
		bytes := len(name) + len(*value.DataType) + len(aws.ToString(value.StringValue)) + len(value.BinaryValue)
		_, there := out.entry.MessageAttributes[name]
		if !there && *value.DataType != "" && len(out.entry.MessageAttributes) < maxAttributes && out.bytes+bytes <= maxMessageBytes {
			out.entry.MessageAttributes[name] = value
			out.bytes += bytes
		}
	}
	for _, own := range [][2]string{{attributeID, it.record.MessageId}, {attributeReason, it.decision.Reason}} {
		if own[1] != "" {
			attach(own[0], sqstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: &own[1]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(it.record.MessageAttributes)) {
		attach(name, attributeValue(it.record.MessageAttributes[name]))
	}
	return out
}

func attributeValue(a events.SQSMessageAttribute) sqstypes.MessageAttributeValue {
	return sqstypes.MessageAttributeValue{DataType: &a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
}

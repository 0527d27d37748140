package embedded

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// The limits of SQS (API reference, SendMessageBatch; developer guide, quotas).
const (
	maxBatchEntries    = 10
	maxBatchBytes      = 1 << 20 // of one message too, which a batch of one makes the same limit
	maxDelaySeconds    = 900
	maxAttributes      = 10
	maxAttributeLength = 256 // characters of an attribute's name, and of its type
)

var (
	entryID       = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\..+)?$`)
)

// Send enqueues one message, visible after delay (whole seconds, rounded up),
// and returns its id. It panics on what SQS would refuse, so it is not for
// bodies from outside; SendMessageBatch is.
func (q *Queues) Send(url, body string, delay time.Duration) (messageID string) {
	out, err := q.SendMessageBatch(context.Background(), &sqs.SendMessageBatchInput{
		QueueUrl: &url,
		Entries: []types.SendMessageBatchRequestEntry{{
			Id:           aws.String("1"),
			MessageBody:  &body,
			DelaySeconds: int32((delay + time.Second - 1) / time.Second),
		}},
	})
	if err != nil {
		panic("embedded: send: " + err.Error())
	}
	if len(out.Failed) > 0 {
		panic("embedded: send: " + *out.Failed[0].Message)
	}
	return *out.Successful[0].MessageId
}

// SendMessageBatch enqueues 1 to 10 messages, as the method of the SDK's client
// does. What is wrong with one entry is reported in Failed and leaves the other
// entries alone; what is wrong with the batch is the error, and sends nothing.
func (q *Queues) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	to, err := q.find(aws.ToString(in.QueueUrl))
	if err != nil {
		return nil, err
	}
	if err := refuseBatch(in.Entries); err != nil {
		return nil, err
	}
	out, now := &sqs.SendMessageBatchOutput{}, time.Now()
	for _, e := range in.Entries {
		if code, reason := refuseEntry(e); code != "" {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{
				Id: e.Id, Code: &code, Message: &reason, SenderFault: true,
			})
			continue
		}
		m := &message{
			Message: Message{ID: newID(), Body: *e.MessageBody, MessageAttributes: maps.Clone(e.MessageAttributes)},
			sent:    now,
			visible: now.Add(time.Duration(e.DelaySeconds) * time.Second),
		}
		to.add(m)
		sent := types.SendMessageBatchResultEntry{
			Id: e.Id, MessageId: &m.ID, MD5OfMessageBody: aws.String(md5OfBody(m.Body)),
		}
		if len(m.MessageAttributes) > 0 {
			sent.MD5OfMessageAttributes = aws.String(md5OfAttributes(m.MessageAttributes))
		}
		out.Successful = append(out.Successful, sent)
	}
	return out, nil
}

// refuseBatch returns why SQS would refuse the request as a whole.
func refuseBatch(entries []types.SendMessageBatchRequestEntry) error {
	switch n := len(entries); {
	case n == 0:
		return &types.EmptyBatchRequest{Message: aws.String("There should be at least one entry in the request.")}
	case n > maxBatchEntries:
		return &types.TooManyEntriesInBatchRequest{Message: aws.String(fmt.Sprintf("At most %d entries, not %d.", maxBatchEntries, n))}
	}
	ids, bytes := map[string]bool{}, 0
	for _, e := range entries {
		id := aws.ToString(e.Id)
		if !entryID.MatchString(id) {
			return &types.InvalidBatchEntryId{Message: aws.String(fmt.Sprintf("%q is not a valid entry id.", id))}
		}
		if ids[id] {
			return &types.BatchEntryIdsNotDistinct{Message: aws.String(fmt.Sprintf("Id %s repeated.", id))}
		}
		ids[id] = true
		bytes += size(e)
	}
	if bytes > maxBatchBytes {
		return &types.BatchRequestTooLong{Message: aws.String(fmt.Sprintf("At most %d bytes, not %d.", maxBatchBytes, bytes))}
	}
	return nil
}

// size returns what SQS counts for the entry, in bytes.
func size(e types.SendMessageBatchRequestEntry) int {
	bytes := len(aws.ToString(e.MessageBody))
	for name, a := range e.MessageAttributes {
		bytes += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue)) + len(a.BinaryValue)
	}
	return bytes
}

// refuseEntry returns why SQS would refuse one entry; the code is empty if it
// would take it.
func refuseEntry(e types.SendMessageBatchRequestEntry) (code, reason string) {
	switch body := aws.ToString(e.MessageBody); {
	case body == "":
		return "MissingParameter", "The request must contain the parameter MessageBody."
	case !allowed(body):
		return "InvalidMessageContents", "The message contains characters outside the allowed set."
	case e.DelaySeconds < 0 || e.DelaySeconds > maxDelaySeconds:
		return "InvalidParameterValue", fmt.Sprintf("DelaySeconds must be >= 0 and <= %d, not %d.", maxDelaySeconds, e.DelaySeconds)
	case len(e.MessageAttributes) > maxAttributes:
		return "InvalidParameterValue", fmt.Sprintf("At most %d message attributes, not %d.", maxAttributes, len(e.MessageAttributes))
	}
	for name, a := range e.MessageAttributes {
		if !validAttribute(name, a) {
			return "InvalidParameterValue", fmt.Sprintf("The message attribute %q has an invalid name, type or value.", name)
		}
	}
	return "", ""
}

func validAttribute(name string, a types.MessageAttributeValue) bool {
	dataType, text := aws.ToString(a.DataType), aws.ToString(a.StringValue)
	if len(name) > maxAttributeLength || !attributeName.MatchString(name) ||
		len(dataType) > maxAttributeLength || !attributeType.MatchString(dataType) {
		return false
	}
	if strings.HasPrefix(dataType, "Binary") {
		return len(a.BinaryValue) > 0 && text == ""
	}
	return text != "" && allowed(text) && len(a.BinaryValue) == 0
}

// allowed reports whether SQS takes the text: XML 1.0 characters only, which in
// valid UTF-8 leaves out most control characters and two non-characters.
func allowed(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\uFFFE' || r == '\uFFFF'
	})
}

func md5OfBody(body string) string { return fmt.Sprintf("%x", md5.Sum([]byte(body))) }

// md5OfAttributes is the digest that consumers check: in order of name, the
// name, the type, one byte for the kind of value (1 text, 2 binary) and the
// value, each led by its length (developer guide, message metadata).
func md5OfAttributes(attributes map[string]types.MessageAttributeValue) string {
	var b []byte
	field := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		field(name)
		field(*a.DataType)
		if a.StringValue != nil {
			b = append(b, 1)
			field(*a.StringValue)
		} else {
			b = append(b, 2)
			field(string(a.BinaryValue))
		}
	}
	return fmt.Sprintf("%x", md5.Sum(b))
}

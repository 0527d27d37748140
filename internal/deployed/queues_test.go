package deployed

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var theStack = Stack{Name: "orders", JobQueueURL: "https://sqs/jobs", DeadLetterQueueURL: "https://sqs/dead", ClusterEndpoint: "https://cluster.example"}

// fakeQueues are a stack's two queues, with the habits of SQS that a redrive has to
// live with.
type fakeQueues struct {
	dead []*deadLetter
	// sent are the messages in the job queue.
	sent []types.SendMessageBatchRequestEntry
	// calls are the names of the calls made.
	calls []string

	// counted is what the count of visible letters is off by.
	counted int
	// batch is how many letters a receive brings at most.
	batch int
	// again has each receive bring a letter that is hidden, too.
	again bool
	// onReceive is called before a receive.
	onReceive func()
	// refuse says which bodies are not taken; undeletable, whose letters stay.
	refuse, undeletable func(body string) bool
	// fail says which calls fail whole.
	fail func(call string) error
}

// deadLetter is one, with the receipt handle that deletes it.
type deadLetter struct {
	types.Message
	visible time.Time
}

// die adds a letter; without a reason it is one that SQS has moved.
func (q *fakeQueues) die(body, reason string) {
	m := types.Message{MessageId: aws.String(fmt.Sprintf("letter-%03d", len(q.dead))), Body: &body, MessageAttributes: map[string]types.MessageAttributeValue{
		"tenant": {DataType: aws.String("String"), StringValue: aws.String("t of " + body)},
	}}
	if reason != "" {
		m.MessageAttributes[attributeReason] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &reason}
		m.MessageAttributes[attributeID] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String("o")}
	}
	q.dead = append(q.dead, &deadLetter{Message: m})
}

func (q *fakeQueues) call(name string) error {
	q.calls = append(q.calls, name)
	if q.fail != nil {
		return q.fail(name)
	}
	return nil
}

// visible returns the bodies of the letters that others would see now.
func (q *fakeQueues) visible() (bodies []string) {
	for _, d := range q.dead {
		if !d.visible.After(time.Now()) {
			bodies = append(bodies, *d.Body)
		}
	}
	return bodies
}

func (q *fakeQueues) GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	n := len(q.visible())
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(max(n+q.counted, 0)),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(len(q.dead) - n),
	}}, q.call("count")
}

func (q *fakeQueues) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if q.onReceive != nil {
		q.onReceive()
	}
	if err := q.call("receive"); err != nil {
		return nil, err
	}
	limit, out := int(in.MaxNumberOfMessages), &sqs.ReceiveMessageOutput{}
	if q.batch > 0 {
		limit = q.batch
	}
	for _, d := range q.dead {
		hidden := d.visible.After(time.Now())
		if len(out.Messages) == limit || hidden && (!q.again || len(out.Messages) > 0) {
			continue
		}
		d.visible = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
		d.ReceiptHandle = aws.String(fmt.Sprint(*d.MessageId, " at call ", len(q.calls)))
		out.Messages = append(out.Messages, d.Message)
	}
	if len(out.Messages) == 0 {
		time.Sleep(time.Duration(in.WaitTimeSeconds) * time.Second)
	}
	return out, nil
}

func (q *fakeQueues) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	if err := q.call("send"); err != nil {
		return nil, err
	}
	out, bytes := &sqs.SendMessageBatchOutput{}, 0
	for _, e := range in.Entries {
		if bytes += len(*e.MessageBody); q.refuse != nil && q.refuse(*e.MessageBody) {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError"), Message: aws.String("not today")})
			continue
		}
		q.sent = append(q.sent, e)
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id, MessageId: aws.String("message-" + strconv.Itoa(len(q.sent)))})
	}
	if *in.QueueUrl != theStack.JobQueueURL || len(in.Entries) > 10 || bytes > 1<<20 {
		return nil, fmt.Errorf("%d entries of %d bytes to %s", len(in.Entries), bytes, *in.QueueUrl)
	}
	slices.Reverse(out.Successful) // SQS promises no order
	return out, nil
}

func (q *fakeQueues) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	if err := q.call("delete"); err != nil {
		return nil, err
	}
	out := &sqs.DeleteMessageBatchOutput{}
	for _, e := range in.Entries {
		q.dead = slices.DeleteFunc(q.dead, func(d *deadLetter) bool {
			if aws.ToString(d.ReceiptHandle) != *e.ReceiptHandle {
				return false // an older handle succeeds, and deletes nothing
			}
			if q.undeletable != nil && q.undeletable(*d.Body) {
				out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
				return false
			}
			return true
		})
	}
	return out, nil
}

func (q *fakeQueues) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	if err := q.call("release"); err != nil {
		return nil, err
	}
	for _, e := range in.Entries {
		for _, d := range q.dead {
			if aws.ToString(d.ReceiptHandle) == *e.ReceiptHandle {
				d.visible = time.Now().Add(time.Duration(e.VisibilityTimeout) * time.Second)
			}
		}
	}
	return &sqs.ChangeMessageVisibilityBatchOutput{}, nil
}

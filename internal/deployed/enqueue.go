package deployed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// Limits of one batch call (Amazon SQS API Reference, SendMessageBatch).
const (
	maxEntries = 10
	maxBytes   = 1 << 20
)

// Options are what the messages of one enqueue have in common.
type Options struct {
	// Kind is empty for the stack's.
	Kind milvus.JobKind
	// Context is a JSON object, or nil.
	Context json.RawMessage
	// Deadline is 1 s to 336 h, in whole seconds; 0 is for the stack's.
	Deadline time.Duration
}

// Bodies makes a message for each job; of jobs of that kind where the options name
// none. The error is what the poller would say of one of them.
func (o Options) Bodies(ids []string, kind milvus.JobKind) ([]string, error) {
	if o.Context != nil && !json.Valid(o.Context) {
		return nil, errors.New("context is not valid JSON: it must be a JSON object")
	}
	bodies := make([]string, len(ids))
	for i, id := range ids {
		bodies[i] = o.body(id)
		if _, err := watch.Parse(bodies[i], id, time.Now(), kind); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

func (o Options) body(id string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	// Escaping would make a context longer than it is allowed to be.
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		JobID           string          `json:"jobId"`
		Kind            milvus.JobKind  `json:"kind,omitempty"`
		Context         json.RawMessage `json:"context,omitempty"`
		DeadlineSeconds float64         `json:"deadlineSeconds,omitempty"`
	}{id, o.Kind, o.Context, o.Deadline.Seconds()})
	if err != nil {
		panic(err) // the context is valid
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Sender sends messages.
type Sender interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}

// Enqueue sends the bodies to the job queue, and tells of each by its index: the
// message's id, which is the watch's, or why it was not sent. The error, which
// sent returned, a call failed with or ctx has, leaves the others unsent.
func (s Stack) Enqueue(ctx context.Context, queue Sender, bodies []string, sent func(i int, messageID string, err error) error) error {
	for first := 0; first < len(bodies); first += maxEntries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var entries []types.SendMessageBatchRequestEntry
		for i := first; i < min(first+maxEntries, len(bodies)); i++ {
			entries = append(entries, types.SendMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), MessageBody: &bodies[i]})
		}
		ids, err := send(context.WithoutCancel(ctx), queue, s.JobQueueURL, entries)
		if err != nil {
			return err
		}
		for i := first; i < first+len(entries); i++ {
			took := ids[strconv.Itoa(i)]
			if err := sent(i, took.messageID, took.err); err != nil {
				return err
			}
		}
	}
	return nil
}

// taken is what came of an entry of a batch call.
type taken struct {
	messageID string
	err       error
}

// send sends one batch, and tells of each entry by its id.
func send(ctx context.Context, queue Sender, url string, entries []types.SendMessageBatchRequestEntry) (map[string]taken, error) {
	out, err := queue.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
	if err != nil {
		return nil, explained("send to the job queue", err)
	}
	took := map[string]taken{}
	for _, e := range entries {
		took[*e.Id] = taken{err: errors.New("SQS says nothing of it")}
	}
	for _, e := range out.Successful {
		took[aws.ToString(e.Id)] = taken{messageID: aws.ToString(e.MessageId)}
	}
	for _, e := range out.Failed {
		took[aws.ToString(e.Id)] = taken{err: fmt.Errorf("SQS refuses it: %s: %s", aws.ToString(e.Code), aws.ToString(e.Message))}
	}
	return took, nil
}

package deployed

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// margin is how long before others may see a letter again it is moved at the
// latest.
const margin = time.Minute

// Moved counts what came of the letters that were to be moved.
type Moved struct {
	// Sent are in the job queue; Doubled of them could not be deleted, and are dead
	// letters too.
	Sent, Doubled int
	// Refused are those that SQS did not take, for the reason Cause or one like it.
	Refused int
	Cause   error
	// Late were seen too long ago: others may have them by now.
	Late int
}

// Move sends the letters whose reason contains the text back to the job queue, and
// deletes those that SQS says it has: a run that is killed in between doubles some
// and loses none. moved is told how many so far.
//
// It ends early, between two batches, once ctx is done.
func (l *Letters) Move(ctx context.Context, text string, moved func(n int)) (Moved, error) {
	var m Moved
	calls := context.WithoutCancel(ctx)
	for left := l.matching(text); len(left) > 0 && ctx.Err() == nil; {
		var batch []*letter
		batch, left = cut(left)
		if time.Since(batch[0].received) > Hidden-margin {
			m.Late += len(batch)
			continue
		}
		if err := l.moveBatch(calls, batch, &m); err != nil {
			return m, err
		}
		moved(m.Sent)
	}
	return m, nil
}

// cut takes as many letters off the front as one call can send.
func cut(letters []*letter) (batch, left []*letter) {
	n, bytes := 0, 0
	for _, letter := range letters[:min(len(letters), maxEntries)] {
		if bytes += size(letter); n > 0 && bytes > maxBytes {
			break
		}
		n++
	}
	return letters[:n], letters[n:]
}

// size is at least that of the message, which counts with its attributes.
func size(l *letter) int {
	bytes := len(*l.Body)
	for name, value := range l.MessageAttributes {
		bytes += len(name) + len(*value.DataType) + len(value.BinaryValue)
		if value.StringValue != nil {
			bytes += len(*value.StringValue)
		}
	}
	return bytes
}

func (l *Letters) moveBatch(ctx context.Context, batch []*letter, m *Moved) error {
	var entries []types.SendMessageBatchRequestEntry
	for i, letter := range batch {
		own := maps.Clone(letter.MessageAttributes)
		delete(own, attributeReason)
		delete(own, attributeID)
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), MessageBody: letter.Body, MessageAttributes: own})
	}
	took, err := send(ctx, l.queues, l.stack.JobQueueURL, entries)
	if err != nil {
		return err
	}
	var sent []types.DeleteMessageBatchRequestEntry
	for i, letter := range batch {
		if took := took[strconv.Itoa(i)]; took.err != nil {
			m.Refused++
			m.Cause = took.err
			continue
		}
		letter.sent = true
		m.Sent++
		sent = append(sent, types.DeleteMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), ReceiptHandle: letter.ReceiptHandle})
	}
	m.Doubled += l.delete(ctx, sent)
	return nil
}

// delete deletes the letters and returns how many it could not, in several tries.
func (l *Letters) delete(ctx context.Context, entries []types.DeleteMessageBatchRequestEntry) (left int) {
	for range 3 {
		if len(entries) == 0 {
			return 0
		}
		out, err := l.queues.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &l.stack.DeadLetterQueueURL, Entries: entries})
		if err != nil {
			continue // the SDK has waited
		}
		failed := map[string]bool{}
		for _, e := range out.Failed {
			failed[*e.Id] = true
		}
		var again []types.DeleteMessageBatchRequestEntry
		for _, e := range entries {
			if failed[*e.Id] {
				again = append(again, e)
			}
		}
		entries = again
	}
	return len(entries)
}

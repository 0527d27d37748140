package deployed

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/watch"
)

// NotHandled is the reason of a dead letter that SQS itself has moved there: the
// poller gave none.
const NotHandled = "not handled: received too often"

// Attributes that the poller adds to a message that it rejects.
const (
	attributeReason = "RejectReason"
	attributeID     = "OriginalMessageId"
)

const (
	// Hidden is how long a dead letter that was looked at is hidden from others:
	// long enough to answer a question and to move thousands.
	Hidden = 30 * time.Minute
	// lookFor makes a receive ask all of SQS's servers (Amazon SQS Developer Guide,
	// "Amazon SQS short and long polling"), in seconds.
	lookFor = 2
	// maxQuiet is after how many receives in a row that bring nothing new there is
	// nothing, whatever SQS's count says: it is approximate.
	maxQuiet = 3
	// SQS hides about 120 000 messages of a queue at most (Amazon SQS Developer Guide,
	// "Amazon SQS message quotas"), and they are held in memory. The next run takes the
	// others.
	maxLetters     = 100_000
	maxHeldLetters = 256 << 20 // bytes
)

// Queues are the calls of SQS that a redrive makes.
type Queues interface {
	Sender
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

// Letters are a stack's dead letters as one run has seen them. They are hidden from
// others until Release, or for Hidden.
type Letters struct {
	// Elsewhere is about how many were hidden from this run.
	Elsewhere int
	// Full says that there may be more, for which there was no room.
	Full bool

	stack  Stack
	queues Queues
	held   map[string]*letter // by the message's id
}

// letter is a dead letter as it was last received: only the handle of that is sure
// to delete it (Amazon SQS API Reference, DeleteMessage).
type letter struct {
	types.Message
	received time.Time
	reason   string
	// sent is set once the job queue has it, even if it could not be deleted.
	sent bool
}

// Look receives all dead letters that are there, each once; saw is told how many
// so far, of about how many. With an error, or once ctx is done, the letters are
// those so far.
//
// It never calls a receive off: that could hide letters of which it doesn't know.
func (s Stack) Look(ctx context.Context, queues Queues, saw func(n, of int)) (*Letters, error) {
	l := &Letters{stack: s, queues: queues, held: map[string]*letter{}}
	calls := context.WithoutCancel(ctx)
	there, err := l.count(calls)
	if err != nil {
		return l, err
	}
	saw(0, there)
	bytes := 0
	for quiet := 0; quiet < maxQuiet && ctx.Err() == nil; {
		if l.Full = len(l.held) >= maxLetters || bytes >= maxHeldLetters; l.Full {
			break
		}
		out, err := queues.ReceiveMessage(calls, &sqs.ReceiveMessageInput{
			QueueUrl: &s.DeadLetterQueueURL, MaxNumberOfMessages: maxEntries, WaitTimeSeconds: lookFor,
			VisibilityTimeout: int32(Hidden / time.Second), MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			return l, explained("receive from the dead-letter queue", err)
		}
		before := len(l.held)
		for _, m := range out.Messages {
			l.held[*m.MessageId] = &letter{Message: m, received: time.Now(), reason: reasonOf(m)}
			bytes += len(*m.Body)
		}
		saw(len(l.held), max(there, len(l.held)))
		fresh := len(l.held) - before
		if quiet++; fresh > 0 {
			quiet = 0
		}
		// Or letters that arrive meanwhile, such as redriven ones, could keep it
		// looking forever.
		if len(l.held) >= there && fresh < maxEntries {
			break
		}
	}
	return l, nil
}

// count returns how many there are to receive, and notes how many are hidden.
func (l *Letters) count(ctx context.Context) (there int, err error) {
	visible, hidden := types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	out, err := l.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &l.stack.DeadLetterQueueURL, AttributeNames: []types.QueueAttributeName{visible, hidden},
	})
	if err != nil {
		return 0, explained("count the dead letters", err)
	}
	there, _ = strconv.Atoi(out.Attributes[string(visible)])
	l.Elsewhere, _ = strconv.Atoi(out.Attributes[string(hidden)])
	return there, nil
}

func reasonOf(m types.Message) string {
	if reason, ok := m.MessageAttributes[attributeReason]; ok && reason.StringValue != nil {
		return *reason.StringValue
	}
	return NotHandled
}

// Len returns how many there are.
func (l *Letters) Len() int { return len(l.held) }

// Reason is why a number of dead letters are there.
type Reason struct {
	Text  string
	Count int
}

// Reasons returns what was wrong with the letters, the most frequent first. What is
// right, which a RejectReason says after a colon, is left out.
func (l *Letters) Reasons() []Reason {
	counts := map[string]int{}
	for _, letter := range l.held {
		fault, _, _ := strings.Cut(letter.reason, ": ")
		if letter.reason == NotHandled {
			fault = NotHandled
		}
		counts[watch.Bounded(fault)]++
	}
	var reasons []Reason
	for text, n := range counts {
		reasons = append(reasons, Reason{text, n})
	}
	slices.SortFunc(reasons, func(a, b Reason) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Text, b.Text))
	})
	return reasons
}

// Match returns how many have a reason that contains the text.
func (l *Letters) Match(text string) int { return len(l.matching(text)) }

// matching returns them in the order in which they were received.
func (l *Letters) matching(text string) []*letter {
	var found []*letter
	for _, letter := range l.held {
		if strings.Contains(letter.reason, text) && !letter.sent {
			found = append(found, letter)
		}
	}
	slices.SortFunc(found, func(a, b *letter) int {
		return cmp.Or(a.received.Compare(b.received), strings.Compare(*a.MessageId, *b.MessageId))
	})
	return found
}

// Release has the letters that were not moved show again at once. The error says
// how many show later only.
func (l *Letters) Release(ctx context.Context) error {
	var entries []types.ChangeMessageVisibilityBatchRequestEntry
	for _, id := range slices.Sorted(maps.Keys(l.held)) {
		if letter := l.held[id]; !letter.sent && time.Since(letter.received) < Hidden {
			entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: new(strconv.Itoa(len(entries))), ReceiptHandle: letter.ReceiptHandle, VisibilityTimeout: 0})
		}
	}
	hidden := 0
	for batch := range slices.Chunk(entries, maxEntries) {
		out, err := l.queues.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &l.stack.DeadLetterQueueURL, Entries: batch})
		if err != nil {
			hidden += len(batch)
		} else {
			hidden += len(out.Failed)
		}
	}
	if hidden > 0 {
		return fmt.Errorf("%d of the letters that stay show again only within %.0f minutes", hidden, Hidden.Minutes())
	}
	return nil
}

// Package embedded holds the parts of AWS that the poller meets, in memory:
// standard SQS queues, the event source mapping that feeds a Lambda function
// from one, and an EventBridge bus. They keep AWS's semantics and limits, so
// that `make demo`, `make watch` and tests run the deployed code unchanged.
//
// Not here: FIFO queues, rules and their targets, the SDK's retries and
// signatures, anything that outlives the process, and the poller itself.
package embedded

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// What stands for the region and the account in ARNs and events.
const (
	region  = "local"
	account = "000000000000"
)

// Queues is an in-memory SQS with standard queues. It is safe for concurrent
// use. Its methods panic when given the URL of a queue that was not created,
// except SendMessageBatch, which returns the error that SQS has for it.
type Queues struct {
	mu     sync.Mutex
	queues map[string]*queue
}

// QueueConfig holds a queue's attributes.
type QueueConfig struct {
	// VisibilityTimeout is how long a received message is hidden from the next
	// receive. Zero means SQS's default, 30 s.
	VisibilityTimeout time.Duration
	// MaxReceiveCount is how often a message is received at most, before it
	// goes to the dead-letter queue: 1 or more, where there is one.
	MaxReceiveCount int
	// DeadLetterURL is the URL of a queue created before this one. Empty means
	// that messages stay until deleted, however often they are received.
	DeadLetterURL string
	// Disorder is how many later messages overtake one, at random and on
	// average: SQS keeps the order only roughly. Zero means none.
	Disorder float64
}

// Message is one message as a consumer sees it.
type Message struct {
	// ID stays the same for the message's whole life, dead-letter queue included.
	ID string
	// ReceiptHandle is that of the latest receive; empty before the first and
	// after the move to a dead-letter queue.
	ReceiptHandle string
	Body          string
	// Attributes are SentTimestamp, ApproximateReceiveCount and, once received,
	// ApproximateFirstReceiveTimestamp. Timestamps are milliseconds since 1970.
	Attributes map[string]string
	// MessageAttributes are those the sender gave.
	MessageAttributes map[string]types.MessageAttributeValue
}

// queue is one queue, guarded by the mutex of its Queues.
type queue struct {
	cfg      QueueConfig
	messages []*message    // by their place
	arrivals int           // so far
	changed  chan struct{} // closed and replaced when a message arrives
}

// message is a message at rest; its Attributes are made when it is looked at.
type message struct {
	Message
	sent, visible, firstReceived time.Time
	receives                     int
	place                        float64 // that of the arrival, and by Disorder later
}

// NewQueues returns an SQS without queues.
func NewQueues() *Queues {
	return &Queues{queues: map[string]*queue{}}
}

// Create adds an empty queue. It panics when the queue exists, or its redrive to
// the dead-letter queue can't work: such mistakes in wiring show at once.
func (q *Queues) Create(url string, cfg QueueConfig) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, exists := q.queues[url]; exists {
		panic("embedded: queue " + url + " exists already")
	}
	if cfg.DeadLetterURL != "" {
		q.mustFind(cfg.DeadLetterURL)
		if cfg.MaxReceiveCount < 1 {
			panic("embedded: a dead-letter queue needs a MaxReceiveCount")
		}
	}
	cfg.VisibilityTimeout = cmp.Or(cfg.VisibilityTimeout, 30*time.Second)
	q.queues[url] = &queue{cfg: cfg, changed: make(chan struct{})}
}

// Receive returns up to limit visible messages, oldest arrival first but for the
// queue's Disorder, and hides them for the visibility timeout. It never waits; Wait does. As in SQS, this is
// where a message received too often moves to the dead-letter queue, unchanged.
func (q *Queues) Receive(url string, limit int) []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	from, now := q.mustFind(url), time.Now()
	var received []Message
	from.messages = slices.DeleteFunc(from.messages, func(m *message) bool {
		switch {
		case len(received) >= limit || m.visible.After(now):
			return false
		case from.cfg.DeadLetterURL != "" && m.receives >= from.cfg.MaxReceiveCount:
			m.ReceiptHandle = ""
			q.mustFind(from.cfg.DeadLetterURL).add(m)
			return true
		}
		if m.receives == 0 {
			m.firstReceived = now
		}
		m.receives++
		m.visible = now.Add(from.cfg.VisibilityTimeout)
		m.ReceiptHandle = newID()
		received = append(received, m.snapshot())
		return false
	})
	return received
}

// Delete removes the message that was last received with this handle. An older
// or unknown handle deletes nothing and, as in SQS, is no error.
func (q *Queues) Delete(url, receiptHandle string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from := q.mustFind(url)
	from.messages = slices.DeleteFunc(from.messages, func(m *message) bool {
		return receiptHandle != "" && m.ReceiptHandle == receiptHandle
	})
}

// Messages returns every message of the queue in the order of Receive, delayed
// and hidden ones included, without receiving them.
func (q *Queues) Messages(url string) []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []Message
	for _, m := range q.mustFind(url).messages {
		all = append(all, m.snapshot())
	}
	return all
}

// Depth returns how many messages the queue holds, delayed and hidden included.
func (q *Queues) Depth(url string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.mustFind(url).messages)
}

// Due returns when the next message of the queue becomes visible, or did; zero if
// there is none.
func (q *Queues) Due(url string) time.Time {
	due, _ := q.next(url)
	return due
}

// Wait returns nil as soon as the queue has a visible message, or the error of
// ctx once that is done. Another consumer, or the dead-letter queue, may get the
// message first: a Receive that follows can come back empty.
func (q *Queues) Wait(ctx context.Context, url string) error {
	for ctx.Err() == nil {
		next, changed := q.next(url)
		var due <-chan time.Time // nil, which blocks for ever, in an empty queue
		if !next.IsZero() {
			wait := time.Until(next)
			if wait <= 0 {
				return nil
			}
			due = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-due:
		}
	}
	return ctx.Err()
}

// next returns when the next message becomes visible, zero if there is none,
// and a channel that is closed when a message arrives.
func (q *Queues) next(url string) (time.Time, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from := q.mustFind(url)
	if len(from.messages) == 0 {
		return time.Time{}, from.changed
	}
	soonest := slices.MinFunc(from.messages, func(a, b *message) int { return a.visible.Compare(b.visible) })
	return soonest.visible, from.changed
}

func (q *Queues) visibilityTimeout(url string) (time.Duration, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from, err := q.find(url)
	if err != nil {
		return 0, err
	}
	return from.cfg.VisibilityTimeout, nil
}

// find returns the queue, or the error that SQS has for an unknown one.
func (q *Queues) find(url string) (*queue, error) {
	found, ok := q.queues[url]
	if !ok {
		return nil, &types.QueueDoesNotExist{Message: aws.String("The specified queue does not exist: " + url)}
	}
	return found, nil
}

func (q *Queues) mustFind(url string) *queue {
	found, err := q.find(url)
	if err != nil {
		panic("embedded: " + err.Error())
	}
	return found
}

func (to *queue) add(m *message) {
	to.arrivals++
	// With exponential delays of mean d, d/2 later messages overtake one.
	m.place = float64(to.arrivals) + 2*to.cfg.Disorder*mathrand.ExpFloat64()
	at, _ := slices.BinarySearchFunc(to.messages, m, func(a, b *message) int { return cmp.Compare(a.place, b.place) })
	to.messages = slices.Insert(to.messages, at, m)
	close(to.changed)
	to.changed = make(chan struct{})
}

func (m *message) snapshot() Message {
	seen := m.Message
	seen.MessageAttributes = maps.Clone(m.MessageAttributes)
	seen.Attributes = map[string]string{
		"SentTimestamp":           millis(m.sent),
		"ApproximateReceiveCount": strconv.Itoa(m.receives),
	}
	if m.receives > 0 {
		seen.Attributes["ApproximateFirstReceiveTimestamp"] = millis(m.firstReceived)
	}
	return seen
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// newID returns a random UUID, the form of the ids that AWS gives out.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never returns an error
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// crowd makes the messages of a soak: nothing of one batch comes again but the
// watches that the function has sent on.
type crowd struct {
	mu     sync.Mutex // guards all below
	random *rand.Rand
	// waiting are the bodies that the function has sent on, oldest first.
	waiting  []string
	messages int // made so far
	// begun counts the messages that began a watch, unreadable those that can't
	// be read; ended and rejected what the function made of them.
	begun, unreadable, ended, rejected int
}

func newCrowd() *crowd { return &crowd{random: rand.New(rand.NewPCG(1, 0))} }

// batch returns one message that can't be read, up to six about watches that
// were sent on, and new watches for the rest.
func (c *crowd) batch() events.SQSEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unreadable++
	bodies := []string{`{"job": 449503829274509310}`}
	again := min(len(c.waiting), 6)
	bodies = append(bodies, c.waiting[:again]...)
	c.waiting = slices.Delete(c.waiting, 0, again)
	for len(bodies) < batchSize {
		c.begun++
		bodies = append(bodies, fmt.Sprintf(`{"jobId":%d,"context":{"run":%d}}`, 449503829274509310+c.begun, c.begun))
	}
	var batch events.SQSEvent
	for _, body := range bodies {
		c.messages++
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId:  fmt.Sprintf("059f36b4-87a3-44ab-83d2-%012x", c.messages),
			Body:       body,
			Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(time.Now().UnixMilli(), 10)},
		})
	}
	return batch
}

// jobState lets so many describes find a job completed that a batch sends 5.4
// messages on, on average: with six places for them in the next, they don't pile
// up.
func (c *crowd) jobState(string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch chance := c.random.Float64(); {
	case chance < 0.4:
		return "RefreshCompleted"
	case chance < 0.42:
		return ""
	}
	return "RefreshInProgress"
}

// sent takes what the function sends to its two queues and the bus.
func (c *crowd) sent(queueURL string, bodies []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case queueURL == "":
		c.ended += len(bodies)
	case strings.HasSuffix(queueURL, "DeadLetterQueue"):
		c.rejected += len(bodies)
	default:
		c.waiting = append(c.waiting, bodies...)
	}
}

// lost tells whether a message came to nothing, or to more than one thing.
func (c *crowd) lost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun != c.ended+len(c.waiting) || c.unreadable != c.rejected
}

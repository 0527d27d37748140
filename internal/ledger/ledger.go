// Package ledger remembers how far an execution environment has sent each watch
// on, so that a second chain of polls of the same watch ends where it meets the
// first. SQS may deliver a message twice, and a function that dies between
// sending and answering leaves two messages of one.
//
// What becomes of a message that is behind is decided elsewhere.
package ledger

import (
	"crypto/sha256"
	"math"
	"sync"

	"refresh-poller/internal/watch"
)

// generation is how many watches are remembered at least, of those sent on last;
// twice as many at most, in some 2 MB.
const generation = 8192

// Ledger is a bounded table of watches. Forgetting one costs some polls and
// nothing else. The zero value is empty; it is safe for concurrent use.
type Ledger struct {
	mu sync.Mutex
	// young takes what is written. Once it is full it becomes old, and what was
	// old is forgotten.
	young, old map[Origin]int
}

// Origin stands for all that the messages of one watch have in common.
type Origin [sha256.Size]byte

// OriginOf takes in more than the watch's id, so that a producer who makes up a
// key "watch" gets in the way of none but an identical watch.
func OriginOf(m watch.Message) Origin {
	m.Watch = watch.State{ID: m.Watch.ID, Since: m.Watch.Since}
	return sha256.Sum256([]byte(m.Body()))
}

// Sent takes down that a message of the watch is in the queue: those of
// earlier turns are behind it.
func (l *Ledger) Sent(watch Origin, turn int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	turn = max(turn, l.young[watch], l.old[watch])
	if _, known := l.young[watch]; l.young == nil || !known && len(l.young) == generation {
		l.young, l.old = make(map[Origin]int), l.young
	}
	l.young[watch] = turn
}

// Ended takes down that the terminal event of the watch is out: all its messages
// are behind it.
func (l *Ledger) Ended(watch Origin) { l.Sent(watch, math.MaxInt) }

// Behind reports whether the watch is known to go on, or to have ended, without
// a message of that turn. Of all messages of a watch, the one of the last turn is
// not behind until the watch has ended: dropping the others loses nothing.
func (l *Ledger) Behind(watch Origin, turn int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return turn < max(l.young[watch], l.old[watch])
}

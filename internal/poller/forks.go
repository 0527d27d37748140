package poller

import "refresh-poller/internal/ledger"

// A watch whose message was delivered twice, or was sent on by a function that
// then died, has two chains of polls. They become one where they meet: in one
// batch, or in one execution environment, whose ledger knows how far it has sent
// each watch on.

// dropForks drops each message that is behind another of its watch. That other
// one is in the queue, or stays there if it can't be sent on.
func (p *Poller) dropForks(items []*item) {
	foremost := make(map[ledger.Origin]*item, len(items))
	for _, it := range items {
		if it.decided() {
			continue
		}
		it.guard(func() { it.origin = ledger.OriginOf(it.message) })
		if it.err != nil {
			continue
		}
		if p.ledger.Behind(it.origin, it.message.Turn()) {
			it.decision = Decision{Action: Drop, Reason: "the watch was sent on from this poll, or has ended"}
		} else if other := foremost[it.origin]; other == nil || other.message.Turn() < it.message.Turn() {
			foremost[it.origin] = it
		}
	}
	for _, it := range items {
		if !it.decided() && foremost[it.origin] != it {
			it.decision = Decision{Action: Drop, Reason: "another message of the batch is of the same watch"}
		}
	}
}

// enter takes down what was sent.
func (p *Poller) enter(items []*item) {
	for _, it := range items {
		switch {
		case it.err != nil:
		case it.decision.Action == Reenqueue:
			p.ledger.Sent(it.origin, it.decision.Next.Turn())
		case it.decision.Action == Publish:
			p.ledger.Ended(it.origin)
		}
	}
}

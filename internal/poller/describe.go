package poller

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"refresh-poller/internal/connection"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// defaultTimeout stands in for a deadline that ctx doesn't have.
const defaultTimeout = 30 * time.Second

// budget divides an invocation's time, so that it never ends with work half
// done: of the template's 30 s, describes start in the first 12 s, which leaves
// the last of them its milvus.Timeout, and sending has the last 7.5 s.
type budget struct{ startBy, answerBy, publishBy, sendBy time.Time }

func newBudget(ctx context.Context, now time.Time) budget {
	total := defaultTimeout
	if deadline, ok := ctx.Deadline(); ok {
		total = deadline.Sub(now)
	}
	return budget{
		startBy:   now.Add(total * 40 / 100),
		answerBy:  now.Add(total * 75 / 100),
		publishBy: now.Add(total * 86 / 100), // if messages wait for it
		sendBy:    now.Add(total * 98 / 100),
	}
}

// subject is what a message is about: a job, or a collection whose refresh it asks
// for and that has none yet.
type subject struct {
	job     milvus.Ref
	refresh milvus.Collection
}

func subjectOf(m watch.Message) subject {
	if m.Seeks() {
		return subject{refresh: m.Refresh}
	}
	return subject{job: m.Ref()}
}

// describe asks about every subject of the batch at once, and about none twice.
func (p *Poller) describe(ctx context.Context, log *slog.Logger, b budget, items []*item) {
	bySubject := make(map[subject][]*item, len(items))
	for _, it := range items {
		if !it.decided() {
			bySubject[subjectOf(it.message)] = append(bySubject[subjectOf(it.message)], it)
		}
	}
	if len(bySubject) == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, b.answerBy)
	defer cancel()
	starts, cancelStarts := context.WithDeadline(ctx, b.startBy)
	defer cancelStarts()

	var told sync.Once
	ask := asker{p: p, starts: starts, send: p.Cluster.Describe, notReadAnew: func(err error) {
		told.Do(func() { log.ErrorContext(ctx, "the secret can't be read anew", "error", err.Error()) })
	}}
	var err error
	if ask.token, err = p.Tokens.Token(starts, time.Time{}); err != nil {
		// The cause names the account's own resources: it is for the log only.
		log.ErrorContext(ctx, "no token", "error", err.Error())
		ask.noToken = true
	}
	ask.tokenAt = time.Now()
	var wg sync.WaitGroup
	for about, sharing := range bySubject {
		wg.Go(func() {
			// A panic fails every message about this subject, and no other.
			if about.refresh.Name != "" {
				sharing[0].guard(func() { ask.seek(ctx, about.refresh, sharing) })
			} else {
				sharing[0].guard(func() { sharing[0].answer = ask.about(ctx, about.job) })
			}
			for _, it := range sharing[1:] {
				it.err = sharing[0].err
				if about.refresh.Name == "" {
					it.answer = sharing[0].answer
				}
			}
		})
	}
	wg.Wait()
}

// asker describes the jobs of one batch.
type asker struct {
	p *Poller
	// send sends one request; it is Describe, if not said otherwise.
	send func(ctx context.Context, token string, job milvus.Ref) (milvus.Job, error)
	// starts is done when no describe may start any more.
	starts context.Context
	// token is the batch's, got at tokenAt, unless it got none.
	token   string
	tokenAt time.Time
	noToken bool
	// notReadAnew tells, once a batch, why the secret can't be read again.
	notReadAnew func(error)
}

// about describes one job, and once more for each of two things that may have
// changed since: a kept connection may have died, and a refused credential, or a CA,
// been rotated.
func (a asker) about(ctx context.Context, job milvus.Ref) Answer {
	if a.noToken {
		return Answer{NotReached: true, Failure: &milvus.Error{Kind: milvus.Temporary, Message: "the secret with the cluster's token can't be read"}}
	}
	answer := a.once(ctx, job, a.token)
	if f := answer.Failure; f != nil && f.Stale {
		answer = a.again(ctx, job, a.token, answer)
	}
	if f := answer.Failure; answer.failed(milvus.Refused) || f != nil && f.Distrust != "" {
		answer = a.refused(ctx, job, answer)
	}
	return answer
}

// refused describes a job once more with a secret that is read anew, once a batch.
// The refusal stands if the secret can't be read in time, or the token is the same
// and the second request brings no verdict on it. What TLS refuses stands unless the
// trust is another now.
func (a asker) refused(ctx context.Context, job milvus.Ref, first Answer) Answer {
	token, err := a.p.Tokens.Token(a.starts, a.tokenAt)
	if err != nil {
		a.notReadAnew(err)
		return first
	}
	lasts := first.Failure.Distrust != ""
	if lasts && !first.Failure.Outdated() {
		return first
	}
	answer := a.again(ctx, job, token, first)
	if !lasts && token == a.token && (answer.failed(milvus.Temporary) || answer.failed(milvus.Throttled)) {
		answer.Failure, answer.Asked = first.Failure, first.Asked
	}
	return answer
}

// again describes the job once more. The first answer stays if it can't be
// reached.
func (a asker) again(ctx context.Context, job milvus.Ref, token string, first Answer) Answer {
	answer := a.once(ctx, job, token)
	if answer.NotReached {
		return first
	}
	answer.Took = append(first.Took, answer.Took...)
	return answer
}

func (a asker) once(ctx context.Context, job milvus.Ref, token string) Answer {
	done, err := a.p.Limiter.Wait(a.starts)
	if err != nil {
		return Answer{NotReached: true, Held: a.p.Limiter.Held()}
	}
	defer done()
	start := time.Now()
	found, err := a.send(connection.OnArrival(ctx, done), token, job)
	took := []time.Duration{time.Since(start)}
	if err == nil {
		return Answer{Job: found, Asked: start, Took: took}
	}
	failure, ok := errors.AsType[*milvus.Error](err)
	if !ok {
		failure = &milvus.Error{Kind: milvus.Temporary, Message: err.Error()}
	}
	if failure.Kind == milvus.Throttled {
		a.p.Limiter.Hold(failure.RetryAfter)
	}
	return Answer{Failure: failure, Asked: start, Took: took}
}

// Package secret reads the cluster's token, and whom to trust in TLS, from AWS
// Secrets Manager, keeps them for a few minutes, and says what is wrong with a secret
// that can't be right. Nothing of it ever leaves by an error.
package secret

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"refresh-poller/internal/milvus"
)

// MaxAge is how long a token is used before it is read again.
const MaxAge = 5 * time.Minute

const (
	// failureAge is how long a failed read stands for the next ones while there is
	// no token, so that the jobs of one batch don't each wait for the same failure.
	failureAge = 5 * time.Second
	// retryAge is how long it stands while there is one: as long as that serves,
	// and for whoever wants a newer one, batch after batch.
	retryAge = time.Minute
	// refreshTimeout bounds a read while an older token serves. Secrets Manager
	// answers within a fraction of it.
	refreshTimeout = 2 * time.Second
)

var errSlow = errors.New("no answer in the time that a refresh has")

// Reader reads one secret. It is safe for concurrent use; make one for the
// process.
type Reader struct {
	// Trusting is told whom to trust before Token returns the first token that has a
	// trust beside it, and then at each change of that. It may be nil.
	Trusting func(milvus.Trust)

	client client
	arn    string

	// state is written by whoever has put something into turn, and reads.
	state atomic.Pointer[state]
	turn  chan struct{}
}

type client interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// NewReader returns a reader of the secret with that ARN.
func NewReader(client *secretsmanager.Client, arn string) *Reader {
	return newReader(client, arn)
}

func newReader(client client, arn string) *Reader {
	r := &Reader{client: client, arn: arn, turn: make(chan struct{}, 1)}
	r.state.Store(&state{})
	return r
}

// Token returns the token: the kept one if it was read after newerThan and in
// the last five minutes, else the secret's present value. The zero newerThan
// asks for none fresher than that. Where the secret can't be read, an old token
// still serves whoever didn't ask for a newer one.
//
// It returns once ctx is done. Where an old token serves, it returns that after
// two seconds, and reads no more for a minute. A newer one that could not be read
// is not tried for again for a minute either.
func (r *Reader) Token(ctx context.Context, newerThan time.Time) (string, error) {
	known := r.state.Load()
	if known.stands(newerThan) {
		return known.answer(newerThan)
	}
	if known.token != "" && newerThan.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, refreshTimeout, errSlow)
		defer cancel()
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
	}
	switch known = r.state.Load(); {
	case known.stands(newerThan): // by now
	case ctx.Err() != nil:
		known = known.failed(r.arn, ctx.Err())
	default:
		known = r.read(ctx, known, !newerThan.IsZero())
	}
	return known.answer(newerThan)
}

// read returns the state after a read, and keeps it. What its caller had no time
// for is no failure of the secret's, and not kept.
func (r *Reader) read(ctx context.Context, known *state, forced bool) *state {
	began := wallTime()
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &r.arn})
	var token string
	var found pems
	if err == nil {
		token, found, err = parse(aws.ToString(out.SecretString), out.SecretBinary)
	}
	if err == nil {
		err = r.trust(known.pems, found)
	}
	if err == nil {
		known = &state{token: token, pems: found, readAt: wallTime()}
	} else {
		known = known.failed(r.arn, err)
		if ctx.Err() != nil && context.Cause(ctx) != errSlow && within(refreshTimeout, began) {
			return known
		}
		known.failedAt = wallTime()
		if forced {
			known.forcedAt = known.failedAt
		}
	}
	r.state.Store(known)
	return known
}

// trust tells of the trust that a secret has, if it changed.
func (r *Reader) trust(before, now pems) error {
	if now == before {
		return nil
	}
	trust, err := now.trust()
	if err == nil && r.Trusting != nil {
		r.Trusting(trust)
	}
	return err
}

// state is what is known of a secret. It is not changed once it is kept.
type state struct {
	token  string // the last that could be read
	pems   pems   // beside it
	readAt time.Time
	err    error // of the last read
	// failedAt is when a read failed, and forcedAt when one for a newer token did.
	// The one must not keep the other from being tried: a slow read takes more
	// time than a refresh has.
	failedAt, forcedAt time.Time
}

// failed returns the state after a read that failed just now.
func (s *state) failed(arn string, err error) *state {
	next := *s
	next.err = fmt.Errorf("read the secret %s: %w", arn, err)
	return &next
}

// stands reports whether the state answers without another read.
func (s *state) stands(newerThan time.Time) bool {
	switch {
	case s.fresh(newerThan):
		return true
	case s.token == "":
		return within(failureAge, s.failedAt) && s.failedAt.After(newerThan)
	case newerThan.IsZero():
		return within(retryAge, s.failedAt)
	}
	return within(retryAge, s.forcedAt)
}

// answer returns the token, or why there is none.
func (s *state) answer(newerThan time.Time) (string, error) {
	if s.err != nil && (s.token == "" || !newerThan.IsZero() && !s.fresh(newerThan)) {
		return "", s.err
	}
	return s.token, nil
}

func (s *state) fresh(newerThan time.Time) bool {
	return s.token != "" && within(MaxAge, s.readAt) && s.readAt.After(newerThan)
}

// within reports whether at lies no longer back than age, nor ahead, as after the
// clock was set back.
func within(age time.Duration, at time.Time) bool {
	past := wallTime().Sub(at)
	return past >= 0 && past < age
}

// wallTime is the time without Go's monotonic clock, which may stand still
// while Lambda has the process frozen.
func wallTime() time.Time { return time.Now().Round(0) }

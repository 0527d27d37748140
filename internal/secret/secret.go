// Package secret reads the cluster's token from AWS Secrets Manager and keeps
// it for a few minutes. The token never leaves by an error.
package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// MaxAge is how long a token is used before it is read again.
const MaxAge = 5 * time.Minute

// failureAge is how long a failed read stands for the next ones, so that the
// jobs of one batch don't each wait for the same failure.
const failureAge = 5 * time.Second

// Reader reads one secret. It is safe for concurrent use; make one for the
// process.
type Reader struct {
	client interface {
		GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	}
	arn string

	mu       sync.Mutex
	token    string
	readAt   time.Time
	err      error
	failedAt time.Time
}

// NewReader returns a reader of the secret with that ARN.
func NewReader(client *secretsmanager.Client, arn string) *Reader {
	return &Reader{client: client, arn: arn}
}

// Token returns the token: the kept one if it was read after newerThan and in
// the last five minutes, else the secret's present value. The zero newerThan
// asks for none fresher than that. Where the secret can't be read, an old token
// still serves whoever didn't ask for a newer one.
func (r *Reader) Token(ctx context.Context, newerThan time.Time) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token != "" && within(MaxAge, r.readAt) && r.readAt.After(newerThan) {
		return r.token, nil
	}
	if r.err == nil || !within(failureAge, r.failedAt) || !r.failedAt.After(newerThan) {
		r.read(ctx)
	}
	if r.err != nil && (r.token == "" || !newerThan.IsZero()) {
		return "", r.err
	}
	return r.token, nil
}

func (r *Reader) read(ctx context.Context) {
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &r.arn})
	var token string
	if err == nil {
		token, err = parse(aws.ToString(out.SecretString), out.SecretBinary)
	}
	if err != nil {
		r.err, r.failedAt = fmt.Errorf("read the secret %s: %w", r.arn, err), wallTime()
		return
	}
	r.token, r.readAt, r.err = token, wallTime(), nil
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

var (
	errForm  = errors.New("it must hold the token itself, or JSON with token, or JSON with username and password")
	errBytes = errors.New("its token has characters that an HTTP header can't carry")
)

// parse reads the secret's forms:
//
//	0123456789abcdef
//	{"token": "0123456789abcdef"}
//	{"username": "root", "password": "Milvus"}
func parse(text string, binary []byte) (string, error) {
	token := strings.TrimSpace(text)
	if token == "" {
		token = strings.TrimSpace(string(binary))
	}
	if strings.HasPrefix(token, "{") {
		var object struct{ Token, Username, Password string }
		// The error would repeat a part of the secret.
		if json.Unmarshal([]byte(token), &object) != nil {
			return "", errForm
		}
		token = strings.TrimSpace(object.Token)
		if token == "" && object.Username != "" && object.Password != "" {
			token = object.Username + ":" + object.Password
		}
	}
	switch {
	case token == "":
		return "", errForm
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errBytes
	}
	return token, nil
}

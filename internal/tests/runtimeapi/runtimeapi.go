// Package runtimeapi runs a Lambda function's binary on this machine as Lambda
// does: with the environment that Lambda gives it, behind the Runtime API, one
// invocation at a time, killed when one takes too long. It is test support.
//
// Not here: where the invocations come from, the freezing between two of them,
// the limit of memory, extensions, and the retries of Lambda's callers.
package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Config is a function as it is deployed.
type Config struct {
	// Bootstrap is the absolute path of the function's binary.
	Bootstrap string
	// ARN of the function; its name and region are read from it.
	ARN string
	// Handler and MemoryMB reach the process as environment variables only.
	Handler  string
	MemoryMB int
	// LogFormat and LogLevel are those of the function's logging
	// configuration, such as JSON and INFO. Empty ones are not set.
	LogFormat, LogLevel string
	// Timeout bounds one invocation.
	Timeout time.Duration
	// InitTimeout bounds the start, until the process asks for its first
	// invocation. Zero means Lambda's 10 s.
	InitTimeout time.Duration
	// Environment holds the variables of the function's configuration, and the
	// role's credentials. The process gets these, Lambda's own, and none of the
	// calling process's.
	Environment map[string]string
	// Output gets what the process prints. Nil means nowhere.
	Output io.Writer
}

// Error is an invocation, or a start, that brought an error. Its types are
// Lambda's where Lambda finds the fault, else the function's own.
type Error struct{ Type, Message string }

// Error returns type and message.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

// The types of the errors that Lambda itself finds.
const (
	// TypeExit: the process ended before it answered, or before it was ready.
	TypeExit = "Runtime.ExitError"
	// TypeTimeout: the process was killed, for it did not answer or was not
	// ready in time.
	TypeTimeout = "Sandbox.Timedout"
)

var errClosed = errors.New("the function is closed")

// Function is one execution environment of a function, as far as its caller
// sees: when its process has ended, the next invocation starts another. It is
// safe for concurrent use; invocations wait for each other.
type Function struct {
	cfg Config
	// turn holds one token, which guards all below.
	turn   chan struct{}
	env    *environment // nil when there is no process
	closed bool
}

// Start starts the function's process and waits until it asks for its first
// invocation. The error is an *Error when the process failed to.
func Start(ctx context.Context, cfg Config) (*Function, error) {
	if cfg.InitTimeout == 0 {
		cfg.InitTimeout = 10 * time.Second
	}
	env, err := start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Function{cfg: cfg, turn: make(chan struct{}, 1), env: env}, nil
}

// Invoke hands the function a payload and returns its response. When ctx is
// done first, the process is killed, wherever it stands: nothing else would
// make it a crash at just that moment. The error is ctx's, or an *Error.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		switch {
		case f.closed:
			return nil, errClosed
		case f.env == nil:
			var err error
			if f.env, err = start(ctx, f.cfg); err != nil {
				return nil, err
			}
		}
		response, err := f.env.invoke(ctx, payload)
		if f.env.ended() {
			f.env = nil
		}
		if !errors.Is(err, errEndedIdle) {
			return response, err
		}
	}
}

// PID waits for an invocation under way, then returns the id of the process that
// took it; 0 when that has ended.
func (f *Function) PID() int {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	if f.env == nil || f.env.ended() {
		return 0
	}
	return f.env.cmd.Process.Pid
}

// Kill waits for an invocation under way, then kills the process. The next
// invocation starts another.
func (f *Function) Kill() { f.end(false) }

// Close waits for an invocation under way, then kills the process, and starts no
// other.
func (f *Function) Close() { f.end(true) }

func (f *Function) end(closed bool) {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	f.closed = f.closed || closed
	if f.env != nil {
		f.env.kill()
		f.env = nil
	}
}

// timedOut is what Lambda says, in its words, after d.
func timedOut(what string, d time.Duration) error {
	return &Error{Type: TypeTimeout, Message: fmt.Sprintf("%s timed out after %.2f seconds", what, d.Seconds())}
}

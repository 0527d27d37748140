package runtimeapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// environment is a process of the function with a Runtime API of its own, so
// that nothing of one process ever reaches the next.
type environment struct {
	cfg    Config
	cmd    *exec.Cmd
	server *http.Server

	// ready is closed when the process first asks for an invocation.
	ready     chan struct{}
	readyOnce sync.Once
	// initError gets what the process reports instead.
	initError chan error
	// invocations hands one to the process, which must have asked for it.
	invocations chan *invocation
	// exited is closed when the process has ended; exit then says how.
	exited chan struct{}
	exit   error

	mu      sync.Mutex
	current *invocation // not answered yet
}

// errEndedIdle means that the process ended before it took the invocation.
var errEndedIdle = errors.New("the process ended between two invocations")

// start starts a process and waits until it is ready.
func start(ctx context.Context, cfg Config) (*environment, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the Runtime API: %w", err)
	}
	e := &environment{
		cfg: cfg, cmd: exec.Command(cfg.Bootstrap),
		ready: make(chan struct{}), initError: make(chan error, 1),
		invocations: make(chan *invocation), exited: make(chan struct{}),
	}
	e.server = &http.Server{Handler: e.handler(), ReadHeaderTimeout: 10 * time.Second}
	e.cmd.Dir = filepath.Dir(cfg.Bootstrap)
	e.cmd.Env = variables(cfg, listener.Addr().String())
	e.cmd.Stdout, e.cmd.Stderr = cfg.Output, cfg.Output
	// What the process itself has started must not keep its output open.
	e.cmd.WaitDelay = time.Second
	if err := e.cmd.Start(); err != nil {
		listener.Close()
		return nil, fmt.Errorf("start the function: %w", err)
	}
	go e.server.Serve(listener)
	go func() {
		e.exit = e.cmd.Wait()
		e.server.Close()
		close(e.exited)
	}()

	timeout := time.NewTimer(cfg.InitTimeout)
	defer timeout.Stop()
	select {
	case <-e.ready:
		return e, nil
	case err = <-e.initError:
	case <-e.exited:
		err = e.exitError()
	case <-timeout.C:
		err = timedOut("Init", cfg.InitTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.kill()
	select {
	case err = <-e.initError: // posted just before the exit
	default:
	}
	return nil, err
}

// variables are the environment of the process. AWS_EXECUTION_ENV is left out,
// as provided.al2023 has none (Lambda developer guide, environment variables).
func variables(cfg Config, runtimeAPI string) []string {
	arn := strings.Split(cfg.ARN+"::::::", ":") // arn:aws:lambda:region:account:function:name
	own := map[string]string{
		"_HANDLER":                        cfg.Handler,
		"AWS_DEFAULT_REGION":              arn[3],
		"AWS_REGION":                      arn[3],
		"AWS_LAMBDA_FUNCTION_NAME":        arn[6],
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(cfg.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"LAMBDA_TASK_ROOT":                filepath.Dir(cfg.Bootstrap),
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"TZ":                              ":UTC",
	}
	if cfg.LogFormat != "" {
		own["AWS_LAMBDA_LOG_FORMAT"] = cfg.LogFormat
	}
	if cfg.LogLevel != "" {
		own["AWS_LAMBDA_LOG_LEVEL"] = cfg.LogLevel
	}
	var all []string
	for name, value := range cfg.Environment {
		all = append(all, name+"="+value)
	}
	for name, value := range own { // later ones win
		all = append(all, name+"="+value)
	}
	return all
}

// invoke hands the process an invocation and waits for what comes of it.
func (e *environment) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	inv := &invocation{id: newID(), trace: newTraceID(), payload: payload, done: make(chan result, 1)}
	select {
	case e.invocations <- inv:
	case <-e.exited:
		return nil, errEndedIdle
	case <-ctx.Done():
		e.kill()
		return nil, ctx.Err()
	}
	timeout := time.NewTimer(e.cfg.Timeout)
	defer timeout.Stop()
	select {
	case r := <-inv.done:
		return r.response, r.err
	case <-e.exited:
		select {
		case r := <-inv.done: // answered just before the exit
			return r.response, r.err
		default:
			return nil, e.exitError()
		}
	case <-timeout.C:
		e.kill()
		return nil, timedOut("Task", e.cfg.Timeout)
	case <-ctx.Done():
		e.kill()
		return nil, ctx.Err()
	}
}

// kill ends the process at once, as Lambda does, and waits until it is gone.
func (e *environment) kill() {
	e.cmd.Process.Kill() // an error means that it is gone already
	<-e.exited
}

func (e *environment) ended() bool {
	select {
	case <-e.exited:
		return true
	default:
		return false
	}
}

func (e *environment) exitError() error {
	reason := "exit status 0"
	if e.exit != nil {
		reason = e.exit.Error()
	}
	return &Error{Type: TypeExit, Message: "Runtime exited with error: " + reason}
}

// functionError reads what the process posted to an error route.
func functionError(body []byte) error {
	var posted struct{ ErrorType, ErrorMessage string }
	_ = json.Unmarshal(body, &posted) // a body of another form is an error all the same
	return &Error{Type: cmp.Or(posted.ErrorType, "Unhandled"), Message: cmp.Or(posted.ErrorMessage, string(body))}
}

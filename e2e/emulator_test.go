//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	region = "eu-west-1"
	// account is moto's.
	account = "123456789012"
)

// The credentials of the functions' roles. Their calls are known by the keys'
// ids, to which each environment adds its number; none must be seen anywhere.
const (
	pollerKeyID          = "ASIAPOLLERSROLE0000"
	resumerKeyID         = "ASIARESUMERSROLE000"
	functionSecretKey    = "functions-secret-access-key"
	functionSessionToken = "functions-session-token"
)

// emulator is moto behind a proxy, which
//   - passes moto one call at a time: it takes calls in several threads, but its
//     queues don't lock and lose a message sent while another is deleted
//   - keeps the calls of functions, for all that they write passes here
//   - can answer a call in moto's stead.
type emulator struct {
	URL  string
	moto *moto
	// others are nil, or the emulators that answer instead of moto (others_test.go).
	others *others

	mu    sync.Mutex // guards those below
	calls []call
	fault fault
}

type moto struct {
	URL  string
	turn sync.Mutex // held for a call
}

// call is one call.
type call struct {
	// KeyID is of the function's role, Environment the number after it. Both are
	// empty in the tests' own calls.
	KeyID, Environment string
	// Target is service and action, such as AmazonSQS.SendMessageBatch.
	Target string
	Header http.Header
	Body   []byte
	// Trace is the header that Lambda's loop detection goes by.
	Trace string
}

// fault answers a call, with the help of moto or without.
type fault func(c call, forward func(body []byte) answer) answer

type answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Cut closes the connection instead.
	Cut bool
}

// startEmulator starts moto, and a proxy before it.
func startEmulator(t *testing.T) *emulator {
	t.Helper()
	e := &emulator{moto: &moto{}}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	e.URL = server.URL
	// The state machines that moto executes make their calls here.
	e.moto.URL = serve(t, exec.Command(python(), "emulator.py"), "pip install -r e2e/requirements.txt", "MOTO_PORT="+e.port())
	return e
}

func (e *emulator) port() string { return e.URL[strings.LastIndex(e.URL, ":")+1:] }

// serve starts an emulator and returns its URL. It is stopped at the test's end,
// however that comes, for it lives no longer than the pipe to it.
func serve(t *testing.T, command *exec.Cmd, install string, variables ...string) (url string) {
	t.Helper()
	command.Env = append(os.Environ(), variables...)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	command.Stderr = &log
	if err := command.Start(); err != nil {
		t.Fatalf("%v; to get it: %s", err, install)
	}
	port, err := bufio.NewReader(stdout).ReadString('\n')
	t.Cleanup(func() {
		stdin.Close()
		defer time.AfterFunc(10*time.Second, func() { command.Process.Kill() }).Stop()
		command.Wait()
		if t.Failed() {
			t.Logf("the last that %s logged: %s", command, log.Bytes()[max(0, log.Len()-4000):])
		}
	})
	if err != nil {
		t.Fatalf("%s did not start; to get it: %s", command, install)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

func python() string { return cmp.Or(os.Getenv("PYTHON"), "python3") }

// setFault has f answer every call from now on; nil lets all pass.
func (e *emulator) setFault(f fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault = f
}

// called returns the calls that functions have made so far.
func (e *emulator) called() []call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls[:len(e.calls):len(e.calls)]
}

// ServeHTTP passes one call on.
func (e *emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has left
	}
	c := call{Target: r.Header.Get("X-Amz-Target"), Header: r.Header, Body: body, Trace: r.Header.Get("X-Amzn-Trace-Id")}
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	for _, id := range []string{pollerKeyID, resumerKeyID} {
		if rest, ok := strings.CutPrefix(credential, id); ok {
			c.KeyID = id
			c.Environment, _, _ = strings.Cut(rest, "/")
		}
	}
	a := e.keep(c)(c, func(body []byte) answer { return e.forward(r, body) })
	if a.Cut {
		panic(http.ErrAbortHandler) // net/http's way to close without an answer
	}
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	w.Write(a.Body) // an error means that the caller has left
}

// keep keeps the call if a function made it, and returns what is to answer it.
func (e *emulator) keep(c call) fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.KeyID != "" {
		e.calls = append(e.calls, c)
	}
	if e.fault == nil {
		return func(c call, forward func([]byte) answer) answer { return forward(c.Body) }
	}
	return e.fault
}

func (e *emulator) forward(r *http.Request, body []byte) answer {
	if url, body, ok := e.others.take(r.Header.Get("X-Amz-Target"), body); ok {
		return forward(url, r, body)
	}
	e.moto.turn.Lock()
	defer e.moto.turn.Unlock()
	return forward(e.moto.URL, r, body)
}

func forward(url string, r *http.Request, body []byte) answer {
	broken := func(err error) answer {
		return answer{Status: http.StatusBadGateway, Body: fmt.Appendf(nil, "%s: %v", url, err)}
	}
	req, err := http.NewRequest(r.Method, url+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return broken(err)
	}
	req.Header = r.Header.Clone()
	req.Host = r.Host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return broken(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return broken(err)
	}
	res.Header.Del("Connection") // the emulator's own, with us
	return answer{Status: res.StatusCode, Header: res.Header, Body: text}
}

// client is how the tests themselves call AWS.
func (e *emulator) client() aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &e.URL,
		Credentials: credentials.NewStaticCredentialsProvider("AKIATESTER0000000000", "tests-secret-access-key", ""),
		HTTPClient:  &http.Client{Timeout: 30 * time.Second},
	}
}

// environ is the environment of a Python script that calls AWS: this one's,
// without what may point to an account.
func (e *emulator) environ() []string {
	var own []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") {
			own = append(own, variable)
		}
	}
	return append(own,
		"AWS_ENDPOINT_URL="+e.URL, "AWS_DEFAULT_REGION="+region, "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_ACCESS_KEY_ID=AKIATESTER0000000000", "AWS_SECRET_ACCESS_KEY=tests-secret-access-key", "NO_PROXY=127.0.0.1")
}

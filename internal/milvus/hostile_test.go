package milvus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// metered counts what is read of a connection, in bytes.
type metered struct {
	net.Conn
	n *atomic.Int64
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.n.Add(int64(n))
	return n, err
}

// meteredClient returns a client of the server, and what it has read so far of all
// its connections.
func meteredClient(server *httptest.Server) (*Client, *atomic.Int64) {
	n := new(atomic.Int64)
	return clientOf(server.URL, func(transport *http.Transport) {
		transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return metered{conn, n}, err
		}
	}), n
}

// endless writes a text until nobody reads it any more.
func endless(w io.Writer, text string) {
	chunk := []byte(strings.Repeat(text, 1+4096/len(text)))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// sendingOn hijacks the connection, and sends a beginning and then one text
// again and again.
func sendingOn(begin, again string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, begin)
		endless(conn, again)
	}
}

// bomb is an answer of some kilobytes that unpacks to a right one of 100 MB: parts
// packed one by one unpack as one.
var bomb = sync.OnceValue(func() string {
	packed := func(text string) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return out.String()
	}
	return packed(success(exactID, inProgress)) + strings.Repeat(packed(strings.Repeat(" ", 1<<20)), 100)
})

var hostileAnswers = map[string]struct {
	// onlyHTTP1 answers have no like in HTTP/2; the others come over both.
	onlyHTTP1 bool
	answer    http.HandlerFunc
	most      int64 // bytes to be read
}{
	"a body without an end": {false, func(w http.ResponseWriter, _ *http.Request) { endless(w, " ") }, maxBody},
	"a body of 100 MB with its length": {false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(100<<20))
		endless(w, " ")
	}, maxBody},
	"a gzip bomb": {false, func(w http.ResponseWriter, r *http.Request) {
		answering(200, bomb(), "Content-Encoding", "gzip")(w, r)
	}, 256 << 10},
	"a gzip bomb that nobody announces": {false, func(w http.ResponseWriter, r *http.Request) { answering(200, bomb())(w, r) }, 256 << 10},
	"an endless body that claims to be packed": {false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		endless(w, "\x1f\x8b\x08\x00")
	}, maxBody},
	"a header of 1 MiB":                    {false, answering(200, "", "X", strings.Repeat("x", 1<<20)), 128 << 10},
	"headers without an end":               {true, sendingOn("HTTP/1.1 200 OK\r\n", "X: x\r\n"), 128 << 10},
	"a header without an end":              {true, sendingOn("HTTP/1.1 200 OK\r\nX: ", "x"), 128 << 10},
	"a status line without an end":         {true, sendingOn("HTTP/1.1 200 ", "x"), 128 << 10},
	"informational answers without an end": {true, sendingOn("", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), 128 << 10},
	"thousands of informational answers": {false, func(w http.ResponseWriter, r *http.Request) {
		// Once: the header of a stream that the client has closed may still be read.
		w.Header().Set("Link", strings.Repeat("x", 100))
		for range 10_000 {
			w.WriteHeader(http.StatusEarlyHints)
		}
		answering(200, success(exactID, inProgress))(w, r)
	}, 256 << 10},
	"a chunk's extension without an end": {true, sendingOn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"), 128 << 10},
	"chunks of a byte without an end":    {true, sendingOn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"), 6 * maxBody},
	"trailers without an end":            {true, sendingOn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\n \r\n0\r\n", "X: x\r\n"), 128 << 10},
}

func TestOfAHostileAnswerLittleIsRead(t *testing.T) {
	for name, tt := range hostileAnswers {
		for _, http2 := range []bool{false, true} {
			if http2 && tt.onlyHTTP1 {
				continue
			}
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", name, http2), func(t *testing.T) {
				server := newServer(t, tt.answer)
				server.EnableHTTP2 = http2
				server.StartTLS()
				c, read := meteredClient(server)
				c.timeout = time.Minute // the answer has to end for what it is
				failure := failed(t, c)
				want := Temporary
				if name == "a gzip bomb" {
					want = Misconfigured
				}
				if failure.Kind != want || strings.Contains(failure.Message, "context") {
					t.Errorf("got %s: %v", failure.Kind, failure)
				}
				// What the kernel and net/http have buffered comes on top.
				if n := read.Load(); n > tt.most+128<<10 {
					t.Errorf("%d bytes were read, of %d at most: %v", n, tt.most, failure)
				}
			})
		}
	}
}

func TestAnAnswerThatDripsEndsAfterTheTimeout(t *testing.T) {
	tests := map[string]struct{ begin, drop string }{
		"in its status line":           {"HTTP/1.1 200 ", "x"},
		"in its headers":               {"HTTP/1.1 200 OK\r\nX: ", "x"},
		"header by header":             {"HTTP/1.1 200 OK\r\n", "X: x\r\n"},
		"in its body":                  {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", " "},
		"in a body without a length":   {"HTTP/1.1 200 OK\r\n\r\n", " "},
		"chunk by chunk":               {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"},
		"in informational answers":     {"", "HTTP/1.1 103 Early Hints\r\n\r\n"},
		"in the status of a throttler": {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nX: ", "x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dripping sync.WaitGroup
				defer dripping.Wait()
				c := clientOf("http://localhost", func(transport *http.Transport) {
					transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
						ours, theirs := net.Pipe()
						dripping.Go(func() {
							if _, err := http.ReadRequest(bufio.NewReader(theirs)); err != nil {
								return
							}
							_, err := io.WriteString(theirs, tt.begin)
							for err == nil {
								time.Sleep(time.Second)
								_, err = io.WriteString(theirs, tt.drop)
							}
						})
						return ours, nil
					}
				})
				took(t, Timeout, func() {
					if failure := failed(t, c); failure.Kind != Temporary {
						t.Errorf("got %s: %v", failure.Kind, failure)
					}
				})
			})
		})
	}
}

func TestAHostileBodyIsSorted(t *testing.T) {
	deep := func(levels int) string { return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels) }
	digits := strings.Repeat("9", 1<<20-1000)
	const unread = "the answer is not the API's JSON"
	tests := map[string]struct {
		body string
		want string // of the job, or of the error
	}{
		"10 000 levels as the body":      {deep(10_001), unread},
		"10 000 levels as the data":      {`{"code": 0, "data": ` + deep(10_001) + `}`, unread},
		"9 000 levels as the data":       {`{"code": 0, "data": ` + deep(9_000) + `}`, "the answer has no jobId"},
		"9 000 levels beside the state":  {success(exactID, inProgress+`, "x": `+deep(9_000)), "RefreshInProgress 42"},
		"9 000 levels as the state":      {success(exactID, `"state": `+deep(9_000)), "the answer has no state"},
		"9 000 levels as the message":    {`{"code": 1, "message": ` + deep(9_000) + `}`, "the answer has no message"},
		"a huge progress":                {success(exactID, `"state": "RefreshInProgress", "progress": `+digits), "RefreshInProgress -"},
		"a progress of a huge exponent":  {success(exactID, `"state": "RefreshInProgress", "progress": 1e999999999`), "RefreshInProgress -"},
		"a huge startTime":               {success(exactID, `"state": "RefreshInProgress", "startTime": `+digits), "RefreshInProgress -"},
		"a huge negative endTime":        {success(exactID, `"state": "RefreshInProgress", "endTime": -`+digits), "RefreshInProgress -"},
		"a huge code":                    {`{"code": ` + digits + `, "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`, "the answer has no code"},
		"a code of a huge exponent":      {`{"code": 1e999999999, "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`, "the answer has no code"},
		"the least code":                 {`{"code": -9223372036854775808, "message": "x"}`, "x"},
		"a huge jobId":                   {`{"code": 0, "data": {"jobId": ` + digits + `, "state": "RefreshCompleted"}}`, "the answer has no jobId"},
		"a state of 1 MB":                {success(exactID, `"state": "`+digits+`"`), "*** -"},
		"a name of 1 MB":                 {success(exactID, inProgress+`, "collectionName": "`+digits+`"`), "RefreshInProgress 42"},
		"a message of 1 MB":              {`{"code": 1, "message": "` + digits + `"}`, "***"},
		"control characters in a state":  {success(exactID, `"state": "Refresh\u0000\u001b[2J\nCompleted"`), "Refresh  [2J Completed -"},
		"half a pair in a state":         {success(exactID, `"state": "\ud83d"`), "\uFFFD -"},
		"invalid UTF-8 in a state":       {success(exactID, "\"state\": \"\xff\""), "\uFFFD -"},
		"a byte order mark":              {"\uFEFF" + success(exactID, inProgress), unread},
		"UTF-16":                         {"{\x00\"\x00c\x00", unread},
		"two codes, the last a success":  {`{"code": 1800, "code": 0, "data": {"jobId": 449503829274509313, "state": "RefreshPending"}}`, "RefreshPending -"},
		"two codes, the last a failure":  {`{"code": 0, "CODE": 2, "message": "no", "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}}`, "no"},
		"two ids, the last another's":    {`{"code": 0, "data": {"jobId": 449503829274509313, "jobId": 1, "state": "RefreshCompleted"}}`, "the answer is about another job"},
		"two states, the last empty":     {success(exactID, `"state": "RefreshCompleted", "state": ""`), "the answer has no state"},
		"two states, the last counts":    {success(exactID, `"state": "RefreshCompleted", "state": "RefreshPending"`), "RefreshPending -"},
		"data, and then none":            {`{"code": 0, "data": {"jobId": 449503829274509313, "state": "RefreshCompleted"}, "data": null}`, "the answer has no data"},
		"keys in other letters":          {`{"CODE": 0, "Data": {"JOBID": 449503829274509313, "STATE": "RefreshPending"}}`, "the answer has no jobId"},
		"the keys of a job in the error": {`{"code": 2, "message": "no", "state": "RefreshCompleted", "jobId": 449503829274509313}`, "no"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job, err := startCluster(t, answering(200, tt.body)).Describe(t.Context(), apiKey, refresh(exactID))
			got := job.State + " -"
			if job.Progress != nil {
				got = fmt.Sprint(job.State, " ", *job.Progress)
			}
			if err != nil {
				checkFailure(t, err)
				got = err.(*Error).Message
				if kind := err.(*Error).Kind; kind != Temporary {
					t.Errorf("the kind is %s", kind)
				}
			} else {
				checkJob(t, job)
			}
			if got != tt.want {
				t.Errorf("got %.200q, want %q", got, tt.want)
			}
		})
	}
}

package milvus

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/tests/authority"
)

// inPieces writes a byte each second.
type inPieces struct{ net.Conn }

func (p inPieces) Write(text []byte) (n int, err error) {
	for n < len(text) && err == nil {
		time.Sleep(time.Second)
		_, err = p.Conn.Write(text[n : n+1])
		n++
	}
	return n, err
}

// upTo writes only so many bytes, and swallows the others.
type upTo struct {
	net.Conn
	left *int
}

func (u upTo) Write(text []byte) (int, error) {
	n := min(*u.left, len(text))
	*u.left -= n
	if n > 0 {
		if _, err := u.Conn.Write(text[:n]); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// pipeTo returns a client whose connections are served by serve, in a bubble, and the
// number of those that it has opened.
func pipeTo(t *testing.T, roots *authority.Authority, http2 bool, serve func(net.Conn)) (c *Client, opened *atomic.Int32) {
	var serving sync.WaitGroup
	serving.Add(1) // or the first Go would race with Wait: a describe may end before its dial
	t.Cleanup(func() { serving.Done(); serving.Wait() })
	opened = new(atomic.Int32)
	return clientOf("https://127.0.0.1", func(transport *http.Transport) {
		transport.TLSClientConfig.RootCAs = authority.Pool(roots)
		transport.ForceAttemptHTTP2 = http2
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			opened.Add(1)
			ours, theirs := net.Pipe()
			serving.Go(func() {
				defer theirs.Close()
				serve(theirs)
			})
			return ours, nil
		}
	}), opened
}

func TestAStuckHandshakeEndsAfterTheTimeout(t *testing.T) {
	silent := func(conn net.Conn, _ *tls.Config) { _, _ = io.Copy(io.Discard, conn) }
	tests := map[string]func(net.Conn, *tls.Config){
		"when the server says nothing": silent,
		"when it says nothing, and reads nothing": func(conn net.Conn, _ *tls.Config) {
			time.Sleep(2 * Timeout)
		},
		"when it says hello only": func(conn net.Conn, config *tls.Config) {
			left := 127
			_ = tls.Server(upTo{conn, &left}, config).Handshake()
			silent(conn, nil)
		},
		"when it says all but its last bytes": func(conn net.Conn, config *tls.Config) {
			left := 700
			_ = tls.Server(upTo{conn, &left}, config).Handshake()
			silent(conn, nil)
		},
		"byte by byte": func(conn net.Conn, config *tls.Config) {
			_ = tls.Server(inPieces{conn}, config).Handshake()
		},
		"when only the handshake goes well": func(conn net.Conn, config *tls.Config) {
			secure := tls.Server(conn, config)
			_ = secure.Handshake()
			silent(secure, nil)
		},
	}
	for name, serve := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+", "+tls.VersionName(version), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					own := authority.New(t, "own")
					config := versions(chain(t, own), version, version)
					c, opened := pipeTo(t, own, false, func(conn net.Conn) { serve(conn, config) })
					took(t, Timeout, func() {
						if failure := failed(t, c); failure.Kind != Temporary || failure.Distrust != "" || failure.Stale {
							t.Errorf("got %+v", failure)
						}
					})
					if opened.Load() != 1 {
						t.Errorf("%d connections", opened.Load())
					}
				})
			})
		}
	}
}

// The frames of HTTP/2 (RFC 9113, section 6): length, type, flags, stream, payload.
const (
	settings     = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	noStreams    = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00"
	noWindow     = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00"
	acknowledged = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
	goAway       = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	refused      = "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x07"
	ping         = "\x00\x00\x08\x06\x00\x00\x00\x00\x00pingpong"
	pushed       = "\x00\x00\x05\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x88"
	headersOf200 = "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88"
	headersBegun = "\x00\x00\x01\x01\x00\x00\x00\x00\x01\x88"
	continued    = "\x00\x00\x05\x09\x00\x00\x00\x00\x01\x00\x01x\x01x"
	emptyData    = "\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	paddedData   = "\x00\x00\x10\x00\x08\x00\x00\x00\x01\x0e 0123456789abcd"
	widened      = "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff"
)

// hungUp closes the connection.
const hungUp = "hung up"

// hostileStream serves HTTP/2: it answers the request, or the first bytes of the
// connection, with some bytes once, and others again and again.
type hostileStream struct {
	unasked     bool
	once, again string
}

func (h hostileStream) serve(conn net.Conn, config *tls.Config) {
	time.Sleep(10 * time.Millisecond) // as a network takes
	secure := tls.Server(conn, config)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer conn.Close()
	asked := make(chan struct{})
	reading.Go(func() {
		buffer := make([]byte, 4096)
		var err error
		for got := ""; err == nil && !strings.Contains(got, `{"jobId"`) && !h.unasked; {
			var n int
			n, err = secure.Read(buffer)
			got += string(buffer[:n])
		}
		close(asked)
		_, _ = io.Copy(io.Discard, secure)
		_ = conn.Close()
	})
	<-asked
	_, err := io.WriteString(secure, h.once)
	switch h.again {
	case hungUp:
		return
	case "":
		reading.Wait() // for the client to leave
		return
	}
	for err == nil {
		time.Sleep(100 * time.Millisecond)
		_, err = io.WriteString(secure, strings.Repeat(h.again, 10))
	}
}

// net/http asks again where HTTP/2 says that a request was not processed. The last
// connection is given up before it is asked over.
const mostConnections = 4

func TestAStreamThatIsStuckEndsByTheTimeout(t *testing.T) {
	tests := map[string]hostileStream{
		"when nothing comes back":              {},
		"when only settings come back":         {once: settings + acknowledged},
		"when no stream is allowed":            {unasked: true, once: noStreams},
		"when no body is allowed":              {unasked: true, once: noWindow},
		"when the server hangs up at once":     {unasked: true, again: hungUp},
		"when it greets and hangs up":          {unasked: true, once: settings, again: hungUp},
		"when it hangs up once it is asked":    {once: settings, again: hungUp},
		"when it goes away once it is greeted": {unasked: true, once: settings + goAway},
		"when it goes away once it is asked":   {once: settings + goAway},
		"when the stream is refused":           {once: settings + refused},
		"when pings come":                      {once: settings, again: ping},
		"when settings come":                   {again: settings},
		"when another answer is pushed":        {once: settings + pushed},
		"when the headers hang":                {once: settings + headersBegun},
		"when the headers go on and on":        {once: settings + headersBegun, again: continued},
		"when the body hangs":                  {once: settings + headersOf200},
		"when the body is empty for ever":      {once: settings + headersOf200, again: emptyData},
		"when the body is padding":             {once: settings + headersOf200, again: paddedData},
		"when the window grows beyond all":     {once: settings + widened + widened},
		"when it speaks HTTP/1.1":              {once: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				own := authority.New(t, "own")
				config := versions(chain(t, own), tls.VersionTLS12, 0, "h2")
				c, opened := pipeTo(t, own, true, func(conn net.Conn) { tt.serve(conn, config) })
				began := time.Now()
				failure := failed(t, c)
				if took := time.Since(began); failure.Kind != Temporary || took > Timeout || opened.Load() > mostConnections {
					t.Errorf("after %s and %d connections: %+v", took, opened.Load(), failure)
				}
			})
		})
	}
}

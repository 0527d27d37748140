// Package pipenet is a network in memory, for tests in a bubble of
// testing/synctest: a server whose connections can be made to fail as those of a
// real network do. It is test support.
package pipenet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Protocol is what a server speaks.
type Protocol string

// The protocols, over TLS.
const (
	HTTP1 Protocol = "HTTP/1.1"
	HTTP2 Protocol = "HTTP/2"
)

// Protocols are all of them.
var Protocols = []Protocol{HTTP1, HTTP2}

// Deaths are the ways in which the connections opened so far die, while new ones
// work.
var Deaths = map[string]func(*Server){
	"silently":            (*Server).Silence,
	"with a hung backend": (*Server).Hang,
	"amid an answer":      (*Server).HangAmid,
}

// Server is a server at URL. It is safe for concurrent use.
type Server struct {
	URL      string
	Protocol Protocol
	// TLS trusts the server and asks for its protocol.
	TLS *tls.Config

	accepted chan net.Conn
	closed   context.Context
	close    context.CancelFunc
	hung     atomic.Int64 // requests over as many connections, the oldest, hang
	amid     atomic.Bool  // after half an answer

	mu     sync.Mutex
	opened []*conn
}

// Start starts a server, which ends with the test.
func Start(t testing.TB, protocol Protocol, handler http.HandlerFunc) *Server {
	t.Helper()
	s := &Server{accepted: make(chan net.Conn)}
	s.closed, s.close = context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if number, _ := strconv.ParseInt(r.RemoteAddr, 10, 64); number <= s.hung.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // else the server doesn't see the client leave
			if s.amid.Load() {
				_, _ = io.WriteString(w, "{")
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // or the answer would end as if it were whole
		}
		handler(w, r)
	}))
	_ = server.Listener.Close()
	server.Listener = listener{s}
	server.EnableHTTP2 = protocol == HTTP2
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s.URL, s.Protocol, s.TLS = server.URL, protocol, &tls.Config{RootCAs: roots, NextProtos: server.TLS.NextProtos}
	t.Cleanup(func() {
		s.each(func(c *conn) { _ = c.Close() })
		server.Close()
	})
	return s
}

// Route has a transport open its connections to the server, and trust it.
func (s *Server) Route(transport *http.Transport) {
	transport.DialContext, transport.TLSClientConfig, transport.ForceAttemptHTTP2 = s.DialContext, s.TLS, true
}

// DialContext opens a connection to the server, whatever the address.
func (s *Server) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	s.mu.Lock()
	c := &conn{Conn: ours}
	s.opened = append(s.opened, c)
	number := len(s.opened)
	s.mu.Unlock()
	select {
	case s.accepted <- numbered{theirs, number}:
		return c, nil
	case <-s.closed.Done():
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Silence has the connections opened so far swallow all that is sent either way.
func (s *Server) Silence() { s.each(func(c *conn) { c.silent.Store(true) }) }

// Hang leaves requests over the connections opened so far without an answer.
// They are alive: a ping is answered.
func (s *Server) Hang() { s.hung.Store(int64(s.Opened())) }

// HangAmid is Hang, but the answers begin.
func (s *Server) HangAmid() { s.amid.Store(true); s.Hang() }

// HangAll does so over all connections, new ones too.
func (s *Server) HangAll() { s.hung.Store(math.MaxInt64) }

// Opened returns how many connections have been opened.
func (s *Server) Opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opened)
}

// Open returns how many connections the client has not closed.
func (s *Server) Open() int {
	open := 0
	s.each(func(c *conn) {
		if !c.closed.Load() {
			open++
		}
	})
	return open
}

func (s *Server) each(do func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.opened {
		do(c)
	}
}

// conn is the client's end of a connection.
type conn struct {
	net.Conn
	silent, closed atomic.Bool
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		if n, err := c.Conn.Read(p); err != nil || !c.silent.Load() {
			return n, err
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	if c.silent.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// numbered is the server's end, whose number is its remote address.
type numbered struct {
	net.Conn
	number int
}

func (n numbered) RemoteAddr() net.Addr { return address(strconv.Itoa(n.number)) }

type address string

func (address) Network() string  { return "pipe" }
func (a address) String() string { return string(a) }

// listener hands the server its connections.
type listener struct{ s *Server }

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.s.accepted:
		return c, nil
	case <-l.s.closed.Done():
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error {
	l.s.close()
	return nil
}

// Addr is one that no proxy of the environment is used for.
func (listener) Addr() net.Addr { return address("127.0.0.1:443") }

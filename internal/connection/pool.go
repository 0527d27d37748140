// Package connection keeps connections for the next request, and leaves those
// over which a request got no complete answer.
//
// How long to wait for an answer, and whether to ask again, are not decided here.
package connection

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// An HTTP/2 connection over which nothing has come for pingAfter is sent a ping,
// and closed if pingTimeout passes without an answer. A server that is only slow
// answers it.
const (
	pingAfter   = 3 * time.Second
	pingTimeout = 3 * time.Second
)

// takeDown is more than net/http needs to take a request that was given up off its
// connection, which then is idle.
const takeDown = time.Second

// maxDials is how many connections a request may open. net/http opens another without
// end, nor any pause, where HTTP/2 says that the request was not processed
// (golang/go#52459).
const maxDials = 3

var errTurnedAway = fmt.Errorf("the server gave up %d connections without taking the request", maxDials)

// Pool sends requests over kept connections. It is safe for concurrent use; make
// one for the process.
//
// net/http takes an HTTP/1.1 connection out of use when a request over it times
// out, but not others as old, and goes on using an HTTP/2 connection
// (golang/go#36026). So a Pool leaves them all: the next request takes a new one,
// while those under way may still end well.
type Pool struct {
	template atomic.Pointer[http.Transport]
	current  atomic.Pointer[generation]
}

// generation is the connections made until they were left.
type generation struct {
	*http.Transport
	// answered is whether a complete answer has come over one of them.
	answered atomic.Bool
}

// New returns a pool whose connections are made as template's; it must not be
// used otherwise.
func New(template *http.Transport) *Pool {
	if template.HTTP2 == nil {
		template.HTTP2 = &http.HTTP2Config{}
	}
	template.HTTP2.SendPingTimeout, template.HTTP2.PingTimeout = pingAfter, pingTimeout
	p := &Pool{}
	p.template.Store(template)
	p.current.Store(p.next())
	return p
}

func (p *Pool) next() *generation { return &generation{Transport: p.template.Load().Clone()} }

// RoundTrip is http.RoundTripper's, and reports whether the connection was kept
// from a request that was answered before this one began: then it may have died
// since. It opens maxDials at most. Where the request or the reading of the response's
// body fails, even at req's own deadline, the connections are left.
func (p *Pool) RoundTrip(req *http.Request) (res *http.Response, kept bool, err error) {
	g := p.current.Load()
	answered, began := g.answered.Load(), time.Now()
	ctx, cancel := context.WithCancelCause(req.Context())
	var dials atomic.Int32
	var got net.Conn
	seen := g.arrival(req)
	defer seen.stop()
	trace := &httptrace.ClientTrace{TLSHandshakeStart: func() { // without TLS it is HTTP/1.1
		if dials.Add(1) > maxDials {
			cancel(errTurnedAway)
		}
	}, GotConn: func(info httptrace.GotConnInfo) {
		// Of requests at once over a new connection of HTTP/2 all but the first are
		// told that it is reused. And it may open several, of which some lie unused.
		old := answered && madeBefore(info.Conn, began)
		got, kept = info.Conn, old || answered && info.Reused
		seen.over(info.Conn, old)
	}, WroteRequest: seen.wrote}
	req = req.WithContext(httptrace.WithClientTrace(ctx, trace))
	seen.mind(req)
	res, err = g.RoundTrip(req)
	if err != nil {
		if context.Cause(ctx) == errTurnedAway {
			err = errTurnedAway
		}
		cancel(nil)
		if got != nil {
			p.leave(g)
			err = said(got, err)
		}
		return nil, kept, err
	}
	res.Body = &body{ReadCloser: res.Body, pool: p, from: g, end: cancel}
	return res, kept, nil
}

// Renew leaves the connections, because a request over them takes long.
func (p *Pool) Renew() { p.leave(p.current.Load()) }

// Change leaves the connections, because those that are made from now on differ by
// what change does to their transport. Calls of it must follow each other.
func (p *Pool) Change(change func(*http.Transport)) {
	template := p.template.Load().Clone()
	change(template)
	p.template.Store(template)
	g := p.current.Load()
	for !p.current.CompareAndSwap(g, p.next()) { // a request has left them, for some of the old kind
		g = p.current.Load()
	}
	g.CloseIdleConnections()
}

func (p *Pool) leave(g *generation) {
	if p.current.Load() == g { // else another request has left them
		p.current.CompareAndSwap(g, p.next())
	}
	time.AfterFunc(takeDown, g.CloseIdleConnections)
}

// body is a response's.
type body struct {
	io.ReadCloser
	pool *Pool
	from *generation
	end  context.CancelCauseFunc // of the request
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil:
	case io.EOF:
		b.from.answered.Store(true)
	default:
		b.pool.leave(b.from)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end(nil)
	if b.pool.current.Load() != b.from {
		b.from.CloseIdleConnections()
	}
	return err
}

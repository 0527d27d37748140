package connection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// youth is longer than a peer takes that refuses a connection.
const youth = 10 * time.Second

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// HearOut returns a dial whose connections, while they are new, take what is written
// to a peer that has hung up as sent. Then the error is what the peer said last, such
// as that it refuses the client's certificate, and not that it hears no more: TLS 1.3
// says so when the client may already write. A Pool also tells by them which
// connections are older than a request.
func HearOut(dial dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &young{Conn: conn, made: time.Now()}, nil
	}
}

type young struct {
	net.Conn
	made time.Time
	// wrote is how long after made the last write ended, in nanoseconds.
	wrote atomic.Int64
}

func (c *young) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.wrote.Store(int64(time.Since(c.made)))
	}
	hungUp := errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
	if hungUp && time.Since(c.made) < youth {
		return len(p), nil // the next read fails, if not by what was said then by the same
	}
	return n, err
}

// acknowledged reports whether something was written since a time, and whether the
// peer has acknowledged all that was written. net/http says that it wrote a request
// of HTTP/1.1 just before it does (persistConn.writeLoop).
func (c *young) acknowledged(since time.Time) bool {
	written := c.made.Add(time.Duration(c.wrote.Load())).After(since)
	return written && nothingUnacknowledged(c.Conn)
}

// youngOf returns the connection as HearOut made it, nil if it did not.
func youngOf(conn net.Conn) *young {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, _ := conn.(*young)
	return c
}

// madeBefore reports whether a connection of HearOut's was made before that time.
func madeBefore(conn net.Conn, at time.Time) bool {
	c := youngOf(conn)
	return c != nil && c.made.Before(at)
}

// notEstablished is net/http's error for the first request over a connection of HTTP/2
// that has ended already (errClientConnNotEstablished in h2_bundle.go). It has no
// other mark, and doesn't say how it ended.
const notEstablished = "http2: client conn could not be established"

// said adds to such an error what was read last, which crypto/tls remembers.
func said(conn net.Conn, err error) error {
	secure, ok := conn.(*tls.Conn)
	if !ok || err.Error() != notEstablished {
		return err
	}
	if _, last := secure.Read(make([]byte, 1)); last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

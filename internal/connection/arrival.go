package connection

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// lookEvery is how often an acknowledgement is looked for. Linux delays one by up to
// 40 ms if there is no answer to send it with (TCP_DELACK_MIN in include/net/tcp.h).
const lookEvery = 10 * time.Millisecond

type arrivalKey struct{}

// OnArrival returns a context whose request over a Pool calls arrived once it has
// reached the server, if that is known before the answer; at most once, and never
// after RoundTrip has returned.
//
// It is known by TCP's acknowledgement of all that was written, so neither a lost
// packet nor a slow network misleads. Whoever acknowledges has to be the server: a
// gateway that lets requests lie breaks that. Nothing is known over a new connection,
// through a proxy, and where the operating system does not tell.
func OnArrival(ctx context.Context, arrived func()) context.Context {
	return context.WithValue(ctx, arrivalKey{}, arrived)
}

// Arrived calls the function that OnArrival gave ctx, if any. It is for those who
// stand in for a Pool.
func Arrived(ctx context.Context) {
	if arrived, ok := ctx.Value(arrivalKey{}).(func()); ok {
		arrived()
	}
}

// arrival looks for the acknowledgement of one request.
type arrival struct {
	// tell is nil if nothing is to be told.
	tell func()

	mu sync.Mutex
	// conn was got at since; it is nil if it tells nothing.
	conn  *young
	since time.Time
	// looking is nil while the request is not written, or is to be written anew.
	looking *time.Timer
	told    bool
}

func (g *generation) arrival(req *http.Request) *arrival {
	tell, _ := req.Context().Value(arrivalKey{}).(func())
	if tell != nil && g.Proxy != nil {
		if proxy, err := g.Proxy(req); proxy != nil || err != nil {
			tell = nil
		}
	}
	return &arrival{tell: tell}
}

// mind has the arrival of a request that is written anew be the last one's. HTTP/2
// does so with those that the server refuses unprocessed, as it is apt to over a new
// connection, before it has said how many it takes at once.
func (a *arrival) mind(req *http.Request) {
	if again := req.GetBody; a.tell != nil && again != nil { // without one it is not written anew
		req.GetBody = func() (io.ReadCloser, error) {
			if a.stop() {
				return nil, errArrived
			}
			return again()
		}
	}
}

// over says which connection the request will be written to. A new one tells
// nothing.
func (a *arrival) over(conn net.Conn, old bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn, a.since = nil, time.Now()
	if old {
		a.conn = youngOf(conn)
	}
}

func (a *arrival) wrote(info httptrace.WroteRequestInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if info.Err == nil && a.tell != nil && a.conn != nil {
		a.looking = time.AfterFunc(lookEvery, a.look)
	}
}

func (a *arrival) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.looking == nil:
	case a.conn.acknowledged(a.since):
		a.looking, a.told = nil, true
		a.tell()
	default:
		a.looking.Reset(lookEvery)
	}
}

// stop ends the look, and reports whether the request is known to have arrived.
func (a *arrival) stop() (arrived bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.looking != nil {
		a.looking.Stop()
	}
	a.conn, a.looking = nil, nil
	return a.told
}

// errArrived is the error of a request that HTTP/2 refused unprocessed, and which
// can't be written anew: another may have been let through in its place.
var errArrived = errors.New("the request arrived, and was refused unprocessed")

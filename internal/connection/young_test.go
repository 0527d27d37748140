package connection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/tests/authority"
	"refresh-poller/internal/tests/pipenet"
)

func TestAChangeHoldsForTheNextConnectionAndClosesTheOthers(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		_, _ = get(t, p, s.URL, time.Second)
		slow := make(chan error)
		go func() {
			_, err := get(t, p, s.URL+"/slow", time.Minute)
			slow <- err
		}()
		time.Sleep(time.Second)
		dialled := 0
		p.Change(func(transport *http.Transport) {
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				dialled++
				return dial(ctx, network, address)
			}
		})
		for i := range 2 {
			if kept, err := get(t, p, s.URL, time.Second); err != nil || kept != (i > 0) {
				t.Errorf("request %d: kept %t, %v", i, kept, err)
			}
		}
		if err := <-slow; err != nil {
			t.Error("under way:", err)
		}
		synctest.Wait()
		if dialled != 1 || s.Open() != 1 {
			t.Errorf("%d dialled by the new way, %d open", dialled, s.Open())
		}
	})
}

// The connections that a failed request has left meanwhile were of the old kind.
func TestNoChangeIsLostToAFailedRequest(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		for range 100 {
			changed := false
			go p.Renew()
			p.Change(func(transport *http.Transport) {
				dial := transport.DialContext
				transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					changed = true
					return dial(ctx, network, address)
				}
			})
			if _, err := get(t, p, s.URL, time.Second); err != nil || !changed {
				t.Fatalf("changed %t, %v", changed, err)
			}
		}
	})
}

// hungUp is a connection whose peer has said its last.
type hungUp struct{ net.Conn }

func (hungUp) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Err: syscall.EPIPE}
}

func TestAPeerThatHangsUpIsHeardOutWhileTheConnectionIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := HearOut(func(context.Context, string, string) (net.Conn, error) { return hungUp{}, nil })(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Write([]byte("hello")); n != 5 || err != nil {
			t.Errorf("new: %d, %v", n, err)
		}
		time.Sleep(youth)
		if _, err := conn.Write([]byte("hello")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("kept: %v", err)
		}
	})
}

// Else one in five over HTTP/2 and TLS 1.3 says only that it can be written to no more.
func TestARefusalAfterTheHandshakeIsTheError(t *testing.T) {
	own, clients := authority.New(t, "own"), authority.New(t, "clients")
	for protocol := range authority.Protocols {
		t.Run(protocol, func(t *testing.T) {
			s := authority.Serve(t, protocol, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") })
			s.Present(t, own.Issue(t, time.Now().Add(time.Hour)), clients)
			p := New(&http.Transport{
				ForceAttemptHTTP2: true, DialContext: HearOut((&net.Dialer{}).DialContext),
				TLSClientConfig: &tls.Config{RootCAs: authority.Pool(own)},
			})
			for range 50 {
				_, err := get(t, p, s.URL, time.Minute)
				if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "remote error" {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

// The text is all that net/http says, so it has to stay as it is.
func TestNetHTTPStillSaysThatAConnectionCouldNotBeEstablished(t *testing.T) {
	ended, _ := net.Pipe()
	ended.Close()
	secure := tls.Client(ended, &tls.Config{ServerName: "cluster.example"})
	err := said(secure, errors.New(notEstablished))
	if !strings.HasPrefix(fmt.Sprint(err), notEstablished+": ") || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	other := errors.New("another")
	if err := said(secure, other); err != other {
		t.Errorf("got %v", err)
	}
}

package connection

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/tests/pipenet"
)

// inABubble runs a test over each protocol, in simulated time, with a server that
// answers a request for /slow after 8 s.
func inABubble(t *testing.T, run func(*testing.T, *Pool, *pipenet.Server)) {
	for _, protocol := range pipenet.Protocols {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := pipenet.Start(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/slow" {
						select {
						case <-time.After(8 * time.Second):
						case <-r.Context().Done():
						}
					}
					_, _ = io.WriteString(w, "answer")
				})
				transport := &http.Transport{}
				s.Route(transport)
				run(t, New(transport), s)
			})
		})
	}
}

// get asks for a URL within a time, and reports whether it was over a kept
// connection.
func get(t *testing.T, p *Pool, url string, within time.Duration) (kept bool, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, kept, err := p.RoundTrip(req)
	if err != nil {
		return kept, err
	}
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	return kept, err
}

func TestAConnectionIsKeptOnceItHasBroughtAnAnswer(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		for i := range 3 {
			if kept, err := get(t, p, s.URL, time.Second); err != nil || kept != (i > 0) {
				t.Errorf("request %d: kept %t, %v", i, kept, err)
			}
		}
		if s.Opened() != 1 {
			t.Errorf("%d connections", s.Opened())
		}
	})
}

func TestANewConnectionBesideAKeptOneIsNotKept(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		_, _ = get(t, p, s.URL, time.Second)
		over := make(chan bool)
		for range 2 {
			go func() {
				kept, _ := get(t, p, s.URL+"/slow", time.Minute)
				over <- kept
			}()
		}
		news := 0
		for range 2 {
			if !<-over {
				news++
			}
		}
		want := map[pipenet.Protocol]int{pipenet.HTTP1: 1, pipenet.HTTP2: 0}[s.Protocol]
		if news != want || s.Opened() != 1+want {
			t.Errorf("%d of two over a new connection, of %d", news, s.Opened())
		}
	})
}

func TestRequestsUnderWayOverALeftConnectionEndWell(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		slow := make(chan error)
		go func() {
			_, err := get(t, p, s.URL+"/slow", time.Minute)
			slow <- err
		}()
		time.Sleep(time.Second)
		if _, err := get(t, p, s.URL+"/slow", time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if kept, err := get(t, p, s.URL, time.Second); kept || err != nil {
			t.Errorf("the next: kept %t, %v", kept, err)
		}
		if err := <-slow; err != nil {
			t.Error("under way:", err)
		}
		synctest.Wait()
		if s.Open() != 1 {
			t.Errorf("%d connections are open, want the new one", s.Open())
		}
	})
}

func TestLeftConnectionsAreClosed(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		leave := map[string]func(){
			"by a time-out": func() { _, _ = get(t, p, s.URL+"/slow", time.Second) },
			"on purpose":    p.Renew,
		}
		for how, do := range leave {
			_, _ = get(t, p, s.URL, time.Second)
			do()
			time.Sleep(2 * time.Second)
			if s.Open() > 0 {
				t.Errorf("%s: %d connections are open", how, s.Open())
			}
		}
	})
}

func TestOnlyTheConnectionsOfAFailedRequestAreLeft(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		late := make(chan error)
		go func() {
			_, err := get(t, p, s.URL+"/slow", 5*time.Second)
			late <- err
		}()
		time.Sleep(time.Second)
		p.Renew()
		_, _ = get(t, p, s.URL, time.Second)
		if err := <-late; err == nil {
			t.Fatal("the request before was answered")
		}
		if kept, err := get(t, p, s.URL, time.Second); !kept || err != nil {
			t.Errorf("kept %t, %v", kept, err)
		}
	})
}

func TestASilentConnectionIsNoticedByAPingOverHTTP2(t *testing.T) {
	inABubble(t, func(t *testing.T, p *Pool, s *pipenet.Server) {
		_, _ = get(t, p, s.URL, time.Second)
		s.Silence()
		began := time.Now()
		_, err := get(t, p, s.URL, time.Minute)
		want := map[pipenet.Protocol]time.Duration{pipenet.HTTP1: time.Minute, pipenet.HTTP2: 6 * time.Second}[s.Protocol]
		if took := time.Since(began); err == nil || took != want {
			t.Errorf("%v after %s, want an error after %s", err, took, want)
		}
	})
}

func TestAFailedDialLeavesNoConnection(t *testing.T) {
	inABubble(t, func(t *testing.T, _ *Pool, s *pipenet.Server) {
		refused := false
		transport := &http.Transport{}
		s.Route(transport)
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if refused {
				return nil, errors.New("refused")
			}
			return s.DialContext(ctx, network, address)
		}
		p := New(transport)
		_, _ = get(t, p, s.URL, time.Second)
		refused = true
		if _, err := get(t, p, strings.Replace(s.URL, "443", "444", 1), time.Second); err == nil {
			t.Fatal("the other port answered")
		}
		if kept, err := get(t, p, s.URL, time.Second); !kept || err != nil {
			t.Errorf("kept %t, %v", kept, err)
		}
	})
}

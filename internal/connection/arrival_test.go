package connection

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// post sends a body over the pool, and calls arrived when it has arrived.
func post(ctx context.Context, p *Pool, url, body string, arrived func()) error {
	req, err := http.NewRequestWithContext(OnArrival(ctx, arrived), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, _, err := p.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// overLoopback runs a test over each protocol with a server on this machine.
func overLoopback(t *testing.T, handler http.HandlerFunc, run func(*testing.T, *Pool, string)) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(handler)
			server.EnableHTTP2 = http2
			server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1}
			server.StartTLS()
			defer server.Close()
			transport := server.Client().Transport.(*http.Transport).Clone()
			transport.DialContext = HearOut((&net.Dialer{}).DialContext)
			run(t, New(transport), server.URL)
		})
	}
}

func TestARequestOverAKeptConnectionIsKnownToHaveArrivedBeforeItsAnswer(t *testing.T) {
	arrivals := make(chan bool, 1)
	handler := func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/waits" {
			select {
			case <-arrivals:
			case <-r.Context().Done():
			}
		}
	}
	overLoopback(t, handler, func(t *testing.T, p *Pool, url string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, path := range []string{"/new", "/waits", "/waits"} {
			if err := post(ctx, p, url+path, "body", func() { arrivals <- true }); err != nil {
				t.Error(path, err)
			}
		}
	})
}

// Over a new connection of HTTP/2 the server refuses one of these two requests,
// for it comes before it has told that it takes no more. It waits, and is written
// again.
func TestARequestThatWaitsToBeWrittenHasNotArrived(t *testing.T) {
	var mu sync.Mutex
	arrived, processed := 0, 0
	handler := func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		processed++
		mu.Unlock()
		time.Sleep(10 * lookEvery) // of the network's time: no bubble has acknowledgements
		mu.Lock()
		defer mu.Unlock()
		if r.ProtoMajor == 2 && arrived > processed {
			t.Errorf("%d have arrived, of which %d are processed", arrived, processed)
		}
	}
	overLoopback(t, handler, func(t *testing.T, p *Pool, url string) {
		processed = 0
		for range 2 {
			arrived = 0
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() {
					if err := post(t.Context(), p, url, "body", func() { mu.Lock(); defer mu.Unlock(); arrived++ }); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		if processed != 4 {
			t.Errorf("%d of 4 are processed", processed)
		}
	})
}

func TestWhatThePeerHasNotTakenIsNotAcknowledged(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err := HearOut((&net.Dialer{}).DialContext)(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, began := youngOf(dialled), time.Now()
	if c.acknowledged(began) {
		t.Error("nothing was written, and it is acknowledged")
	}
	// As much as the buffers of both hold.
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	written, err := c.Write(make([]byte, 64<<20))
	if err == nil || c.acknowledged(began) {
		t.Errorf("%d bytes that the peer did not take are acknowledged: %v", written, err)
	}
	if _, err := io.CopyN(io.Discard, peer, int64(written)); err != nil {
		t.Fatal(err)
	}
	for !c.acknowledged(began) {
		if time.Since(began) > time.Minute {
			t.Fatal("what the peer took is not acknowledged")
		}
		runtime.Gosched()
	}
	if c.acknowledged(time.Now()) {
		t.Error("what was written before counts as written since")
	}
}

// What a proxy acknowledges the server may not have.
func TestOverAProxyNothingIsKnownBeforeTheAnswer(t *testing.T) {
	tests := map[string]struct {
		proxy  func(*http.Request) (*url.URL, error)
		direct bool
	}{
		"no proxies":               {nil, true},
		"none for this server":     {func(*http.Request) (*url.URL, error) { return nil, nil }, true},
		"one":                      {func(*http.Request) (*url.URL, error) { return &url.URL{Host: "proxy"}, nil }, false},
		"one that can't be parsed": {func(*http.Request) (*url.URL, error) { return nil, errors.New("no URL") }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(OnArrival(t.Context(), func() {}), http.MethodPost, "/", nil)
			if seen := New(&http.Transport{Proxy: tt.proxy}).current.Load().arrival(req); (seen.tell != nil) != tt.direct {
				t.Errorf("told: %t", seen.tell != nil)
			}
		})
	}
}

func TestARequestWhoseArrivalWasToldIsNotWrittenAnew(t *testing.T) {
	req, err := http.NewRequest(http.MethodPost, "https://cluster.example", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	a := &arrival{tell: func() {}}
	a.mind(req)
	if _, err := req.GetBody(); err != nil {
		t.Error("not yet told:", err)
	}
	a.told = true
	if _, err := req.GetBody(); err != errArrived {
		t.Errorf("told: %v", err)
	}
}

// net/http takes another connection if the first turns out to be closed.
func TestAConnectionThatIsNotUsedAfterAllTellsNothing(t *testing.T) {
	a := &arrival{tell: func() {}}
	a.over(&young{}, true)
	a.over(&young{}, false)
	a.wrote(httptrace.WroteRequestInfo{})
	if a.looking != nil {
		t.Error("it looks at the first")
	}
}

package connection

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"refresh-poller/internal/tests/authority"
)

// relay passes bytes between its connections and a server, until it is told to
// swallow those of the connections that there are.
type relay struct {
	net.Listener
	server string

	mu     sync.Mutex
	silent []*atomic.Bool
}

func startRelay(t *testing.T, server string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: listener, server: server}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", server)
			if err != nil {
				_ = here.Close()
				continue
			}
			silent := new(atomic.Bool)
			r.mu.Lock()
			r.silent = append(r.silent, silent)
			r.mu.Unlock()
			go pass(there, here, silent)
			go pass(here, there, silent)
		}
	}()
	return r
}

// pass copies until one of the two is closed, and closes the other.
func pass(to, from net.Conn, silent *atomic.Bool) {
	defer to.Close()
	for buffer := make([]byte, 4096); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if !silent.Load() {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
}

func (r *relay) silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, silent := range r.silent {
		silent.Store(true)
	}
}

// The same as in a bubble, over the network that there really is.
func TestADeadConnectionOfARealNetworkFailsOneRequest(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, death := range []string{"silence", "a hung backend"} {
			t.Run(death, func(t *testing.T) {
				var hung sync.Map // connections, by their address
				seen := sync.Map{}
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					seen.Store(r.RemoteAddr, true)
					if _, ok := hung.Load(r.RemoteAddr); ok {
						<-r.Context().Done()
						return
					}
					_, _ = io.WriteString(w, r.Proto)
				}))
				server.EnableHTTP2 = http2
				server.StartTLS()
				defer server.Close()
				between := startRelay(t, server.Listener.Addr().String())
				p := New(server.Client().Transport.(*http.Transport).Clone())
				url := "https://" + between.Addr().String()
				if _, err := get(t, p, url, time.Minute); err != nil {
					t.Fatal(err)
				}
				if death == "silence" {
					between.silence()
				} else {
					seen.Range(func(address, _ any) bool { hung.Store(address, true); return true })
				}
				if kept, err := get(t, p, url, 50*time.Millisecond); !kept || err == nil {
					t.Errorf("kept %t, %v", kept, err)
				}
				for range 10 {
					if _, err := get(t, p, url, time.Minute); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// net/http opens a connection of HTTP/2 for each of several requests at once, and may
// send them all over one.
func TestAConnectionThatWasNotYetUsedIsKeptToo(t *testing.T) {
	own := authority.New(t, "own")
	for range 20 {
		s := authority.Serve(t, "HTTP/2, TLS 1.3", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
		s.Present(t, own.Issue(t, time.Now().Add(time.Hour)), nil)
		p := New(&http.Transport{ForceAttemptHTTP2: true, DialContext: HearOut((&net.Dialer{}).DialContext), TLSClientConfig: &tls.Config{RootCAs: authority.Pool(own)}})
		tenAtOnce(t, p, s.URL)
		s.CloseClientConnections()
		for _, fault := range tenAtOnce(t, p, s.URL) {
			t.Errorf("of a connection said to be new: %v", fault)
		}
	}
}

// tenAtOnce returns how requests failed over connections that were not kept.
func tenAtOnce(t *testing.T, p *Pool, url string) (faults []error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 10 {
		all.Go(func() {
			if kept, err := get(t, p, url, time.Minute); err != nil && !kept {
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, err)
			}
		})
	}
	all.Wait()
	return faults
}

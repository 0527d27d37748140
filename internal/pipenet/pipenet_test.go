package pipenet

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// get asks the server, and returns the protocol that it answers with.
func get(t *testing.T, s *Server, over *http.Transport) (string, error) {
	t.Helper()
	res, err := (&http.Client{Transport: over, Timeout: time.Second}).Get(s.URL)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

func TestConnectionsDieAndNewOnesWork(t *testing.T) {
	deaths := map[string]func(*Server){"not at all": func(*Server) {}}
	for death, die := range Deaths {
		deaths[death] = die
	}
	for death, die := range deaths {
		for protocol, want := range map[Protocol]string{HTTP1: "HTTP/1.1", HTTP2: "HTTP/2.0"} {
			t.Run(death+", "+want, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := Start(t, protocol, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
					old, other := &http.Transport{}, &http.Transport{}
					s.Route(old)
					s.Route(other)
					if got, err := get(t, s, old); got != want || err != nil {
						t.Fatal(got, err)
					}
					die(s)
					if _, err := get(t, s, old); (err == nil) != (death == "not at all") {
						t.Error("over the old connection:", err)
					}
					if got, err := get(t, s, other); got != want || err != nil {
						t.Error("over a new connection:", got, err)
					}
					synctest.Wait() // a request that was given up may still be on its way out
					old.CloseIdleConnections()
					other.CloseIdleConnections()
					synctest.Wait()
					if s.Opened() != 2 || s.Open() != 0 {
						t.Errorf("%d connections, %d open", s.Opened(), s.Open())
					}
				})
			})
		}
	}
}

func TestAllConnectionsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(t, HTTP1, func(http.ResponseWriter, *http.Request) {})
		s.HangAll()
		transport := &http.Transport{}
		s.Route(transport)
		if _, err := get(t, s, transport); err == nil {
			t.Error("it was answered")
		}
	})
}

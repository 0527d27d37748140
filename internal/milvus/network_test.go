package milvus

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAnswerOfOneMiBIsRead(t *testing.T) {
	body := success(exactID, inProgress)
	body += strings.Repeat(" ", maxBody-len(body))
	job, err := startCluster(t, answering(200, body)).Describe(t.Context(), apiKey, refresh(exactID))
	if err != nil {
		t.Fatal(err)
	}
	if job.State != "RefreshInProgress" {
		t.Errorf("got %+v", job)
	}
}

func TestALargerAnswerIsRefused(t *testing.T) {
	body := success(exactID, inProgress)
	body += strings.Repeat(" ", maxBody+1-len(body))
	failure := failed(t, startCluster(t, answering(200, body)))
	if failure.Kind != Temporary || failure.Error() != "the answer is larger than 1 MiB (HTTP 200)" {
		t.Errorf("got %s: %v", failure.Kind, failure)
	}
}

func TestAnAnswerThatNeverEndsIsRefused(t *testing.T) {
	ended := make(chan struct{})
	c := startCluster(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	c.timeout = time.Hour // only that the client hangs up ends the answer
	if failure := failed(t, c); failure.Message != "the answer is larger than 1 MiB" {
		t.Errorf("got %v", failure)
	}
	<-ended
}

func TestTheStatusCountsWhereTheBodyCannotBeRead(t *testing.T) {
	bodies := map[string]http.HandlerFunc{
		"because it is too large": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, maxBody+1))
		},
		"because it breaks off": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"code": 0, "da`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	kinds := map[int]ErrorKind{200: Temporary, 401: Refused, 404: Misconfigured, 429: Throttled, 503: Temporary}
	for name, body := range bodies {
		for status, want := range kinds {
			t.Run(http.StatusText(status)+" "+name, func(t *testing.T) {
				failure := failed(t, startCluster(t, func(w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(status)
					body(w, r)
				}))
				if failure.Kind != want || failure.Status != status {
					t.Errorf("got %s, status %d, want %s", failure.Kind, failure.Status, want)
				}
			})
		}
	}
}

func TestAConnectionThatFailsIsTemporary(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"closed without an answer":     sending(""),
		"closed amid the headers":      sending("HTTP/1.1 200 OK\r\nContent-Le"),
		"an answer that is no HTTP":    sending("SSH-2.0-OpenSSH_9.7\r\n"),
		"headers over 64 KiB":          answering(200, success(exactID, inProgress), "X", strings.Repeat("x", 65<<10)),
		"a body shorter than its size": sending("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
		"an odd chunk":                 sending("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			failure := failed(t, startCluster(t, handler))
			if failure.Kind != Temporary || failure.RetryAfter != 0 || failure.Code != 0 {
				t.Errorf("got %+v", failure)
			}
		})
	}
}

func TestARefusedConnectionIsTemporary(t *testing.T) {
	server := newServer(t, nil)
	server.Start()
	server.Close()
	failure := failed(t, NewClient(server.URL, 1))
	if failure.Kind != Temporary || failure.Status != 0 || !strings.HasPrefix(failure.Error(), "no answer: ") {
		t.Errorf("got %+v", failure)
	}
}

func TestACancelledDescribeEnds(t *testing.T) {
	tests := map[string]func(w http.ResponseWriter){
		"before the answer": func(http.ResponseWriter) {},
		"amid the answer": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"code": 0,`)
			_ = http.NewResponseController(w).Flush()
		},
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // else the server doesn't see the client leave
				begin(w)
				cancel()
				<-r.Context().Done()
			})
			failure := failedWith(t, ctx, c, apiKey)
			if failure.Kind != Temporary || !strings.Contains(failure.Error(), "context canceled") {
				t.Errorf("got %s: %v", failure.Kind, failure)
			}
		})
	}
}

func TestACancelledContextSendsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, connections := startCounted(t, answering(200, ""))
	if failure := failedWith(t, ctx, c, apiKey); failure.Kind != Temporary || connections.n.Load() != 0 {
		t.Errorf("got %s after %d connections", failure.Kind, connections.n.Load())
	}
}

func TestADescribeEndsAfterItsTimeout(t *testing.T) {
	tests := map[string]string{
		"when nothing comes back":   "",
		"when the headers hang":     "HTTP/1.1 200 OK\r\n",
		"when the body hangs":       "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\": 0,",
		"when only a 100 came back": "HTTP/1.1 100 Continue\r\n\r\n",
	}
	for name, sent := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clientOf("http://localhost", func(transport *http.Transport) {
					transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
						ours, theirs := net.Pipe()
						go func() {
							if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
								_, _ = io.WriteString(theirs, sent)
							}
						}()
						return ours, nil
					}
				})
				took(t, Timeout, func() {
					if failure := failed(t, c); failure.Kind != Temporary {
						t.Errorf("got %+v", failure)
					}
				})
			})
		})
	}
}

func TestADialEndsAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		c := clientOf("http://localhost", func(transport *http.Transport) {
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				<-hung
				return nil, net.ErrClosed
			}
		})
		took(t, Timeout, func() { failed(t, c) })
	})
}

func TestAServerWithAnUnknownCertificateIsRefused(t *testing.T) {
	server := newServer(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	server.StartTLS()
	failure := failed(t, NewClient(server.URL, 1))
	if failure.Kind != Misconfigured || !strings.Contains(failure.Message, "certificate") {
		t.Errorf("got %+v", failure)
	}
}

func TestTLSIsAtLeast12(t *testing.T) {
	for version, accepted := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			server := newServer(t, answering(200, success(exactID, inProgress)))
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
			server.StartTLS()
			c := trusting(server.Certificate(), server.URL)
			if _, err := c.Describe(t.Context(), apiKey, refresh(exactID)); (err == nil) != accepted {
				t.Errorf("got %v, want accepted: %t", err, accepted)
			}
		})
	}
}

func TestTheRequestIsTheSameOverHTTP2(t *testing.T) {
	var got *http.Request
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		answering(200, success(exactID, inProgress))(w, r)
	})
	server.EnableHTTP2 = true
	server.StartTLS()
	if _, err := trusting(server.Certificate(), server.URL).Describe(t.Context(), apiKey, refresh(exactID)); err != nil {
		t.Fatal(err)
	}
	if got.Proto != "HTTP/2.0" || got.Header.Get("Authorization") != "Bearer "+apiKey {
		t.Errorf("%s with %v", got.Proto, got.Header)
	}
	if coding := got.Header.Get("Accept-Encoding"); coding != "identity" {
		t.Errorf("Accept-Encoding is %q", coding)
	}
}

func trusting(certificate *x509.Certificate, url string) *Client {
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return clientOf(url, func(transport *http.Transport) { transport.TLSClientConfig.RootCAs = roots })
}

func took(t *testing.T, want time.Duration, run func()) {
	t.Helper()
	began := time.Now()
	run()
	if got := time.Since(began); got != want {
		t.Errorf("took %s, want %s", got, want)
	}
}

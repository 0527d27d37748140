package milvus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

const (
	exactID   = 449503829274509313 // no float64 holds it
	largestID = 9223372036854775807
	apiKey    = "0123456789abcdef0123456789abcdef"
)

// refresh names a refresh job.
func refresh(id int64) Ref { return Ref{ExternalCollection, fmt.Sprint(id)} }

// startCluster starts an HTTP server and returns a client of it.
func startCluster(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := newServer(t, handler)
	server.Start()
	return NewClient(server.URL, 10)
}

// startCounted is startCluster, and counts the connections that it accepts.
func startCounted(t *testing.T, handler http.HandlerFunc) (*Client, *counted) {
	t.Helper()
	server := newServer(t, handler)
	connections := &counted{Listener: server.Listener}
	server.Listener = connections
	server.Start()
	return NewClient(server.URL, 10), connections
}

// clientOf returns a client whose transport is changed first.
func clientOf(url string, change func(*http.Transport)) *Client {
	transport := newTransport(1)
	change(transport)
	return newClient(url, transport)
}

func newServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	return server
}

// counted counts the connections that it accepts.
type counted struct {
	net.Listener
	n atomic.Int64
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

// answering gives every request the same answer. The headers are names and
// values in turn.
func answering(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sending hijacks the connection and sends the bytes as they are.
func sending(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, raw)
		_ = conn.Close()
	}
}

// success is a complete answer about the job, with its fields as JSON members.
func success(jobID int64, members string) string {
	return fmt.Sprintf(`{"code": 0, "data": {"jobId": %d, %s}}`, jobID, members)
}

// failed describes a job and returns the failure; a job fails the test.
func failed(t *testing.T, c *Client) *Error {
	t.Helper()
	return failedWith(t, t.Context(), c, apiKey)
}

func failedWith(t *testing.T, ctx context.Context, c *Client, token string) *Error {
	t.Helper()
	job, err := c.Describe(ctx, token, refresh(exactID))
	if err == nil {
		t.Fatalf("got the job %+v, want an error", job)
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v is a %T, want an *Error", err, err)
	}
	return failure
}

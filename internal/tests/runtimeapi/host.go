package runtimeapi

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// invocation is one payload on its way through a process.
type invocation struct {
	id, trace string
	payload   []byte
	// done gets the one result; it has room for it.
	done chan result
}

type result struct {
	response []byte
	err      error
}

// handler serves the routes of the Runtime API (Lambda developer guide, "Using
// the Lambda runtime API for custom runtimes").
func (e *environment) handler() http.Handler {
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"invocation/next", e.next)
	mux.HandleFunc("POST "+base+"invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		e.answer(w, r, func(body []byte) result { return result{response: body} })
	})
	mux.HandleFunc("POST "+base+"invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		e.answer(w, r, func(body []byte) result { return result{err: functionError(body)} })
	})
	mux.HandleFunc("POST "+base+"init/error", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // broken off, it still is an error
		select {
		case e.initError <- functionError(body):
		default: // the first one counts
		}
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

// next holds the process until there is an invocation for it.
func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	e.readyOnce.Do(func() { close(e.ready) })
	select {
	case <-r.Context().Done():
	case inv := <-e.invocations:
		e.mu.Lock()
		e.current = inv
		e.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(e.cfg.Timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", e.cfg.ARN)
		h.Set("Lambda-Runtime-Trace-Id", inv.trace)
		w.Write(inv.payload) // an error means the process has ended
	}
}

// answer takes what the process posts about the invocation that it works on.
func (e *environment) answer(w http.ResponseWriter, r *http.Request, read func([]byte) result) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || e.current == nil || e.current.id != r.PathValue("id") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`)
		return
	}
	e.current.done <- read(body)
	e.current = nil
	w.WriteHeader(http.StatusAccepted)
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never returns an error
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newTraceID returns the id of a trace that is sampled.
func newTraceID() string {
	var b [20]byte
	rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=1", time.Now().Unix(), b[:12], b[12:])
}

package simcluster

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Answer is one HTTP answer, ready-made. The zero Answer is an empty HTTP 200.
// As one of a job's Faults, Answer{Status: 500} is a server error, and
// Answer{Body: `{"code":0}`} a success that lacks its data.
type Answer struct {
	// After is the job's age before which this fault, and those behind it, are
	// held back.
	After time.Duration

	// Status is the HTTP status. 0 = 200.
	Status int
	// Header is added to the answer's; its keys are canonical. Without a
	// Content-Type in it, that is application/json.
	Header http.Header
	Body   string

	// Drop closes the connection instead of answering.
	Drop bool
	// Stall leaves the client waiting until it gives up.
	Stall bool
}

// Failure is how the API reports most failures: HTTP 200 with a code and a
// message.
func Failure(code int, message string) Answer {
	return envelope(map[string]any{"code": code, "message": message})
}

// RateLimited is HTTP 429, as gateways send it. Retry-After is rounded up to
// whole seconds, and left out if 0.
func RateLimited(retryAfter time.Duration) Answer {
	a := Failure(codeThrottled, msgThrottled)
	a.Status = http.StatusTooManyRequests
	if retryAfter > 0 {
		seconds := int(math.Ceil(retryAfter.Seconds()))
		a.Header = http.Header{"Retry-After": {strconv.Itoa(seconds)}}
	}
	return a
}

// GatewayPage is the HTML that a gateway sends when it can't reach the server
// behind it.
func GatewayPage() Answer {
	return Answer{
		Status: http.StatusBadGateway,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   "<html><body><h1>502 Bad Gateway</h1></body></html>\n",
	}
}

// Redirect points the client to another URL, as a wrong endpoint may do.
func Redirect(url string) Answer {
	return Answer{
		Status: http.StatusTemporaryRedirect,
		Header: http.Header{"Location": {url}},
	}
}

// WrongJob is a success that describes the job with this id, whichever was
// asked for.
func WrongJob(id int64) Answer {
	return success(description{JobID: id, State: InProgress})
}

func success(d description) Answer {
	d.ExternalSpec = externalSpec
	return envelope(map[string]any{"code": 0, "data": d})
}

func envelope(fields map[string]any) Answer {
	body, _ := json.Marshal(fields) // can't fail: numbers, strings and a description
	return Answer{Body: string(body)}
}

// ServeHTTP gives the answer, whatever was asked.
func (a Answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.Drop:
		panic(http.ErrAbortHandler) // net/http's way to close without an answer
	case a.Stall:
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(cmp.Or(a.Status, http.StatusOK))
	io.WriteString(w, a.Body) // an error means the client has left
}

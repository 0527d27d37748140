package simcluster

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
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

	// code is that in Body, if the answer is a Failure.
	code int
}

// Failure is how the API reports most failures: HTTP 200 with a code and a
// message.
func Failure(code int, message string) Answer {
	a := envelope(map[string]any{"code": code, "message": message})
	a.code = code
	return a
}

// withStatus returns the answer with this HTTP status.
func (a Answer) withStatus(status int) Answer {
	a.Status = status
	return a
}

// NotAuthenticated is how the server, behind its gateway, refuses a credential.
func NotAuthenticated() Answer {
	return Failure(codeNotAuthenticated, msgNotAuthenticated)
}

// TimedOut is HTTP 408, when the server itself gives up on a request.
func TimedOut() Answer {
	return Failure(codeTimeout, msgTimeout).withStatus(http.StatusRequestTimeout)
}

// Gzipped is the answer compressed, as a gateway may send it without being
// asked.
func Gzipped(a Answer) Answer {
	var body strings.Builder
	compressor := gzip.NewWriter(&body)
	io.WriteString(compressor, a.Body) // can't fail: neither does a Builder
	compressor.Close()
	header := http.Header{"Content-Encoding": {"gzip"}}
	maps.Copy(header, a.Header)
	a.Header, a.Body = header, body.String()
	return a
}

// RateLimited is HTTP 429, as gateways send it. Retry-After is rounded up to
// whole seconds, and left out if 0.
func RateLimited(retryAfter time.Duration) Answer {
	a := Failure(codeThrottled, msgThrottled).withStatus(http.StatusTooManyRequests)
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
// asked for, under the keys of every kind.
func WrongJob(id string) Answer {
	return success(map[string]any{"jobId": bare(id), "state": InProgress, "status": "IN_PROGRESS"})
}

func success(description any) Answer {
	return envelope(map[string]any{"code": 0, "data": description})
}

func envelope(fields map[string]any) Answer {
	body, _ := json.Marshal(fields) // can't fail: numbers and strings
	return Answer{Body: string(body)}
}

// honest returns the answer with the HTTP status that its code has where
// Options.HonestStatuses is set, if it has a code.
func (a Answer) honest() Answer {
	switch a.code {
	case 0:
		return a
	case codeInvalid, codeBadJSON, codeMissing:
		return a.withStatus(http.StatusBadRequest)
	case codeNoCloudJob:
		return a.withStatus(http.StatusNotFound)
	case codeNotAuthenticated, codeUnauthenticated:
		return a.withStatus(http.StatusUnauthorized)
	case codeNotPermitted:
		return a.withStatus(http.StatusForbidden)
	case codeRequestLimit, codeRateLimit, codeThrottled:
		return a.withStatus(http.StatusTooManyRequests)
	case codeNotReady, codeUnavailable:
		return a.withStatus(http.StatusServiceUnavailable)
	case codeCanceled:
		return a.withStatus(statusClientGone)
	}
	return a.withStatus(http.StatusInternalServerError)
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

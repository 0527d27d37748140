package milvus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"refresh-poller/internal/redact"
)

// ErrorKind says what a failed describe asks of whoever asked.
type ErrorKind string

const (
	// Temporary is worth asking again soon: the cluster is not ready, the
	// answer makes no sense, or its code is not known.
	Temporary ErrorKind = "temporary"
	// NotFound means that the cluster knows no such job, or not yet.
	NotFound ErrorKind = "notFound"
	// Refused means that the credential is wrong or may not describe jobs, or that the
	// cluster takes no connection without another certificate of the client's.
	Refused ErrorKind = "refused"
	// Throttled means that too many requests were made; see Error.RetryAfter.
	Throttled ErrorKind = "throttled"
	// Misconfigured means a wrong endpoint or request, or a certificate of the cluster's
	// that is not trusted: an operator has to act.
	Misconfigured ErrorKind = "misconfigured"
	// Busy means that no refresh was started because one runs; see Error.JobID.
	Busy ErrorKind = "busy"
	// Impossible means that no such refresh will ever start.
	Impossible ErrorKind = "impossible"
)

// Error is a request that did not bring what was asked for.
type Error struct {
	Kind ErrorKind
	// Status is the HTTP status; 0 without an answer.
	Status int
	// Code is the API's own code; 0 when the answer had none.
	Code int64
	// Message is the API's, or says what is wrong with the answer. It holds
	// no credential and at most maxMessage bytes.
	Message string
	// RetryAfter is how long the cluster asks to wait; 0 when it doesn't say.
	RetryAfter time.Duration
	// Stale means that no complete answer came over a connection kept from an
	// earlier describe, and not because the caller gave up: the connection may have
	// been dead already, as after Lambda has frozen the process. The next describe
	// takes a new one, so it may be made at once.
	Stale bool
	// Distrust says why TLS failed, where it did for a reason that lasts; else empty.
	Distrust Distrust
	// Outdated is there with a Distrust: whether the client has been given another
	// trust since the describe began.
	Outdated func() bool
	// Unsure says of a start that it may have had an effect all the same.
	Unsure bool
	// JobID is the job that Busy is about, where the cluster names it.
	JobID string
}

// newError returns an error with a message in which no credential is: one of ours, in
// which a password that is an ordinary word must not be looked for; or a clean one.
func newError(kind ErrorKind, status int, header http.Header, message string) *Error {
	return &Error{Kind: kind, Status: status, Message: cut(message, maxMessage), RetryAfter: retryAfter(header, time.Now())}
}

// shown returns what may be seen of an error of net/http, which may hold a proxy's
// password, or what the cluster sent.
func shown(err error, token string) string {
	if ofGo(err, token) {
		token = ""
	}
	return clean(err.Error(), token, maxMessage)
}

// ofGo reports whether nothing in an error can be an echo of the token. The text of
// one of the network is Go's, the kernel's and a resolver's: it has the names and
// addresses of hosts, and of what a server says about TLS the number of an alert. Into
// that of one about a certificate go names of those that the cluster presented.
func ofGo(err error, token string) bool {
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return !slices.ContainsFunc(unverified.UnverifiedCertificates, func(c *x509.Certificate) bool {
			names := fmt.Sprint(string(c.Raw), c.Subject.Names) // as they are written, and as they are read
			return redact.Values(names, token) != names
		})
	}
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}

// Error returns one line: what failed, with the HTTP status and code if any, or with
// what mends a distrust.
func (e *Error) Error() string {
	switch {
	case e.Code != 0:
		return fmt.Sprintf("%s (HTTP %d, code %d)", e.Message, e.Status, e.Code)
	case e.Status != 0:
		return fmt.Sprintf("%s (HTTP %d)", e.Message, e.Status)
	case e.Distrust != "":
		return e.Message + ": " + mends[e.Distrust]
	}
	return e.Message
}

// kindOf sorts a failed answer: by the API's code where that says something
// (most failures are HTTP 200), else by the HTTP status. Without a kind nothing is
// NotFound.
//
// Codes: milvus-io/milvus, pkg/util/merr/errors.go; 80001 and 21119: Zilliz
// Cloud's proxy. 1, 2, 10000 and 10001 (not ready, unavailable, cancelled, timed
// out) are temporary unless the status says more.
func kindOf(status int, a answer, kind *row, id string) ErrorKind {
	switch a.Code.value {
	case 1400, 1800, 21119, 80001, 1401: // not authenticated (twice), API key illegal, no privilege
		return Refused
	case 1807, 8, 4: // rejected by the limiter, rate limit, request limit
		return Throttled
	case 1801, 1802: // request not JSON, a parameter missing
		return Misconfigured
	}
	if kind != nil && kind.isMissing(status, a.Code.value, a.Message, id) {
		return NotFound
	}
	return kindOfStatus(status)
}

func kindOfStatus(status int) ErrorKind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Refused
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusNotFound, status >= 300 && status < 400:
		return Misconfigured
	}
	return Temporary
}

// retryAfter reads the header of that name: seconds, or an HTTP date (RFC 9110,
// section 10.2.3). What can't be read, or has passed, is 0.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

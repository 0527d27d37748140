// Package milvus asks a Milvus or Zilliz Cloud cluster about one job, or to start a
// refresh, and sorts whatever comes back: into a Job, a List or an id, or into an
// Error of one of a few kinds.
//
// What to do about an answer, how often to ask and where the token comes from
// are not decided here.
package milvus

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"refresh-poller/internal/connection"
	"refresh-poller/internal/version"
)

// Timeout bounds one request, from dialling to the last byte of the body.
const Timeout = 10 * time.Second

// maxBody is the largest answer read, in bytes. A real one has a few hundred.
const maxBody = 1 << 20

// identity asks for an answer that is not compressed: without Accept-Encoding any
// coding may come (RFC 9110, section 12.5.3).
const identity = "identity"

// Client sends the requests to one cluster. It is safe for concurrent use and keeps
// its connections for the next request; make one for the process.
type Client struct {
	endpoint string
	// Not an http.Client, which would follow redirects: the token is for the
	// configured host.
	connections *connection.Pool
	timeout     time.Duration
	trust       atomic.Pointer[trust]
	// asked is whether the cluster has ever asked for a certificate of the client's.
	asked atomic.Bool
}

// NewClient returns a client of the cluster at endpoint, in Endpoint's form, that
// trusts the system's CAs. It keeps up to connections of them open and idle.
func NewClient(endpoint string, connections int) *Client {
	return newClient(endpoint, newTransport(connections))
}

func newClient(endpoint string, transport *http.Transport) *Client {
	c := &Client{endpoint: endpoint, timeout: Timeout}
	transport.TLSClientConfig.GetClientCertificate = c.present(nil)
	c.connections = connection.New(transport)
	c.trust.Store(&trust{})
	return c
}

func newTransport(connections int) *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = connection.HearOut(transport.DialContext)
	transport.MaxIdleConnsPerHost = connections
	// What is asked for without TLS a proxy would read, the token included.
	transport.Proxy = func(req *http.Request) (*neturl.URL, error) {
		if req.URL.Scheme != "https" {
			return nil, nil
		}
		return http.ProxyFromEnvironment(req)
	}
	transport.MaxResponseHeaderBytes = 64 << 10
	// An answer is a few hundred bytes: not worth a gzip bomb.
	transport.DisableCompression = true
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	// Or a cluster could push 4 MiB for each describe before one byte is read.
	transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	// Whose error would be the bare "Forbidden".
	transport.OnProxyConnectResponse = func(_ context.Context, _ *neturl.URL, _ *http.Request, res *http.Response) error {
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("the proxy refuses to connect (HTTP %d)", res.StatusCode)
		}
		return nil
	}
	return transport
}

// Describe asks for the job's state with the token, an API key or
// user:password. At most one request reaches the cluster: what net/http repeats
// of a POST was not written, or refused unprocessed by HTTP/2. Every error is an
// *Error, and neither it nor the job holds the token, the client's private key or
// another credential that the cluster sent.
//
// The call is its kind's.
func (c *Client) Describe(ctx context.Context, token string, job Ref) (Job, error) {
	trusted := c.trust.Load() // before the request takes a connection: see Trust
	found, err := c.describe(ctx, token, job)
	return trusted.hideIn(found), c.under(trusted, err)
}

// under returns the error of a request that began under that trust.
func (c *Client) under(trusted *trust, err error) error {
	if failure, ok := err.(*Error); ok {
		failure.Message = trusted.hide(failure.Message)
		if failure.Distrust != "" {
			failure.Outdated = func() bool { return c.trust.Load() != trusted }
		}
	}
	return err
}

func (c *Client) describe(ctx context.Context, token string, job Ref) (Job, error) {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(timed, token, job)
	if err != nil {
		return Job{}, newError(Misconfigured, 0, nil, shown(err, token))
	}
	r, failure := c.send(req, token, false)
	if failure != nil {
		failure.Stale = failure.Stale && ctx.Err() == nil
		return Job{}, failure
	}
	return read(r.status, r.header, r.body, job, token)
}

// reply is an answer that was read, of which no more than maxBody bytes are kept.
type reply struct {
	status int
	header http.Header
	body   []byte
	// cut says that there was more of it.
	cut bool
	// took is from before the request to the answer's header.
	took time.Duration
}

// send sends the request; cut allows an answer that is larger than maxBody.
func (c *Client) send(req *http.Request, token string, cut bool) (reply, *Error) {
	start := time.Now()
	res, kept, err := c.connections.RoundTrip(req)
	if err != nil {
		distrust := c.distrust(err)
		failure := newError(distrust.kind(), 0, nil, "no answer: "+shown(err, token))
		failure.Stale = kept
		failure.Distrust = distrust
		return reply{}, failure
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode, header: res.Header, took: time.Since(start)}
	r.body, err = io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if r.cut = cut && len(r.body) > maxBody; r.cut {
		r.body = r.body[:maxBody]
	}
	if kind, fault := unreadable(res, r.body, err, token); fault != "" {
		failure := newError(kind, res.StatusCode, res.Header, fault)
		failure.Stale = err != nil && kept
		return reply{}, failure
	}
	return r, nil
}

// unreadable says why the body of an answer can't be read, if it can't. The status
// then tells the kind.
func unreadable(res *http.Response, body []byte, err error, token string) (kind ErrorKind, fault string) {
	kind = kindOfStatus(res.StatusCode)
	coding := strings.Join(res.Header.Values("Content-Encoding"), ", ")
	switch {
	case err != nil:
		return kind, "the answer broke off: " + shown(err, token)
	case len(body) > maxBody:
		return kind, "the answer is larger than 1 MiB"
	case coding == "" || strings.EqualFold(coding, identity) || json.Valid(body): // whatever is said of it
		return "", ""
	case res.StatusCode == http.StatusOK:
		kind = Misconfigured // the gateway will do so again, until someone mends it
	}
	return kind, "the answer is compressed (" + clean(coding, token, maxName) + ") although identity was asked for"
}

// errRef can't come of a message: watch.Parse lets no such job in.
var errRef = errors.New("no such job can be asked for: the id is none of its kind's")

func (c *Client) request(ctx context.Context, token string, job Ref) (*http.Request, error) {
	if !job.Valid() {
		return nil, errRef
	}
	kind := job.Kind.row()
	url := c.endpoint + kind.path
	var body io.Reader = strings.NewReader(`{"jobId": ` + kind.inBody(job.ID) + `}`)
	if kind.method == http.MethodGet {
		url += job.ID // which has no character that a path gives a meaning to
		// net/http repeats a GET whose kept connection breaks, unless it has a body that
		// can't be had again (Request.isReplayable). One that is empty is not sent
		// (transferWriter.probeRequestBody), or over HTTP/2 ends the stream.
		body = io.NopCloser(strings.NewReader(""))
	}
	return newRequest(ctx, kind.method, url, body, token)
}

func newRequest(ctx context.Context, method, url string, body io.Reader, token string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", identity)
	// This is what the cluster's access log shows of the poller.
	req.Header.Set("User-Agent", "refresh-poller/"+version.Number)
	req.Header.Set("Request-Timeout", strconv.Itoa(int(Timeout.Seconds())))
	return req, nil
}

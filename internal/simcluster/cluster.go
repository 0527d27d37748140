// Package simcluster is a simulated Milvus cluster: it serves the endpoint
// that describes external collection refresh jobs, with the delays, the odd
// progress and the failures of a real one, over jobs that run by a clock
// instead of by work.
//
// Here live the jobs and their course, the answers and faults, the rate limit,
// and the counts of what was asked. The client of that endpoint does not: the
// two share no code on purpose, so that a mistake in one shows against the
// other. Nor does anything that listens; Cluster is an http.Handler.
package simcluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Path is the one route served, for POST; any other is HTTP 404.
const Path = "/v2/vectordb/jobs/external_collection/describe"

// Codes of failures, and the words Milvus has for them
// (pkg/util/merr/errors.go).
const (
	codeNotReady         = 1
	codeUnavailable      = 2
	codeRequestLimit     = 4
	codeRateLimit        = 8
	codeNotFound         = 1100
	codeNotAuthenticated = 1400
	codeNotPermitted     = 1401
	codeUnauthenticated  = 1800
	codeBadJSON          = 1801
	codeMissing          = 1802
	codeThrottled        = 1807
	codeCanceled         = 10000
	codeTimeout          = 10001

	msgNotAuthenticated = "not authenticated"
	msgUnauthenticated  = "user hasn't authenticated"
	msgBadJSON          = "can only accept json format request"
	msgMissing          = "missing required parameters"
	msgThrottled        = "request is rejected by limiter"
	msgTimeout          = "request timeout"
)

// statusClientGone is nginx's status for a client that hung up.
const statusClientGone = 499

// maxRequestBytes is ample for a job id and keeps a mistaken client from
// filling memory.
const maxRequestBytes = 4 << 10

// Options configure a Cluster.
type Options struct {
	// Token is the only bearer token accepted. SetToken rotates it.
	Token string
	// RequestsPerSecond is how many requests are accepted in any one second;
	// those beyond get code 1807. 0 = no limit. Zilliz Cloud allows 20.
	RequestsPerSecond int
	// HonestStatuses gives each failure by a code, faults included, the HTTP
	// status that goes with the code instead of 200, as Milvus does with
	// proxy.http.standardErrorStatus.
	HonestStatuses bool
	// Retention is how long a finished job is still found. 0 = 24 h.
	Retention time.Duration
	// Now is the clock that jobs and the rate limit go by. nil = time.Now.
	// It is called with the cluster locked, so it must not call the cluster.
	Now func() time.Time
}

// Cluster is a simulated cluster, safe for concurrent use. Make one with New.
type Cluster struct {
	mu     sync.Mutex // guards all below; of opts, Token alone changes
	opts   Options
	jobs   map[int64]*submission
	recent window
	counts Counts
}

// Counts says what a cluster was asked since it was made.
type Counts struct {
	// Describes is all requests to Path, however they were answered.
	Describes int
	// Refused were sent without the right token, Throttled exceeded
	// Options.RequestsPerSecond. The rest were accepted.
	Refused, Throttled int
	// PeakPerSecond is the most requests accepted in any one second, wherever
	// that second begins.
	PeakPerSecond int
	// PerJob is the accepted describes of each job added, by its id.
	PerJob map[int64]int
}

// New returns a cluster without jobs.
func New(opts Options) *Cluster {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Retention == 0 {
		opts.Retention = 24 * time.Hour
	}
	return &Cluster{opts: opts, jobs: make(map[int64]*submission)}
}

// SetToken makes token the only one accepted, from the next request on.
func (c *Cluster) SetToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opts.Token = token
}

// Add submits a job now. One with the same id is replaced, its count too.
func (c *Cluster) Add(job Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[job.ID] = &submission{Job: job, at: c.opts.Now()}
}

// Counts returns the counts so far.
func (c *Cluster) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.PerJob = make(map[int64]int, len(c.jobs))
	for id, job := range c.jobs {
		counts.PerJob[id] = job.describes
	}
	return counts
}

// ServeHTTP answers one request as a real server would.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path || r.Method != http.MethodPost {
		http.NotFound(w, r) // Milvus has no 405
		return
	}
	// Read ahead of the lock: a slow client must not hold up the others.
	id, rejection := readJobID(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	a := c.answer(r.Header.Get("Authorization"), id, rejection)
	if c.opts.HonestStatuses {
		a = a.honest()
	}
	a.ServeHTTP(w, r)
}

// answer decides on one request: the token is checked first, then the rate
// limit, as a gateway does that ahead of the server, then the parameters.
// A rejection means there is no id.
func (c *Cluster) answer(authorization string, id int64, rejection *Answer) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opts.Now()
	c.counts.Describes++
	if authorization != "Bearer "+c.opts.Token {
		c.counts.Refused++
		return Failure(codeUnauthenticated, msgUnauthenticated).withStatus(http.StatusUnauthorized)
	}
	if !c.recent.accept(now, c.opts.RequestsPerSecond) {
		c.counts.Throttled++
		return Failure(codeThrottled, msgThrottled)
	}
	c.counts.PeakPerSecond = max(c.counts.PeakPerSecond, len(c.recent))
	if rejection != nil {
		return *rejection
	}
	if job, ok := c.jobs[id]; ok {
		return job.answer(now, c.opts.Retention)
	}
	return notFound(id)
}

// readJobID reads a request's body. Where that fails, it returns the answer
// that says so. A number is decoded straight into an int64: an id above 2^53
// stays exact, and text, fractions and exponents are refused.
func readJobID(body io.Reader) (int64, *Answer) {
	var request struct {
		JobID int64 `json:"jobId"`
	}
	text, err := io.ReadAll(body)
	if err == nil {
		err = json.Unmarshal(text, &request)
	}
	var rejection Answer
	switch {
	case err != nil:
		rejection = Failure(codeBadJSON, fmt.Sprintf("%s, error: %v", msgBadJSON, err))
	case request.JobID <= 0:
		rejection = Failure(codeMissing, msgMissing+", error: jobId is required, above 0")
	default:
		return request.JobID, nil
	}
	return 0, &rejection
}

// window holds when the requests of the last second were accepted, oldest
// first. It grows no larger than one second's requests.
type window []time.Time

// accept notes a request at now, unless limit (0 = none) is reached.
func (w *window) accept(now time.Time, limit int) bool {
	times := *w
	for len(times) > 0 && now.Sub(times[0]) >= time.Second {
		times = times[1:]
	}
	accepted := limit == 0 || len(times) < limit
	if accepted {
		times = append(times, now)
	}
	*w = times
	return accepted
}

// Package simcluster is a simulated Milvus cluster, with Zilliz Cloud's control
// plane: it serves the endpoints that describe jobs of each kind, and those that
// start and list refreshes, with the delays, the odd progress and the failures of
// real ones, over jobs that run by a clock instead of by work.
//
// Here live the jobs and their course, the answers and faults, the rate limit,
// and the counts of what was asked. The client of those endpoints does not: the
// two share no code on purpose, so that a mistake in one shows against the
// other. Nor does anything that listens; Cluster is an http.Handler.
package simcluster

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// Codes of failures, and the words Milvus has for them
// (pkg/util/merr/errors.go).
const (
	codeNotReady         = 1
	codeUnavailable      = 2
	codeRequestLimit     = 4
	codeRateLimit        = 8
	codeNoCollection     = 100
	codeTaskDuplicate    = 703
	codeNoDatabase       = 800
	codeInvalid          = 1100 // that of a refresh that is not found, too
	codeNotAuthenticated = 1400
	codeNotPermitted     = 1401
	codeUnauthenticated  = 1800
	codeBadJSON          = 1801
	codeMissing          = 1802
	codeThrottled        = 1807
	codeImport           = 2101 // 2100 of servers before ErrImportSysFailed
	codeCanceled         = 10000
	codeTimeout          = 10001
	codeUnexpected       = 65535
	codeNoCloudJob       = 90404 // Zilliz Cloud documents none

	msgNotAuthenticated = "not authenticated"
	msgUnauthenticated  = "user hasn't authenticated"
	msgBadJSON          = "can only accept json format request"
	msgMissing          = "missing required parameters"
	msgInvalid          = "invalid parameter"
	msgImport           = "importing data failed on server side"
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
	// Retention is how long a finished job is still found. 0 = as its kind's is.
	Retention time.Duration
	// Older makes it a server that hands out an id which never appears for a refresh
	// that is asked for while another of the collection runs (milvus-io/milvus#49231),
	// where a newer one answers with code 703 and that one's id.
	Older bool
	// NoDate leaves out the answers' Date.
	NoDate bool
	// Now is the clock that jobs and the rate limit go by. nil = time.Now.
	// It is called with the cluster locked, so it must not call the cluster.
	Now func() time.Time
}

// Cluster is a simulated cluster, safe for concurrent use. Make one with New.
type Cluster struct {
	mu   sync.Mutex // guards all below; of opts, Token alone changes
	opts Options
	jobs map[Ref]*submission
	// collections can be refreshed; started counts the ids handed out.
	collections map[collectionKey]*Collection
	started     int
	recent      window
	counts      Counts
}

// Counts says what a cluster was asked since it was made.
type Counts struct {
	// Describes is all requests for a job, however they were answered.
	Describes int
	// Refused were sent without the right token, Throttled exceeded
	// Options.RequestsPerSecond. The rest were accepted.
	Refused, Throttled int
	// PeakPerSecond is the most requests accepted in any one second, wherever
	// that second begins.
	PeakPerSecond int
	// Lists and Starts are the accepted requests of those.
	Lists, Starts int
	// PerJob is the accepted describes of each job added.
	PerJob map[Ref]int
}

// New returns a cluster without jobs.
func New(opts Options) *Cluster {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Cluster{opts: opts, jobs: make(map[Ref]*submission), collections: make(map[collectionKey]*Collection)}
}

// SetToken makes token the only one accepted, from the next request on.
func (c *Cluster) SetToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opts.Token = token
}

// Add submits a job now. One of the same kind and id is replaced, its count too.
func (c *Cluster) Add(job Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[job.Ref()] = &submission{Job: job, at: c.opts.Now()}
}

// Counts returns the counts so far.
func (c *Cluster) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.PerJob = make(map[Ref]int, len(c.jobs))
	for ref, job := range c.jobs {
		counts.PerJob[ref] = job.describes
	}
	return counts
}

// ServeHTTP answers one request as a real server would.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.date(w.Header())
	if r.Method == http.MethodPost && (r.URL.Path == startPath || r.URL.Path == listPath) {
		c.serveCollection(w, r)
		return
	}
	kind, id, known := route(r)
	if !known {
		http.NotFound(w, r) // Milvus has no 405
		return
	}
	var rejection *Answer
	if id == "" {
		// Read ahead of the lock: a slow client must not hold up the others.
		id, rejection = kind.readBody(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	}
	a := c.answer(r.Header.Get("Authorization"), Ref{kind, id}, rejection)
	if c.opts.HonestStatuses {
		a = a.honest()
	}
	a.ServeHTTP(w, r)
}

// answer decides on one request: the token is checked first, then the rate
// limit, as a gateway does that ahead of the server, then the parameters.
// A rejection means there is no id.
func (c *Cluster) answer(authorization string, ref Ref, rejection *Answer) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opts.Now()
	c.counts.Describes++
	if refused := c.admit(now, authorization); refused != nil {
		return *refused
	}
	if rejection != nil {
		return *rejection
	}
	row := kinds[ref.Kind]
	if job, ok := c.jobs[ref]; ok {
		return job.answer(row, now, cmp.Or(c.opts.Retention, row.retention))
	}
	return row.missing(ref.ID)
}

// admit refuses a request for its token or the rate limit, or returns nil.
func (c *Cluster) admit(now time.Time, authorization string) *Answer {
	if authorization != "Bearer "+c.opts.Token {
		c.counts.Refused++
		return new(Failure(codeUnauthenticated, msgUnauthenticated).withStatus(http.StatusUnauthorized))
	}
	if !c.recent.accept(now, c.opts.RequestsPerSecond) {
		c.counts.Throttled++
		return new(Failure(codeThrottled, msgThrottled))
	}
	c.counts.PeakPerSecond = max(c.counts.PeakPerSecond, len(c.recent))
	return nil
}

// readBody reads the id in a request's body. Where that fails, it returns the
// answer that says so.
func (k Kind) readBody(body io.Reader) (id string, rejection *Answer) {
	var request struct{ JobID json.RawMessage }
	text, err := io.ReadAll(body)
	if err == nil {
		err = json.Unmarshal(text, &request)
	}
	switch {
	case err != nil:
		return "", badJSON(err)
	case request.JobID == nil:
		return "", missingID()
	}
	return kinds[k].readID(request.JobID)
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

package milvus

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// Collection names an external collection. Of the zero value nothing can be asked.
type Collection struct {
	Name string
	// Database is empty for the cluster's default.
	Database string
}

func (c Collection) json() string {
	body, _ := json.Marshal(struct {
		CollectionName string `json:"collectionName"`
		DBName         string `json:"dbName,omitempty"`
	}{c.Name, c.Database}) // no strings fail
	return string(body)
}

const (
	startPath = "/v2/vectordb/jobs/external_collection/refresh"
	listPath  = "/v2/vectordb/jobs/external_collection/list"
)

// Start has the cluster refresh the collection from where it was made of, and
// returns the job's id. Of an Error the kind may be Busy or Impossible here, and
// only one that is not Unsure says that nothing was started. Otherwise it is as
// Describe.
//
// It sends one request at most. Two starts are two refreshes on some servers, so
// net/http must not repeat it either: a POST with neither an Idempotency-Key nor a
// way to have its body again is repeated by no version of HTTP once a byte of it
// may be on its way (net/http, Transport and Request.GetBody).
func (c *Client) Start(ctx context.Context, token string, of Collection) (string, error) {
	trusted := c.trust.Load()
	id, err := c.start(ctx, token, of)
	return id, c.under(trusted, err)
}

func (c *Client) start(ctx context.Context, token string, of Collection) (string, error) {
	var connected atomic.Bool
	timed, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}), c.timeout)
	defer cancel()
	body := of.json()
	req, err := newRequest(timed, http.MethodPost, c.endpoint+startPath, io.NopCloser(strings.NewReader(body)), token)
	if err != nil {
		return "", newError(Misconfigured, 0, nil, shown(err, token))
	}
	req.ContentLength = int64(len(body))
	r, failure := c.send(req, token, false)
	if failure != nil {
		failure.Stale = false // it is not made once more
		failure.Unsure = failure.Kind == Temporary && connected.Load()
		return "", failure
	}
	return readStart(r, token)
}

// readStart reads {"code": 0, "data": {"jobId": 449503829274509300}}.
func readStart(r reply, token string) (string, error) {
	var a answer
	var d data
	if err := decode(r.body, &a); err != nil {
		return "", unsure(newError(kindOfStatus(r.status), r.status, r.header, "the answer is not the API's JSON"))
	}
	if failure := refusal(r, a, token, refusesForGood); failure != nil {
		if failure.Kind == Busy {
			failure.JobID = runningJob(a.Message)
		}
		return "", unsure(failure)
	}
	_ = json.Unmarshal(a.Data, &d) // what is no object has no id
	id, known := d.id()
	if !known || !(Ref{ExternalCollection, id}).Valid() {
		return "", unsure(newError(Temporary, r.status, r.header, "the answer has no jobId"))
	}
	return id, nil
}

// unsure marks a failure that does not say that nothing was started.
func unsure(e *Error) *Error {
	e.Unsure = e.Kind == Temporary && e.Code != codeNotReady
	return e
}

// refusal is the failure that an answer reports, by its code or else its status, or
// nil. Those of forGood are Impossible.
func refusal(r reply, a answer, token string, forGood []int64) *Error {
	message := clean(a.Message, token, maxMessage)
	switch {
	case a.Code.value == codeRunning:
		return codedError(Busy, r, a, message)
	case slices.Contains(forGood, a.Code.value):
		return codedError(Impossible, r, a, message)
	case a.Code.value != 0:
		return codedError(kindOf(r.status, a, nil, ""), r, a, message)
	case r.status != http.StatusOK:
		return newError(kindOfStatus(r.status), r.status, r.header, cmp.Or(message, "the answer is not HTTP 200"))
	case !a.Code.known:
		return newError(Temporary, r.status, r.header, "the answer has no code")
	}
	return nil
}

func codedError(kind ErrorKind, r reply, a answer, message string) *Error {
	failure := newError(kind, r.status, r.header, cmp.Or(message, "the answer has no message"))
	failure.Code = a.Code.value
	return failure
}

// Codes of milvus-io/milvus, pkg/util/merr/errors.go. A service says that it is not
// ready at its door.
const (
	codeNotReady = 1
	codeRunning  = 703 // task duplicate
)

var (
	// Collection not found, illegal schema, database not found, parameter invalid,
	// parameter missing: the last two also of a collection that is not external, or
	// whose source is demanded.
	refusesForGood = []int64{100, 105, 800, 1100, 1101, 1802}
	// A list fails for a bad job as well: what else it says may pass.
	listRefusesForGood = []int64{100, 800}
)

// running is how the server names the job for which it starts no other
// (milvus-io/milvus, internal/datacoord/external_collection_refresh_manager.go).
var running = regexp.MustCompile(`refresh job ([A-Za-z0-9-]{1,68}) is already in progress`)

// runningJob returns the id that a message of Busy names, or "". There is no other
// place that has it.
func runningJob(message string) string {
	named := running.FindStringSubmatch(message)
	if named == nil || !(Ref{ExternalCollection, named[1]}).Valid() {
		return ""
	}
	return named[1]
}

//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"refresh-poller/internal/laptop/simcluster"
)

// cluster is the simulated cluster on loopback, with a memory of its requests.
type cluster struct {
	*simcluster.Cluster
	URL     string
	breaker *breaker // may be nil

	mu       sync.Mutex
	requests []request
}

// request is a request as it came in: method, path and body.
type request struct {
	at   time.Time
	text string
}

func startCluster(t *testing.T, token string, b *breaker) *cluster {
	c := &cluster{Cluster: simcluster.New(simcluster.Options{Token: token}), breaker: b}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	text := r.Method + " " + r.RequestURI + " " + string(body)
	c.mu.Lock()
	c.requests = append(c.requests, request{time.Now(), text})
	c.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if c.breaker != nil {
		c.breaker.breakDescribe(w, r, text, c.Cluster)
	} else {
		c.Cluster.ServeHTTP(w, r)
	}
}

// describes returns when a refresh was asked for.
func (c *cluster) describes(jobID string) (times []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if r.text == describeOf(simcluster.Job{ID: jobID}.Ref()) {
			times = append(times, r.at)
		}
	}
	return times
}

// wantDocumented checks that all requests asked for a job of the cluster, in the
// exact form that the API documents.
func (c *cluster) wantDocumented(t *testing.T) {
	t.Helper()
	documented := map[string]bool{}
	for job := range c.Counts().PerJob {
		documented[describeOf(job)] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if !documented[r.text] && !startOrList.MatchString(r.text) {
			t.Errorf("the cluster was asked: %s", r.text)
		}
	}
}

var startOrList = regexp.MustCompile(`^POST /v2/vectordb/jobs/external_collection/(refresh|list) \{"collectionName":"asked_\w+"(,"dbName":"default")?\}$`)

// peak returns the most requests that came within any d, refused ones included.
func (c *cluster) peak(d time.Duration) (most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := 0
	for i, r := range c.requests {
		for r.at.Sub(c.requests[first].at) >= d {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

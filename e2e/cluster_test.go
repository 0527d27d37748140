//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"refresh-poller/internal/simcluster"
)

// cluster is the simulated cluster on loopback, with a memory of its requests.
type cluster struct {
	*simcluster.Cluster
	URL     string
	breaker *breaker // may be nil

	mu       sync.Mutex
	requests []request
}

type request struct {
	at   time.Time
	body string
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
	c.mu.Lock()
	c.requests = append(c.requests, request{time.Now(), string(body)})
	c.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if c.breaker != nil {
		c.breaker.breakDescribe(w, r, body, c.Cluster)
	} else {
		c.Cluster.ServeHTTP(w, r)
	}
}

// describes returns when the job was asked for, in the exact form that the API
// documents.
func (c *cluster) describes(jobID int64) []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	var times []time.Time
	for _, r := range c.requests {
		if r.body == `{"jobId": `+strconv.FormatInt(jobID, 10)+`}` {
			times = append(times, r.at)
		}
	}
	return slices.Clone(times)
}

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

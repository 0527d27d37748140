package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"
)

// bare makes the calls of a batch, and nothing else: the describes at once, then
// the two to AWS at once.
type bare struct {
	client         *http.Client
	first, andThen []recorded
}

func newBare(requests []recorded) *bare {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = batchSize
	b := &bare{client: &http.Client{Transport: transport}}
	for _, r := range requests {
		if r.call == describe {
			b.first = append(b.first, r)
		} else {
			b.andThen = append(b.andThen, r)
		}
	}
	return b
}

func (b *bare) run() error {
	return errors.Join(b.post(b.first), b.post(b.andThen))
}

func (b *bare) post(requests []recorded) error {
	errs := make([]error, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() { errs[i] = b.one(r) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (b *bare) one(r recorded) error {
	req, err := http.NewRequest(http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	for _, name := range []string{"Content-Type", "X-Amz-Target"} {
		req.Header[name] = r.header[name]
	}
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// comparison is what a batch and its bare calls take.
type comparison struct {
	latency     time.Duration
	batch, bare cost
	// batches is how many were measured. odd is the traffic of one that made
	// other calls than wanted; zero if there is none.
	batches int
	odd     traffic
	// opened is how many connections to the cluster they opened, all together.
	opened int
}

// wanted are the calls of every batch.
var wanted = traffic{describes: batchSize, sends: 1, puts: 1}

// cost holds medians of the time, and means of what is allocated. The loopback
// servers' part is included.
type cost struct {
	time               time.Duration
	allocations, bytes float64
}

func (c *comparison) ratio() float64 { return float64(c.batch.time) / float64(c.bare.time) }

// compare runs a batch and its bare calls by turns, so that both meet the same
// moods of the machine.
func compare(latency time.Duration, pairs int) (*comparison, error) {
	out := &comparison{latency: latency, batches: pairs}
	u, err := startUpstream(latency)
	if err != nil {
		return nil, err
	}
	defer u.close()
	p, err := newPoller(variables(u), u.awsURL)
	if err != nil {
		return nil, err
	}
	number, messages := 0, newBatch(0)
	batch := func() error {
		res, err := p.Handle(context.Background(), messages)
		if err == nil && len(res.BatchItemFailures) > 0 {
			err = fmt.Errorf("%d items of a batch failed", len(res.BatchItemFailures))
		}
		return err
	}
	if err := batch(); err != nil {
		return nil, err
	}
	b := newBare(u.recordings())
	next := func() { number++; messages = newBatch(number) }
	for range 5 { // until all is warm
		next()
		if err := errors.Join(batch(), b.run()); err != nil {
			return nil, err
		}
	}
	var batches, bares meter
	for range pairs {
		next()
		before := u.sofar()
		if err := batches.measure(batch); err != nil {
			return nil, err
		}
		got := u.sofar().minus(before)
		out.opened += got.connections
		if got.connections = 0; got != wanted {
			out.odd = got
		}
		if err := bares.measure(b.run); err != nil {
			return nil, err
		}
	}
	out.batch, out.bare = batches.cost(), bares.cost()
	return out, nil
}

// meter measures runs of one function.
type meter struct {
	times              []time.Duration
	allocations, bytes uint64
}

func (m *meter) measure(run func() error) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	err := run()
	m.times = append(m.times, time.Since(began))
	runtime.ReadMemStats(&after)
	m.allocations += after.Mallocs - before.Mallocs
	m.bytes += after.TotalAlloc - before.TotalAlloc
	return err
}

func (m *meter) cost() cost {
	n := float64(len(m.times))
	return cost{median(m.times), float64(m.allocations) / n, float64(m.bytes) / n}
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

package poller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

// modelCollections are numbered from 1.
var modelCollections = []milvus.Collection{{Name: "books"}, {Name: "orders"}}

// newModelRefreshes returns a cluster whose ids do not depend on the order in which
// goroutines run, and are none of modelJobs.
func newModelRefreshes() *refreshes {
	r := newRefreshes()
	for i, of := range modelCollections {
		r.counts[of.Name] = 1000 * (i + 1)
	}
	return r
}

// othersRefresh is how long a refresh runs that no message has asked for.
const othersRefresh = time.Minute

// ask returns the id of a message that asks for a refresh.
func (m *model) ask(collection int, short bool) string {
	body := fmt.Sprintf(`{"refresh":{"collectionName":%q}}`, modelCollections[collection-1].Name)
	if short {
		body = body[:len(body)-1] + `,"deadlineSeconds":90}`
	}
	id := m.enqueue(body, 0)
	m.asked[id] = time.Now()
	return id
}

// modelRefreshes is asked by goroutines whose order must not tell, as modelCluster.
type modelRefreshes struct{ m *model }

func (r modelRefreshes) Describe(ctx context.Context, token string, job milvus.Ref) (milvus.Job, error) {
	time.Sleep(20 * time.Millisecond)
	return r.m.refreshes.Describe(ctx, token, job)
}

func (r modelRefreshes) List(ctx context.Context, token string, of milvus.Collection) (milvus.List, error) {
	if err := modelFault(r.m.faults.List); err != nil {
		return milvus.List{}, err
	}
	return r.m.refreshes.List(ctx, token, of)
}

func (r modelRefreshes) Start(ctx context.Context, token string, of milvus.Collection) (id string, err error) {
	failure := modelFault(r.m.faults.Start)
	if failure == nil || r.m.faults.Start == "lost" {
		id, err = r.m.refreshes.Start(ctx, token, of)
	}
	if failure != nil {
		return "", failure
	}
	return id, err
}

// modelFault sleeps, and returns an *milvus.Error or nil.
func modelFault(fault string) error {
	if fault == "throttled" {
		time.Sleep(10 * time.Millisecond)
		return &milvus.Error{Kind: milvus.Throttled, Message: "a fault", RetryAfter: 2 * time.Minute}
	}
	time.Sleep(20 * time.Millisecond)
	switch fault {
	case "":
		return nil
	case "lost", "lost, and nothing started":
		return &milvus.Error{Kind: milvus.Temporary, Message: "no answer", Unsure: true}
	}
	return &milvus.Error{Kind: milvus.ErrorKind(fault), Message: "a fault"}
}

// checkRefresh fails the test if a watch of a refresh ended as the cluster never
// said, or a refresh was started while one was known to run.
func (m *model) checkRefresh(t *rapid.T, watch string, states []string) {
	for _, state := range states {
		if state != done && state != event.StateExpired && state != event.StateNotStarted {
			t.Fatalf("watch %s of a refresh ended as %s", watch, state)
		}
	}
	for _, of := range modelCollections {
		if n := m.refreshes.requests[of.Name+" blind start"]; n > 0 {
			t.Fatalf("%d refreshes of %s were started while one was known to run", n, of.Name)
		}
	}
}

// tally is what all schedules come to.
type tally struct{ asked, completed, starts, ran, needed int }

var modelTally tally

func (t tally) String() string {
	return fmt.Sprintf("%d messages asked for a refresh, of which %d were served to its end; %d starts were asked for, %d refreshes began by them, and %d served a message",
		t.asked, t.completed, t.starts, t.ran, t.needed)
}

// tally counts the refreshes. Where nothing goes wrong, each that began has served a
// message; and where no clock jumps, it began after the message.
func (m *model) tally(t *rapid.T, accepted map[string]int, calm, steady bool) {
	served := map[string]bool{}
	for watch, number := range accepted {
		if number > 0 {
			continue
		}
		modelTally.asked++
		for i, id := range m.served[watch] {
			served[id] = true
			if m.published[watch][i] != done {
				continue
			}
			if i == 0 {
				modelTally.completed++
			}
			job := slices.IndexFunc(m.refreshes.jobs, func(j *refreshed) bool { return j.id == id })
			if at := m.refreshes.jobs[job].at; steady && m.refreshes.clock.Known && at.Before(m.asked[watch]) {
				t.Fatalf("watch %s was served by job %s, which began %s before it", watch, id, m.asked[watch].Sub(at))
			}
		}
	}
	for _, of := range modelCollections {
		modelTally.starts += m.refreshes.requests[of.Name+" start"]
	}
	for _, job := range m.refreshes.jobs {
		if job.never || job.runs == othersRefresh {
			continue
		}
		modelTally.ran++
		if served[job.id] {
			modelTally.needed++
		} else if calm {
			t.Fatalf("job %s was started and served no message", job.id)
		}
	}
}

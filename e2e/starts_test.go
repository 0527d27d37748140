//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/laptop/simcluster"
)

// startedOnRequest asks for refreshes of collections: of one that is there, of one
// that is not, and of one that another program refreshes meanwhile.
func startedOnRequest(t *testing.T, s *stack) func(t *testing.T) {
	course := func(int) simcluster.Job {
		return simcluster.Job{VisibleAfter: time.Second, RunsFor: 3 * time.Second, ExternalSource: "s3://key:" + sourceSecret + "@bucket/books"}
	}
	for _, name := range []string{"asked_books", "asked_orders"} {
		s.cluster.AddCollection(simcluster.Collection{Name: name, Course: course})
	}
	const others = "449503829274509600"
	sent := time.Now()
	ids := s.send(t,
		`{"refresh": {"collectionName": "asked_books", "dbName": "default"}, "context": {"a": 1}}`,
		`{"detail": {"refresh": {"collectionName": "asked_missing"}}}`,
		`{"refresh": {"collectionName": "asked_orders"}}`,
	)
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		time.Sleep(2500 * time.Millisecond)
		s.cluster.Add(simcluster.Job{ID: others, CollectionName: "asked_orders", RunsFor: 5 * time.Second})
	}()
	return func(t *testing.T) {
		<-joined
		end := s.endOfWatch(t, ids[0]).Detail
		if end["state"] != "RefreshCompleted" || end["collectionName"] != "asked_books" || end["dbName"] != "default" || end["context"] == nil || end["externalSource"] != "s3://bucket/books" {
			t.Errorf("%v", end)
		}
		watch := end["watch"].(map[string]any)
		if watch["joined"] != nil || watch["detectionLagMs"] == nil {
			t.Errorf("watch: %v", watch)
		}
		began, err := time.Parse(time.RFC3339, fmt.Sprint(end["startTime"]))
		if age := began.Sub(sent); err != nil || age < 2*time.Second || age > 30*time.Second {
			t.Errorf("started after %s, %v", age, err)
		}
		end = s.endOfWatch(t, ids[1]).Detail
		if end["state"] != "RefreshNotStarted" || end["outcome"] != "notStarted" || end["jobId"] != nil || !strings.Contains(fmt.Sprint(end["reason"]), "collection not found") {
			t.Errorf("%v", end)
		}
		end = s.endOfWatch(t, ids[2]).Detail
		if end["state"] != "RefreshCompleted" || end["jobId"] != others || end["watch"].(map[string]any)["joined"] != true {
			t.Errorf("%v", end)
		}
		if n := s.cluster.Refreshes("", "asked_books") + s.cluster.Refreshes("", "asked_orders"); n != 2 {
			t.Errorf("%d refreshes began, not 2", n)
		}
	}
}

// endOfWatch waits for the terminal event of the watch that the message with this id
// began.
func (s *stack) endOfWatch(t *testing.T, id string) (found event) {
	t.Helper()
	await(t, "the end of the watch "+id, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := slices.IndexFunc(s.events, func(e event) bool { return e.Detail["terminal"] == true && e.watchID() == id })
		if i >= 0 {
			found = s.events[i]
		}
		return i >= 0
	})
	return found
}

func (e event) watchID() string {
	watch, _ := e.Detail["watch"].(map[string]any)
	return fmt.Sprint(watch["id"])
}

const (
	askedCollections = 6
	askedRefreshes   = 60
)

func askedCollection(i int) string { return fmt.Sprint("asked_", i%askedCollections) }

// askForRefreshes adds collections, and asks for each ten times: in three waves, of
// which the later ones come while a refresh may run.
func (q *enqueued) askForRefreshes(t *testing.T) {
	t.Helper()
	for i := range askedCollections {
		q.cluster.AddCollection(simcluster.Collection{Name: askedCollection(i), Course: func(n int) simcluster.Job {
			return simcluster.Job{
				VisibleAfter: time.Duration(n%3) * time.Second, RunsFor: time.Duration(2+3*(i%3)) * time.Second,
				ExternalSource: "s3://key:" + sourceSecret + "@bucket/books",
			}
		}})
	}
	for wave := range slices.Chunk(slices.Collect(seq(askedRefreshes)), askedRefreshes/3) {
		for part := range slices.Chunk(wave, 10) {
			var bodies []string
			for _, i := range part {
				bodies = append(bodies, fmt.Sprintf(`{"refresh": {"collectionName": %q}, "context": {"number": %d}}`, askedCollection(i), i))
			}
			q.asked = append(q.asked, bodies...)
			for i, id := range q.send(t, bodies...) {
				q.ids[bodies[i]] = append(q.ids[bodies[i]], id)
			}
		}
		time.Sleep(5 * time.Second)
	}
}

func seq(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// ofAsked reports whether an event is about a refresh that a message asked for.
func (e event) ofAsked() bool {
	return strings.HasPrefix(fmt.Sprint(e.Detail["collectionName"]), "asked_")
}

// wantServed checks that each message that asked for a refresh was served by one that
// had begun after it was sent, and prints how many refreshes that took.
func (q *enqueued) wantServed(t *testing.T) {
	served, events, twice := map[any]bool{}, 0, 0
	for i, body := range q.asked {
		jobs := map[any]bool{}
		for _, e := range q.events {
			if e.Detail["terminal"] != true || !slices.Contains(q.ids[body], e.watchID()) {
				continue
			}
			events++
			jobs[e.Detail["jobId"]], served[e.Detail["jobId"]] = true, true
			since, err := time.Parse(time.RFC3339, fmt.Sprint(e.Detail["watch"].(map[string]any)["since"]))
			began, err2 := time.Parse(time.RFC3339, fmt.Sprint(e.Detail["startTime"]))
			if e.Detail["state"] != "RefreshCompleted" || e.Detail["collectionName"] != askedCollection(i) || err != nil || err2 != nil || !began.After(since) {
				t.Errorf("a refresh that began %s after the message: %s", began.Sub(since), e.text)
			}
		}
		if len(jobs) == 0 {
			t.Errorf("the message %s is lost", body)
		}
		if len(jobs) > len(q.ids[body]) {
			twice++
		}
	}
	began := 0
	for i := range askedCollections {
		began += q.cluster.Refreshes("", askedCollection(i))
	}
	counts := q.cluster.Counts()
	fmt.Printf("starts: %d messages asked for refreshes of %d collections; %d starts were asked for, %d refreshes began, %d of them served a message\n",
		len(q.asked), askedCollections, counts.Starts, began, len(served))
	fmt.Printf("starts: %d terminal events, %.2f a message; %d watches ended with more than one refresh; %d lists\n",
		events, float64(events)/float64(len(q.asked)), twice, counts.Lists)
	// One for each wave, and what a fault costs.
	if began > 2*3*askedCollections {
		t.Errorf("%d refreshes began for %d waves", began, 3*askedCollections)
	}
}

// losing gives an answer to the cluster's request, and none to the poller's.
func losing(next http.Handler, _ *rand.Rand) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

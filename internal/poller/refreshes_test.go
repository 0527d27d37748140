package poller

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

// refreshes is a cluster whose collections are refreshed on request, by the clock of
// the test.
type refreshes struct {
	// older servers hand out an id that never appears while another refresh runs, where
	// newer ones refuse, with the running one's id.
	older bool
	// hidden is how long after its start a job is not visible, runsFor how long it runs.
	hidden, runsFor time.Duration
	clock           milvus.Clock
	// behind is how far the world's clock is ahead of the test's, or nil.
	behind *time.Duration
	// faultOf may have one request fail: describe, list or start. The first result of
	// its is whether the request takes effect.
	faultOf func(request string) (effect bool, err error)

	mu   sync.Mutex
	jobs []*refreshed
	// requests counts them by collection and name; a start of a collection of which a
	// job runs that was shown is counted as blind too.
	requests map[string]int
	// counts numbers the jobs, and apart those of a collection that has an entry.
	counts map[string]int
}

type refreshed struct {
	id   string
	of   milvus.Collection
	at   time.Time
	runs time.Duration
	// never says that it never appears.
	never bool
	// shown says that an answer has shown it.
	shown bool
}

func newRefreshes() *refreshes {
	return &refreshes{hidden: time.Second, runsFor: 90 * time.Second, clock: milvus.Clock{Known: true}, requests: map[string]int{}, counts: map[string]int{}}
}

func (r *refreshes) now() time.Time {
	if r.behind == nil {
		return time.Now()
	}
	return time.Now().Add(*r.behind)
}

func (r *refreshes) ended(j *refreshed) bool { return r.now().Sub(j.at) >= j.runs }

func (r *refreshes) visible(j *refreshed) bool { return !j.never && r.now().Sub(j.at) >= r.hidden }

func (r *refreshes) job(j *refreshed) milvus.Job {
	j.shown = true
	job := milvus.Job{CollectionName: j.of.Name, State: runs, Progress: new(42), StartTime: j.at.Add(r.clock.Ahead)}
	if r.ended(j) {
		job.State, job.Outcome, job.Progress, job.EndTime = done, milvus.Succeeded, new(100), j.at.Add(j.runs).Add(r.clock.Ahead)
	}
	return job
}

// asked counts a request, and says what goes wrong with it.
func (r *refreshes) asked(of milvus.Collection, request string) (effect bool, err error) {
	r.requests[of.Name+" "+request]++
	if r.faultOf == nil {
		return true, nil
	}
	return r.faultOf(request)
}

func (r *refreshes) Describe(_ context.Context, _ string, ref milvus.Ref) (milvus.Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.asked(milvus.Collection{}, "describe"); err != nil {
		return milvus.Job{}, err
	}
	for _, j := range r.jobs {
		if j.id == ref.ID && r.visible(j) {
			return r.job(j), nil
		}
	}
	return milvus.Job{}, &milvus.Error{Kind: milvus.NotFound, Message: "refresh job " + ref.ID + " not found"}
}

func (r *refreshes) List(_ context.Context, _ string, of milvus.Collection) (milvus.List, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.asked(of, "list"); err != nil {
		return milvus.List{}, err
	}
	list := milvus.List{}
	if r.clock.Known {
		list.Clock = milvus.Clock{Known: true, Ahead: r.clock.Ahead + time.Until(r.now())}
	}
	for _, j := range slices.Backward(r.jobs) {
		if j.of == of && r.visible(j) {
			list.Jobs = append(list.Jobs, milvus.Listed{ID: j.id, Job: r.job(j)})
		}
	}
	return list, nil
}

func (r *refreshes) Start(_ context.Context, _ string, of milvus.Collection) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	effect, err := r.asked(of, "start")
	if !effect {
		return "", err
	}
	job := r.add(of, r.runsFor)
	for _, other := range r.jobs[:len(r.jobs)-1] {
		if other.of != of || other.never || r.ended(other) {
			continue
		}
		job.never = true
		if other.shown {
			r.requests[of.Name+" blind start"]++
		}
		if r.visible(other) && !r.older {
			r.jobs = r.jobs[:len(r.jobs)-1]
			return "", &milvus.Error{Kind: milvus.Busy, Code: 703, JobID: other.id, Message: "refresh job " + other.id + " is already in progress"}
		}
	}
	if err != nil {
		return "", err
	}
	return job.id, nil
}

// add has a job begin now.
func (r *refreshes) add(of milvus.Collection, runs time.Duration) *refreshed {
	counted := ""
	if r.counts[of.Name] > 0 {
		counted = of.Name
	}
	r.counts[counted]++
	job := &refreshed{id: strconv.Itoa(r.counts[counted]), of: of, at: r.now(), runs: runs}
	r.jobs = append(r.jobs, job)
	return job
}

// busy reports whether a refresh of the collection runs.
func (r *refreshes) busy(of milvus.Collection) bool {
	return slices.ContainsFunc(r.jobs, func(j *refreshed) bool { return j.of == of && !j.never && !r.ended(j) })
}

// ran returns how many refreshes of the collection there were.
func (r *refreshes) ran(name string) int {
	n := 0
	for _, j := range r.jobs {
		if j.of.Name == name && !j.never {
			n++
		}
	}
	return n
}

// loop is a job queue around a harness, in a bubble of synctest.
type loop struct {
	*harness
	refreshes *refreshes
	due       []loopMessage
	count     int
	ended     []event.Detail
}

type loopMessage struct {
	id, body  string
	sent, due time.Time
}

func newLoop(t *testing.T) *loop {
	l := &loop{harness: newHarness(t), refreshes: newRefreshes()}
	l.Settings.StartRefreshes, l.Settings.Deadline = true, time.Hour
	l.Cluster, l.Poller.Refreshes = l.refreshes, l.refreshes
	return l
}

func (l *loop) send(body string, delay time.Duration) {
	l.count++
	l.due = append(l.due, loopMessage{fmt.Sprintf("message-%d", l.count), body, time.Now(), time.Now().Add(delay)})
}

// turn lets time pass until messages are due, and hands all those on.
func (l *loop) turn(t *testing.T) {
	t.Helper()
	next := slices.MinFunc(l.due, func(a, b loopMessage) int { return a.due.Compare(b.due) })
	time.Sleep(time.Until(next.due))
	l.deliver(t)
}

func (l *loop) deliver(t *testing.T) {
	t.Helper()
	var batch events.SQSEvent
	l.due = slices.DeleteFunc(l.due, func(m loopMessage) bool {
		if m.due.After(time.Now()) || len(batch.Records) == 10 {
			return false
		}
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: m.id, Body: m.body, Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(m.sent.UnixMilli(), 10)}})
		return true
	})
	response, err := l.Handle(t.Context(), batch)
	if err != nil || len(response.BatchItemFailures) > 0 {
		t.Fatalf("%v, %v\n%s", response, err, l.log)
	}
	for _, sent := range l.aws.messages[jobQueue] {
		l.send(*sent.MessageBody, time.Duration(sent.DelaySeconds)*time.Second)
	}
	l.aws.messages[jobQueue] = nil
	for _, e := range l.aws.published {
		l.ended = append(l.ended, l.detail(e))
	}
	l.aws.published = nil
}

func (l *loop) detail(e eventtypes.PutEventsRequestEntry) event.Detail { return detailOf(e) }

// run turns until no message is left, and returns what the watches ended with.
func (l *loop) run(t *testing.T) []event.Detail {
	t.Helper()
	for turns := 0; len(l.due) > 0; turns++ {
		if turns == 2000 {
			t.Fatalf("%v do not end", l.due)
		}
		l.turn(t)
	}
	return l.ended
}

// asks checks how many requests there were of each name.
func (l *loop) asks(t *testing.T, of string, want map[string]int) {
	t.Helper()
	for request, n := range want {
		if got := l.refreshes.requests[of+" "+request]; got != n {
			t.Errorf("%d %ss of %s, want %d", got, request, of, n)
		}
	}
}

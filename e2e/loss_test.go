//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/laptop/simcluster"
)

const (
	faultsToken = "token-3-of-the-stack-under-faults"

	// firstWatched is the first job's id, more than a float64 holds.
	firstWatched = 9_000_000_000_000_000_001
)

// watchedJobs is how many jobs each stack has to follow, in hundreds: a quarter of
// each kind, and with the bad messages batches of ten.
var watchedJobs = map[string]int{"faults": 500, elsewhere: 100}

// mostEvents is how many terminal events a job may have in the mean. Elsewhere calls
// are not made one after the other, so more executions die side by side.
var mostEvents = map[int]float64{500: 1.3, 100: 2}

// TestNothingIsLostUnderFaults has the poller follow these jobs, and read a tenth as
// many bad messages, while 30 % of its calls are broken and 30 % of its invocations
// killed (breaker says how, and what of it FAULT_SEED replays). At the end
//   - each job has its right terminal event, and no other kind of one
//   - each of 60 messages that ask for a refresh is served by one that began after it
//   - each bad message is in the dead-letter queue, unchanged, and no other is
//     rejected
//   - whatever came twice has the same id, and says the same
//   - there are no more terminal events for a job than mostEvents allows.
//
// A message that five kills or refusals in a row made a dead letter is sent back
// to the queue, as an operator does with `make redrive`.
func TestNothingIsLostUnderFaults(t *testing.T) {
	seed := uint64(rand.Uint32())
	if given := os.Getenv("FAULT_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("FAULT_SEED is %q, not the number that a run has printed", given)
		}
	}
	fmt.Printf("faults: seed %d, to be given back as FAULT_SEED=%d\n", seed, seed)
	orders := map[string]order{}
	for name := range watchedJobs {
		orders[name] = order{token: faultsToken, secret: faultsToken, breaker: newBreaker(seed), parameters: parameters{
			"DescribeRateLimit": "200", "MaximumConcurrency": "4", "StartRefreshes": "true",
		}}
	}
	for name, s := range deployAll(t, orders) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.loseNothing(t, watchedJobs[name], orders[name].breaker)
		})
	}
}

func (s *stack) loseNothing(t *testing.T, jobs int, b *breaker) {
	s.emulator.setFault(b.breakCall)
	began := time.Now()
	q := s.enqueueAll(t, jobs)
	q.askForRefreshes(t)
	q.settle(t)
	took := time.Since(began)
	s.stop()
	q.report(b, took)
	t.Run("jobs", q.wantEnds)
	t.Run("refreshes", q.wantServed)
	t.Run("bad messages", q.wantRejected)
	t.Run("faults", func(t *testing.T) { b.wantFaults(t) })
	t.Run("afterwards", s.afterwards)
}

// enqueued is what was enqueued on a stack, and what has to come of it.
type enqueued struct {
	*stack
	// ends has the end that each job has to come to.
	ends map[simcluster.Ref]end
	// bad are the bodies that can't be read, asked those that ask for a refresh.
	bad, asked []string
	// ids has the ids of the messages with a body, redriven ones included.
	ids map[string][]string
	// bodies has the body that each job was enqueued with.
	bodies map[simcluster.Ref]string
	// looked is how many dead letters were looked at, redriven how many of them
	// were sent back.
	looked, redriven int
}

// end is what the terminal event about a job has to say.
type end struct{ state, outcome string }

// enqueueAll submits the jobs and enqueues them, a bad message among each ten.
func (s *stack) enqueueAll(t *testing.T, jobs int) *enqueued {
	t.Helper()
	q := &enqueued{stack: s, ends: map[simcluster.Ref]end{}, ids: map[string][]string{}, bodies: map[simcluster.Ref]string{}}
	var waiting []string
	enqueue := func(body string) {
		if waiting = append(waiting, body); len(waiting) < 10 {
			return
		}
		for i, id := range s.send(t, waiting...) {
			q.ids[waiting[i]] = append(q.ids[waiting[i]], id)
		}
		waiting = nil
	}
	for i := range jobs {
		job, body, end := watchedJob(i)
		q.ends[job.Ref()], q.bodies[job.Ref()] = end, body
		s.cluster.Add(job)
		enqueue(body)
		if i%10 == 0 {
			q.bad = append(q.bad, badMessage(i))
			enqueue(badMessage(i))
		}
	}
	return q
}

// watchedJob returns the i-th job, the body to enqueue it with and the end that it
// has to come to: of ten, six complete, two fail, one is never found and one never
// ends. Of an import or a cloud job, one does not fail, but waits or is canceled.
// The kinds take turns with each ten, and share their ids.
func watchedJob(i int) (job simcluster.Job, body string, e end) {
	ref := refOf(kinds[i/10%len(kinds)], firstWatched+i/40*10+i%10)
	job = simcluster.Job{
		Kind: ref.Kind, ID: ref.ID, CollectionName: fmt.Sprint("ext_", i), RunsFor: []time.Duration{0, 1, 2, 3, 4, 8, 15}[i%7] * time.Second,
		ExternalSource: "s3://key:" + sourceSecret + "@bucket/books", Rows: 1000,
	}
	if i%2 == 0 { // of the others progress rises evenly
		job.Shape = simcluster.Tasks(1 + i%3)
	}
	words := watchedEnds[ref.Kind]
	switch i % 10 {
	case 6:
		if job.Ends = words.other.state; job.Ends != "" {
			return job, bodyOf(ref, ""), words.other
		}
		fallthrough
	case 2:
		job.Fails = "read s3://key:" + reasonSecret + "@orders: no such object"
		if ref.Kind == simcluster.ExternalCollection {
			job.ReasonAfter = 2 * time.Second
		}
		return job, fmt.Sprintf(`{"code": 0, "data": {"jobId": %q}%s}`, ref.ID, kindMember(ref.Kind)), end{words.failed, "failed"}
	case 4:
		job.NeverVisible = true
		body = bodyOf(ref, "")
		if ref.Kind == simcluster.ExternalCollection {
			body = ref.ID
		}
		return job, body, end{"JobNotFound", "notFound"}
	case 8:
		job.Hangs, job.Shape = true, simcluster.LinearTo(42)
		job.NoSegments = ref.Kind == simcluster.Snapshot
		return job, bodyOf(ref, `, "deadlineSeconds": 5`), end{"WatchExpired", "expired"}
	}
	job.VisibleAfter = time.Duration(i%3) * time.Second
	return job, `{"detail": ` + bodyOf(ref, fmt.Sprintf(`, "context": {"number": %d}`, i)) + `}`, end{words.completed, "succeeded"}
}

// watchedEnds are the words of each kind, and the end that it has beside them.
var watchedEnds = map[simcluster.Kind]struct {
	completed, failed string
	other             end
}{
	simcluster.ExternalCollection: {completed: "RefreshCompleted", failed: "RefreshFailed"},
	simcluster.Import:             {"Completed", "Failed", end{simcluster.Uncommitted, "awaitingCommit"}},
	simcluster.Snapshot:           {completed: "RestoreSnapshotCompleted", failed: "RestoreSnapshotFailed"},
	simcluster.Cloud:              {"SUCCESSFUL", "FAILED", end{simcluster.Canceled, "canceled"}},
}

// badMessage returns one that can't be read, and no other like it.
func badMessage(i int) string {
	id := firstWatched + int64(i)
	return []string{
		fmt.Sprintf("watch job %d", id),
		fmt.Sprintf(" {\"jobId\":\t%d.5, \"context\": {\"é\": \"\u2028\"}}\n", id),
		fmt.Sprintf(`{"jobId": "%d"`, id),
		fmt.Sprintf(`{"jobId": %d, "watch": {"version": 9}}`, id),
		fmt.Sprintf(`{"collection": "ext_%d"}`, id),
	}[i/10%5]
}

// settle redrives dead letters until nothing is left in the queues.
func (q *enqueued) settle(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for quiet := 0; quiet < 3; quiet++ {
		time.Sleep(500 * time.Millisecond)
		left := q.redrive(t)
		for _, url := range []string{q.Outputs["JobQueueUrl"], q.Outputs["DeadLetterQueueUrl"], q.catch} {
			left += q.messagesIn(t, url)
		}
		if left > 0 {
			quiet = -1
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are left in the queues", left)
		}
	}
}

// redrive sends the dead letters that were not rejected back to the queue.
func (q *enqueued) redrive(t *testing.T) (sent int) {
	t.Helper()
	q.mu.Lock()
	letters := q.dead[q.looked:]
	q.mu.Unlock()
	q.looked += len(letters)
	for _, letter := range letters {
		if _, rejected := letter.MessageAttributes["RejectReason"]; rejected {
			continue
		}
		q.ids[*letter.Body] = append(q.ids[*letter.Body], q.send(t, *letter.Body)...)
		q.redriven++
		sent++
	}
	return sent
}

// wantEnds checks the terminal events of each job. It may have been watched again
// only where its first message was redriven.
func (q *enqueued) wantEnds(t *testing.T) {
	events, all := q.terminal()
	for job, want := range q.ends {
		if len(events[job]) == 0 {
			t.Errorf("%v is lost", job)
		}
		first := map[string]event{} // of each watch
		for _, e := range events[job] {
			watch := fmt.Sprint(e.Detail["watch"].(map[string]any)["id"])
			if got := (end{fmt.Sprint(e.Detail["state"]), fmt.Sprint(e.Detail["outcome"])}); got != want || e.DetailType != detailTypes[job.Kind] || e.Detail["kind"] != string(job.Kind) {
				t.Errorf("%v has to end as %v: %s", job, want, e.text)
			}
			if !slices.Contains(q.ids[q.bodies[job]], watch) {
				t.Errorf("a watch that began with none of %q: %s", q.ids[q.bodies[job]], e.text)
			}
			if want.outcome == "failed" && e.Detail["reason"] == nil {
				if !q.unexplained(e) {
					t.Errorf("a failure without its reason: %s", e.text)
				}
				continue
			}
			if _, again := first[watch]; !again {
				first[watch] = e
			}
			// The ids are among what lasts.
			if diff := cmp.Diff(lasting(first[watch]), lasting(e)); diff != "" {
				t.Errorf("two terminal events of a watch (-one +other):\n%s", diff)
			}
		}
	}
	for job := range events {
		if _, enqueued := q.ends[job]; !enqueued {
			t.Errorf("%v was never enqueued", job)
		}
	}
	if most := mostEvents[len(q.ends)]; float64(all) > most*float64(len(q.ends)) {
		t.Errorf("%d terminal events about %d jobs, more than %v for each", all, len(q.ends), most)
	}
}

// unexplained reports whether a poll ended the watch of a refresh with this event
// that failed, too late for the reason to be asked for once more.
func (q *enqueued) unexplained(e event) bool {
	return e.job().Kind == simcluster.ExternalCollection && slices.ContainsFunc(q.lines("job polled"), func(line map[string]any) bool {
		return line["eventId"] == e.Detail["id"] && line["error"] != nil
	})
}

// terminal returns the terminal events about each job, duplicates included, and
// their number.
func (q *enqueued) terminal() (events map[simcluster.Ref][]event, all int) {
	events = map[simcluster.Ref][]event{}
	for _, e := range q.events {
		if e.Detail["terminal"] == true && !e.ofAsked() {
			events[e.job()] = append(events[e.job()], e)
			all++
		}
	}
	return events, all
}

// lasting returns what an event says that does not depend on which poll brought
// it: the number and time of that poll and, where the poller itself ended the
// watch, what was seen of the job before.
func lasting(e event) map[string]any {
	detail := maps.Clone(e.Detail)
	watch := maps.Clone(detail["watch"].(map[string]any))
	delete(watch, "polls")
	delete(watch, "detectionLagMs")
	detail["watch"] = watch
	if detail["state"] == "WatchExpired" || detail["state"] == "JobNotFound" {
		for _, key := range []string{"reason", "progress", "collectionName", "startTime", "externalSource", "jobType", "importedRows", "totalRows"} {
			delete(detail, key)
		}
	}
	return detail
}

// wantRejected checks that the bad messages, and no others, were rejected.
func (q *enqueued) wantRejected(t *testing.T) {
	rejected := map[string]int{}
	for _, letter := range q.dead {
		if _, ok := letter.MessageAttributes["RejectReason"]; !ok {
			continue
		}
		rejected[*letter.Body]++
		if id := aws.ToString(letter.MessageAttributes["OriginalMessageId"].StringValue); !slices.Contains(q.ids[*letter.Body], id) {
			t.Errorf("%q was message %q, not one of %q", *letter.Body, id, q.ids[*letter.Body])
		}
		if !slices.Contains(q.bad, *letter.Body) {
			t.Errorf("%q is rejected", *letter.Body)
		}
	}
	for _, body := range q.bad {
		if rejected[body] == 0 {
			t.Errorf("the bad message %q is lost", body)
		}
	}
}

// report prints the figures of a run.
func (q *enqueued) report(b *breaker, took time.Duration) {
	_, all := q.terminal()
	for _, what := range slices.Sorted(maps.Keys(b.faults)) {
		fmt.Printf("faults: %5d %s\n", b.faults[what], what)
	}
	calls, describes := b.made()
	fmt.Printf("faults: of %d calls, %d describes and %d invocations; the longest that lived took %.1f s\n", calls, describes, b.calls["invocation"], b.longest.Seconds())
	fmt.Printf("faults: %d messages delivered again, %d second chains dropped, %d dead letters redriven\n", b.redelivered, len(q.lines("message dropped")), q.redriven)
	fmt.Printf("faults: %d terminal events, %.2f a job; seed %d, %.1f s\n", all, float64(all)/float64(len(q.ends)), b.seed, took.Seconds())
}

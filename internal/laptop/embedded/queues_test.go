package embedded

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	jobs = "http://localhost/000000000000/jobs"
	dead = "http://localhost/000000000000/jobs-dead"
)

// newTestQueues returns jobs, which hides messages for a minute and receives
// them twice, and its dead-letter queue.
func newTestQueues() *Queues {
	q := NewQueues()
	q.Create(dead, QueueConfig{})
	q.Create(jobs, QueueConfig{VisibilityTimeout: time.Minute, MaxReceiveCount: 2, DeadLetterURL: dead})
	return q
}

func bodies(messages []Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Body)
	}
	return all
}

func wantBodies(t *testing.T, what string, got []Message, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, bodies(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestReceiveGivesTheOldestVisibleMessagesUpToTheLimit(t *testing.T) {
	q := newTestQueues()
	for _, body := range []string{"a", "b", "c"} {
		q.Send(jobs, body, 0)
	}
	wantBodies(t, "first receive", q.Receive(jobs, 2), "a", "b")
	wantBodies(t, "second receive", q.Receive(jobs, 2), "c")
	wantBodies(t, "third receive", q.Receive(jobs, 2))
}

func TestDisorderIsHowManyLaterMessagesOvertakeOneOnAverage(t *testing.T) {
	const count, disorder = 2000, 20
	q := NewQueues()
	q.Create(jobs, QueueConfig{Disorder: disorder})
	for i := range count {
		q.Send(jobs, strconv.Itoa(i), 0)
	}
	received := bodies(q.Receive(jobs, count))
	overtaken := 0
	for at, body := range received {
		for _, before := range received[:at] {
			first, _ := strconv.Atoi(before)
			if second, _ := strconv.Atoi(body); first > second {
				overtaken++
			}
		}
	}
	if mean := float64(overtaken) / count; len(received) != count || mean < disorder/2 || mean > disorder*2 {
		t.Errorf("%d messages, each overtaken by %.1f later ones on average, want %d", len(received), mean, disorder)
	}
}

func TestADelayedMessageBecomesVisibleWhenItsDelayInWholeSecondsIsOver(t *testing.T) {
	for _, delay := range []time.Duration{5 * time.Second, 4*time.Second + 1} {
		synctest.Test(t, func(t *testing.T) {
			q := newTestQueues()
			q.Send(jobs, "a", delay)
			time.Sleep(5*time.Second - time.Nanosecond)
			wantBodies(t, "before the delay is over", q.Receive(jobs, 1))
			time.Sleep(time.Nanosecond)
			wantBodies(t, "when the delay is over", q.Receive(jobs, 1), "a")
		})
	}
}

func TestAReceivedMessageIsHiddenForTheVisibilityTimeout(t *testing.T) {
	tests := map[string]struct {
		configured, want time.Duration
	}{
		"as configured":         {time.Minute, time.Minute},
		"30 seconds by default": {0, 30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := NewQueues()
				q.Create(jobs, QueueConfig{VisibilityTimeout: tt.configured})
				q.Send(jobs, "a", 0)
				q.Receive(jobs, 1)
				time.Sleep(tt.want - time.Nanosecond)
				wantBodies(t, "before the timeout", q.Receive(jobs, 1))
				time.Sleep(time.Nanosecond)
				wantBodies(t, "after the timeout", q.Receive(jobs, 1), "a")
			})
		})
	}
}

func TestAMessageCarriesItsIDAttributesAndANewHandleForEachReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		sent := time.Now()
		id := q.Send(jobs, "a", time.Second)
		time.Sleep(3 * time.Second)
		first := q.Receive(jobs, 1)[0]
		time.Sleep(time.Minute)
		second := q.Receive(jobs, 1)[0]

		if first.ReceiptHandle == "" || first.ReceiptHandle == second.ReceiptHandle {
			t.Errorf("receipt handles %q and %q: want two different ones", first.ReceiptHandle, second.ReceiptHandle)
		}
		want := Message{ID: id, ReceiptHandle: second.ReceiptHandle, Body: "a", Attributes: map[string]string{
			"SentTimestamp":                    strconv.FormatInt(sent.UnixMilli(), 10),
			"ApproximateReceiveCount":          "2",
			"ApproximateFirstReceiveTimestamp": strconv.FormatInt(sent.Add(3*time.Second).UnixMilli(), 10),
		}}
		if diff := cmp.Diff(want, second); diff != "" {
			t.Errorf("second receive (-want +got):\n%s", diff)
		}
	})
}

func TestAMessageReceivedTooOftenGoesToTheDeadLetterQueueUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		q.Send(jobs, "poison", 0)
		q.Receive(jobs, 1)
		time.Sleep(time.Minute)
		want := q.Receive(jobs, 1)[0]
		want.ReceiptHandle = ""
		time.Sleep(time.Minute)
		q.Send(jobs, "good", 0)

		wantBodies(t, "third receive", q.Receive(jobs, 1), "good")
		if diff := cmp.Diff([]Message{want}, q.Messages(dead)); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
		wantBodies(t, "receive of dead letters", q.Receive(dead, 1), "poison")
	})
}

func TestWithoutADeadLetterQueueAMessageKeepsComingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueues()
		q.Create(jobs, QueueConfig{VisibilityTimeout: time.Second})
		q.Send(jobs, "a", 0)
		for range 20 {
			wantBodies(t, "receive", q.Receive(jobs, 1), "a")
			time.Sleep(time.Second)
		}
	})
}

func TestDeleteTakesOnlyTheLatestHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		q.Send(jobs, "a", 0)
		q.Send(jobs, "never received", time.Hour/4)
		old := q.Receive(jobs, 1)[0]
		time.Sleep(time.Minute)
		latest := q.Receive(jobs, 1)[0]

		for _, handle := range []string{old.ReceiptHandle, "unknown", ""} {
			q.Delete(jobs, handle)
		}
		wantBodies(t, "after deletes with other handles", q.Messages(jobs), "a", "never received")
		time.Sleep(time.Minute) // a handle outlives the visibility timeout
		q.Delete(jobs, latest.ReceiptHandle)
		wantBodies(t, "after a delete with the latest handle", q.Messages(jobs), "never received")
	})
}

func TestDepthAndMessagesCountDelayedAndHiddenMessages(t *testing.T) {
	q := newTestQueues()
	q.Send(jobs, "hidden", 0)
	q.Send(jobs, "delayed", time.Minute)
	q.Send(jobs, "visible", 0)
	q.Receive(jobs, 1)
	if got := q.Depth(jobs); got != 3 {
		t.Errorf("depth %d, want 3", got)
	}
	wantBodies(t, "messages", q.Messages(jobs), "hidden", "delayed", "visible")
	if got := q.Messages(jobs)[1].Attributes["ApproximateReceiveCount"]; got != "0" {
		t.Errorf("receive count %s after looking at it, want 0", got)
	}
}

func TestWaitReturnsWhenAMessageBecomesVisible(t *testing.T) {
	tests := map[string]struct {
		prepare func(q *Queues)
		want    time.Duration
	}{
		"at once if one is visible":              {func(q *Queues) { q.Send(jobs, "a", 0) }, 0},
		"when the shortest delay is over":        {func(q *Queues) { q.Send(jobs, "a", time.Minute); q.Send(jobs, "b", time.Second) }, time.Second},
		"when a hidden message is visible again": {func(q *Queues) { q.Send(jobs, "a", 0); q.Receive(jobs, 1) }, time.Minute},
		"when a message arrives": {func(q *Queues) {
			time.AfterFunc(time.Second, func() { q.Send(jobs, "a", 0) })
		}, time.Second},
		"when an arrival overtakes a delayed message": {func(q *Queues) {
			q.Send(jobs, "a", time.Minute)
			time.AfterFunc(time.Second, func() { q.Send(jobs, "b", 2*time.Second) })
		}, 3 * time.Second},
		"when a dead letter arrives": {func(q *Queues) {
			q.Create("source", QueueConfig{VisibilityTimeout: time.Second, MaxReceiveCount: 1, DeadLetterURL: jobs})
			q.Send("source", "a", 0)
			q.Receive("source", 1)
			time.AfterFunc(2*time.Second, func() { q.Receive("source", 1) })
		}, 2 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newTestQueues()
				tt.prepare(q)
				start := time.Now()
				if err := q.Wait(t.Context(), jobs); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("waited %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestWaitGivesUpWhenItsContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueues()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Wait(ctx, jobs); err != context.DeadlineExceeded {
			t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
		}
		q.Send(jobs, "a", 0)
		if err := q.Wait(ctx, jobs); err != context.DeadlineExceeded {
			t.Errorf("with a visible message: error %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestMistakesInWiringPanic(t *testing.T) {
	tests := map[string]func(q *Queues){
		"a queue created twice":                       func(q *Queues) { q.Create(jobs, QueueConfig{}) },
		"a dead-letter queue that does not exist":     func(q *Queues) { q.Create("new", QueueConfig{DeadLetterURL: "nowhere", MaxReceiveCount: 1}) },
		"a dead-letter queue without a receive count": func(q *Queues) { q.Create("new", QueueConfig{DeadLetterURL: dead}) },
		"receiving from an unknown queue":             func(q *Queues) { q.Receive("nowhere", 1) },
		"sending to an unknown queue":                 func(q *Queues) { q.Send("nowhere", "a", 0) },
		"sending what SQS would refuse":               func(q *Queues) { q.Send(jobs, "", 0) },
	}
	for name, mistake := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			mistake(newTestQueues())
		})
	}
}

func TestIDsAreRandomUUIDs(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	a, b := newID(), newID()
	if a == b || !form.MatchString(a) || !form.MatchString(b) {
		t.Errorf("ids %q and %q", a, b)
	}
}

package poller

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
	"refresh-poller/internal/watch"
)

const (
	exactNumber = 449503829274509313 // no float64 holds it
	exactID     = "449503829274509313"
)

var (
	begun = time.UnixMilli(1712832000000).UTC()

	settings = Settings{
		MinDelay: 5 * time.Second, MaxDelay: 300 * time.Second,
		Deadline: 24 * time.Hour, Grace: 120 * time.Second,
		ClusterEndpoint: "https://cluster.example",
	}

	running   = Answer{Job: milvus.Job{CollectionName: "ext_books", State: "RefreshInProgress", Progress: new(42), StartTime: begun}}
	pending   = Answer{Job: milvus.Job{State: "RefreshPending", Progress: new(0)}}
	completed = Answer{Job: milvus.Job{CollectionName: "ext_books", State: "RefreshCompleted", Outcome: milvus.Succeeded, Progress: new(100), StartTime: begun, EndTime: begun.Add(93 * time.Second)}}
	failed    = Answer{Job: milvus.Job{State: "RefreshFailed", Outcome: milvus.Failed, Progress: new(60), Reason: "no such object"}}
	// unexplained is a failed job whose reason is not saved yet.
	unexplained = Answer{Job: milvus.Job{
		CollectionName: "ext_orders", State: "RefreshFailed", Outcome: milvus.Failed, Unexplained: true, Progress: new(60), ExternalSource: "s3://orders", StartTime: begun,
	}}
)

func fault(kind milvus.ErrorKind) Answer {
	return Answer{Failure: &milvus.Error{Kind: kind, Message: "the cluster's words", Status: 200, Code: 7}}
}

func throttled(retryAfter time.Duration) Answer {
	a := fault(milvus.Throttled)
	a.Failure.RetryAfter = retryAfter
	return a
}

// message is what the poller re-enqueued after some polls.
func message(polls, failures int) watch.Message {
	return watch.Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: watch.State{ID: "watch-1", Since: begun, Polls: polls, Failures: failures}}
}

// missing is a message of a watch whose job was not found first at that age.
func missing(polls int, age time.Duration) watch.Message {
	m := message(polls, 0)
	m.Watch.NotFoundSince = begun.Add(age)
	return m
}

// overdue is a message of a watch that was found past its deadline at that age.
func overdue(polls int, age time.Duration) watch.Message {
	m := message(polls, 0)
	m.Watch.OverdueSince = begun.Add(age)
	return m
}

// early is a message of a watch that saw its job fail for no reason as it began,
// and once more at that age.
func early(polls int, age time.Duration) watch.Message {
	m := message(polls, 0)
	m.Watch.UnexplainedSince = begun
	j := unexplained.Job
	m.Watch.Job = watch.Sight{State: j.State, Progress: j.Progress, CollectionName: j.CollectionName, ExternalSource: j.ExternalSource, StartTime: j.StartTime, SeenAt: begun.Add(age)}
	return m
}

// noToken is what comes of a secret that can't be read.
var noToken = Answer{NotReached: true, Failure: fault(milvus.Temporary).Failure}

// decide holds what comes of Decide against the schemas.
func decide(t *testing.T, s Settings, m watch.Message, a Answer, now time.Time) Decision {
	t.Helper()
	d := Decide(s, m, a, now)
	schematest.Message(t, d.Next.Body())
	if d.Event != nil {
		schematest.Detail(t, d.Event.JSON())
	}
	return d
}
func TestDecide(t *testing.T) {
	shortWatch := message(3, 0)
	shortWatch.Deadline = time.Minute
	tests := map[string]struct {
		message watch.Message
		answer  Answer
		age     time.Duration
		action  Action
		delay   time.Duration
		state   string // of the event
	}{
		"a completed job ends":                         {message(3, 0), completed, time.Minute, Publish, 0, "RefreshCompleted"},
		"a failed job ends":                            {message(3, 0), failed, time.Minute, Publish, 0, "RefreshFailed"},
		"a job completed at the deadline completes":    {message(3, 0), completed, 24 * time.Hour, Publish, 0, "RefreshCompleted"},
		"a job completed after the deadline completes": {message(3, 0), completed, 48 * time.Hour, Publish, 0, "RefreshCompleted"},
		"a job in progress goes on":                    {message(0, 0), running, 0, Reenqueue, 5 * time.Second, ""},
		"a pending job goes on":                        {message(0, 0), pending, 0, Reenqueue, 5 * time.Second, ""},
		"an unknown state goes on":                     {message(0, 0), Answer{Job: milvus.Job{State: "RefreshPaused"}}, 0, Reenqueue, 5 * time.Second, ""},
		"the delay grows":                              {message(3, 0), running, time.Minute, Reenqueue, 12 * time.Second, ""},
		"and grows":                                    {message(20, 0), running, time.Hour, Reenqueue, 156 * time.Second, ""},

		"not found at first is not yet":                       {message(0, 0), fault(milvus.NotFound), 0, Reenqueue, 5 * time.Second, ""},
		"not found is asked again at the end of the grace":    {message(9, 0), fault(milvus.NotFound), 100 * time.Second, Reenqueue, 20 * time.Second, ""},
		"not found just before the end of the grace":          {missing(9, 100*time.Second), fault(milvus.NotFound), 119*time.Second + 900*time.Millisecond, Reenqueue, time.Second, ""},
		"not found at the end of the grace ends":              {missing(9, 100*time.Second), fault(milvus.NotFound), 120 * time.Second, Publish, 0, "JobNotFound"},
		"not found once is asked again":                       {message(9, 0), fault(milvus.NotFound), 120 * time.Second, Reenqueue, 5 * time.Second, ""},
		"not found twice at once is asked again":              {missing(9, 116*time.Second), fault(milvus.NotFound), 120 * time.Second, Reenqueue, time.Second, ""},
		"not found twice, some seconds apart, ends":           {missing(9, 120*time.Second), fault(milvus.NotFound), 125 * time.Second, Publish, 0, "JobNotFound"},
		"not found by a clock that was set back":              {missing(9, time.Hour), fault(milvus.NotFound), 125 * time.Second, Reenqueue, 5 * time.Second, ""},
		"not found after deadline and grace is not found":     {message(9, 0), fault(milvus.NotFound), 25 * time.Hour, Publish, 0, "JobNotFound"},
		"not found at a deadline within the grace expires":    {shortWatch, fault(milvus.NotFound), time.Minute, Publish, 0, "WatchExpired"},
		"not found near a deadline within the grace":          {shortWatch, fault(milvus.NotFound), 50 * time.Second, Reenqueue, 10 * time.Second, ""},
		"the end of the grace does not concern a found job":   {message(9, 0), running, 110 * time.Second, Reenqueue, 21 * time.Second, ""},
		"the message's deadline is stronger than the stack's": {shortWatch, running, time.Minute, Publish, 0, "WatchExpired"},

		"the last poll falls on the deadline":       {message(50, 0), running, 24*time.Hour - 100*time.Second, Reenqueue, 100 * time.Second, ""},
		"even if that is sooner than the minimum":   {message(50, 0), running, 24*time.Hour - 2*time.Second, Reenqueue, 2 * time.Second, ""},
		"and not a moment before":                   {message(50, 0), running, 24*time.Hour - 1500*time.Millisecond, Reenqueue, 2 * time.Second, ""},
		"in progress at the deadline expires":       {message(50, 0), running, 24 * time.Hour, Publish, 0, "WatchExpired"},
		"a failed describe at the deadline expires": {message(50, 0), fault(milvus.Temporary), 24 * time.Hour, Publish, 0, "WatchExpired"},
		"refused at the deadline expires":           {message(50, 0), fault(milvus.Refused), 24 * time.Hour, Publish, 0, "WatchExpired"},

		"temporary backs off":                   {message(0, 0), fault(milvus.Temporary), 0, Reenqueue, 10 * time.Second, ""},
		"temporary backs off further":           {message(1, 3), fault(milvus.Temporary), time.Minute, Reenqueue, 74 * time.Second, ""},
		"temporary backs off to the maximum":    {message(1, 99), fault(milvus.Temporary), time.Hour, Reenqueue, 275 * time.Second, ""},
		"an answer returns to the schedule":     {message(1, 9), running, time.Minute, Reenqueue, 11 * time.Second, ""},
		"refused polls slowly":                  {message(0, 0), fault(milvus.Refused), 0, Reenqueue, 300 * time.Second, ""},
		"misconfigured polls slowly":            {message(0, 0), fault(milvus.Misconfigured), 0, Reenqueue, 300 * time.Second, ""},
		"throttled slows down":                  {message(0, 0), throttled(0), 0, Reenqueue, 10 * time.Second, ""},
		"throttled waits as told":               {message(0, 0), throttled(47 * time.Second), 0, Reenqueue, 47 * time.Second, ""},
		"throttled waits as told, past Max":     {message(0, 0), throttled(10 * time.Minute), 0, Reenqueue, 10 * time.Minute, ""},
		"throttled for a year waits 900 s":      {message(0, 0), throttled(365 * 24 * time.Hour), 0, Reenqueue, 900 * time.Second, ""},
		"throttled never waits past a deadline": {shortWatch, throttled(time.Hour), 50 * time.Second, Reenqueue, 10 * time.Second, ""},
		"throttled at the deadline goes on":     {message(9, 0), throttled(10 * time.Second), 25 * time.Hour, Reenqueue, 280 * time.Second, ""},
		"throttled at the deadline for a while": {overdue(9, 25*time.Hour), throttled(900 * time.Second), 25*time.Hour + 890*time.Second, Reenqueue, 10 * time.Second, ""},
		"throttled at the deadline for long":    {overdue(9, 25*time.Hour), throttled(0), 25*time.Hour + 900*time.Second, Publish, 0, "WatchExpired"},
		"another failure for long does end":     {overdue(9, 25*time.Hour), fault(milvus.Temporary), 25*time.Hour + time.Second, Publish, 0, "WatchExpired"},

		"not reached goes on":                              {message(0, 0), Answer{NotReached: true}, 0, Reenqueue, 5 * time.Second, ""},
		"not reached keeps its place in the schedule":      {message(4, 0), Answer{NotReached: true}, time.Minute, Reenqueue, 31 * time.Second, ""},
		"not reached waits until the cluster may be asked": {message(0, 0), Answer{NotReached: true, Held: 30 * time.Second}, 0, Reenqueue, 30 * time.Second, ""},
		"not reached does not end at the deadline":         {message(0, 0), Answer{NotReached: true}, 24 * time.Hour, Reenqueue, 288 * time.Second, ""},
		"not reached does not end, however late":           {message(0, 0), Answer{NotReached: true}, 14 * 24 * time.Hour, Reenqueue, 288 * time.Second, ""},
		"without a token it backs off":                     {message(0, 0), noToken, 0, Reenqueue, 10 * time.Second, ""},
		"without a token it does not end, however late":    {message(0, 0), noToken, 14 * 24 * time.Hour, Reenqueue, 288 * time.Second, ""},

		"failed without a reason is asked again":           {message(9, 0), unexplained, time.Hour, Reenqueue, 5 * time.Second, ""},
		"a few times":                                      {early(9, 10*time.Second), unexplained, 10 * time.Second, Reenqueue, 5 * time.Second, ""},
		"and then ends":                                    {early(9, 15*time.Second), unexplained, 15 * time.Second, Publish, 0, "RefreshFailed"},
		"failed, with a reason at last":                    {early(9, 5*time.Second), failed, 5 * time.Second, Publish, 0, "RefreshFailed"},
		"failed, and complete at last":                     {early(9, 5*time.Second), completed, 5 * time.Second, Publish, 0, "RefreshCompleted"},
		"failed, and then no answer":                       {early(9, 5*time.Second), fault(milvus.Temporary), 5 * time.Second, Reenqueue, 5 * time.Second, ""},
		"failed, and then no answer for long":              {early(9, 15*time.Second), fault(milvus.Temporary), 15 * time.Second, Publish, 0, "RefreshFailed"},
		"failed, and then not found":                       {early(9, 15*time.Second), fault(milvus.NotFound), 15 * time.Second, Publish, 0, "RefreshFailed"},
		"failed, and then running":                         {early(9, 15*time.Second), running, 15 * time.Second, Publish, 0, "RefreshFailed"},
		"failed, and then not reached":                     {early(9, 15*time.Second), Answer{NotReached: true}, 15 * time.Second, Reenqueue, 5 * time.Second, ""},
		"failed, and then not reached for long":            {early(9, 25*time.Hour), Answer{NotReached: true}, 25 * time.Hour, Reenqueue, 5 * time.Second, ""},
		"failed, and then without a token":                 {early(9, 25*time.Hour), noToken, 25 * time.Hour, Reenqueue, 275 * time.Second, ""},
		"failed, and then told to wait":                    {early(9, 5*time.Second), throttled(time.Minute), 5 * time.Second, Reenqueue, time.Minute, ""},
		"failed without a reason at the deadline":          {message(9, 0), unexplained, 24 * time.Hour, Publish, 0, "RefreshFailed"},
		"failed without a reason just before the deadline": {message(9, 0), unexplained, 24*time.Hour - 3*time.Second, Reenqueue, 3 * time.Second, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := decide(t, settings, tt.message, tt.answer, begun.Add(tt.age))
			state := ""
			if d.Event != nil {
				state = d.Event.State
				if !d.Event.Terminal {
					t.Error("the event is not terminal")
				}
			}
			if d.Action != tt.action || d.Delay != tt.delay || state != tt.state {
				t.Errorf("%s after %s with %q, want %s after %s with %q", d.Action, d.Delay, state, tt.action, tt.delay, tt.state)
			}
		})
	}
}
func TestTheStateAfterAPoll(t *testing.T) {
	seen := watch.Sight{State: "RefreshInProgress", Progress: new(42), CollectionName: "ext_books", StartTime: begun, SeenAt: begun.Add(time.Minute)}
	now := begun.Add(time.Hour)
	before := watch.State{ID: "watch-1", Since: begun, Polls: 4, Failures: 2, LastError: "old", Job: seen, NotFoundSince: begun}
	tests := map[string]struct {
		answer Answer
		want   func(*watch.State)
	}{
		"an answer clears the failures": {running, func(w *watch.State) {
			w.Failures, w.LastError, w.NotFoundSince, w.Job.SeenAt = 0, "", time.Time{}, now
		}},
		"a failure is counted": {fault(milvus.Temporary), func(w *watch.State) {
			w.Failures, w.LastError = 3, "the cluster's words (HTTP 200, code 7)"
		}},
		"not found is an answer": {fault(milvus.NotFound), func(w *watch.State) {
			w.Failures, w.LastError = 0, "the cluster's words (HTTP 200, code 7)"
		}},
		"not reached is no poll": {Answer{NotReached: true}, func(w *watch.State) { w.Polls = 4 }},
		"no token is a failure, and no poll": {noToken, func(w *watch.State) {
			w.Polls, w.Failures, w.LastError = 4, 3, "the cluster's words (HTTP 200, code 7)"
		}},
		"a reason is kept": {Answer{Job: milvus.Job{State: "RefreshPending", Reason: strings.Repeat("é", 600)}}, func(w *watch.State) {
			w.Failures, w.LastError, w.NotFoundSince, w.Restarts = 0, "", time.Time{}, 1
			w.Job = watch.Sight{State: "RefreshPending", Reason: strings.Repeat("é", 512), SeenAt: now}
		}},
		"a failure without a reason is kept, with its source": {unexplained, func(w *watch.State) {
			w.Failures, w.LastError, w.NotFoundSince, w.Restarts, w.UnexplainedSince = 0, "", time.Time{}, 1, now
			w.Job = watch.Sight{State: "RefreshFailed", Progress: new(60), CollectionName: "ext_orders", ExternalSource: "s3://orders", StartTime: begun, SeenAt: now}
		}},
		"less progress is a restart": {Answer{Job: milvus.Job{State: "RefreshInProgress", Progress: new(41)}}, func(w *watch.State) {
			w.Failures, w.LastError, w.NotFoundSince, w.Restarts = 0, "", time.Time{}, 1
			w.Job = watch.Sight{State: "RefreshInProgress", Progress: new(41), SeenAt: now}
		}},
		"an earlier state is a restart": {Answer{Job: milvus.Job{State: "RefreshPending", Progress: new(42)}}, func(w *watch.State) {
			w.Failures, w.LastError, w.NotFoundSince, w.Restarts = 0, "", time.Time{}, 1
			w.Job = watch.Sight{State: "RefreshPending", Progress: new(42), SeenAt: now}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := before
			want.Polls = 5
			tt.want(&want)
			if diff := cmp.Diff(want, after(watch.Message{Kind: milvus.ExternalCollection, Watch: before}, tt.answer, now, now.Add(1))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAMessageThatGoesOnSaysWhatKeptItsJobFromEnding(t *testing.T) {
	tests := map[string]struct {
		watch  watch.State
		answer Answer
		want   string
	}{
		"asked":                        {watch.State{}, running, ""},
		"not reached":                  {watch.State{}, Answer{NotReached: true}, "not reached: no time or no request was left for it"},
		"not reached, for a failure":   {watch.State{}, Answer{NotReached: true, Failure: &milvus.Error{Kind: milvus.Temporary}}, ""},
		"failed, and has not said why": {watch.State{UnexplainedSince: begun}, failed, "the job failed, and the cluster has not said why yet"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := whyOn(tt.watch, tt.answer); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

package poller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// asking is a message that asks for a refresh; change may be nil.
func asking(change func(*watch.State)) watch.Message {
	m := watch.Message{Kind: milvus.ExternalCollection, Refresh: milvus.Collection{Name: "ext_books"}, Watch: watch.State{ID: "watch-1", Since: begun}}
	if change != nil {
		change(&m.Watch)
	}
	return m
}

// listed is a job that began so long after the message was sent, by the cluster's
// clock.
func listed(id, state string, age time.Duration) milvus.Listed {
	return milvus.Listed{ID: id, Job: milvus.Job{State: state, Outcome: milvus.ExternalCollection.Outcome(state), StartTime: begun.Add(age)}}
}

const (
	pends, runs, done, fails = "RefreshPending", "RefreshInProgress", "RefreshCompleted", "RefreshFailed"
	before                   = -time.Minute
)

func TestTheRule(t *testing.T) {
	const never = time.Duration(0)
	startedAt := func(age time.Duration) watch.Message {
		return asking(func(w *watch.State) { w.Started = begun.Add(age) })
	}
	knowing := func(ids ...string) watch.Message {
		return asking(func(w *watch.State) { w.Known = append([]string{}, ids...) })
	}
	thrice := startedAt(time.Minute)
	thrice.Watch.Starts = 3
	told := milvus.Clock{Known: true}
	ahead := milvus.Clock{Known: true, Ahead: time.Hour}
	early := listed("7", fails, 10*time.Second)
	early.Unexplained = true
	tests := map[string]struct {
		message watch.Message
		clock   milvus.Clock
		jobs    []milvus.Listed
		age     time.Duration
		step    step
		job     string
		until   time.Duration // since the message, or never
	}{
		"nothing was ever started":                      {asking(nil), told, nil, time.Minute, start, "", never},
		"one ended before":                              {asking(nil), told, []milvus.Listed{listed("1", done, before)}, time.Minute, start, "", never},
		"one completed that began after":                {asking(nil), told, []milvus.Listed{listed("2", done, 10*time.Second), listed("1", done, before)}, time.Minute, serve, "2", never},
		"one failed that began after":                   {asking(nil), told, []milvus.Listed{listed("2", fails, 10*time.Second)}, time.Minute, serve, "2", never},
		"one runs that began after":                     {asking(nil), told, []milvus.Listed{listed("2", runs, 10*time.Second)}, time.Minute, serve, "2", never},
		"one pends that began after":                    {asking(nil), told, []milvus.Listed{listed("2", pends, 10*time.Second)}, time.Minute, serve, "2", never},
		"of several the first serves":                   {asking(nil), told, []milvus.Listed{listed("4", runs, 50*time.Second), listed("3", done, 20*time.Second), listed("2", done, 10*time.Second), listed("1", done, before)}, time.Minute, serve, "2", never},
		"the first serves, however they are listed":     {asking(nil), told, []milvus.Listed{listed("2", done, 10*time.Second), listed("3", done, 20*time.Second)}, time.Minute, serve, "2", never},
		"one runs that began before":                    {asking(nil), told, []milvus.Listed{listed("1", runs, before)}, time.Minute, wait, "", never},
		"one is in a state of a newer server":           {asking(nil), told, []milvus.Listed{listed("1", "RefreshPaused", before)}, time.Minute, wait, "", never},
		"one failed that is not saved as failed yet":    {asking(nil), told, []milvus.Listed{func() milvus.Listed { j := early; j.StartTime = begun.Add(before); return j }()}, time.Minute, wait, "", never},
		"that, though after, serves":                    {asking(nil), told, []milvus.Listed{early}, time.Minute, serve, "7", never},
		"one began right with the message":              {asking(nil), told, []milvus.Listed{listed("1", runs, 0)}, time.Minute, wait, "", never},
		"one began within the margin":                   {asking(nil), told, []milvus.Listed{listed("1", done, margin-1)}, time.Minute, start, "", never},
		"one began at the margin":                       {asking(nil), told, []milvus.Listed{listed("1", done, margin)}, time.Minute, serve, "1", never},
		"by a clock that is ahead, before":              {asking(nil), ahead, []milvus.Listed{listed("1", done, time.Hour+margin-1)}, time.Minute, start, "", never},
		"by a clock that is ahead, after":               {asking(nil), ahead, []milvus.Listed{listed("1", done, time.Hour+margin)}, time.Minute, serve, "1", never},
		"a job that does not say when it began":         {asking(nil), told, []milvus.Listed{{ID: "1", Job: milvus.Job{State: done, Outcome: milvus.Succeeded}}}, time.Minute, start, "", never},
		"a message that was just sent":                  {asking(nil), told, nil, 0, wait, "", settled},
		"a message just before the margin has passed":   {asking(nil), told, nil, 4*time.Second - 1, wait, "", 4 * time.Second},
		"a message when the margin has passed":          {asking(nil), told, nil, settled, start, "", never},
		"a message from the future":                     {asking(nil), told, nil, -time.Minute, wait, "", settled},
		"at the deadline":                               {asking(nil), told, nil, 24 * time.Hour, wait, "", never},
		"after the deadline":                            {asking(nil), told, nil, 48 * time.Hour, wait, "", never},
		"one serves after the deadline":                 {asking(nil), told, []milvus.Listed{listed("2", done, time.Hour)}, 48 * time.Hour, serve, "2", never},
		"a start without an answer":                     {startedAt(time.Minute), told, nil, 70 * time.Second, wait, "", 3 * time.Minute},
		"that, found":                                   {startedAt(time.Minute), told, []milvus.Listed{listed("2", runs, time.Minute)}, 70 * time.Second, serve, "2", never},
		"that, just before the grace has passed":        {startedAt(time.Minute), told, nil, 3*time.Minute - 1, wait, "", 3 * time.Minute},
		"that, when the grace has passed":               {startedAt(time.Minute), told, nil, 3 * time.Minute, start, "", never},
		"a third, just before four graces have passed":  {thrice, told, nil, 9*time.Minute - 1, wait, "", 9 * time.Minute},
		"a third, when four graces have passed":         {thrice, told, nil, 9 * time.Minute, start, "", never},
		"that, with one that began before":              {startedAt(time.Minute), told, []milvus.Listed{listed("1", runs, before)}, 70 * time.Second, wait, "", never},
		"a first list by no clock":                      {asking(nil), milvus.Clock{}, []milvus.Listed{listed("1", runs, time.Minute)}, time.Hour, wait, "", time.Hour + 5*time.Second},
		"an empty first list by no clock":               {asking(nil), milvus.Clock{}, nil, time.Hour, wait, "", time.Hour + 5*time.Second},
		"a first list by no clock that was made early":  {asking(nil), milvus.Clock{}, nil, settled - 1, wait, "", settled},
		"a second list by no clock, empty":              {knowing(), milvus.Clock{}, nil, time.Hour, start, "", never},
		"a second list by no clock, as it was":          {knowing("1"), milvus.Clock{}, []milvus.Listed{listed("1", done, time.Minute)}, time.Hour, start, "", never},
		"a second list by no clock, as it was, running": {knowing("1"), milvus.Clock{}, []milvus.Listed{listed("1", runs, time.Minute)}, time.Hour, wait, "", never},
		"a new job by no clock":                         {knowing("1"), milvus.Clock{}, []milvus.Listed{listed("2", done, before), listed("1", done, before)}, time.Hour, serve, "2", never},
		"two new jobs by no clock":                      {knowing("1"), milvus.Clock{}, []milvus.Listed{listed("3", runs, 0), listed("2", done, -1), listed("1", done, before)}, time.Hour, serve, "2", never},
		"a new job where there was none":                {knowing(), milvus.Clock{}, []milvus.Listed{listed("1", done, before)}, time.Hour, serve, "1", never},
		"jobs behind those that are known are older":    {knowing("5", "4"), milvus.Clock{}, []milvus.Listed{listed("4", done, before), listed("3", done, before)}, time.Hour, start, "", never},
		"no clock, just sent":                           {knowing(), milvus.Clock{}, nil, time.Second, wait, "", settled},
		"a clock decides though jobs are known":         {knowing("1"), told, []milvus.Listed{listed("1", done, time.Minute)}, time.Hour, serve, "1", never},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := settings
			s.StartRefreshes = true
			p := rule(s, tt.message, milvus.List{Jobs: tt.jobs, Clock: tt.clock}, begun.Add(tt.age))
			until := never
			if !p.until.IsZero() {
				until = p.until.Sub(begun)
			}
			if p.step != tt.step || p.job.ID != tt.job || until != tt.until {
				t.Errorf("%s %q until %s, want %s %q until %s", p.step, p.job.ID, until, tt.step, tt.job, tt.until)
			}
			if (p.step == wait) != (p.reason != "") {
				t.Errorf("to %s because %q", p.step, p.reason)
			}
		})
	}
}

func TestWhereNoneMayBeStartedAnyMoreAnEarlierStartIsLookedFor(t *testing.T) {
	m := asking(func(w *watch.State) { w.Started = begun })
	list := milvus.List{Clock: milvus.Clock{Known: true}}
	if p := rule(settings, m, list, begun.Add(time.Minute)); p.step != wait {
		t.Error(p.step)
	}
	if p := rule(settings, m, list, begun.Add(2*time.Minute)); p.step != stop {
		t.Error(p.step)
	}
}

func TestWhoStartedTheJobThatServes(t *testing.T) {
	started := asking(func(w *watch.State) { w.Started = begun.Add(time.Minute) }).Watch
	for name, tt := range map[string]struct {
		watch watch.State
		clock milvus.Clock
		age   time.Duration // of the job's start
		want  bool
	}{
		"another, where the watch asked for no start":        {asking(nil).Watch, milvus.Clock{Known: true}, time.Minute, true},
		"another, where the watch did so later":              {started, milvus.Clock{Known: true}, 50 * time.Second, true},
		"the watch, where it began as a start was asked for": {started, milvus.Clock{Known: true}, time.Minute, false},
		"the watch, by a clock that is behind":               {started, milvus.Clock{Known: true, Ahead: -time.Hour}, time.Minute - time.Hour, false},
		"the watch, as far as is known":                      {started, milvus.Clock{}, 0, false},
	} {
		if got := joined(tt.watch, listed("1", done, tt.age), tt.clock); got != tt.want {
			t.Errorf("%s: joined is %v", name, got)
		}
	}
}

func TestOnlyTheNewestJobsAreKept(t *testing.T) {
	var list milvus.List
	want := []string{}
	for i := range 20 {
		id := string(rune('a' + i))
		list.Jobs = append(list.Jobs, milvus.Listed{ID: id})
		if i < watch.MaxKnown {
			want = append(want, id)
		}
	}
	if diff := cmp.Diff(want, newest(list)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{}, newest(milvus.List{})); diff != "" {
		t.Error(diff)
	}
}

// However wrong a look at the clock is within its bounds, a job that began before
// the message does not serve, and one that the watch has started itself does.
func TestEveryStartOfOursCountsAsAfterAndNoneFromBefore(t *testing.T) {
	s := settings
	s.StartRefreshes = true
	for _, offset := range []time.Duration{0, time.Hour, -time.Hour} {
		for _, wrong := range []time.Duration{-milvus.MaxClockError, 0, milvus.MaxClockError} {
			clock := milvus.Clock{Known: true, Ahead: offset + wrong}
			now := begun
			for rule(s, asking(nil), milvus.List{Clock: clock}, now).step != start {
				now = now.Add(100 * time.Millisecond)
			}
			for _, later := range []time.Duration{-milvus.MaxClockError, 0, milvus.MaxClockError} {
				clock := milvus.Clock{Known: true, Ahead: offset + later}
				own := listed("2", runs, now.Sub(begun)+offset)
				if p := rule(s, asking(nil), milvus.List{Clock: clock, Jobs: []milvus.Listed{own}}, now); p.step != serve {
					t.Errorf("%s off by %s and %s: to %s though it started", offset, wrong, later, p.step)
				}
				others := listed("1", done, offset)
				if p := rule(s, asking(nil), milvus.List{Clock: clock, Jobs: []milvus.Listed{others}}, now); p.step == serve {
					t.Errorf("%s off by %s: one from before serves", offset, later)
				}
			}
		}
	}
}

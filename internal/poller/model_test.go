package poller

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"pgregory.net/rapid"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

// modelJobs are numbered from 1. Two have the same id.
var modelJobs = []milvus.Ref{
	{Kind: milvus.ExternalCollection, ID: "1"}, {Kind: "import", ID: "1"}, {Kind: milvus.ExternalCollection, ID: "3"},
	{Kind: milvus.ExternalCollection, ID: "4"}, {Kind: milvus.ExternalCollection, ID: "5"}, {Kind: "cloud", ID: "job-6"},
}

// faults are those of one invocation.
type faults struct {
	// Crash kills the function before it answers, and the calls marked Lost
	// before they had an effect.
	Crash bool
	// Again has SQS deliver the messages once more that were dealt with.
	Again             bool
	Describes         []string // by job; "" is none
	List, Start       string   // of every collection
	Send, Reject, Put callFaults
}

// callFaults are those of the first call, and of the second if there is one.
type callFaults struct {
	Lost    bool
	Whole   [2]string
	Refused [2]uint16 // a bit for each entry
}

var errModel = errors.New("the call failed")

func (f faults) describe(job int) string {
	if f.Describes == nil {
		return ""
	}
	return f.Describes[job-1]
}

// of says whether a call has an effect, which entries it refuses, and what it
// answers.
func (f faults) of(c callFaults, number int) (effect bool, refused uint16, err error) {
	switch n := min(number, 1); {
	case f.Crash && c.Lost, c.Whole[n] == "fails":
		return false, c.Refused[n], errModel
	case c.Whole[n] == "loses its answer":
		return true, c.Refused[n], errModel
	default:
		return true, c.Refused[n], nil
	}
}

func drawFaults(t *rapid.T) faults {
	if rapid.Bool().Draw(t, "all goes well") {
		return faults{}
	}
	whole := rapid.SampledFrom([]string{"", "", "fails", "loses its answer"})
	refused := rapid.OneOf(rapid.Just(uint16(0)), rapid.Uint16())
	call := rapid.Custom(func(t *rapid.T) callFaults {
		return callFaults{
			Lost:    rapid.Bool().Draw(t, "lost"),
			Whole:   [2]string{whole.Draw(t, "first"), whole.Draw(t, "second")},
			Refused: [2]uint16{refused.Draw(t, "refused first"), refused.Draw(t, "refused second")},
		}
	})
	describe := rapid.SampledFrom([]string{"", "", "temporary", "throttled", "refused", "notFound", "no answer", "panic"})
	return faults{
		Crash:     rapid.Bool().Draw(t, "crash"),
		Again:     rapid.Bool().Draw(t, "again"),
		List:      rapid.SampledFrom([]string{"", "", "temporary", "throttled", "refused"}).Draw(t, "list"),
		Start:     rapid.SampledFrom([]string{"", "", "lost", "lost, and nothing started", "temporary", "throttled", "refused", "busy"}).Draw(t, "start"),
		Describes: rapid.SliceOfN(describe, len(modelJobs), len(modelJobs)).Draw(t, "describes"),
		Send:      call.Draw(t, "send"), Reject: call.Draw(t, "reject"), Put: call.Draw(t, "put"),
	}
}

func detailOf(e eventtypes.PutEventsRequestEntry) (d event.Detail) {
	if err := json.Unmarshal([]byte(*e.Detail), &d); err != nil {
		panic(err)
	}
	return d
}

// Every accepted message ends in a terminal event or the dead-letter queue, and
// until then at least one message of its watch is in the queue or in flight,
// whatever SQS, EventBridge, the cluster and the executions do.
func TestNoScheduleLosesAWatch(t *testing.T) {
	modelTally = tally{}
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, runModel) })
	t.Log(modelTally)
}

// check fails the test if a watch is neither in the queue nor ended, or ended as
// the cluster never said, or if a bad message is nowhere. accepted has the jobs by
// watch, or minus the number of a collection.
func (m *model) check(t *rapid.T, accepted map[string]int, bad []string) {
	watches, bodies := map[string]bool{}, map[string]bool{}
	for _, msg := range m.queue {
		watches[msg.watchID()], bodies[msg.body] = true, true
	}
	for _, letter := range m.dead {
		watches[letter.watchID], bodies[letter.body] = true, true
		if letter.reason != "" && !slices.Contains(bad, letter.body) {
			t.Fatalf("%q was rejected: %s", letter.body, letter.reason)
		}
	}
	for id, job := range accepted {
		states := m.published[id]
		if !watches[id] && len(states) == 0 {
			t.Fatalf("watch %s is lost", id)
		}
		if job < 0 {
			m.checkRefresh(t, id, states)
			continue
		}
		for _, state := range states {
			if state != ends(job) && state != event.StateExpired && state != event.StateNotFound || m.kinds[id] != modelJobs[job-1].Kind {
				t.Fatalf("watch %s of job %d ended as %s of a job of %s", id, job, state, m.kinds[id])
			}
		}
	}
	for _, body := range bad {
		if !bodies[body] {
			t.Fatalf("the bad message %q is lost", body)
		}
	}
}

func runModel(t *rapid.T) {
	m := newModel(rapid.Bool().Draw(t, "progress"))
	m.refreshes.older, m.refreshes.clock.Known = rapid.Bool().Draw(t, "older server"), rapid.Bool().Draw(t, "server with a clock")
	calm := rapid.IntRange(0, 9).Draw(t, "calm") == 0 // nothing goes wrong at all
	steady := rapid.Bool().Draw(t, "steady")          // no clock jumps
	// Of few watches, two messages of one come together more often.
	most := rapid.SampledFrom([]int{1, 2, 20}).Draw(t, "most watches")
	accepted, bad := map[string]int{}, []string{}
	t.Repeat(map[string]func(*rapid.T){
		"enqueue": func(t *rapid.T) {
			if len(accepted) == most {
				t.Skip("there are enough watches")
			}
			job := rapid.IntRange(1, len(modelJobs)).Draw(t, "job")
			ref := modelJobs[job-1]
			body := fmt.Sprintf(`{"jobId":%q,"kind":%q}`, ref.ID, ref.Kind)
			if rapid.Bool().Draw(t, "short") {
				body = body[:len(body)-1] + `,"deadlineSeconds":90}`
			} else if ref.Kind == milvus.ExternalCollection {
				body = ref.ID
			}
			accepted[m.enqueue(body, 0)] = job
		},
		"ask for a refresh": func(t *rapid.T) {
			if len(accepted) == most {
				t.Skip("there are enough watches")
			}
			number := rapid.IntRange(1, len(modelCollections)).Draw(t, "collection")
			accepted[m.ask(number, rapid.Bool().Draw(t, "short"))] = -number
		},
		"another starts a refresh": func(t *rapid.T) {
			of := rapid.SampledFrom(modelCollections).Draw(t, "collection")
			if !m.refreshes.busy(of) {
				m.refreshes.add(of, othersRefresh)
			}
		},
		"enqueue what can't be read": func(*rapid.T) {
			bad = append(bad, fmt.Sprintf("bad %d", len(bad)))
			m.enqueue(bad[len(bad)-1], 0)
		},
		"deliver": func(t *rapid.T) {
			visible := m.visible()
			if len(visible) == 0 {
				t.Skip("nothing is visible")
			}
			batch := rapid.Permutation(visible).Draw(t, "batch")
			batch = batch[:min(len(batch), rapid.IntRange(1, 10).Draw(t, "size"))]
			f := faults{}
			if !calm {
				f = drawFaults(t)
			}
			if err := m.deliver(rapid.IntRange(0, 2).Draw(t, "execution"), batch, f); err != nil {
				t.Fatal(err)
			}
		},
		"let time pass": func(t *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second)
		},
		"set SQS's clock": func(t *rapid.T) {
			if steady {
				t.Skip("the clocks are steady")
			}
			m.skew = time.Duration(rapid.IntRange(-25, 25).Draw(t, "seconds")) * time.Second
		},
		"set the functions' clock": func(t *rapid.T) {
			if steady {
				t.Skip("the clocks are steady")
			}
			m.setClock(time.Duration(rapid.IntRange(-600, 600).Draw(t, "seconds")) * time.Second)
		},
		"": func(t *rapid.T) { m.check(t, accepted, bad) },
	})

	// Without another fault, all comes to its end.
	for turn := 0; len(m.queue) > 0; turn++ {
		if turn == 10_000 {
			t.Fatalf("%d messages do not end", len(m.queue))
		}
		next := slices.MinFunc(m.queue, func(a, b *modelMessage) int { return a.visible.Compare(b.visible) })
		time.Sleep(time.Until(next.visible))
		visible := m.visible()
		if err := m.deliver(turn%3, visible[:min(len(visible), 10)], faults{}); err != nil {
			t.Fatal(err)
		}
		m.check(t, accepted, bad)
	}
	m.tally(t, accepted, calm && steady, steady)
	for id := range accepted {
		if calm && len(m.published[id]) != 1 {
			t.Fatalf("nothing went wrong, and watch %s ended as %q", id, m.published[id])
		}
	}
}

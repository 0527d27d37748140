//go:build e2e

package e2e

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/laptop/simcluster"
)

// breaker breaks calls of a function: of its AWS calls and of its describes 30
// in a hundred each, and it kills its processes (kill_test.go).
//
// Each fault is drawn from the seed, what is called and the how-manieth such
// call it is. So a run with the same seed breaks the same calls in the same way:
// the third describe of a job, the fortieth PutEvents, the ninth invocation.
// What is not replayed is what that fortieth PutEvents holds, nor the jobs of
// the ninth invocation: that depends on the clock and on the scheduler.
type breaker struct {
	seed uint64

	mu sync.Mutex // guards those below
	// calls counts what was called, faults what was broken, by the fault's name.
	calls, faults map[string]int
	// running are the invocations under way, by their environment.
	running map[string]*invocation
	// redelivered counts the messages that came to the function once more.
	redelivered int
	// longest is that of the invocations that were not killed.
	longest time.Duration
}

func newBreaker(seed uint64) *breaker {
	return &breaker{seed: seed, calls: map[string]int{}, faults: map[string]int{}, running: map[string]*invocation{}}
}

// kind is a kind of fault, and how many calls in a hundred it breaks.
type kind[F any] struct {
	name    string
	percent float64
	fault   F
}

// Those that make a second message, or a second event, are the rarer: the SDK
// repeats a call whose answer it did not get.
var callFaults = []kind[func(c call, forward func([]byte) answer, chance *rand.Rand) answer]{
	{"HTTP 500", 7, func(call, func([]byte) answer, *rand.Rand) answer { return serverError }},
	{"throttled", 6, func(c call, _ func([]byte) answer, _ *rand.Rand) answer { return throttled(c) }},
	{"entries refused", 8, refuseSome},
	{"cut before its effect", 3.5, func(call, func([]byte) answer, *rand.Rand) answer { return answer{Cut: true} }},
	{"answer lost", 2, func(c call, forward func([]byte) answer, _ *rand.Rand) answer {
		forward(c.Body)
		return answer{Cut: true}
	}},
	{"answer too late", 0.2, func(c call, forward func([]byte) answer, _ *rand.Rand) answer {
		a := forward(c.Body)
		time.Sleep(10500 * time.Millisecond) // after a third of 30 s the function sends it again
		return a
	}},
	{"slow", 3, func(c call, forward func([]byte) answer, chance *rand.Rand) answer {
		time.Sleep(upTo(time.Second, chance))
		return forward(c.Body)
	}},
}

var describeFaults = []kind[func(next http.Handler, chance *rand.Rand) http.Handler]{
	{"HTTP 503", 4, answered(simcluster.Answer{Status: http.StatusServiceUnavailable})},
	{"gateway page", 4, answered(simcluster.GatewayPage())},
	{"compressed", 1, answered(simcluster.Gzipped(simcluster.GatewayPage()))},
	{"408", 1, answered(simcluster.TimedOut())},
	{"error code", 5, answered(simcluster.Failure(2, "service unavailable, for Bearer "+faultsToken))},
	{"another job", 2, func(next http.Handler, _ *rand.Rand) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/refresh") { // where no job can be told to be another
				next.ServeHTTP(w, r)
				return
			}
			simcluster.WrongJob("1").ServeHTTP(w, r)
		})
	}},
	{"cut", 3, answered(simcluster.Answer{Drop: true})},
	{"answer lost", 2, losing},
	{"429", 1.5, answered(simcluster.RateLimited(time.Second))},
	{"limiter's code", 1, answered(simcluster.Failure(1807, "request is rejected by limiter"))},
	{"code 1400", 0.5, answered(simcluster.NotAuthenticated())},
	{"401", 1, answered(simcluster.Answer{Status: http.StatusUnauthorized, Body: `{"code": 80001, "message": "token expired"}`})},
	{"slow", 4, func(next http.Handler, chance *rand.Rand) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(upTo(500*time.Millisecond, chance))
			next.ServeHTTP(w, r)
		})
	}},
}

func answered(a simcluster.Answer) func(http.Handler, *rand.Rand) http.Handler {
	return func(http.Handler, *rand.Rand) http.Handler { return a }
}

func upTo(d time.Duration, chance *rand.Rand) time.Duration {
	return time.Duration(chance.Float64() * float64(d))
}

// draw returns the chance of the next call of what.
func (b *breaker) draw(what string) *rand.Rand {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[what]++
	h := fnv.New64a()
	fmt.Fprint(h, what, " ", b.calls[what])
	return rand.New(rand.NewPCG(b.seed, h.Sum64()))
}

// pick returns the fault that chance has for a call, or nil.
func pick[F any](b *breaker, of string, kinds []kind[F], chance *rand.Rand) *kind[F] {
	at := chance.Float64() * 100
	for i, k := range kinds {
		if at -= k.percent; at < 0 {
			b.count(of + ": " + k.name)
			return &kinds[i]
		}
	}
	return nil
}

func (b *breaker) count(fault string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[fault]++
}

// made returns how many calls of AWS, and how many describes, were made.
func (b *breaker) made() (calls, describes int) {
	for what, n := range b.calls {
		switch {
		case strings.HasPrefix(what, "describe "):
			describes += n
		case what != "invocation":
			calls += n
		}
	}
	return calls, describes
}

// wantFaults checks that as many calls were broken as should be; of fewer than a
// hundred, chance breaks more or fewer too often.
func (b *breaker) wantFaults(t *testing.T) {
	calls, describes := b.made()
	for of, made := range map[string]int{"call: ": calls, "describe: ": describes, "killed ": b.calls["invocation"]} {
		broken := 0
		for what, n := range b.faults {
			if strings.HasPrefix(what, of) {
				broken += n
			}
		}
		if percent := 100 * broken / max(made, 1); made >= 100 && (percent < 15 || percent > 45) {
			t.Errorf("%s%d %% were broken, not 30", of, percent)
		}
	}
}

// breakCall is the emulator's fault. It breaks no calls but the function's.
func (b *breaker) breakCall(c call, forward func([]byte) answer) answer {
	if c.KeyID == "" {
		return forward(c.Body)
	}
	chance := b.draw(c.Target)
	victim := b.dying(func(i *invocation) bool { return i.environment == c.Environment })
	if victim != nil && victim.early {
		b.count("killed before a call")
		victim.kill()
		return answer{Cut: true}
	}
	var a answer
	if k := pick(b, "call", callFaults, chance); k != nil {
		a = k.fault(c, forward, chance)
	} else {
		a = forward(c.Body)
	}
	if victim != nil {
		b.count("killed after a call")
		victim.kill()
		return answer{Cut: true}
	}
	return a
}

// breakDescribe answers a describe, with the help of next or without.
func (b *breaker) breakDescribe(w http.ResponseWriter, r *http.Request, text string, next http.Handler) {
	chance := b.draw("describe " + text)
	// Two batches may hold the job; then the process of one of them dies.
	if victim := b.dying(func(i *invocation) bool { return i.describes[text] }); victim != nil {
		b.count("killed at a describe")
		victim.kill()
		panic(http.ErrAbortHandler)
	}
	if k := pick(b, "describe", describeFaults, chance); k != nil {
		next = k.fault(next, chance)
	}
	next.ServeHTTP(w, r)
}

func TestASeedBreaksTheSameCallsInAnyOrder(t *testing.T) {
	// faultsOf returns the fault of each of ten describes of two jobs, asked for in
	// the order of the list.
	faultsOf := func(seed uint64, jobs []int) map[int][]string {
		b, faults := newBreaker(seed), map[int][]string{}
		for _, job := range jobs {
			fault := ""
			if k := pick(b, "describe", describeFaults, b.draw(fmt.Sprint("describe ", job))); k != nil {
				fault = k.name
			}
			faults[job] = append(faults[job], fault)
		}
		return faults
	}
	inTurn := slices.Repeat([]int{1, 2}, 10)
	oneByOne := slices.Sorted(slices.Values(inTurn))
	first := faultsOf(7, inTurn)
	if diff := cmp.Diff(first, faultsOf(7, oneByOne)); diff != "" {
		t.Errorf("faults (-in turn +one by one):\n%s", diff)
	}
	if cmp.Equal(first[1], first[2]) || cmp.Equal(first, faultsOf(8, inTurn)) {
		t.Errorf("two jobs, or two seeds, have the same faults: %v", first)
	}
}

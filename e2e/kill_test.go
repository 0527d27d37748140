//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/runtimeapi"
	"refresh-poller/internal/simcluster"
	"refresh-poller/internal/watch"
)

// killedPercent is how many invocations in a hundred are not survived.
const killedPercent = 30

// afterLast is beyond the calls of an invocation: all is done, but the response
// is not in.
const afterLast = math.MaxInt

// errKilled is what the mapping hears of an invocation that was not survived.
var errKilled = errors.New("killed by the test")

// mortal is an execution environment whose process does not survive some of its
// invocations. Which ones, and at the how-manieth call, the breaker draws.
type mortal struct {
	*runtimeapi.Function
	breaker *breaker
	// number tells it from the other environments.
	number string
}

// invocation is one of a mortal's under way.
type invocation struct {
	environment string
	describes   map[string]bool // those of its jobs
	// kill kills the process and returns when it is gone.
	kill  func()
	over  chan struct{}
	began time.Time

	// dieAt is the call at which the process dies, or afterLast; 0: it lives.
	dieAt int
	// early is set if it dies before the call has an effect.
	early bool
	// calls counts those made so far.
	calls int
}

// Invoke is runtimeapi's, but for the kills.
func (m mortal) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	i, err := m.breaker.begin(m.number, payload, cancel)
	if err != nil {
		return nil, err
	}
	response, err := m.Function.Invoke(ctx, payload)
	m.breaker.end(i)
	if i.dieAt == 0 || err != nil && !errors.Is(err, context.Canceled) {
		return response, err
	}
	m.Kill() // it made fewer calls than it was to make, or is gone already
	return nil, errKilled
}

// begin draws the fate of an invocation. If it dies, then with the same chance
// before or after each of its calls, which are a describe for each message and at
// least one of AWS, or at the end.
func (b *breaker) begin(environment string, payload []byte, cancel func()) (*invocation, error) {
	i := &invocation{environment: environment, describes: map[string]bool{}, over: make(chan struct{}), began: time.Now()}
	i.kill = func() {
		cancel()
		<-i.over
	}
	var batch events.SQSEvent
	if err := json.Unmarshal(payload, &batch); err != nil {
		return nil, err
	}
	chance := b.draw("invocation")
	if chance.Float64()*100 < killedPercent {
		moments := 2*(len(batch.Records)+1) + 1
		m := chance.IntN(moments)
		i.dieAt, i.early = 1+m/2, m%2 == 0
		if m == moments-1 {
			i.dieAt = afterLast
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[environment] = i
	for _, record := range batch.Records {
		if message, err := watch.Parse(record.Body, record.MessageId, i.began, milvus.ExternalCollection); err == nil {
			i.describes[describeOf(simcluster.Ref{Kind: simcluster.Kind(message.Kind), ID: message.JobID})] = true
		}
		if record.Attributes["ApproximateReceiveCount"] != "1" {
			b.redelivered++
		}
	}
	return i, nil
}

func (b *breaker) end(i *invocation) {
	close(i.over)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, i.environment)
	switch {
	case i.dieAt == 0:
		b.longest = max(b.longest, time.Since(i.began))
	case i.calls < i.dieAt:
		b.faults["killed after the last call"]++
	}
}

// dying counts a call of the running invocation that made it, and returns that if
// its process is to die of the call, else nil.
func (b *breaker) dying(madeBy func(*invocation) bool) *invocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.running {
		if madeBy(i) {
			if i.calls++; i.calls == i.dieAt {
				return i
			}
			return nil
		}
	}
	return nil
}

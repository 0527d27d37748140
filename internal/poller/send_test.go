package poller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/watch"
)

// half has jobs 1 to 5 completed and the others running.
var half = fakeCluster(func(_ context.Context, _ string, jobID int64) (milvus.Job, error) {
	if jobID <= 5 {
		return completed.Job, nil
	}
	return running.Job, nil
})

func TestAnEntryThatFailsOnceIsSentAgain(t *testing.T) {
	h := newHarness(t)
	h.Cluster = half
	seen := map[string]bool{}
	once := func(text string) bool {
		first := !seen[text]
		seen[text] = true
		return first && (strings.Contains(text, `"jobId":6`) || strings.Contains(text, `"jobId":"1"`))
	}
	h.aws.refuseMessage, h.aws.refuseEvent = once, once
	if failed := h.handle(t, "1", "2", "6", "7"); failed != nil {
		t.Errorf("items %v failed", failed)
	}
	if h.aws.sendCalls != 2 || h.aws.putCalls != 2 {
		t.Errorf("%d and %d calls, want two of each", h.aws.sendCalls, h.aws.putCalls)
	}
	if len(h.aws.messages[jobQueue]) != 2 || len(h.aws.published) != 2 {
		t.Error("an entry that was taken was sent again")
	}
}

func TestOnlyTheMessagesOfEntriesThatFailTwiceFail(t *testing.T) {
	h := newHarness(t)
	h.Cluster = half
	h.aws.refuseMessage = func(body string) bool { return strings.HasPrefix(body, `{"jobId":6,`) || body == "bad" }
	h.aws.refuseEvent = func(detail string) bool { return strings.Contains(detail, `"jobId":"2"`) }
	failed := h.handle(t, "1", "2", "6", "7", "bad", "worse")
	if !slices.Equal(failed, []string{"1", "2", "4"}) {
		t.Errorf("items %v failed, want those of job 2, job 6 and the bad message", failed)
	}
	if !slices.Equal(h.aws.bodies(deadLetterQueue), []string{"worse"}) {
		t.Errorf("dead letters %v", h.aws.bodies(deadLetterQueue))
	}
	if !strings.Contains(h.log.String(), "InternalError: try again") || !strings.Contains(h.log.String(), "ThrottlingException: try again") {
		t.Error("the log does not say why")
	}
}

func TestACallThatFailsFailsEveryMessageInIt(t *testing.T) {
	h := newHarness(t)
	h.Cluster = half
	h.aws.err = errors.New("connection reset")
	if failed := h.handle(t, "1", "6", "bad"); !slices.Equal(failed, []string{"0", "1", "2"}) {
		t.Errorf("items %v failed, want all", failed)
	}
	if h.aws.sendCalls != 2 || h.aws.putCalls != 1 {
		t.Errorf("%d and %d calls: the SDK has tried again already", h.aws.sendCalls, h.aws.putCalls)
	}
}

func TestProgressThatIsNotTakenIsSeenAgainByTheNextPoll(t *testing.T) {
	h := newHarness(t)
	h.Settings.PublishProgress = true
	h.Cluster = half
	h.aws.refuseEvent = func(detail string) bool { return strings.Contains(detail, `"jobId":"6"`) }
	if failed := h.handle(t, "6", "7", "1"); failed != nil {
		t.Errorf("items %v failed, though their messages go on", failed)
	}
	if !strings.Contains(h.log.String(), `"msg":"progress not published"`) {
		t.Error("the log does not tell")
	}
	h.aws.refuseEvent = nil
	for _, body := range h.aws.bodies(jobQueue) {
		h.handle(t, body)
	}
	var published []string
	for _, e := range h.aws.published {
		published = append(published, (*e.Detail)[strings.Index(*e.Detail, `"jobId"`):][:20])
	}
	slices.Sort(published)
	want := []string{`"jobId":"1","state":`, `"jobId":"6","state":`, `"jobId":"7","state":`}
	if !slices.Equal(published, want) {
		t.Errorf("published %v, want each once", published)
	}
	if h.aws.putCalls != 3 {
		t.Errorf("%d calls of PutEvents, want one, a second try, and one for the next poll", h.aws.putCalls)
	}
}

func TestAnEventBusThatHangsLeavesTimeToSendMessagesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Settings.PublishProgress = true
		h.Cluster = half
		h.EventBridge = hangingAWS{}
		h.aws.sendTakes = 3 * time.Second // as long as one attempt of the SDK may
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		response, _ := h.Handle(ctx, batchOf("6", "1"))
		if len(response.BatchItemFailures) != 1 || len(h.aws.messages[jobQueue]) != 1 || ctx.Err() != nil {
			t.Errorf("%v failed, %d sent on", response.BatchItemFailures, len(h.aws.messages[jobQueue]))
		}
	})
}

func TestAnSQSThatHangsLeavesTimeToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.Cluster = half
		h.SQS = hangingAWS{}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		response, _ := h.Handle(ctx, batchOf("6", "bad"))
		if len(response.BatchItemFailures) != 2 || ctx.Err() != nil {
			t.Errorf("%v failed, the function's own time: %v", response.BatchItemFailures, ctx.Err())
		}
	})
}

// The answer to the first event is lost, so it is published again: the same one.
func TestProgressThatFellBackAndIsSeenAgainIsTheSameEvent(t *testing.T) {
	h := newHarness(t)
	h.Settings.PublishProgress = true
	progress := 50
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) {
		return milvus.Job{State: "RefreshInProgress", Progress: &progress}, nil
	})
	next := func() string { bodies := h.aws.bodies(jobQueue); return bodies[len(bodies)-1] }
	h.handle(t, "6")
	progress = 20
	h.EventBridge = losingBus{h.aws}
	h.handle(t, next())
	h.EventBridge = h.aws
	h.handle(t, next())
	var ids []string
	for _, e := range h.aws.published {
		ids = append(ids, detailOf(e).ID)
	}
	if len(ids) != 3 || ids[0] == ids[1] || ids[1] != ids[2] {
		t.Errorf("events %q, want the second twice", ids)
	}
}

// losingBus takes events and does not say so.
type losingBus struct{ *fakeAWS }

func (b losingBus) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	b.fakeAWS.PutEvents(ctx, in)
	return nil, errors.New("the answer is lost")
}

// hangingAWS never answers.
type hangingAWS struct{}

func (hangingAWS) SendMessageBatch(ctx context.Context, _ *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hangingAWS) PutEvents(ctx context.Context, _ *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// silentAWS answers without a word about any entry.
type silentAWS struct{}

func (silentAWS) SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	return &sqs.SendMessageBatchOutput{Failed: []sqstypes.BatchResultErrorEntry{{Id: aws.String("no number")}, {Id: aws.String("99")}, {Id: aws.String("-1")}}}, nil
}

func (silentAWS) PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return &eventbridge.PutEventsOutput{}, nil
}

func TestWhatIsNotConfirmedFails(t *testing.T) {
	h := newHarness(t)
	h.Cluster = half
	h.SQS, h.EventBridge = silentAWS{}, silentAWS{}
	if failed := h.handle(t, "1", "6", "bad"); !slices.Equal(failed, []string{"0", "1", "2"}) {
		t.Errorf("items %v failed, want all", failed)
	}
}

func TestCallsAreSplitOnlyWhereTheLimitsDemand(t *testing.T) {
	tests := map[string]struct {
		sizes []int
		want  []int // entries of each call
	}{
		"nothing":                       {nil, nil},
		"ten small":                     {slices.Repeat([]int{1}, 10), []int{10}},
		"eleven small":                  {slices.Repeat([]int{1}, 11), []int{10, 1}},
		"exactly the bytes of a call":   {[]int{60, 40}, []int{2}},
		"one byte more":                 {[]int{60, 41}, []int{1, 1}},
		"one that fills a call":         {[]int{1, 100, 1}, []int{1, 1, 1}},
		"one that is larger goes alone": {[]int{101, 1}, []int{1, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var parcels []parcel[int]
			for i, size := range tt.sizes {
				parcels = append(parcels, parcel[int]{entry: i, bytes: size})
			}
			var calls []int
			next := 0
			deliver(parcels, 100, func(batch []parcel[int]) (map[int]error, error) {
				calls = append(calls, len(batch))
				for _, p := range batch {
					if p.entry != next {
						t.Errorf("entry %d sent in place of %d", p.entry, next)
					}
					next++
				}
				return nil, nil
			})
			if !slices.Equal(calls, tt.want) {
				t.Errorf("calls of %v entries, want %v", calls, tt.want)
			}
		})
	}
}

func TestARejectedMessageIsUnchangedAndSaysWhy(t *testing.T) {
	const body = " {\"jobId\":\t1.50, \"note\":\"<&é\u2028>\"}\n"
	h := newHarness(t)
	h.handle(t, body)
	letter := h.aws.messages[deadLetterQueue][0]
	if *letter.MessageBody != body || letter.DelaySeconds != 0 {
		t.Errorf("the dead letter is %q after %d s", *letter.MessageBody, letter.DelaySeconds)
	}
	if got := *letter.MessageAttributes["OriginalMessageId"].StringValue; got != "0" {
		t.Errorf("OriginalMessageId %q", got)
	}
	if got := *letter.MessageAttributes["RejectReason"].StringValue; !strings.HasPrefix(got, "jobId has a fraction: ") {
		t.Errorf("RejectReason %q", got)
	}
}

func TestAMessageThatFillsSQSIsRejectedWithWhatFits(t *testing.T) {
	tests := map[string]struct {
		room int
		want []string
	}{
		"room for all":     {1000, []string{"OriginalMessageId", "RejectReason"}},
		"room for the id":  {50, []string{"OriginalMessageId"}},
		"room for nothing": {0, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			if failed := h.handle(t, strings.Repeat("x", maxMessageBytes-tt.room)); failed != nil {
				t.Fatal("the item failed")
			}
			var got []string
			for name := range h.aws.messages[deadLetterQueue][0].MessageAttributes {
				got = append(got, name)
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("attributes %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheLargestEventsOfABatchFitOneCall(t *testing.T) {
	h := newHarness(t)
	job := failed.Job
	job.Reason, job.ExternalSource = strings.Repeat("é", 2<<10), strings.Repeat("<", 8<<10)
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return job, nil })
	var bodies []string
	for i := range 10 {
		bodies = append(bodies, fmt.Sprintf(`{"jobId":%d,"context":{"k":"%s"}}`, i+1, strings.Repeat("<", watch.MaxContext-8)))
	}
	h.handle(t, bodies...)
	if h.aws.putCalls != 1 || len(h.aws.published) != 10 {
		t.Errorf("%d events in %d calls, want ten in one", len(h.aws.published), h.aws.putCalls)
	}
}

func TestEventsThatAreTooManyForOneCallAreSplit(t *testing.T) {
	h := newHarness(t)
	job := failed.Job
	job.ExternalSource = strings.Repeat("\x01", 20<<10) // six bytes each, in JSON
	h.Cluster = fakeCluster(func(context.Context, string, int64) (milvus.Job, error) { return job, nil })
	h.handle(t, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
	if h.aws.putCalls != 2 || len(h.aws.published) != 10 || h.aws.mostBytes >= 1_000_000 {
		t.Errorf("%d events in %d calls of at most %d bytes, want ten in two of less than 1 MB", len(h.aws.published), h.aws.putCalls, h.aws.mostBytes)
	}
}

func TestProgressThatIsNotTakenIsNotCounted(t *testing.T) {
	h := newHarness(t)
	h.Settings.PublishProgress = true
	h.Cluster = half
	h.aws.refuseEvent = func(string) bool { return true }
	h.handle(t, "6")
	if line := h.lastMeasured(t); line["EventsProgress"] != nil || line["Reenqueued"] != 1.0 {
		t.Errorf("measured %v", line)
	}
}

func TestAnEventCountsWithAllThatPutEventsCounts(t *testing.T) {
	p := &Poller{EventSource: "source"}
	out := p.eventParcel(t.Context(), &item{message: message(0, 0), decision: Decision{Event: &event.Detail{}}})
	if want := len(*out.entry.Detail) + len("source") + len(*out.entry.DetailType) + 14; out.bytes != want {
		t.Errorf("%d bytes, want %d", out.bytes, want)
	}
}

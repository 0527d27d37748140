package poller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Limits of one batch call.
const (
	maxEntries = 10
	// maxMessageBytes bounds a message with its attributes, and all messages of
	// a call together (Amazon SQS API Reference, SendMessageBatch).
	maxMessageBytes = 1 << 20
	// maxEventBytes bounds all entries of a call together (Amazon EventBridge
	// API Reference, PutEvents: less than 1 MB).
	maxEventBytes = 999_999
	// maxTraceHeader bounds that of an entry, in characters (Amazon EventBridge API
	// Reference, PutEventsRequestEntry).
	maxTraceHeader = 500
)

// parcel is one entry of a batch call, with the item it is sent for.
type parcel[E any] struct {
	item  *item
	entry E
	bytes int
}

// send carries out all decisions: one SendMessageBatch and one PutEvents side by
// side, and one more SendMessageBatch for rejected messages if there are any. An
// item with an entry that was not taken, after a second try, fails.
//
// Events of progress come before the messages that go on: failing an item whose
// message was sent on already would start a second chain of polls.
func (p *Poller) send(ctx context.Context, log *slog.Logger, b budget, items []*item) {
	var published []parcel[eventtypes.PutEventsRequestEntry]
	progress := false
	for _, it := range items {
		if it.decision.Event != nil {
			it.guard(func() { published = append(published, p.eventParcel(ctx, it)) })
			progress = progress || it.decision.Action == Reenqueue
		}
	}
	ctx, cancel := context.WithDeadline(ctx, b.sendBy)
	defer cancel()
	var wg sync.WaitGroup
	failures := [3]map[*item]error{}
	if progress {
		early, cancel := context.WithDeadline(ctx, b.publishBy)
		failures[0] = deliver(published, maxEventBytes, p.putEvents(early))
		cancel()
		forget(ctx, log, failures[0])
	} else {
		wg.Go(func() { failures[0] = deliver(published, maxEventBytes, p.putEvents(ctx)) })
	}

	var again, rejected []parcel[sqstypes.SendMessageBatchRequestEntry]
	for _, it := range items {
		it.guard(func() {
			switch it.decision.Action {
			case Reenqueue:
				again = append(again, reenqueueParcel(it))
			case Reject:
				rejected = append(rejected, rejectParcel(it))
			}
		})
	}
	wg.Go(func() { failures[1] = deliver(again, maxMessageBytes, p.sendMessages(ctx, p.JobQueueURL)) })
	wg.Go(func() { failures[2] = deliver(rejected, maxMessageBytes, p.sendMessages(ctx, p.DeadLetterQueueURL)) })
	wg.Wait()
	for _, failed := range failures {
		for it, err := range failed {
			it.err = errors.Join(it.err, err)
		}
	}
}

// forget takes the events of progress out of failed, and has their messages go
// on as if the change had not been seen: the next poll sees it again.
func forget(ctx context.Context, log *slog.Logger, failed map[*item]error) {
	for it, err := range failed {
		if it.decision.Action != Reenqueue {
			continue
		}
		delete(failed, it)
		log.WarnContext(ctx, "progress not published", "kind", string(it.message.Kind), "jobId", it.decision.Event.JobID, "watchId", it.message.Watch.ID, "error", err.Error())
		next := &it.decision.Next.Watch
		next.Job, next.Restarts = it.message.Watch.Job, it.message.Watch.Restarts
		it.decision.Event = nil
	}
}

func reenqueueParcel(it *item) parcel[sqstypes.SendMessageBatchRequestEntry] {
	body := it.decision.Next.Body()
	return parcel[sqstypes.SendMessageBatchRequestEntry]{
		item:  it,
		entry: sqstypes.SendMessageBatchRequestEntry{MessageBody: &body, DelaySeconds: int32(it.decision.Delay.Seconds())},
		bytes: len(body),
	}
}

func (p *Poller) eventParcel(ctx context.Context, it *item) parcel[eventtypes.PutEventsRequestEntry] {
	detail, detailType := it.decision.Event.JSON(), it.message.Kind.DetailType()
	const timeBytes = 14
	out := parcel[eventtypes.PutEventsRequestEntry]{
		item: it,
		entry: eventtypes.PutEventsRequestEntry{
			EventBusName: &p.EventBusName,
			Source:       &p.EventSource,
			DetailType:   &detailType,
			Detail:       &detail,
			Time:         &it.decision.Event.Time,
		},
		bytes: len(detail) + len(p.EventSource) + len(detailType) + timeBytes,
	}
	if header := traceHeader(ctx); header != "" && len(header) <= maxTraceHeader {
		out.entry.TraceHeader = &header
	}
	return out
}

// deliver sends the parcels in as few calls as the limits allow. Entries that a
// call does not take are sent once more, and those of a call that is refused whole
// each in a call of its own, for one of them may be why; it returns those that are
// not taken then either. A call that fails otherwise is not repeated: the SDK has
// done that.
func deliver[E any](parcels []parcel[E], maxBytes int, call func([]parcel[E]) (map[int]error, error)) map[*item]error {
	failed := map[*item]error{}
	for len(parcels) > 0 {
		n, bytes := 0, 0
		for n < min(len(parcels), maxEntries) && (n == 0 || bytes+parcels[n].bytes <= maxBytes) {
			bytes += parcels[n].bytes
			n++
		}
		batch := parcels[:n]
		refused, err := call(batch)
		switch {
		case err == nil && len(refused) > 0:
			batch = selected(batch, refused)
			refused, err = call(batch)
		case n > 1 && refusedWhole(err):
			for i := range batch {
				maps.Copy(failed, deliver(batch[i:i+1], maxBytes, call))
			}
			batch = nil
		}
		for i, p := range batch {
			if reason := cmp.Or(err, refused[i]); reason != nil {
				failed[p.item] = reason
			}
		}
		parcels = parcels[n:]
	}
	return failed
}

// refusedWhole reports whether a service answered that it does not take a call,
// for another reason than that there are too many.
func refusedWhole(err error) bool {
	answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && answer.HTTPStatusCode()/100 == 4 && retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) != aws.TrueTernary
}

func selected[E any](parcels []parcel[E], places map[int]error) []parcel[E] {
	var chosen []parcel[E]
	for i, p := range parcels {
		if places[i] != nil {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// sendMessages returns a call for deliver: it answers with the errors of the
// entries that were not taken, by their place, or with that of the whole call.
func (p *Poller) sendMessages(ctx context.Context, queueURL string) func([]parcel[sqstypes.SendMessageBatchRequestEntry]) (map[int]error, error) {
	return func(parcels []parcel[sqstypes.SendMessageBatchRequestEntry]) (map[int]error, error) {
		entries := make([]sqstypes.SendMessageBatchRequestEntry, len(parcels))
		failed := make(map[int]error, len(parcels))
		for i, out := range parcels {
			entries[i] = out.entry
			entries[i].Id = aws.String(strconv.Itoa(i))
			failed[i] = errNotConfirmed
		}
		res, err := p.SQS.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &queueURL, Entries: entries})
		if err != nil {
			return nil, fmt.Errorf("send messages to %s: %w", queueURL, err)
		}
		for _, taken := range res.Successful {
			if i, err := strconv.Atoi(aws.ToString(taken.Id)); err == nil {
				delete(failed, i)
			}
		}
		for _, f := range res.Failed {
			if i, err := strconv.Atoi(aws.ToString(f.Id)); err == nil && failed[i] != nil {
				failed[i] = fmt.Errorf("send message to %s: %s: %s", queueURL, aws.ToString(f.Code), aws.ToString(f.Message))
			}
		}
		return failed, nil
	}
}

// putEvents is to PutEvents what sendMessages is to SendMessageBatch; its
// results come in the order of the entries.
func (p *Poller) putEvents(ctx context.Context) func([]parcel[eventtypes.PutEventsRequestEntry]) (map[int]error, error) {
	return func(parcels []parcel[eventtypes.PutEventsRequestEntry]) (map[int]error, error) {
		entries := make([]eventtypes.PutEventsRequestEntry, len(parcels))
		failed := make(map[int]error, len(parcels))
		for i, out := range parcels {
			entries[i] = out.entry
			failed[i] = errNotConfirmed
		}
		res, err := p.EventBridge.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			return nil, fmt.Errorf("publish events on %s: %w", p.EventBusName, err)
		}
		for i, result := range res.Entries[:min(len(res.Entries), len(parcels))] {
			if result.ErrorCode == nil {
				delete(failed, i)
			} else {
				failed[i] = fmt.Errorf("publish event on %s: %s: %s", p.EventBusName, *result.ErrorCode, aws.ToString(result.ErrorMessage))
			}
		}
		return failed, nil
	}
}

var errNotConfirmed = errors.New("the response does not mention this entry")

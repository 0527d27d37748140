package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// The limits of PutEvents (API reference, and the user guide on the size of an
// entry). The sum was 256 KB before it was 1 MB.
const (
	maxPutEntries       = 10
	putBytesLimit       = 1_000_000 // of all entries; the sum must stay below
	entryTimeBytes      = 14
	maxDetailTypeLength = 128 // characters
)

// Bus is an in-memory event bus. Whatever bus an entry names, it is this one,
// and an event put twice is delivered twice. The zero value is ready for use,
// by several goroutines too.
type Bus struct {
	mu          sync.Mutex
	subscribers []func(events.EventBridgeEvent)
}

// Subscribe has deliver called for every event accepted from now on, in order
// and one at a time. PutEvents waits for it, so deliver must not use the bus.
func (b *Bus) Subscribe(deliver func(events.EventBridgeEvent)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(b.subscribers, deliver)
}

// PutEvents accepts 1 to 10 events, as the method of the SDK's client does. The
// results stand in the order of the entries, refused ones with an error code.
func (b *Bus) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n := len(in.Entries); n < 1 || n > maxPutEntries {
		return nil, fmt.Errorf("ValidationException: 1 to %d entries, not %d", maxPutEntries, n)
	}
	bytes := 0
	for _, e := range in.Entries {
		bytes += entrySize(e)
	}
	if bytes >= putBytesLimit {
		return nil, fmt.Errorf("ValidationException: the entries must be below %d bytes in total, not %d", putBytesLimit, bytes)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out, now := &eventbridge.PutEventsOutput{}, time.Now()
	for _, e := range in.Entries {
		if code, reason := refusePut(e); code != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, types.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: &reason})
			continue
		}
		event := newEvent(e, now)
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: &event.ID})
		for _, deliver := range b.subscribers {
			deliver(event)
		}
	}
	return out, nil
}

func newEvent(e types.PutEventsRequestEntry, now time.Time) events.EventBridgeEvent {
	if e.Time != nil {
		now = *e.Time
	}
	return events.EventBridgeEvent{
		Version:    "0",
		ID:         newID(),
		DetailType: *e.DetailType,
		Source:     *e.Source,
		AccountID:  account,
		Time:       now.UTC(),
		Region:     region,
		Resources:  append([]string{}, e.Resources...),
		Detail:     json.RawMessage(*e.Detail),
	}
}

// entrySize returns what EventBridge counts for the entry, in bytes.
func entrySize(e types.PutEventsRequestEntry) int {
	bytes := len(aws.ToString(e.Source)) + len(aws.ToString(e.DetailType)) + len(aws.ToString(e.Detail))
	if e.Time != nil {
		bytes += entryTimeBytes
	}
	for _, r := range e.Resources {
		bytes += len(r)
	}
	return bytes
}

// refusePut returns why EventBridge would refuse one entry; the code is empty
// if it would take it.
func refusePut(e types.PutEventsRequestEntry) (code, reason string) {
	source, detailType, detail := aws.ToString(e.Source), aws.ToString(e.DetailType), aws.ToString(e.Detail)
	var object map[string]json.RawMessage
	switch {
	case source == "":
		return "InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."
	case detailType == "":
		return "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is a required argument."
	case utf8.RuneCountInString(detailType) > maxDetailTypeLength:
		return "InvalidArgument", fmt.Sprintf("Parameter DetailType is not valid. Reason: more than %d characters.", maxDetailTypeLength)
	case detail == "":
		return "InvalidArgument", "Parameter Detail is not valid. Reason: Detail is a required argument."
	case strings.HasPrefix(source, "aws."):
		return "NotAuthorizedForSourceException", "Not authorized for the source."
	case json.Unmarshal([]byte(detail), &object) != nil || object == nil: // null makes no map
		return "MalformedDetail", "Detail is malformed."
	}
	return "", ""
}

package deployed

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

const (
	// ReadBack is how much of the log is read at first. A watch has a line at least
	// every 15 minutes, the longest delay; and some more, for its message may wait.
	ReadBack = 20 * time.Minute
	// overlap is how long a line may take to be found after a later one was.
	overlap = time.Minute
)

// LogEvents is the call of CloudWatch Logs that reads a log group.
type LogEvents interface {
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

// Log is the poller's log, as it grows. It is read again and again, and not by a
// live tail, which reads nothing back, ends after three hours, keeps 500 lines of a
// busy second and costs by the minute (CloudWatch Logs API Reference,
// StartLiveTail).
type Log struct {
	api   LogEvents
	group string
	// latest is the time of the latest line so far; those not older than it by more
	// than overlap are asked for again.
	latest time.Time
	// seen has the ids of those lines, with their times.
	seen map[string]time.Time
	// newest is the time of the latest line of each watch.
	newest map[string]time.Time
}

// NewLog returns the log in a group, from ReadBack ago on.
func NewLog(api LogEvents, group string) *Log {
	return &Log{api: api, group: group, latest: time.Now().Add(overlap - ReadBack), seen: map[string]time.Time{}, newest: map[string]time.Time{}}
}

// Read returns the lines that are new, in the order of time. A line of a watch that
// comes after a later one is left out, unless it is the watch's end.
func (l *Log) Read(ctx context.Context) ([]Line, error) {
	events, err := l.find(ctx, l.latest.Add(-overlap))
	if err != nil {
		return nil, explained("read the log group "+l.group, err)
	}
	slices.SortStableFunc(events, func(a, b types.FilteredLogEvent) int {
		return cmp.Compare(aws.ToInt64(a.Timestamp), aws.ToInt64(b.Timestamp))
	})
	now := time.Now()
	var lines []Line
	for _, e := range events {
		at, id := time.UnixMilli(aws.ToInt64(e.Timestamp)), aws.ToString(e.EventId)
		if _, again := l.seen[id]; again {
			continue
		}
		l.seen[id] = at
		// A line that bears a time ahead must not hide those to come.
		if at.After(l.latest) && !at.After(now) {
			l.latest = at
		}
		line, ok := parseLine(aws.ToString(e.Message), at)
		if !ok || at.Before(l.newest[line.WatchID]) && !line.Ended() {
			continue
		}
		if lines = append(lines, line); line.WatchID != "" {
			l.newest[line.WatchID] = at
		}
	}
	// What is older is not asked for again.
	old := func(_ string, at time.Time) bool { return at.Before(l.latest.Add(-overlap)) }
	maps.DeleteFunc(l.seen, old)
	maps.DeleteFunc(l.newest, old)
	return lines, nil
}

// find returns all lines since from.
func (l *Log) find(ctx context.Context, from time.Time) (events []types.FilteredLogEvent, err error) {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &l.group, StartTime: new(from.UnixMilli())}
	for {
		out, err := l.api.FilterLogEvents(ctx, in)
		if err != nil {
			return nil, err
		}
		events = append(events, out.Events...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return events, nil
		}
	}
}

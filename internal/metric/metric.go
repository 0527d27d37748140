// Package metric is what the poller tells CloudWatch of itself: the names of its
// metrics, the counts and times of one batch, and the line of CloudWatch's
// Embedded Metric Format that carries them.
//
// Where the line is written, and which number is worth an alarm, is decided
// elsewhere.
package metric

import (
	"cmp"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

const (
	// Namespace holds all metrics.
	Namespace = "RefreshPoller"
	// Dimension is the only one of every metric; its value is the stack's name.
	Dimension = "Stack"
)

// Name is a metric's name.
//
// A kind of error and a state of an event are part of the name and no dimension:
// in one line a metric has one value and a dimension has one value, because both
// are members of its root, so a batch with two kinds would need two lines.
type Name string

// Each job of a batch that the poller had time for is one poll, however many
// messages are about it: Polls is the sum of Succeeded and all DescribeErrors.
const (
	// Polls counts the jobs asked about; without a token none is sent out.
	Polls Name = "Polls"
	// Succeeded counts the polls that brought a job.
	Succeeded Name = "Succeeded"
	// The polls that brought none, by milvus.ErrorKind. A job just submitted is not
	// found at first: that is an answer like any other.
	DescribeErrorsNotFound      Name = "DescribeErrorsNotFound"
	DescribeErrorsTemporary     Name = "DescribeErrorsTemporary"
	DescribeErrorsThrottled     Name = "DescribeErrorsThrottled"
	DescribeErrorsMisconfigured Name = "DescribeErrorsMisconfigured"
	// DescribeErrorsRefused counts the refused credentials that reading the
	// secret again did not mend.
	DescribeErrorsRefused Name = "DescribeErrorsRefused"
	// DescribeLatency is of every request, the second try after a refusal too.
	DescribeLatency Name = "DescribeLatency"
)

// What became of the messages: each is reenqueued, ended by an event, rejected,
// dropped or failed. NotReached are those of the reenqueued for which no time or
// request was left; Dropped are those whose watch goes on, or has ended, without
// them.
const (
	Reenqueued  Name = "Reenqueued"
	NotReached  Name = "NotReached"
	Rejected    Name = "Rejected"
	Dropped     Name = "Dropped"
	FailedItems Name = "FailedItems"
)

// RefreshesStarted counts the refreshes that the cluster has started on request.
const RefreshesStarted Name = "RefreshesStarted"

// The events that the bus has taken: the ends of refreshes, and those that are the
// poller's own, by their state, as before there were other kinds; other ends by
// their outcome; and those of PublishProgress together, since a newer server may
// have states of its own and each name is a metric to pay for.
const (
	EventsRefreshCompleted Name = "EventsRefreshCompleted"
	EventsRefreshFailed    Name = "EventsRefreshFailed"
	EventsSucceeded        Name = "EventsSucceeded"
	EventsFailed           Name = "EventsFailed"
	EventsCanceled         Name = "EventsCanceled"
	EventsAwaitingCommit   Name = "EventsAwaitingCommit"
	EventsJobNotFound      Name = "EventsJobNotFound"
	EventsWatchExpired     Name = "EventsWatchExpired"
	// EventsRefreshNotStarted has no job.
	EventsRefreshNotStarted Name = "EventsRefreshNotStarted"
	EventsProgress          Name = "EventsProgress"
)

// One value for each terminal event that knows it.
const (
	// DetectionLag is from the job's end to its event on the bus.
	DetectionLag Name = "DetectionLag"
	// JobDuration is from the job's start to its end.
	JobDuration Name = "JobDuration"
	// PollsPerJob is how many polls the watch took.
	PollsPerJob Name = "PollsPerJob"
)

// ConfigurationFaults is how many parameters of the function are wrong, with
// each batch that it handles all the same.
const ConfigurationFaults Name = "ConfigurationFaults"

// Units, as CloudWatch spells them.
const (
	Count        = "Count"
	Milliseconds = "Milliseconds"
)

// Definition is a metric as a line declares it.
type Definition struct {
	Name Name
	Unit string
	// Always says that the metric is in every line, if only as a 0. Others are
	// left out: CloudWatch charges a metric by the hours in which it has data.
	Always bool
}

// Definitions are all metrics, in the order of a line. Always are those that an
// alarm computes with: one would be missing where another is there.
var Definitions = [...]Definition{
	{Name: Polls, Unit: Count, Always: true},
	{Name: Succeeded, Unit: Count, Always: true},
	{Name: DescribeErrorsNotFound, Unit: Count, Always: true},
	{Name: DescribeErrorsTemporary, Unit: Count},
	{Name: DescribeErrorsThrottled, Unit: Count},
	{Name: DescribeErrorsMisconfigured, Unit: Count},
	{Name: DescribeErrorsRefused, Unit: Count},
	{Name: DescribeLatency, Unit: Milliseconds},
	{Name: Reenqueued, Unit: Count},
	{Name: NotReached, Unit: Count},
	{Name: Rejected, Unit: Count},
	{Name: Dropped, Unit: Count},
	{Name: FailedItems, Unit: Count},
	{Name: RefreshesStarted, Unit: Count},
	{Name: EventsRefreshCompleted, Unit: Count},
	{Name: EventsRefreshFailed, Unit: Count},
	{Name: EventsSucceeded, Unit: Count},
	{Name: EventsFailed, Unit: Count},
	{Name: EventsCanceled, Unit: Count},
	{Name: EventsAwaitingCommit, Unit: Count},
	{Name: EventsJobNotFound, Unit: Count},
	{Name: EventsWatchExpired, Unit: Count},
	{Name: EventsRefreshNotStarted, Unit: Count},
	{Name: EventsProgress, Unit: Count},
	{Name: DetectionLag, Unit: Milliseconds},
	{Name: JobDuration, Unit: Milliseconds},
	{Name: PollsPerJob, Unit: Count},
	{Name: ConfigurationFaults, Unit: Count},
}

// DescribeErrors returns the metric that counts errors of the kind. One that is
// not known counts as Temporary, which is how it is dealt with.
func DescribeErrors(kind milvus.ErrorKind) Name {
	switch kind {
	case milvus.NotFound:
		return DescribeErrorsNotFound
	case milvus.Throttled:
		return DescribeErrorsThrottled
	case milvus.Misconfigured:
		return DescribeErrorsMisconfigured
	case milvus.Refused:
		return DescribeErrorsRefused
	}
	return DescribeErrorsTemporary
}

// ends has the metrics of terminal events, by state or else by outcome.
var ends = map[string]Name{
	"RefreshCompleted":            EventsRefreshCompleted,
	"RefreshFailed":               EventsRefreshFailed,
	event.StateNotFound:           EventsJobNotFound,
	event.StateExpired:            EventsWatchExpired,
	event.StateNotStarted:         EventsRefreshNotStarted,
	string(milvus.Succeeded):      EventsSucceeded,
	string(milvus.Failed):         EventsFailed,
	string(milvus.Canceled):       EventsCanceled,
	string(milvus.AwaitingCommit): EventsAwaitingCommit,
}

// Ended returns the metric that counts terminal events of the state and outcome.
func Ended(state string, outcome milvus.Outcome) Name {
	return cmp.Or(ends[state], ends[string(outcome)])
}

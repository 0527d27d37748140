package watch

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/redact"
)

// State is the poller's memory of a watch. SQS is its only store: it travels in
// the body from poll to poll.
type State struct {
	// ID is the id of the message that started the watch.
	ID string
	// Since is when that message was sent, by SQS's clock.
	Since time.Time
	// Polls counts the describes made, failed ones included.
	Polls int
	// Failures counts the describes that failed since the last that did not.
	Failures int
	// LastError is what the last describe failed with; empty if it didn't.
	LastError string
	// Job is what the last successful describe said, empty before it.
	Job Sight
	// Restarts counts the times that the job was seen to fall back.
	Restarts int
	// Each of these is when the cluster was first asked of those times since which
	// it holds, and else zero: that the job is not found, that it has failed for no
	// reason yet, that the deadline is over.
	NotFoundSince, UnexplainedSince, OverdueSince time.Time

	// The rest is of a watch whose message asks for a refresh.

	// JobID is the job that is watched, once there is one. Joined says that another
	// had started it.
	JobID  string
	Joined bool
	// Turns counts the messages of the watch that were sent on.
	Turns int
	// Started is when a start was last asked for that may have had an effect.
	Started time.Time
	// Known are jobs that began before the refresh was asked for: the newest of the
	// first list whose times decided nothing; nil before it.
	Known []string
}

// MaxKnown is how many jobs Known holds at most.
const MaxKnown = 16

// Sight is what a watch keeps of a job for its next poll.
type Sight struct {
	State          string
	Progress       *int
	CollectionName string
	// Reason is the cluster's, of at most maxText bytes.
	Reason string
	// ExternalSource is kept only of a job that has failed for no reason yet.
	ExternalSource string
	StartTime      time.Time
	// SeenAt is when it was seen; zero if an earlier version of the poller
	// saw it.
	SeenAt time.Time
	// EndsAt is when its progress said that it would end; zero if it said nothing,
	// or an earlier version of the poller saw it.
	EndsAt time.Time
}

// The versions of a state. An older poller, which knows no kinds and takes every
// job for a refresh, refuses the second; one that starts none, the third.
const (
	refreshVersion = 1
	kindsVersion   = 2
	startsVersion  = 3
)

// version is that of the message's state.
func (m Message) version() int {
	if m.AsksForRefresh() {
		return startsVersion
	}
	if m.Kind == milvus.ExternalCollection && m.Ref().Number() {
		return refreshVersion
	}
	return kindsVersion
}

// stateJSON is the key "watch" of a body:
//
//	{"version": 1, "id": "059f36b4-…", "since": 1712832000000, "polls": 3,
//	 "state": "RefreshInProgress", "progress": 42, "seen": 1712832022000, "ends": 1712832052000}
type stateJSON struct {
	Version        int    `json:"version"`
	ID             string `json:"id"`
	Since          int64  `json:"since"` // Unix milliseconds
	Polls          int    `json:"polls"`
	Failures       int    `json:"failures,omitempty"`
	LastError      string `json:"lastError,omitempty"`
	State          string `json:"state,omitempty"`
	Progress       *int   `json:"progress,omitempty"`
	CollectionName string `json:"collectionName,omitempty"`
	StartTime      int64  `json:"startTime,omitempty"` // Unix milliseconds
	Seen           int64  `json:"seen,omitempty"`      // Unix milliseconds
	Ends           int64  `json:"ends,omitempty"`      // Unix milliseconds
	Restarts       int    `json:"restarts,omitempty"`
	Reason         string `json:"reason,omitempty"`
	ExternalSource string `json:"externalSource,omitempty"`
	NotFound       int64  `json:"notFound,omitempty"`    // Unix milliseconds, as those below
	Unexplained    int64  `json:"unexplained,omitempty"` // since when
	Overdue        int64  `json:"overdue,omitempty"`

	JobID   string   `json:"jobId,omitempty"`
	Joined  bool     `json:"joined,omitempty"`
	Turns   int      `json:"turns,omitempty"`
	Started int64    `json:"started,omitempty"` // Unix milliseconds
	Known   []string `json:"known,omitzero"`    // an empty one says that there was a list
}

// stateKeys are the keys of a stateJSON.
var stateKeys = func() (keys []string) {
	for field := range reflect.TypeFor[stateJSON]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}()

// exact reports whether an object has each of stateKeys at most once, and none
// in other letters: encoding/json takes ID for id, and the last of two.
func exact(object json.RawMessage) bool {
	seen := make([]bool, len(stateKeys))
	for key := range members(object) {
		i := slices.IndexFunc(stateKeys, func(known string) bool { return strings.EqualFold(known, string(key)) })
		if i < 0 {
			continue
		}
		if seen[i] || stateKeys[i] != string(key) {
			return false
		}
		seen[i] = true
	}
	return true
}

func (s State) json(version int) stateJSON {
	return stateJSON{
		Version: version, ID: s.ID, Since: s.Since.UnixMilli(),
		Polls: s.Polls, Failures: s.Failures, LastError: Bounded(s.LastError),
		State: Bounded(s.Job.State), Progress: s.Job.Progress, CollectionName: Bounded(s.Job.CollectionName),
		StartTime: millis(s.Job.StartTime), Seen: millis(s.Job.SeenAt), Ends: millis(s.Job.EndsAt), Restarts: s.Restarts,
		Reason: Bounded(s.Job.Reason), ExternalSource: s.Job.ExternalSource,
		NotFound: millis(s.NotFoundSince), Unexplained: millis(s.UnexplainedSince), Overdue: millis(s.OverdueSince),
		JobID: s.JobID, Joined: s.Joined, Turns: s.Turns, Started: millis(s.Started), Known: s.Known,
	}
}

// millis writes a time as the state does: the zero one as 0, which is left out.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant reads what millis wrote.
func instant(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// maxUnixMilli is the end of the year 9999, the last that an event can write.
const maxUnixMilli = 253402300799999

// These bound the texts of a state, in bytes, where they are written and where
// they are read: a state that could be written but not read would lose a watch.
const (
	maxText   = 1024
	maxSource = 8 << 10 // the largest that internal/milvus keeps
)

// MaxCount is the largest count that a state may hold: more than a watch can come
// to in 14 days.
const MaxCount = 1e9

// Bounded returns as much of the text as a state holds.
func Bounded(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "")
}

// parseState reads the state of a message that asks for a refresh, or names a job.
func parseState(raw json.RawMessage, asks bool) (State, error) {
	const right = "leave watch out, it is the poller's own"
	var j stateJSON
	if err := json.Unmarshal(raw, &j); err != nil || raw[0] != '{' {
		return State{}, refuse("watch can't be read: %s", right)
	}
	times := []int64{j.StartTime, j.Seen, j.Ends, j.NotFound, j.Unexplained, j.Overdue, j.Started}
	counts := []int{j.Polls, j.Failures, j.Restarts, j.Turns}
	switch {
	case !exact(raw):
		return State{}, refuse("watch holds a key twice, or in other letters: %s", right)
	case asks && j.Version != startsVersion:
		return State{}, refuse("watch has version %d, not %d, which one with refresh has: %s", j.Version, startsVersion, right)
	case !asks && j.Version != refreshVersion && j.Version != kindsVersion:
		return State{}, refuse("watch has version %d, not %d or %d: %s", j.Version, refreshVersion, kindsVersion, right)
	case j.ID == "" || len(j.ID) > 128:
		return State{}, refuse("watch.id is not 1 to 128 bytes long: %s", right)
	case j.Since <= 0 || slices.Min(times) < 0 || max(j.Since, slices.Max(times)) > maxUnixMilli:
		return State{}, refuse("watch holds a time that is none: %s", right)
	case slices.Min(counts) < 0 || slices.Max(counts) > MaxCount || j.Progress != nil && (*j.Progress < 0 || *j.Progress > 100):
		return State{}, refuse("watch holds a number out of its range: %s", right)
	case max(len(j.LastError), len(j.State), len(j.CollectionName), len(j.Reason)) > maxText:
		return State{}, refuse("watch holds a text of more than %d bytes: %s", maxText, right)
	case len(j.ExternalSource) > maxSource:
		return State{}, refuse("watch holds a text of more than %d bytes: %s", maxSource, right)
	}
	if !asks {
		j.JobID, j.Joined, j.Turns, j.Started, j.Known = "", false, 0, 0, nil
	}
	for _, id := range append(j.Known, j.JobID) {
		if id != "" && !(milvus.Ref{Kind: milvus.ExternalCollection, ID: id}).Valid() {
			return State{}, refuse("watch holds a job id that is none: %s", right)
		}
	}
	if len(j.Known) > MaxKnown {
		return State{}, refuse("watch holds more than %d jobs: %s", MaxKnown, right)
	}
	return State{
		ID: j.ID, Since: instant(j.Since),
		Polls: j.Polls, Failures: j.Failures, LastError: j.LastError, Restarts: j.Restarts,
		Job: Sight{
			State: j.State, Progress: j.Progress, CollectionName: j.CollectionName, Reason: j.Reason,
			ExternalSource: redact.Source(j.ExternalSource), StartTime: instant(j.StartTime), SeenAt: instant(j.Seen), EndsAt: instant(j.Ends),
		},
		NotFoundSince: instant(j.NotFound), UnexplainedSince: instant(j.Unexplained), OverdueSince: instant(j.Overdue),
		JobID: j.JobID, Joined: j.Joined, Turns: j.Turns, Started: instant(j.Started), Known: j.Known,
	}, nil
}

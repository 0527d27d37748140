package watch

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
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
}

// Sight is what a watch keeps of a job for its next poll.
type Sight struct {
	State          string
	Progress       *int
	CollectionName string
	StartTime      time.Time
	// SeenAt is when it was seen; zero if an earlier version of the poller
	// saw it.
	SeenAt time.Time
}

const stateVersion = 1

// stateJSON is the key "watch" of a body:
//
//	{"version": 1, "id": "059f36b4-…", "since": 1712832000000, "polls": 3,
//	 "state": "RefreshInProgress", "progress": 42, "seen": 1712832022000}
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
	Restarts       int    `json:"restarts,omitempty"`
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

func (s State) json() stateJSON {
	j := stateJSON{
		Version: stateVersion, ID: s.ID, Since: s.Since.UnixMilli(),
		Polls: s.Polls, Failures: s.Failures, LastError: bounded(s.LastError),
		State: bounded(s.Job.State), Progress: s.Job.Progress, CollectionName: bounded(s.Job.CollectionName),
		Restarts: s.Restarts,
	}
	if !s.Job.StartTime.IsZero() {
		j.StartTime = s.Job.StartTime.UnixMilli()
	}
	if !s.Job.SeenAt.IsZero() {
		j.Seen = s.Job.SeenAt.UnixMilli()
	}
	return j
}

// maxUnixMilli is the end of the year 9999, the last that an event can write.
const maxUnixMilli = 253402300799999

// maxText bounds each text of a state, in bytes, where it is written and where
// it is read: a state that could be written but not read would lose a watch.
const maxText = 1024

// MaxCount is the largest count that a state may hold: more than a watch can come
// to in 14 days.
const MaxCount = 1e9

func bounded(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "")
}

func parseState(raw json.RawMessage) (State, error) {
	const right = "leave watch out, it is the poller's own"
	var j stateJSON
	if err := json.Unmarshal(raw, &j); err != nil || raw[0] != '{' {
		return State{}, refuse("watch can't be read: %s", right)
	}
	switch {
	case !exact(raw):
		return State{}, refuse("watch holds a key twice, or in other letters: %s", right)
	case j.Version != stateVersion:
		return State{}, refuse("watch has version %d, not %d: %s", j.Version, stateVersion, right)
	case j.ID == "" || len(j.ID) > 128:
		return State{}, refuse("watch.id is not 1 to 128 bytes long: %s", right)
	case j.Since <= 0 || min(j.StartTime, j.Seen) < 0 || max(j.Since, j.StartTime, j.Seen) > maxUnixMilli:
		return State{}, refuse("watch holds a time that is none: %s", right)
	case min(j.Polls, j.Failures, j.Restarts) < 0 || max(j.Polls, j.Failures, j.Restarts) > MaxCount || j.Progress != nil && (*j.Progress < 0 || *j.Progress > 100):
		return State{}, refuse("watch holds a number out of its range: %s", right)
	case max(len(j.LastError), len(j.State), len(j.CollectionName)) > maxText:
		return State{}, refuse("watch holds a text of more than %d bytes: %s", maxText, right)
	}
	s := State{
		ID: j.ID, Since: time.UnixMilli(j.Since).UTC(),
		Polls: j.Polls, Failures: j.Failures, LastError: j.LastError, Restarts: j.Restarts,
		Job: Sight{State: j.State, Progress: j.Progress, CollectionName: j.CollectionName},
	}
	if j.StartTime > 0 {
		s.Job.StartTime = time.UnixMilli(j.StartTime).UTC()
	}
	if j.Seen > 0 {
		s.Job.SeenAt = time.UnixMilli(j.Seen).UTC()
	}
	return s, nil
}

package resume

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
)

// Limits of SendTaskSuccess and SendTaskFailure (AWS Step Functions API
// Reference). The last two count characters; to keep to as many bytes is safe
// however those are counted.
const (
	maxToken  = 2048
	maxOutput = 262_144 // bytes
	maxError  = 256
	maxCause  = 32_768
)

// Answer is what an event tells the workflow that waits for it.
type Answer struct {
	// These are the event's own, for the log; empty where it has none.
	Kind, JobID, WatchID, EventID, State, Outcome string
	// Token says which task of which execution waits. It is a credential.
	Token string
	// Completed has Output sent as a success; otherwise Error and Cause are
	// sent as a failure.
	Completed bool
	// Output is the event's detail, byte for byte.
	Output string
	// Error is the state, Cause the reason.
	Error, Cause string
}

// Read returns the answer that an EventBridge event holds. The error is one
// sentence that says what is wrong and what is right, and repeats nothing of
// the event; beside it the answer still has what is for the log.
func Read(payload []byte) (Answer, error) {
	var envelope struct {
		Detail json.RawMessage `json:"detail"`
	}
	var d event.Detail
	if json.Unmarshal(payload, &envelope) != nil || json.Unmarshal(envelope.Detail, &d) != nil {
		return Answer{}, errors.New("the event's detail can't be read: it must be one that the poller publishes")
	}
	a := Answer{
		Kind: string(d.Kind), JobID: d.JobID, WatchID: d.Watch.ID, EventID: d.ID, State: d.State, Outcome: string(d.Outcome),
		Completed: succeeded(d),
		Output:    string(envelope.Detail),
		Error:     cut(d.State, maxError),
		Cause:     cut(d.Reason, maxCause),
	}
	switch {
	case !d.Terminal || d.State == "":
		return a, errors.New("the event tells of no end: terminal must be true, and state not empty")
	case a.Completed && len(a.Output) > maxOutput:
		return a, fmt.Errorf("the detail has %d bytes: Step Functions takes %d at most", len(a.Output), maxOutput)
	}
	var err error
	a.Token, err = token(d.Context)
	return a, err
}

// succeeded goes by the outcome; a version before there was one knew refreshes only.
func succeeded(d event.Detail) bool {
	return d.Outcome == milvus.Succeeded || d.Outcome == "" && d.State == "RefreshCompleted"
}

// token returns the task token in a context. Not by a struct, for encoding/json
// would take TASKTOKEN for taskToken.
func token(context json.RawMessage) (token string, err error) {
	var values map[string]json.RawMessage
	// A context that is no object has no key either.
	_ = json.Unmarshal(context, &values)
	if json.Unmarshal(values["taskToken"], &token) != nil || token == "" || len(token) > maxToken {
		return "", fmt.Errorf("context.taskToken is not a string of 1 to %d bytes: send the one that Step Functions gives, $$.Task.Token", maxToken)
	}
	return token, nil
}

// cut returns the start of text, in whole characters of at most n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// Package schematest checks what the code writes and reads against the schemas
// that its users are given. It is for tests alone: the function carries no
// validator.
package schematest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"refresh-poller/internal/milvus"
	"refresh-poller/schemas"
)

var (
	kinds   = sync.OnceValue(compileEvents)
	starts  = sync.OnceValue(func() *jsonschema.Schema { return compile(schemas.Message, "#/definitions/RefreshRequest", strict) })
	sentOn  = sync.OnceValue(func() *jsonschema.Schema { return compile(schemas.Message, "#/definitions/Request", strict) })
	message = sync.OnceValue(func() *jsonschema.Schema { return compile(schemas.Message, "#", asGiven) })
)

// Event checks an event as EventBridge delivers it, by the schema of its kind. Here,
// in Detail and in Message a field that the schema does not describe is a fault,
// though users have to bear with one: the code has to describe what it writes.
func Event(t testing.TB, text string) {
	t.Helper()
	var event struct{ Detail json.RawMessage }
	_ = json.Unmarshal([]byte(text), &event) // what is wrong with it is found below
	kind, err := kindOf(string(event.Detail))
	if err == nil {
		_, err = check(kind.event, text)
	}
	if err != nil {
		t.Errorf("not an event of schemas/event*.json: %v\n%s", err, text)
		return
	}
	Detail(t, string(event.Detail))
}

// Detail checks the detail of an event, by the schema of its kind.
func Detail(t testing.TB, text string) {
	t.Helper()
	kind, err := kindOf(text)
	if err == nil {
		var document map[string]any
		if document, err = check(kind.detail, text); err == nil {
			err = kind.checkEnd(document)
		}
	}
	if err != nil {
		t.Errorf("not a detail of schemas/event*.json: %v\n%s", err, text)
	}
}

// Message checks the body of a message that the poller has sent on.
func Message(t testing.TB, body string) {
	t.Helper()
	schema := sentOn()
	if strings.HasPrefix(body, `{"refresh":`) {
		schema = starts()
	}
	if _, err := check(schema, body); err != nil {
		t.Errorf("not a message of schemas/message.json: %v\n%s", err, body)
	}
}

// MessageFault returns what a producer's validator finds wrong with a body.
func MessageFault(body string) error {
	_, err := check(message(), strings.TrimSpace(body))
	return err
}

// eventsOf are the schemas of the events about jobs of one kind.
type eventsOf struct {
	kind          milvus.JobKind
	event, detail *jsonschema.Schema
	// ends are the states that end a watch. The schema lists them in prose: a list
	// that depends on another field would need an anyOf, which is little use to
	// generators of code.
	ends []string
}

func compileEvents() map[milvus.JobKind]eventsOf {
	compiled := map[milvus.JobKind]eventsOf{}
	for name, text := range schemas.Events {
		kind := milvus.JobKind(name)
		compiled[kind] = eventsOf{kind, compile(text, "#", strict), compile(text, detailOf(text), strict), statesOf(text).ends}
	}
	return compiled
}

// kindOf returns the schemas for the detail. One without a kind is of a refresh,
// from before there were others.
func kindOf(detail string) (eventsOf, error) {
	found := struct{ Kind milvus.JobKind }{milvus.ExternalCollection}
	_ = json.Unmarshal([]byte(detail), &found) // what is no JSON is refused later
	kind, ok := kinds()[found.Kind]
	if !ok {
		return kind, fmt.Errorf("no schema is of the kind %q", found.Kind)
	}
	return kind, nil
}

var toDetail = regexp.MustCompile(`"detail": \{"\$ref": "(#/definitions/\w+)"\}`)

// detailOf returns the JSON pointer to the detail in the schema of an event.
func detailOf(schema string) string { return toDetail.FindStringSubmatch(schema)[1] }

// states are those that the schema of an event names.
type states struct{ ends, others []string }

var prose = regexp.MustCompile(`With terminal true one of (.*?); with terminal false the cluster's own word, (.*?) or one of a newer server\.`)

func statesOf(schema string) states {
	lists := prose.FindStringSubmatch(schema)
	return states{strings.Split(lists[1], ", "), strings.Split(lists[2], ", ")}
}

// pollers are the outcomes of the poller's own ends.
var pollers = map[string]milvus.Outcome{"JobNotFound": "notFound", "WatchExpired": "expired"}

// notStarted is the poller's end of a refresh that has no job.
const notStarted = "RefreshNotStarted"

// meaning returns the outcome of a state that ends a watch, or "".
func (k eventsOf) meaning(state string) milvus.Outcome {
	if outcome, own := pollers[state]; own {
		return outcome
	}
	if state == notStarted && k.kind == milvus.ExternalCollection {
		return "notStarted"
	}
	return k.kind.Outcome(state)
}

func (k eventsOf) checkEnd(detail map[string]any) error {
	state := detail["state"].(string)
	outcome, hasOutcome := detail["outcome"].(string)
	if hasJob := detail["jobId"] != nil; hasJob == (state == notStarted) {
		return fmt.Errorf("a jobId with %s: %v", state, hasJob)
	}
	switch before := detail["kind"] == nil; {
	case detail["terminal"] == false && hasOutcome:
		return fmt.Errorf("the outcome %s is of no end", outcome)
	case detail["terminal"] == false || before && !hasOutcome && slices.Contains(k.ends, state):
		return nil
	case !slices.Contains(k.ends, state):
		return fmt.Errorf("the state %s ends no watch", state)
	case milvus.Outcome(outcome) != k.meaning(state):
		return fmt.Errorf("the outcome of %s is %q, not %q", state, outcome, k.meaning(state))
	}
	return nil
}

// check returns the object that a JSON text is, if it is one, and what is wrong
// with the text. Numbers stay as they are written, however large.
func check(schema *jsonschema.Schema, text string) (map[string]any, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	object, _ := document.(map[string]any)
	return object, schema.Validate(document)
}

// strict has no object hold more than the schema describes.
const (
	strict  = true
	asGiven = false
)

// compile compiles the part of a schema that a JSON pointer names.
func compile(text, pointer string, strict bool) *jsonschema.Schema {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	if strict {
		closeObjects(document)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		panic(err)
	}
	return compiler.MustCompile("schema.json" + pointer)
}

// closeObjects lets no object have other properties than those described. One
// of which none is described, such as a context, stays open, and so does what has
// no type, which only says more of an object that is described elsewhere.
func closeObjects(node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, below := range node {
			closeObjects(below)
		}
		if _, described := node["properties"].(map[string]any); described && node["type"] != nil {
			node["additionalProperties"] = false
		}
	case []any:
		for _, below := range node {
			closeObjects(below)
		}
	}
}

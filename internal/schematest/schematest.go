// Package schematest checks what the code writes and reads against the schemas
// that its users are given. It is for tests alone: the function carries no
// validator.
package schematest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"refresh-poller/schemas"
)

var (
	event   = sync.OnceValue(func() *jsonschema.Schema { return compile(schemas.Event, "#", strict) })
	detail  = sync.OnceValue(func() *jsonschema.Schema { return compile(schemas.Event, detailPointer, strict) })
	sentOn  = sync.OnceValue(func() *jsonschema.Schema { return compile(schemas.Message, "#/definitions/Request", strict) })
	message = sync.OnceValue(func() *jsonschema.Schema { return compile(schemas.Message, "#", asGiven) })
)

const detailPointer = "#/definitions/ExternalCollectionRefreshJobStateChange"

// Event checks an event as EventBridge delivers it. Here, in Detail and in
// Message a field that the schema does not describe is a fault, though users
// have to bear with one: the code has to describe what it writes.
func Event(t testing.TB, text string) {
	t.Helper()
	document, err := check(event(), text)
	if err == nil {
		err = checkEnd(document["detail"].(map[string]any))
	}
	if err != nil {
		t.Errorf("not an event of schemas/event.json: %v\n%s", err, text)
	}
}

// Detail checks the detail of an event.
func Detail(t testing.TB, text string) {
	t.Helper()
	document, err := check(detail(), text)
	if err == nil {
		err = checkEnd(document)
	}
	if err != nil {
		t.Errorf("not a detail of schemas/event.json: %v\n%s", err, text)
	}
}

// Message checks the body of a message that the poller has sent on.
func Message(t testing.TB, body string) {
	t.Helper()
	if _, err := check(sentOn(), body); err != nil {
		t.Errorf("not a message of schemas/message.json: %v\n%s", err, body)
	}
}

// MessageFault returns what a producer's validator finds wrong with a body.
func MessageFault(body string) error {
	_, err := check(message(), strings.TrimSpace(body))
	return err
}

// terminalStates are those that end a watch. The schema lists them in prose: a
// list that depends on another field would need an anyOf, which is little use
// to generators of code.
var terminalStates = []string{"RefreshCompleted", "RefreshFailed", "JobNotFound", "WatchExpired"}

func checkEnd(detail map[string]any) error {
	if state := detail["state"].(string); detail["terminal"] == true && !slices.Contains(terminalStates, state) {
		return fmt.Errorf("the state %s ends no watch", state)
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

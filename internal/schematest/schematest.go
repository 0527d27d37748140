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

// The names of a schema's parts.
const (
	whole  = "#"
	detail = "#/definitions/ExternalCollectionRefreshJobStateChange"
)

// Event checks an event as EventBridge delivers it. Here and in Detail and
// Message a field that the schema does not describe is a fault, though users
// have to bear with one: the code has to describe what it writes.
func Event(t testing.TB, text string) {
	t.Helper()
	if err := check(strict(schemas.Event, whole), text); err != nil {
		t.Errorf("not an event of schemas/event.json: %v\n%s", err, text)
	}
	if err := checkEnd(text); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// Detail checks the detail of an event.
func Detail(t testing.TB, text string) {
	t.Helper()
	if err := check(strict(schemas.Event, detail), text); err != nil {
		t.Errorf("not a detail of schemas/event.json: %v\n%s", err, text)
	}
	if err := checkEnd(`{"detail":` + text + `}`); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// Message checks the body of a message that the poller has sent on.
func Message(t testing.TB, body string) {
	t.Helper()
	if err := check(strict(schemas.Message, "#/definitions/Request"), body); err != nil {
		t.Errorf("not a message of schemas/message.json: %v\n%s", err, body)
	}
}

// MessageFault returns what a producer's validator finds wrong with a body.
func MessageFault(body string) error {
	return check(part(schemas.Message, whole, false), strings.TrimSpace(body))
}

func strict(text, pointer string) *jsonschema.Schema { return part(text, pointer, true) }

// terminalStates are those that end a watch. The schema lists them in prose: a
// list that depends on another field would need an anyOf, which generators of
// code do badly with.
var terminalStates = []string{"RefreshCompleted", "RefreshFailed", "JobNotFound", "WatchExpired"}

func checkEnd(event string) error {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(event))
	if err != nil {
		return err
	}
	detail, _ := document.(map[string]any)["detail"].(map[string]any)
	if state, _ := detail["state"].(string); detail["terminal"] == true && !slices.Contains(terminalStates, state) {
		return fmt.Errorf("the state %q ends no watch", state)
	}
	return nil
}

// check returns what is wrong with a JSON text. Its numbers stay as they are
// written, however large.
func check(schema *jsonschema.Schema, text string) error {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(document)
}

// compiled are the schemas so far, by what part was called with.
var compiled sync.Map

// part compiles the part of a schema that a JSON pointer names. A strict one
// describes all that there may be.
func part(text, pointer string, strict bool) *jsonschema.Schema {
	key := [...]any{text, pointer, strict}
	if schema, ok := compiled.Load(key); ok {
		return schema.(*jsonschema.Schema)
	}
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
	schema := compiler.MustCompile("schema.json" + pointer)
	compiled.Store(key, schema)
	return schema
}

// closeObjects lets no object have other properties than those described. One
// of which none is described, such as a context, stays open.
func closeObjects(node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, below := range node {
			closeObjects(below)
		}
		if _, described := node["properties"].(map[string]any); described {
			node["additionalProperties"] = false
		}
	case []any:
		for _, below := range node {
			closeObjects(below)
		}
	}
}

// Package schemas holds what the stack takes and gives as JSON Schema, draft 4:
// EventBridge's schema registry knows only that and OpenAPI 3.
//
// It checks nothing itself; package schematest does, for the tests.
package schemas

import _ "embed"

var (
	//go:embed event.json
	refreshEvent string
	//go:embed event-import.json
	importEvent string
	//go:embed event-snapshot.json
	snapshotEvent string
	//go:embed event-cloud.json
	cloudEvent string
)

// Events describe an event as EventBridge delivers it, by the job's kind.
// template.yaml has copies of them, for the registry.
var Events = map[string]string{
	"external_collection": refreshEvent,
	"import":              importEvent,
	"snapshot":            snapshotEvent,
	"cloud":               cloudEvent,
}

// Message describes the body of a message of JobQueue.
//
//go:embed message.json
var Message string

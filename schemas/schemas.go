// Package schemas holds what the stack takes and gives as JSON Schema, draft 4:
// EventBridge's schema registry knows only that and OpenAPI 3.
//
// It checks nothing itself; package schematest does, for the tests.
package schemas

import _ "embed"

// Event describes an event as EventBridge delivers it. template.yaml has a copy
// of it, for the registry.
//
//go:embed event.json
var Event string

// Message describes the body of a message of JobQueue.
//
//go:embed message.json
var Message string

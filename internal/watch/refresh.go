package watch

import (
	"encoding/json"
	"regexp"

	"refresh-poller/internal/milvus"
)

// maxName is the longest name of a collection or a database, in bytes: Milvus's own
// limit.
const maxName = 255

// AsksForRefresh reports whether the message asks for a refresh instead of naming a
// job.
func (m Message) AsksForRefresh() bool { return m.Refresh != milvus.Collection{} }

// Seeks reports whether the message asks for a refresh and has no job yet.
func (m Message) Seeks() bool { return m.AsksForRefresh() && m.Watch.JobID == "" }

// Turn tells the messages of one watch apart: one that was sent on has a higher
// turn.
func (m Message) Turn() int {
	if m.AsksForRefresh() {
		return m.Watch.Turns
	}
	return m.Watch.Polls
}

// Permitted refuses a message that asks for a refresh where none may be started,
// unless one has been.
func (m Message) Permitted(startRefreshes bool) error {
	if startRefreshes || !m.Seeks() || !m.Watch.Started.IsZero() {
		return nil
	}
	return refuse("the body asks for a refresh, and the stack's parameter StartRefreshes is false: set it to true, or start the refresh yourself and send its job id")
}

// refreshJSON is the key "refresh" of a body.
type refreshJSON struct {
	CollectionName string `json:"collectionName"`
	DBName         string `json:"dbName,omitempty"`
}

const refreshForm = `refresh must be an object such as {"collectionName": "ext_books", "dbName": "default"}`

// parseRefreshRequest reads {"refresh": {"collectionName": …}, "context": …, …}.
func parseRefreshRequest(body map[string]json.RawMessage) (Message, error) {
	for _, other := range []string{"jobId", "code", "data"} {
		if body[other] != nil {
			return Message{}, refuse("the body has both refresh and %s: send refresh to have a refresh started, or the job of one that was", other)
		}
	}
	m, err := parseOptions(body, milvus.ExternalCollection)
	if err != nil {
		return Message{}, err
	}
	if m.Kind != milvus.ExternalCollection {
		return Message{}, refuse("kind is not %s: a refresh is of that kind, so leave kind out", milvus.ExternalCollection)
	}
	m.Refresh, err = parseRefresh(body["refresh"])
	return m, err
}

// parseRefresh takes no other key, so that nobody believes that it was used.
func parseRefresh(raw json.RawMessage) (milvus.Collection, error) {
	if raw[0] != '{' {
		return milvus.Collection{}, refuse("refresh is %s: %s", typeOf(raw), refreshForm)
	}
	for key := range members(raw) {
		switch name := string(key); {
		case name == "collectionName" || name == "dbName":
		case plainKey.MatchString(name):
			return milvus.Collection{}, refuse("refresh has the key %s, which is not used: %s", name, refreshForm)
		default:
			return milvus.Collection{}, refuse("refresh has a key that is not used: %s", refreshForm)
		}
	}
	names, err := fields(raw, "collectionName", "dbName")
	if err != nil {
		return milvus.Collection{}, err
	}
	var c milvus.Collection
	if c.Name, err = parseName(names, "collectionName"); err == nil && c.Name == "" {
		err = refuse("refresh has no collectionName: %s", refreshForm)
	}
	if err == nil {
		c.Database, err = parseName(names, "dbName")
	}
	return c, err
}

// plainKey is a key that a sentence may repeat.
var plainKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// parseName returns "" for a name that is not given.
func parseName(names map[string]json.RawMessage, key string) (string, error) {
	raw, ok := given(names, key)
	if !ok {
		return "", nil
	}
	if raw[0] != '"' {
		return "", refuse("refresh.%s is %s: it must be a string of 1 to %d bytes", key, typeOf(raw), maxName)
	}
	name := string(unquote(raw))
	if name == "" || len(name) > maxName {
		return "", refuse("refresh.%s has %d bytes: it must be a string of 1 to %d", key, len(name), maxName)
	}
	return name, nil
}

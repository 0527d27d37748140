package milvus

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// JobKind is a kind of job, by the word in the API's path. What tells one kind
// from another is its row of kinds; nothing outside this package branches on it.
type JobKind string

// ExternalCollection is the kind of a running watch whose message names none, and
// the stack's where it sets no other.
const ExternalCollection JobKind = "external_collection"

// Ref names a job: an id is its kind's own.
type Ref struct {
	Kind JobKind
	// ID is text; an int64 stands in it in digits.
	ID string
}

// Outcome says what the end of a job means, whatever word its kind has for it.
type Outcome string

// The outcomes that a cluster tells.
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	Canceled  Outcome = "canceled"
	// AwaitingCommit: the work is done, and a user has to commit or abort it.
	AwaitingCommit Outcome = "awaitingCommit"
)

// row is all that tells a kind of job from the others.
type row struct {
	kind       JobKind
	detailType string // of its events
	prefix     string // that all its states have
	// method and path ask for a job. A POST has the id in its body, a GET behind the
	// path.
	method, path string
	// An id is an int64, or matches textIDs, or may be either. idsQuoted: the
	// request's body has an int64 as a string.
	int64IDs, idsQuoted bool
	textIDs             *regexp.Regexp
	idRule              string // says which ids are right
	// These are keys of an answer's data. A time is in Unix milliseconds or RFC 3339;
	// tookKey has the milliseconds that a job took, where no key has its end.
	stateKey, startKey, endKey, tookKey string
	// So are these, of what only some kinds tell.
	collectionKey, sourceKey, typeKey, importedKey, totalKey string
	// A job is in one of the states of begins at first and never again. Those of ends
	// end it, and no other does.
	begins []string
	ends   map[string]Outcome
	// early: a job may be shown as failed before the cluster has saved why.
	early bool
	// A message says that the cluster knows no such job if it has one of these codes,
	// or where none is documented HTTP 200 or 404 and any code that says nothing else,
	// and these words, with the id in place of %s.
	missingCodes []int64
	missingWords []string
}

const int64Rule = "a job id is a whole number from 1 to 9223372036854775807, written in digits"

// kinds are the rows. Their sources: milvus-io/milvus,
// internal/distributed/proxy/httpserver/{handler_v2,request_v2}.go and
// internal/datacoord/{import_util,snapshot_manager}.go; Zilliz Cloud's REST
// reference, "Describe Job V2". Code 2101 was split from 2100 (pkg/util/merr,
// ErrImportSysFailed), with which servers before it say the same.
var kinds = []row{
	{
		kind:       ExternalCollection,
		detailType: "External Collection Refresh Job State Change",
		prefix:     "Refresh",
		method:     http.MethodPost, path: "/v2/vectordb/jobs/external_collection/describe",
		int64IDs: true, textIDs: regexp.MustCompile(`^job-[A-Za-z0-9]{1,64}$`), idRule: int64Rule,
		stateKey: "state", startKey: "startTime", endKey: "endTime", collectionKey: "collectionName", sourceKey: "externalSource",
		begins:       []string{"RefreshPending"},
		ends:         map[string]Outcome{"RefreshCompleted": Succeeded, "RefreshFailed": Failed},
		early:        true,
		missingCodes: []int64{1100, 65535}, missingWords: []string{"job %s not found"},
	},
	{
		kind:       "import",
		detailType: "Import Job State Change",
		method:     http.MethodPost, path: "/v2/vectordb/jobs/import/describe",
		int64IDs: true, idsQuoted: true, idRule: int64Rule,
		stateKey: "state", startKey: "createTime", endKey: "completeTime", collectionKey: "collectionName", importedKey: "importedRows", totalKey: "totalRows",
		begins:       []string{"Pending"},
		ends:         map[string]Outcome{"Completed": Succeeded, "Failed": Failed, "Uncommitted": AwaitingCommit},
		missingCodes: []int64{2100, 2101}, missingWords: []string{"import job does not exist", "jobid=%s"},
	},
	{
		kind:       "snapshot",
		detailType: "Snapshot Restore Job State Change",
		prefix:     "RestoreSnapshot",
		method:     http.MethodPost, path: "/v2/vectordb/jobs/snapshot/describe",
		int64IDs: true, idsQuoted: true, idRule: int64Rule,
		stateKey: "state", startKey: "startTime", tookKey: "timeCost", collectionKey: "collectionName",
		begins:       []string{"RestoreSnapshotNone", "RestoreSnapshotPending"},
		ends:         map[string]Outcome{"RestoreSnapshotCompleted": Succeeded, "RestoreSnapshotFailed": Failed},
		missingCodes: []int64{2100, 2101}, missingWords: []string{"restore job not found", "jobid=%s"},
	},
	{
		kind:       "cloud",
		detailType: "Zilliz Cloud Job State Change",
		method:     http.MethodGet, path: "/v2/jobs/",
		textIDs:  regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`),
		idRule:   "a job id of cloud is a string of 1 to 128 letters, digits, - and _ that begins with a letter or a digit",
		stateKey: "status", startKey: "startTime", endKey: "endTime", typeKey: "type",
		begins:       []string{"PENDING"},
		ends:         map[string]Outcome{"SUCCESSFUL": Succeeded, "FAILED": Failed, "CANCELED": Canceled},
		missingWords: []string{"not found", "%s"},
	},
}

// row returns the kind's row; that of a kind that is not known is empty.
func (k JobKind) row() *row {
	for i := range kinds {
		if kinds[i].kind == k {
			return &kinds[i]
		}
	}
	return &row{}
}

// JobKinds returns all kinds, in the order of the documentation.
func JobKinds() []JobKind {
	names := make([]JobKind, len(kinds))
	for i, r := range kinds {
		names[i] = r.kind
	}
	return names
}

// KindNames names all kinds, for a sentence.
func KindNames() string {
	var names []string
	for _, r := range kinds {
		names = append(names, string(r.kind))
	}
	return strings.Join(names, ", ")
}

// Known reports whether there is such a kind. The other methods are for those.
func (k JobKind) Known() bool { return k.row().kind != "" }

// DetailType returns the detail-type of the events about jobs of the kind.
func (k JobKind) DetailType() string { return k.row().detailType }

// Int64IDs reports whether the ids are positive int64s, and so may be numbers.
func (k JobKind) Int64IDs() bool { return k.row().int64IDs }

// TextID reports whether the text, which is no int64, is an id of the kind.
func (k JobKind) TextID(text string) bool {
	pattern := k.row().textIDs
	return pattern != nil && pattern.MatchString(text)
}

// Begins reports whether a job is in the state only until it first leaves it.
func (k JobKind) Begins(state string) bool { return slices.Contains(k.row().begins, state) }

// Outcome returns what a state that ends a job means, or "".
func (k JobKind) Outcome(state string) Outcome { return k.row().ends[state] }

// Ends returns the states that end a job, sorted.
func (k JobKind) Ends() []string { return slices.Sorted(maps.Keys(k.row().ends)) }

// Words returns the state in lower-case words, without what all states of the kind
// begin with: in progress.
func (k JobKind) Words(state string) string {
	state = strings.ReplaceAll(strings.TrimPrefix(state, k.row().prefix), "_", " ")
	if strings.ToUpper(state) != state {
		state = camel.ReplaceAllString(state, "$1 $2")
	}
	return strings.ToLower(state)
}

var camel = regexp.MustCompile("([a-z])([A-Z])")

// IDRule says in half a sentence which ids are right.
func (k JobKind) IDRule() string { return k.row().idRule }

// Number reports whether the id is an int64 that stands as a number where a kind
// may have both.
func (r Ref) Number() bool {
	_, err := strconv.ParseInt(r.ID, 10, 64)
	return err == nil && r.Kind.Int64IDs()
}

// inBody writes an id, which is the kind's, as JSON.
func (r *row) inBody(id string) string {
	if _, err := strconv.ParseInt(id, 10, 64); err == nil && !r.idsQuoted {
		return id
	}
	return strconv.Quote(id)
}

// Valid reports whether there is such a kind, and the id is one of it.
func (r Ref) Valid() bool {
	n, err := strconv.ParseInt(r.ID, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == r.ID && r.Kind.Int64IDs() || r.Kind.TextID(r.ID)
}

// isMissing reports whether a failed answer says that the cluster knows no such
// job. It matches text, for want of a code of its own: those of the cluster stand
// for much else.
func (r *row) isMissing(status int, code int64, message, id string) bool {
	if r.missingCodes == nil {
		if status != http.StatusOK && status != http.StatusNotFound {
			return false
		}
	} else if !slices.Contains(r.missingCodes, code) {
		return false
	}
	for _, words := range r.missingWords {
		before, behind, hasID := strings.Cut(words, "%s")
		found := strings.Contains(strings.ToLower(message), words)
		if hasID {
			found = namesID(message, before, id, behind)
		}
		if !found {
			return false
		}
	}
	return true
}

// namesID reports whether the id, all of it and letter by letter, stands in the
// text between before and behind, in letters of any case.
func namesID(text, before, id, behind string) bool {
	for at := 0; at < len(text); at++ {
		i := strings.Index(text[at:], id)
		if i < 0 {
			return false
		}
		at += i
		ahead, rest := text[:at], text[at+len(id):]
		startsWord := before != "" || ahead == "" || !inWord(ahead[len(ahead)-1])
		endsWord := rest == "" || !inWord(rest[0])
		if startsWord && endsWord &&
			strings.EqualFold(ahead[max(len(ahead)-len(before), 0):], before) && strings.EqualFold(rest[:min(len(behind), len(rest))], behind) {
			return true
		}
	}
	return false
}

// inWord reports whether an id may go on with the character.
func inWord(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

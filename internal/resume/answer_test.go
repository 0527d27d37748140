package resume

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// taskToken is as Step Functions gives them, only shorter.
const taskToken = "AQCEAAAAKgAAAAMAAAAAAAAAATdO+oS/DmHgLHnfzlOiJJOVb1iXcbkWPU6oVQvPvJqlHwE="

// about is an EventBridge event with that detail.
func about(detail string) []byte {
	return []byte(`{"version": "0", "id": "17793124", "detail-type": "External Collection Refresh Job State Change", "source": "refresh-poller", "detail": ` + detail + `}`)
}

// end is the detail of a terminal event, without its last brace.
func end(state string) string {
	return fmt.Sprintf(`{"version":"1","id":"23cff968","jobId":"449503829274509313","state":%q,"terminal":true,"watch":{"id":"059f36b4","since":"2024-04-11T10:39:58.120Z","polls":8}`, state)
}

const waiting = `,"context":{"n":9007199254740993,"taskToken":"` + taskToken + `"}}`

func TestTheAnswerOfEachEnd(t *testing.T) {
	const reason = `,"reason":"the cluster knows no such job"`
	for state, want := range map[string]Answer{
		"RefreshCompleted": {Completed: true},
		"RefreshFailed":    {},
		"JobNotFound":      {},
		"WatchExpired":     {},
	} {
		t.Run(state, func(t *testing.T) {
			detail := end(state) + reason + waiting
			want.JobID, want.WatchID, want.EventID, want.State = "449503829274509313", "059f36b4", "23cff968", state
			want.Token, want.Output = taskToken, detail
			want.Error, want.Cause = state, "the cluster knows no such job"
			got, err := Read(about(detail))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

// A workflow goes on only when the work is done: what awaits a commit is not.
func TestAnEndOfAnyKindIsASuccessByItsOutcome(t *testing.T) {
	for _, tt := range []struct {
		kind, state, outcome string
		completed            bool
	}{
		{"external_collection", "RefreshCompleted", "succeeded", true},
		{"external_collection", "RefreshFailed", "failed", false},
		{"import", "Completed", "succeeded", true},
		{"import", "Failed", "failed", false},
		{"import", "Uncommitted", "awaitingCommit", false},
		{"snapshot", "RestoreSnapshotCompleted", "succeeded", true},
		{"snapshot", "RestoreSnapshotFailed", "failed", false},
		{"cloud", "SUCCESSFUL", "succeeded", true},
		{"cloud", "FAILED", "failed", false},
		{"cloud", "CANCELED", "canceled", false},
		{"cloud", "JobNotFound", "notFound", false},
		{"import", "WatchExpired", "expired", false},
		// The outcome counts, whatever the state's word.
		{"external_collection", "RefreshCompleted", "failed", false},
		// A version before there were outcomes knew no such state.
		{"import", "Completed", "", false},
	} {
		detail := end(tt.state) + `,"kind":"` + tt.kind + `"`
		if tt.outcome != "" {
			detail += `,"outcome":"` + tt.outcome + `"`
		}
		got, err := Read(about(detail + waiting))
		if got.Completed != tt.completed || got.Error != tt.state || err != nil {
			t.Errorf("%s %s %q: completed %v, error %s, %v", tt.kind, tt.state, tt.outcome, got.Completed, got.Error, err)
		}
	}
}

func TestTheOutputIsTheDetailByteForByte(t *testing.T) {
	detail := end("RefreshCompleted") + ` , "x" : [1.10, 1e400, "\u003c<é"]` + waiting
	got, err := Read(about(detail))
	if got.Output != detail || err != nil {
		t.Errorf("got %s, %v, want %s", got.Output, err, detail)
	}
}

func TestErrorAndCauseKeepToTheirLimits(t *testing.T) {
	detail := end(strings.Repeat("é", 200)) + `,"reason":"x` + strings.Repeat("ä", 1<<15) + `"` + waiting
	got, err := Read(about(detail))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("é", 128); got.Error != want {
		t.Errorf("error %q", got.Error)
	}
	if want := "x" + strings.Repeat("ä", 1<<14-1); got.Cause != want {
		t.Errorf("a cause of %d bytes, want %d", len(got.Cause), len(want))
	}
}

func TestWhatJustKeepsToItsLimitIsWhole(t *testing.T) {
	state, token := strings.Repeat("x", 256), strings.Repeat("y", 2048)
	got, err := Read(about(end(state) + `,"context":{"taskToken":"` + token + `"}}`))
	if err != nil || got.Error != state || got.Token != token {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoAnswerIsRefusedInOneSentence(t *testing.T) {
	const (
		unreadable = "the event's detail can't be read: it must be one that the poller publishes"
		noEnd      = "the event tells of no end: terminal must be true, and state not empty"
		noToken    = "context.taskToken is not a string of 1 to 2048 bytes: send the one that Step Functions gives, $$.Task.Token"
	)
	done := end("RefreshCompleted")
	for name, tt := range map[string]struct {
		payload []byte
		want    string
	}{
		"null":                     {[]byte(`null`), unreadable},
		"a list":                   {[]byte(`[]`), unreadable},
		"no detail":                {[]byte(`{"source": "refresh-poller"}`), unreadable},
		"a detail of another kind": {about(`"RefreshCompleted"`), unreadable},
		"a state that is none":     {about(`{"state": 1, "terminal": true}`), unreadable},
		"no state":                 {about(`{"terminal": true` + waiting), noEnd},
		"progress":                 {about(`{"state": "RefreshInProgress", "terminal": false` + waiting), noEnd},
		"no context":               {about(done + `}`), noToken},
		"a context that is none":   {about(done + `,"context":["` + taskToken + `"]}`), noToken},
		"no token":                 {about(done + `,"context":{}}`), noToken},
		"a token of another name":  {about(done + `,"context":{"TASKTOKEN":"x"}}`), noToken},
		"a number":                 {about(done + `,"context":{"taskToken":17}}`), noToken},
		"an object":                {about(done + `,"context":{"taskToken":{"taskToken":"x"}}}`), noToken},
		"a null":                   {about(done + `,"context":{"taskToken":null}}`), noToken},
		"an empty token":           {about(done + `,"context":{"taskToken":""}}`), noToken},
		"a token too long":         {about(done + `,"context":{"taskToken":"` + strings.Repeat("x", 2049) + `"}}`), noToken},
		"an output too large": {
			about(done + `,"x":"` + strings.Repeat("x", maxOutput) + `"` + waiting),
			fmt.Sprintf("the detail has %d bytes: Step Functions takes 262144 at most", len(done)+len(`,"x":""`)+maxOutput+len(waiting)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(tt.payload); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestTheLargestOutputIsTaken(t *testing.T) {
	detail := end("RefreshCompleted") + `,"x":"` + strings.Repeat("x", maxOutput)
	detail = detail[:maxOutput-len(`"`+waiting)] + `"` + waiting
	if _, err := Read(about(detail)); err != nil || len(detail) != maxOutput {
		t.Errorf("%d bytes: %v", len(detail), err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(about(end("RefreshCompleted") + waiting))
	f.Add(about(end("RefreshFailed") + `,"reason":"\ud800 é"` + waiting))
	f.Add([]byte(`{"detail": {"terminal": true, "state": "\u0000", "context": {"taskToken": "x", "taskToken": 1}}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		a, err := Read(payload)
		if err != nil {
			return
		}
		if a.State == "" || a.Token == "" || len(a.Token) > maxToken || !strings.Contains(string(payload), a.Output) {
			t.Errorf("an answer that says nothing: %+v", a)
		}
		if len(a.Error) > maxError || len(a.Cause) > maxCause || a.Completed && len(a.Output) > maxOutput {
			t.Errorf("an answer beyond the limits: %d, %d, %d bytes", len(a.Error), len(a.Cause), len(a.Output))
		}
		if !utf8.ValidString(a.Error + a.Cause) {
			t.Errorf("half a character: %q, %q", a.Error, a.Cause)
		}
	})
}

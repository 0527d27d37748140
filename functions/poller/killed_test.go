package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"refresh-poller/internal/tests/runtimeapi"
)

// Lambda ends a process by SIGKILL, after SIGTERM where there is an extension (Lambda
// developer guide, "Understanding the Lambda execution environment lifecycle").
func TestAProcessThatIsKilledAmidABatchLosesNothing(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for name, moment := range map[string]string{
			"amid the describes": "describe", "when SQS has taken its messages": sends, "when EventBridge has taken its events": puts,
		} {
			t.Run(fmt.Sprint(name, " by ", signal), func(t *testing.T) {
				t.Parallel()
				killAmidABatch(t, signal, moment)
			})
		}
	}
}

const running, ended, unreadable = `{"jobId": 1, "context": {"run":7}}`, "2", `{"job": 3}`

func killAmidABatch(t *testing.T, signal syscall.Signal, moment string) {
	var pid atomic.Int64 // 0 once it is killed
	survives := func(_ context.Context, call string) bool {
		if call != moment {
			return true
		}
		id := pid.Swap(0)
		if id != 0 {
			_ = syscall.Kill(int(id), signal)
		}
		return id == 0
	}
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := asked(r)
		if !survives(r.Context(), "describe") {
			return
		}
		answer := inProgress(id)
		if id == ended {
			answer = completed(id)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(cluster.Close)
	aws := startAccount(t)
	aws.taken = survives
	f := deploy(t, aws, cluster.URL, time.Minute, nil)
	pid.Store(int64(f.PID()))

	batch := batchOf(running, ended, unreadable)
	_, err := f.Invoke(t.Context(), batch)
	if failure, _ := errors.AsType[*runtimeapi.Error](err); failure == nil || failure.Type != runtimeapi.TypeExit || !strings.Contains(failure.Message, signal.String()) {
		t.Fatalf("the process was not killed: %v", err)
	}
	// SQS delivers again what was not answered for.
	if response, err := f.Invoke(t.Context(), batch); err != nil || string(response) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s, %v", response, err)
	}
	queue, dead, events := aws.all()
	repeated := moment != "describe" // for all is sent side by side
	wantCopies(t, "messages of the job that runs", queue, repeated, func(body string) string {
		var m struct {
			Context json.RawMessage
			Watch   struct{ ID string }
		}
		_ = json.Unmarshal([]byte(body), &m)
		return m.Watch.ID + string(m.Context)
	}, `0{"run":7}`)
	wantCopies(t, "events of the job that has ended", events, repeated, func(detail string) string {
		var e struct{ ID, State string }
		_ = json.Unmarshal([]byte(detail), &e)
		return e.State + " " + fmt.Sprint(len(e.ID))
	}, "RefreshCompleted 32")
	wantCopies(t, "dead letters", dead, repeated, func(body string) string { return body }, unreadable)
	if len(events) == 2 && idOf(events[0]) != idOf(events[1]) {
		t.Errorf("the ids of the events differ: %s", events)
	}

	// Of a watch that was sent on twice, one chain of polls remains.
	before := len(queue)
	for _, body := range queue {
		if failed := invoke(t, f, body); failed != nil {
			t.Errorf("%v failed", failed)
		}
	}
	if queue, _, _ = aws.all(); len(queue) != before+1 {
		t.Errorf("of %d messages of a watch %d went on", before, len(queue)-before)
	}
}

// wantCopies expects one, or perhaps two where it may have been sent twice.
func wantCopies(t *testing.T, what string, got []string, repeated bool, read func(string) string, want string) {
	t.Helper()
	if len(got) == 0 || len(got) > 2 || len(got) == 2 && !repeated {
		t.Errorf("%d %s: %s", len(got), what, got)
	}
	for _, text := range got {
		if read(text) != want {
			t.Errorf("%s: got %s, want %q", what, text, want)
		}
	}
}

func idOf(detail string) string {
	var e struct{ ID string }
	_ = json.Unmarshal([]byte(detail), &e)
	return e.ID
}

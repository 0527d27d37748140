package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// The shares of an invocation's time that a service takes to answer, where all are
// slow at once. docs/design.md says how slow each may be alone.
type takes struct{ secret, cluster, sqs, eventBridge float64 }

func TestAFunctionAnswersInTimeThoughAllServicesAreSlow(t *testing.T) {
	t.Parallel()
	const never = 10
	justInTime := takes{0.30, 0.30, 0.20, 0.20}
	slow := func(change func(*takes)) takes {
		all := justInTime
		change(&all)
		return all
	}
	tests := map[string]struct {
		takes  takes
		says   string // the message that goes on
		ended  bool
		failed []string
	}{
		"but in time":                                 {justInTime, "RefreshInProgress", true, nil},
		"and Secrets Manager too slow":                {slow(func(t *takes) { t.secret = never }), "", false, nil},
		"and the cluster too slow":                    {slow(func(t *takes) { t.cluster = never }), "context deadline exceeded", false, nil},
		"and SQS too slow":                            {slow(func(t *takes) { t.sqs = never }), "RefreshInProgress", true, []string{"0", "2"}},
		"and EventBridge too slow":                    {slow(func(t *takes) { t.eventBridge = never }), "RefreshInProgress", true, []string{"1"}},
		"and all that is called after them, too slow": {takes{0.30, 0.30, never, never}, "RefreshInProgress", true, []string{"0", "1", "2"}},
	}
	timeout := setting(t, "LAMBDA_TIMEOUT", 10*time.Second)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait := func(ctx context.Context, share float64) bool {
				select {
				case <-time.After(time.Duration(share * float64(timeout))):
					return true
				case <-ctx.Done():
					return false
				}
			}
			cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id := asked(r)
				answer := inProgress(id)
				if id == ended {
					answer = completed(id)
				}
				if wait(r.Context(), tt.takes.cluster) {
					_, _ = io.WriteString(w, answer)
				}
			}))
			t.Cleanup(cluster.Close)
			aws := startAccount(t)
			shares := map[string]float64{readsSecret: tt.takes.secret, sends: tt.takes.sqs, puts: tt.takes.eventBridge}
			aws.taken = func(ctx context.Context, call string) bool { return wait(ctx, shares[call]) }
			f := deploy(t, aws, cluster.URL, timeout, nil)
			pid, began := f.PID(), time.Now()
			failed := invoke(t, f, running, ended, unreadable)
			t.Logf("answered after %.2f s of %s", time.Since(began).Seconds(), timeout)
			if !slices.Equal(failed, tt.failed) {
				t.Errorf("%v failed, want %v", failed, tt.failed)
			}
			queue, dead, events := aws.all()
			went := fmt.Sprint(queue)
			if !strings.Contains(went, `"jobId":1,`) || !strings.Contains(went, tt.says) || (len(events) > 0) != tt.ended || strings.Contains(went, `"jobId":2,`) == tt.ended || len(dead) == 0 {
				t.Errorf("queued %s\nrejected %s\npublished %s", queue, dead, events)
			}
			if f.PID() != pid {
				t.Error("the process was killed")
			}
		})
	}
}

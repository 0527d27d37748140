package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/tests/schematest"
)

const (
	exactID  = "449503829274509313" // no float64 holds it
	password = `hunter2-"h'u/n\t%2B+e r&<2>‹🔑`
	token    = "root:" + password
)

// watching is the environment for a watch of the job at a cluster.
func watching(t *testing.T, cluster http.Handler) map[string]string {
	t.Helper()
	server := httptest.NewServer(cluster)
	t.Cleanup(server.Close)
	return map[string]string{
		"JOB_ID": exactID, "CLUSTER_ENDPOINT": server.URL, "CLUSTER_TOKEN": token,
		"MIN_POLL_DELAY_SECONDS": "1", "NOT_FOUND_GRACE_SECONDS": "0",
	}
}

func TestAWatchEndsWithItsEventAndStatus(t *testing.T) {
	tests := map[string]struct {
		job           simcluster.Job
		deadline      string
		status        int
		state, stderr string
	}{
		"completed, at the second poll": {
			simcluster.Job{RunsFor: 500 * time.Millisecond}, "", 0, simcluster.Completed, "completed      100 %\n",
		},
		"failed": {
			simcluster.Job{Fails: "no such object"}, "", 1, simcluster.Failed, "failed          99 %               no such object\n",
		},
		"not found": {
			simcluster.Job{NeverVisible: true}, "", 1, event.StateNotFound,
			" s after the watch began; it was never seen\n",
		},
		"expired": {
			simcluster.Job{Hangs: true, Shape: simcluster.None}, "1", 1, event.StateExpired,
			"expired          0 %               no terminal state within the deadline of 1 s; last seen RefreshInProgress at 0 %\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := simcluster.New(simcluster.Options{Token: token})
			tt.job.ID = exactID
			cluster.Add(tt.job)
			environ := watching(t, cluster)
			environ["WATCH_DEADLINE_SECONDS"] = tt.deadline
			got := runToEnd(t, environ, "watch")
			if got.status != tt.status {
				t.Errorf("status %d, not %d", got.status, tt.status)
			}
			if !strings.Contains(got.stderr, tt.stderr) || !strings.Contains(got.stderr, "→ event "+tt.state+" "+exactID) {
				t.Errorf("%q is not in %q, or the event isn't", tt.stderr, got.stderr)
			}
			var detail event.Detail
			if err := json.Unmarshal([]byte(got.stdout), &detail); err != nil || got.stdout != detail.JSON()+"\n" {
				t.Fatalf("not one line with an event's detail (%v): %q", err, got.stdout)
			}
			schematest.Detail(t, got.stdout)
			if detail.State != tt.state || detail.JobID != exactID || !detail.Terminal {
				t.Errorf("not the event of a job that has come to %s: %s", tt.state, got.stdout)
			}
		})
	}
}

// The secret's own forms will do, so that it can be given as it is stored.
func TestTheTokenOfAWatchMayHaveTheFormsOfTheSecret(t *testing.T) {
	marshalled, err := json.Marshal(map[string]string{"username": "root", "password": password})
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{"JSON": string(marshalled), "a byte order mark and a line end": "\ufeff" + token + "\r\n"} {
		t.Run(name, func(t *testing.T) {
			cluster := simcluster.New(simcluster.Options{Token: token})
			cluster.Add(simcluster.Job{ID: exactID})
			environ := watching(t, cluster)
			environ["CLUSTER_TOKEN"] = form
			if got := runToEnd(t, environ, "watch"); got.status != exitCompleted {
				t.Errorf("status %d: %s", got.status, got.stderr)
			}
		})
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestAWatchThatGetsNowhereSaysWhatToCheckIfItIsToKeepTrying(t *testing.T) {
	tests := map[string]struct {
		cluster http.Handler
		poll    string
		hint    string
	}{
		"another token": {
			simcluster.New(simcluster.Options{Token: "another"}),
			"refused               next 5m00s   user hasn't authenticated (HTTP 401, code 1800)", "check that --token-file, or CLUSTER_TOKEN, holds",
		},
		"a cluster that repeats the token": {
			answer(200, `{"code": 21119, "message": `+strconv.Quote("The apikey "+token+" is illegal.")+`}`),
			"refused               next 5m00s   The apikey *** is illegal. (HTTP 200, code 21119)", "check that --token-file, or CLUSTER_TOKEN, holds",
		},
		"an older server": {
			http.NotFoundHandler(),
			"misconfigured         next 5m00s   the answer is not the API's JSON (HTTP 404)", "check that --endpoint, or CLUSTER_ENDPOINT, is",
		},
		"a gateway": {
			answer(502, "<html>"),
			"unavailable           next 5s      the answer is not the API's JSON (HTTP 502)", "check that --endpoint is",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runUntil(t, "check that", watching(t, tt.cluster), "watch", "--keep-trying")
			if got.status != exitInterrupted || got.stdout != "" {
				t.Errorf("status %d, stdout %q", got.status, got.stdout)
			}
			if !strings.Contains(got.stderr, tt.poll+"\n") || !strings.Contains(got.stderr, tt.hint) {
				t.Errorf("%q or %q is not in\n%s", tt.poll, tt.hint, got.stderr)
			}
			if !strings.HasSuffix(got.stderr, "\nwatch: interrupted\n") || strings.Count(got.stderr, "\n") != 3 {
				t.Errorf("not the poll, the hint and the end:\n%s", got.stderr)
			}
		})
	}
}

func TestAnInterruptCallsOffADescribeAndSaysNothingOfIt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	environ := watching(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the end of the connection goes unnoticed
		interrupt()
		<-r.Context().Done()
	}))
	got := runWith(ctx, t, environ, func(string) {}, "watch")
	if want := (result{exitInterrupted, "", "watch: interrupted\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/config"
	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/tests/schematest"
)

// details reads stdout, each line of which has to be the detail of an event.
func details(t *testing.T, stdout string) (all []event.Detail) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var detail event.Detail
		if err := json.Unmarshal([]byte(line), &detail); err != nil || line != detail.JSON()+"\n" {
			t.Fatalf("not a line with an event's detail (%v): %q", err, line)
		}
		all = append(all, detail)
	}
	return all
}

// outcomes returns what the jobs' watches ended with, each of which ended once.
func outcomes(t *testing.T, stdout string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, detail := range details(t, stdout) {
		schematest.Detail(t, detail.JSON())
		if detail.Terminal {
			all[detail.JobID] += string(detail.Outcome)
		}
	}
	return all
}

func TestTwentyJobsAreFollowedToTheirEnds(t *testing.T) {
	t.Parallel()
	cluster := simcluster.New(simcluster.Options{Token: token, RequestsPerSecond: 20})
	want := map[string]string{}
	var ids []string
	for i := range 20 {
		id := strconv.Itoa(449503829274509300 + i)
		cluster.Add(simcluster.Job{ID: id, RunsFor: time.Duration(i%4) * time.Second})
		ids = append(ids, id)
		want[id] = "succeeded"
	}
	got := runToEnd(t, watching(t, cluster), append([]string{"watch", "--progress"}, ids...)...)
	if got.status != exitCompleted {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
	if diff := cmp.Diff(want, outcomes(t, got.stdout)); diff != "" {
		t.Error(diff)
	}
	if n := cluster.Counts().Throttled; n > 0 {
		t.Errorf("the cluster had to throttle %d requests", n)
	}
}

func TestTheStatusIsThatOfAllJobs(t *testing.T) {
	tests := map[string]struct {
		others []simcluster.Job
		status int
		want   map[string]string
	}{
		"all succeed":          {[]simcluster.Job{{ID: "2"}, {ID: "3", RunsFor: time.Second}}, exitCompleted, map[string]string{"1": "succeeded", "2": "succeeded", "3": "succeeded"}},
		"one fails at once":    {[]simcluster.Job{{ID: "2", Fails: "no such object"}}, exitOtherEnd, map[string]string{"1": "succeeded", "2": "failed"}},
		"one fails at last":    {[]simcluster.Job{{ID: "2", RunsFor: time.Second, Fails: "no such object"}}, exitOtherEnd, map[string]string{"1": "succeeded", "2": "failed"}},
		"the time is up":       {[]simcluster.Job{{ID: "2", Hangs: true, Shape: simcluster.None}}, exitOtherEnd, map[string]string{"1": "succeeded", "2": "expired"}},
		"one is given twice":   {[]simcluster.Job{{ID: "1"}}, exitCompleted, map[string]string{"1": "succeeded"}},
		"one is all there are": {nil, exitCompleted, map[string]string{"1": "succeeded"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := simcluster.New(simcluster.Options{Token: token})
			cluster.Add(simcluster.Job{ID: "1"})
			environ, ids := watching(t, cluster), "1"
			for _, job := range tt.others {
				if job.ID != "1" {
					cluster.Add(job)
				}
				ids += "  " + job.ID
			}
			environ["JOB_ID"] = ids
			got := runToEnd(t, environ, "watch", "--timeout=3s")
			if got.status != tt.status {
				t.Errorf("status %d, not %d\n%s", got.status, tt.status, got.stderr)
			}
			if diff := cmp.Diff(tt.want, outcomes(t, got.stdout)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADeadLetterEndsTheWatchOfItsJob(t *testing.T) {
	s := newStack(config.Config{}, token, nil, slog.DiscardHandler)
	ctx, end := context.WithCancel(t.Context())
	left := &unended{names: map[string]string{}, succeeded: true, end: end}
	for _, body := range []string{`{"jobId": "1"}`, `{"jobId": "job-a", "kind": "cloud"}`, `{"refresh": {"collectionName": "ext_books"}}`} {
		left.names[s.queues.Send(deadLetterQueue, body, 0)] = body
	}
	s.eachDeadLetter(ctx, func(watchID string) { left.ended(watchID, false) })
	if all, succeeded := left.all(); !all || succeeded {
		t.Errorf("all: %t, succeeded: %t", all, succeeded)
	}
}

func TestAFlagStandsBeforeItsVariable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("\ufeff"+token+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		variable, other string // what a variable is set to
		flags           []string
		kind, outcome   string
		events          int
	}{
		"the endpoint":       {"CLUSTER_ENDPOINT", "https://127.0.0.1:1", []string{"--endpoint", "RIGHT"}, "external_collection", "succeeded", 1},
		"the token":          {"CLUSTER_TOKEN", "another", []string{"--token-file", file}, "external_collection", "succeeded", 1},
		"the job":            {"JOB_ID", "1", []string{exactID}, "external_collection", "succeeded", 1},
		"the kind":           {"JOB_KIND", "snapshot", []string{"--kind", "import"}, "import", "succeeded", 1},
		"no progress":        {"PUBLISH_PROGRESS", "true", []string{"--progress=false"}, "external_collection", "succeeded", 1},
		"progress":           {"PUBLISH_PROGRESS", "false", []string{"--progress"}, "external_collection", "succeeded", 2},
		"the time":           {"WATCH_DEADLINE_SECONDS", "1", []string{"--timeout", "1m"}, "external_collection", "succeeded", 1},
		"the kind, variable": {"JOB_KIND", "import", nil, "import", "succeeded", 1},
		"progress, variable": {"PUBLISH_PROGRESS", "true", nil, "external_collection", "succeeded", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := simcluster.New(simcluster.Options{Token: token})
			cluster.Add(simcluster.Job{ID: exactID, RunsFor: time.Second / 2})
			cluster.Add(simcluster.Job{Kind: simcluster.Import, ID: exactID})
			environ := watching(t, cluster)
			args := []string{"watch"}
			for _, flag := range tt.flags {
				args = append(args, strings.Replace(flag, "RIGHT", environ["CLUSTER_ENDPOINT"], 1))
			}
			environ[tt.variable] = tt.other
			got := runToEnd(t, environ, args...)
			all := details(t, got.stdout)
			if len(all) < tt.events || tt.events == 1 && len(all) > 1 {
				t.Fatalf("status %d, %d events\n%s", got.status, len(all), got.stderr)
			}
			last := all[len(all)-1]
			if string(last.Kind) != tt.kind || string(last.Outcome) != tt.outcome || last.JobID != exactID {
				t.Errorf("not the end of a job of %s: %s", tt.kind, last.JSON())
			}
		})
	}
}

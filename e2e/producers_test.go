//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/simcluster"
)

// The jobs of the producers: odd, so that a float64 would round each of them, and
// more than a batch holds for the two that send batches.
const (
	shellJob  = 9007199254740993
	pythonJob = shellJob + 2
	goJob     = pythonJob + 2*jobsEach
	jobsEach  = 11
)

// producers has each example of a producer begin watches.
func producers(t *testing.T, s *stack) func(t *testing.T) {
	jobs := []int64{shellJob}
	s.cluster.Add(simcluster.Job{ID: shellJob})
	stdout(t, s.producer(t, s.emulator, "../examples/producers/refresh.sh", "ext_books"))
	out, err := s.producer(t, s.emulator, "../examples/producers/refresh.sh", "unknown").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no job was submitted") {
		t.Errorf("refresh.sh says of a refusal: %v, %s", err, out)
	}
	for first, program := range map[int64][]string{
		pythonJob: {python(), "../examples/producers/enqueue.py", "nightly"},
		goJob:     {"go", "run", "../examples/producers/go", "nightly"},
	} {
		for job := first; job < first+2*jobsEach; job += 2 {
			s.cluster.Add(simcluster.Job{ID: job})
			jobs, program = append(jobs, job), append(program, strconv.FormatInt(job, 10))
		}
		flaky, failed := failOneEntry(t, s.emulator)
		stdout(t, s.producer(t, flaky, program...))
		if !failed.Load() {
			t.Errorf("%v sent no batch", program)
		}
	}
	return func(t *testing.T) {
		for _, job := range jobs {
			end := s.end(t, job).Detail
			if end["state"] != "RefreshCompleted" {
				t.Errorf("job %d ended as %v", job, end["state"])
			}
			if diff := cmp.Diff(map[string]any{"pipeline": "nightly"}, end["context"]); diff != "" && job != shellJob {
				t.Errorf("context of job %d (-want +got):\n%s", job, diff)
			}
			// One watch, so one entry that failed had not the whole batch sent again.
			if polls := len(s.cluster.describes(job)); polls != 1 {
				t.Errorf("job %d was asked for %d times", job, polls)
			}
		}
	}
}

// producer is a program that enqueues jobs.
func (s *stack) producer(t *testing.T, e *emulator, program ...string) *exec.Cmd {
	t.Helper()
	cmd := e.command(program[0], program[1:]...)
	cmd.Env = append(cmd.Env, "PATH="+awsCLI(t, e)+":"+os.Getenv("PATH"),
		"JOB_QUEUE_URL="+s.Outputs["JobQueueUrl"], "CLUSTER_TOKEN="+plainToken, "CLUSTER_ENDPOINT="+refreshAPI(t))
	return cmd
}

// awsCLI returns a directory with an aws that calls the emulator for SQS too: in
// many regions version 1 of the CLI prefers an endpoint of its own to
// AWS_ENDPOINT_URL there.
func awsCLI(t *testing.T, e *emulator) (dir string) {
	t.Helper()
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec %q --endpoint-url %s \"$@\"\n", cli, e.URL)
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// refreshAPI is the one route of a cluster that the simulated one has not: it
// submits shellJob for one collection and refuses any other.
func refreshAPI(t *testing.T) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got := []string{r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type")}
		want := []string{"POST", "/v2/vectordb/jobs/external_collection/refresh", "Bearer " + plainToken, "application/json"}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("refresh: %v (-want +got):\n%s", err, diff)
		}
		if string(body) == `{"collectionName": "ext_books"}` {
			fmt.Fprintf(w, `{"code": 0, "data": {"jobId": %d}}`, shellJob)
		} else {
			fmt.Fprint(w, `{"code": 100, "message": "can't find collection"}`)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// failOneEntry stands in front of an emulator and has the first entry of the first
// batch of messages fail.
func failOneEntry(t *testing.T, e *emulator) (*emulator, *atomic.Bool) {
	flaky, done := &emulator{moto: e.URL}, &atomic.Bool{}
	flaky.setFault(func(c call, forward func([]byte) answer) answer {
		if c.Target != sendMessages || done.Swap(true) {
			return forward(c.Body)
		}
		return refuse(c, forward, func(i int, _ []byte) bool { return i == 0 })
	})
	server := httptest.NewServer(flaky)
	t.Cleanup(server.Close)
	flaky.URL = server.URL
	return flaky, done
}

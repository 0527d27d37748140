//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
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

	"refresh-poller/internal/laptop/simcluster"
)

// The jobs of the producers: odd, so that a float64 would round each of them, and
// more than a batch holds for the two that send batches.
const (
	shellJob  = 9007199254740993
	spacedJob = shellJob + 2
	pythonJob = spacedJob + 2
	goJob     = pythonJob + 2*jobsEach
	jobsEach  = 11
)

// producers has each example of a producer begin watches.
func producers(t *testing.T, s *stack) func(t *testing.T) {
	jobs := []string{strconv.Itoa(shellJob), strconv.Itoa(spacedJob)}
	for _, job := range jobs {
		s.cluster.Add(simcluster.Job{ID: job})
	}
	stdout(t, s.producer(t, s.emulator, "../examples/producers/refresh.sh", "ext_books"))
	stdout(t, s.producer(t, s.emulator, "../examples/producers/refresh.sh", "spaced"))
	refuses(t, s)
	for first, program := range map[int64][]string{
		pythonJob: {python(), "../examples/producers/enqueue.py", "nightly"},
		goJob:     {"go", "run", "../examples/producers/go", "nightly"},
	} {
		for number := first; number < first+2*jobsEach; number += 2 {
			job := strconv.FormatInt(number, 10)
			s.cluster.Add(simcluster.Job{ID: job})
			jobs, program = append(jobs, job), append(program, job)
		}
		flaky, failed := failOneEntry(t, s.emulator)
		stdout(t, s.producer(t, flaky, program...))
		if !failed.Load() {
			t.Errorf("%v sent no batch", program)
		}
	}
	return func(t *testing.T) {
		for i, job := range jobs {
			end := s.end(t, job).Detail
			if end["state"] != "RefreshCompleted" {
				t.Errorf("job %s ended as %v", job, end["state"])
			}
			if diff := cmp.Diff(map[string]any{"pipeline": "nightly"}, end["context"]); diff != "" && i > 1 {
				t.Errorf("context of job %s (-want +got):\n%s", job, diff)
			}
			// One watch, so one entry that failed had not the whole batch sent again.
			if polls := len(s.cluster.describes(job)); polls != 1 {
				t.Errorf("job %s was asked for %d times", job, polls)
			}
		}
	}
}

// refuses checks that no producer sends what is no job, and each says so in one
// line. Nothing of it may be enqueued: the dead letters would show it.
func refuses(t *testing.T, s *stack) {
	t.Helper()
	wantLine := func(cmd *exec.Cmd, want string) {
		t.Helper()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err == nil || stderr.String() != want+"\n" {
			t.Errorf("%v: %v, says %q, want %q", cmd.Args, err, stderr.String(), want)
		}
	}
	const script = "../examples/producers/refresh.sh"
	// Whatever they enqueued would fail, and say so.
	offline := &emulator{URL: "http://127.0.0.1:1"}
	for _, collection := range []string{"unknown", "jobless", "half", "both"} {
		wantLine(s.producer(t, offline, script, collection), "refresh.sh: no job was submitted: "+refreshAnswers[collection])
	}
	for _, collection := range []string{`ext"books`, "ext-books", "bücher", "ext books", `ext\books`} {
		wantLine(s.producer(t, offline, script, collection),
			"refresh.sh: the name of a collection must be letters, digits and underscores: "+collection)
	}
	failing := s.producer(t, s.emulator, script, "ext_books")
	failing.Env = append(failing.Env, "PATH="+fakeAWS(t, "exit 254")+":"+os.Getenv("PATH"))
	wantLine(failing, "refresh.sh: the job was submitted but not enqueued: "+refreshAnswers["ext_books"])

	for _, job := range []string{"0", "007", "-5", "+5", "1e3", "5x", "5\n", "٥", "9223372036854775808"} {
		cmd := s.producer(t, offline, python(), "../examples/producers/enqueue.py", "nightly", strconv.Itoa(pythonJob), job)
		wantLine(cmd, pythonQuoted(job)+" is no job id: it must be digits, from 1 to 9223372036854775807, without a leading zero")
	}
	wantLine(s.producer(t, offline, "go", "run", "../examples/producers/go", "nightly", strconv.Itoa(goJob), "007"),
		`"007" is no job id: it must be digits, from 1 to 9223372036854775807, without a leading zero`+"\nexit status 1")
}

// pythonQuoted is Python's repr of a text without quotes.
func pythonQuoted(text string) string { return "'" + strings.ReplaceAll(text, "\n", `\n`) + "'" }

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
	return fakeAWS(t, fmt.Sprintf(`exec %q --endpoint-url %s "$@"`, cli, e.URL))
}

// fakeAWS returns a directory with an aws that is a line of shell.
func fakeAWS(t *testing.T, line string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte("#!/bin/sh\n"+line+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// refreshAnswers are those of the refresh endpoint, by collection.
var refreshAnswers = map[string]string{
	"ext_books": fmt.Sprintf(`{"code": 0, "data": {"jobId": %d}}`, shellJob),
	"spaced":    fmt.Sprintf("{\n  \"data\" : {\"jobId\" :\t\"%d\"},\n  \"code\" : \"0\"\n}", spacedJob),
	"unknown":   `{"code": 100, "message": "can't find collection \\ \"unknown\""}`,
	"jobless":   `{"code": 0, "data": {}}`,
	"half":      `{"data": {"jobId": 449503829274509313}}`,
	"both":      `{"code": 0, "data": {"code": 1100, "jobId": 449503829274509313}}`,
}

// refreshAPI is the one route of a cluster that the simulated one has not.
func refreshAPI(t *testing.T) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got := []string{r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type")}
		want := []string{"POST", "/v2/vectordb/jobs/external_collection/refresh", "Bearer " + plainToken, "application/json"}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("refresh: %v (-want +got):\n%s", err, diff)
		}
		var call struct{ CollectionName string }
		if err := json.Unmarshal(body, &call); err != nil || refreshAnswers[call.CollectionName] == "" {
			t.Errorf("refresh: %s", body)
		}
		io.WriteString(w, refreshAnswers[call.CollectionName])
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// failOneEntry stands in front of an emulator and has the first entry of the first
// batch of messages fail.
func failOneEntry(t *testing.T, e *emulator) (*emulator, *atomic.Bool) {
	flaky, done := &emulator{moto: &moto{URL: e.URL}}, &atomic.Bool{}
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

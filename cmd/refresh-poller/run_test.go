package main

import (
	"bufio"
	"context"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/leak"
)

// result is what a run of the command left behind.
type result struct {
	status         int
	stdout, stderr string
}

// runWith runs the command to its end and hands each line of stderr to onLine.
// Whatever the command is, it must show no credential.
func runWith(ctx context.Context, t *testing.T, environ map[string]string, onLine func(string), args ...string) result {
	t.Helper()
	outRead, stdout := pipe(t)
	errRead, stderr := pipe(t)
	out, errors := collect(outRead, func(string) {}), collect(errRead, onLine)
	status := run(ctx, args, host{environ, stdout, stderr})
	stdout.Close()
	stderr.Close()
	got := result{status, <-out, <-errors}
	// The first two are the demo's.
	credentials := []string{demoToken, "key:secret@orders", password}
	if token := strings.TrimSpace(environ["CLUSTER_TOKEN"]); token != "" {
		credentials = append(credentials, token)
	}
	if found := leak.Find(got.stdout+got.stderr, credentials...); found != nil {
		t.Errorf("the credentials %q are shown:\n%s%s", found, got.stdout, got.stderr)
	}
	return got
}

// runUntil runs the command until stderr has a line with the text in it, then
// interrupts it.
func runUntil(t *testing.T, text string, environ map[string]string, args ...string) result {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	return runWith(ctx, t, environ, func(line string) {
		if strings.Contains(line, text) {
			interrupt()
		}
	}, args...)
}

// runToEnd runs the command until it ends by itself.
func runToEnd(t *testing.T, environ map[string]string, args ...string) result {
	t.Helper()
	return runWith(t.Context(), t, environ, func(string) {}, args...)
}

func collect(r io.Reader, onLine func(string)) <-chan string {
	all := make(chan string, 1)
	go func() {
		var text strings.Builder
		for lines := bufio.NewReader(r); ; {
			line, err := lines.ReadString('\n')
			text.WriteString(line)
			if err != nil {
				all <- text.String()
				return
			}
			onLine(line)
		}
	}()
	return all
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

const (
	rightJobID    = "JOB_ID: it %s: give a refresh job's id, a whole number from 1 to 9223372036854775807, written in digits\n"
	noToken       = "watch: CLUSTER_TOKEN: it is empty: it must hold the token itself, or JSON with token, or JSON with username and password\n"
	rightEndpoint = "CLUSTER_ENDPOINT must be an https URL of scheme, host and, if need be, port only, such as https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530 (http is for localhost and 127.0.0.1)\n"
)

func TestBadArgumentsAreNamedWithWhatIsRight(t *testing.T) {
	jobID := func(fault string) string { return "watch: " + strings.Replace(rightJobID, "%s", fault, 1) }
	good := map[string]string{"JOB_ID": "1", "CLUSTER_ENDPOINT": "https://milvus.example.org", "CLUSTER_TOKEN": "hunter2"}
	tests := map[string]struct {
		args    []string
		changes map[string]string
		want    string
	}{
		"another command":     {[]string{"poll"}, nil, "refresh-poller: there is no such command: refresh-poller help lists them\n"},
		"a command misspelt":  {[]string{"wach"}, nil, "refresh-poller: there is no such command, did you mean watch?: refresh-poller help lists them\n"},
		"help for no command": {[]string{"help", "poll"}, nil, "help: there is no such command: refresh-poller help lists them\n"},
		"too many commands":   {[]string{"demo", "watch"}, nil, "demo: it takes no arguments: refresh-poller demo --help\n"},
		"a flag of none":      {[]string{"-x"}, nil, "refresh-poller: there is no such flag: refresh-poller --help lists the flags\n"},
		"a flag of another":   {[]string{"demo", "--kind=hunter2"}, nil, "demo: there is no such flag: refresh-poller demo --help lists the flags\n"},
		"no shell":            {[]string{"completion"}, nil, "completion: give one shell: bash, fish, powershell, zsh\n"},
		"another shell":       {[]string{"completion", "csh"}, nil, "completion: give one shell: bash, fish, powershell, zsh\n"},
		"no job id":           {[]string{"watch"}, map[string]string{"JOB_ID": ""}, jobID("is empty")},
		"a job id of 0":       {[]string{"watch"}, map[string]string{"JOB_ID": "0"}, jobID("is 0")},
		"an exponent":         {[]string{"watch"}, map[string]string{"JOB_ID": "4.495e17"}, jobID("has an exponent")},
		"no token":            {[]string{"watch"}, map[string]string{"CLUSTER_TOKEN": " \n"}, noToken},
		"a token of two lines": {
			[]string{"watch"}, map[string]string{"CLUSTER_TOKEN": "hunter2\nhunter3"},
			"watch: CLUSTER_TOKEN: the token has a control character, such as a line end, which no HTTP header can carry: it must be on one line\n",
		},
		"a token in quotes": {
			[]string{"watch"}, map[string]string{"CLUSTER_TOKEN": `"hunter2"`},
			"watch: CLUSTER_TOKEN: the token is in quotes: it must be without them\n",
		},
		"an odd endpoint": {[]string{"watch"}, map[string]string{"CLUSTER_ENDPOINT": "http://root:hunter2@milvus.example.org"}, "watch: " + rightEndpoint},
		"two odd delays": {
			[]string{"watch"}, map[string]string{"MIN_POLL_DELAY_SECONDS": "0", "MAX_POLL_DELAY_SECONDS": "x"},
			"watch: MIN_POLL_DELAY_SECONDS must be 1 to 900\nwatch: MAX_POLL_DELAY_SECONDS must be a whole number\n",
		},
		"delays the wrong way round": {
			[]string{"watch"}, map[string]string{"MAX_POLL_DELAY_SECONDS": "1"},
			"watch: MAX_POLL_DELAY_SECONDS must not be below MIN_POLL_DELAY_SECONDS\n",
		},
		"nothing given": {
			[]string{"watch"}, map[string]string{"JOB_ID": "", "CLUSTER_TOKEN": "", "CLUSTER_ENDPOINT": ""},
			jobID("is empty") + noToken + "watch: " + rightEndpoint,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			environ := maps.Clone(good)
			maps.Copy(environ, tt.changes)
			got := runToEnd(t, environ, tt.args...)
			if diff := cmp.Diff(result{exitBadArgument, "", tt.want}, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHelpIsNoFault(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"help", "watch"}, {"watch", "-h"}, {"version"}, {"--version"}, {"completion", "fish"}} {
		got := runToEnd(t, nil, args...)
		if got.status != exitCompleted || got.stdout == "" || got.stderr != "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestWithoutACommandTheHelpIsAFault(t *testing.T) {
	help := runToEnd(t, nil, "help")
	got := runToEnd(t, nil)
	if diff := cmp.Diff(result{exitBadArgument, "", help.stdout}, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Error(diff)
	}
}

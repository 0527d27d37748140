package main

import (
	"bufio"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/leak"
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

// runToEnd runs the command until it ends by itself, or is late.
func runToEnd(t *testing.T, environ map[string]string, args ...string) result {
	t.Helper()
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	return runWith(ctx, t, environ, func(string) {}, args...)
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

const rightEndpoint = "watch: --endpoint (CLUSTER_ENDPOINT) must be an https URL of scheme, host and, if need be, port only, such as https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530 (http is for localhost, 127.0.0.1, addresses of RFC 1918, names in .internal or .local, and internal-*.elb.amazonaws.com)\n"

func TestBadArgumentsAreNamedWithWhatIsRight(t *testing.T) {
	const (
		noJobID  = "watch: give a job's id, or several\n"
		noToken  = "watch: give the cluster's API key or user:password in a file, with --token-file, or in CLUSTER_TOKEN\n"
		digits   = ": a job id is a whole number from 1 to 9223372036854775807, written in digits\n"
		seconds  = " must be 1s to 336h, in whole seconds, such as 90m"
		forFlags = ": refresh-poller watch --help lists the flags\n"
		noFile   = " must be the name of a file that can be read: no such file or directory\n"
	)
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"JOB_ID": "1", "CLUSTER_ENDPOINT": "https://milvus.example.org", "CLUSTER_TOKEN": "hunter2"}
	tests := map[string]struct {
		args    []string
		changes map[string]string
		want    string
	}{
		"another command":      {[]string{"poll"}, nil, "refresh-poller: there is no such command: refresh-poller help lists them\n"},
		"a command misspelt":   {[]string{"wach"}, nil, "refresh-poller: there is no such command (did you mean watch?): refresh-poller help lists them\n"},
		"help for no command":  {[]string{"help", "poll"}, nil, "help: there is no such command: refresh-poller help lists them\n"},
		"too many commands":    {[]string{"demo", "watch"}, nil, "demo: it takes no arguments: refresh-poller demo --help\n"},
		"a flag of none":       {[]string{"-x"}, nil, "refresh-poller: there is no such flag: refresh-poller --help lists the flags\n"},
		"a flag of another":    {[]string{"demo", "--kind=hunter2"}, nil, "demo: there is no such flag: refresh-poller demo --help lists the flags\n"},
		"no shell":             {[]string{"completion"}, nil, "completion: give one shell: bash, fish, powershell, zsh\n"},
		"another shell":        {[]string{"completion", "csh"}, nil, "completion: give one shell: bash, fish, powershell, zsh\n"},
		"a flag without value": {[]string{"watch", "--kind"}, nil, "watch: --kind needs a value" + forFlags},
		"a token as a flag":    {[]string{"watch", "--token=hunter2"}, nil, "watch: there is no such flag" + forFlags},
		"a switch that is not": {[]string{"watch", "--progress=hunter2"}, nil, "watch: --progress must be true or false" + forFlags},
		"no duration":          {[]string{"watch", "--timeout=hunter2"}, nil, "watch: --timeout" + seconds + forFlags},
		"a duration of 0":      {[]string{"watch", "--timeout=0s"}, nil, "watch: --timeout" + seconds + forFlags},
		"a negative hint":      {[]string{"watch", "--expect=-1m"}, nil, "watch: --expect" + seconds + forFlags},
		"a part of a second":   {[]string{"watch", "--timeout=1500ms"}, nil, "watch: --timeout" + seconds + forFlags},
		"over 14 days":         {[]string{"watch", "--timeout=336h0m1s"}, nil, "watch: --timeout" + seconds + forFlags},
		"a variable for a flag": {
			[]string{"watch"}, map[string]string{"EXPECTED_SECONDS": "0", "WATCH_DEADLINE_SECONDS": "1209601", "KEEP_TRYING": "perhaps"},
			"watch: EXPECTED_SECONDS" + seconds + "\nwatch: WATCH_DEADLINE_SECONDS" + seconds + "\nwatch: KEEP_TRYING must be true or false\n",
		},
		"no such kind":  {[]string{"watch", "--kind=compaction"}, nil, "watch: --kind (JOB_KIND) must be one of " + milvus.KindNames() + "\n"},
		"no job id":     {[]string{"watch"}, map[string]string{"JOB_ID": " "}, noJobID},
		"a job id of 0": {[]string{"watch"}, map[string]string{"JOB_ID": "0"}, "watch: the job id is 0" + digits},
		"an exponent":   {[]string{"watch", "1", "4.495e17", "2"}, nil, "watch: job id 2 of 3 has an exponent" + digits},
		"an id of another kind": {
			[]string{"watch", "--kind=cloud", "a b"}, nil,
			"watch: the job id is no such id: a job id of cloud is a string of 1 to 128 letters, digits, - and _ that begins with a letter or a digit\n",
		},
		"a token for an id":    {[]string{"watch", "root:hunter2"}, nil, "watch: the job id is not a number" + digits},
		"no token":             {[]string{"watch"}, map[string]string{"CLUSTER_TOKEN": ""}, noToken},
		"a token for its file": {[]string{"watch", "--token-file=root:hunter2"}, nil, "watch: --token-file" + noFile},
		"no file of CAs":       {[]string{"watch", "--ca-file=hunter2"}, nil, "watch: --ca-file" + noFile},
		"a directory":          {[]string{"watch", "--ca-file=."}, nil, "watch: --ca-file must be the name of a file that can be read: is a directory\n"},
		"no CAs in the file":   {[]string{"watch", "--ca-file", notPEM}, nil, "watch: --ca-file has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----\n"},
		"a token of two lines": {
			[]string{"watch"}, map[string]string{"CLUSTER_TOKEN": "hunter2\nhunter3"},
			"watch: CLUSTER_TOKEN: the token has a control character, such as a line end, which no HTTP header can carry: it must be on one line\n",
		},
		"a token in quotes": {
			[]string{"watch"}, map[string]string{"CLUSTER_TOKEN": `"hunter2"`},
			"watch: CLUSTER_TOKEN: the token is in quotes: it must be without them\n",
		},
		"an odd endpoint": {[]string{"watch"}, map[string]string{"CLUSTER_ENDPOINT": "http://root:hunter2@milvus.example.org"}, rightEndpoint},
		"two odd delays": {
			[]string{"watch"}, map[string]string{"MIN_POLL_DELAY_SECONDS": "0", "MAX_POLL_DELAY_SECONDS": "x"},
			"watch: MIN_POLL_DELAY_SECONDS must be 1 to 900\nwatch: MAX_POLL_DELAY_SECONDS must be a whole number\n",
		},
		"delays the wrong way round": {
			[]string{"watch"}, map[string]string{"MAX_POLL_DELAY_SECONDS": "1"},
			"watch: MAX_POLL_DELAY_SECONDS must not be below MIN_POLL_DELAY_SECONDS\n",
		},
		"no collection":       {[]string{"refresh"}, nil, "refresh: give a collection's name, or several\n"},
		"an empty name":       {[]string{"refresh", "a", ""}, nil, "refresh: collection 2 of 2 has 0 bytes: it must be a string of 1 to 255\n"},
		"a long name":         {[]string{"refresh", strings.Repeat("ä", 128)}, nil, "refresh: the collection's name has 256 bytes: it must be a string of 1 to 255\n"},
		"a name not of UTF-8": {[]string{"refresh", "a\xff"}, nil, "refresh: the collection's name is not valid UTF-8, as all names are\n"},
		"a long database":     {[]string{"refresh", "--database", strings.Repeat("d", 256), "a"}, nil, "refresh: --database (CLUSTER_DATABASE) has 256 bytes: it must be a string of 1 to 255\n"},
		"a broken database":   {[]string{"refresh", "a"}, map[string]string{"CLUSTER_DATABASE": "\xff"}, "refresh: --database (CLUSTER_DATABASE) is not valid UTF-8, as all names are\n"},
		"a refresh of a kind": {[]string{"refresh", "--kind=import", "a"}, nil, "refresh: there is no such flag: refresh-poller refresh --help lists the flags\n"},
		"nothing given": {
			[]string{"watch"}, map[string]string{"JOB_ID": "", "CLUSTER_TOKEN": "", "CLUSTER_ENDPOINT": ""},
			noJobID + noToken + rightEndpoint,
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
	for _, args := range [][]string{{"help"}, {"--help"}, {"help", "watch"}, {"watch", "-h"}, {"refresh", "-h"}, {"version"}, {"--version"}, {"completion", "fish"}} {
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

func TestTheHelpOfAWatchHasAnExampleOfEachFlag(t *testing.T) {
	for _, command := range []*cobra.Command{newWatch(host{}), newRefresh(host{})} {
		command.Flags().VisitAll(func(flag *pflag.Flag) {
			if !strings.Contains(command.Example, "--"+flag.Name+" ") {
				t.Errorf("%s: no example has --%s", command.Name(), flag.Name)
			}
		})
	}
}

func TestTheHelpFitsInto80Columns(t *testing.T) {
	for _, command := range append(newRoot(host{}).Commands(), newRoot(host{})) {
		help := runToEnd(t, nil, append(strings.Fields(command.CommandPath())[1:], "--help")...).stdout
		for line := range strings.Lines(help) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%s: %s", command.Name(), line)
			}
		}
	}
}

func TestShellsCompleteWhatThereIs(t *testing.T) {
	tests := map[string]struct {
		words, want []string
	}{
		"commands":          {[]string{"w"}, []string{"watch"}},
		"commands for help": {[]string{"help", ""}, []string{"completion", "demo", "enqueue", "follow", "redrive", "refresh", "version", "watch"}},
		"flags":             {[]string{"watch", "--k"}, []string{"--keep-trying", "--kind"}},
		"flags of refresh":  {[]string{"refresh", "--e"}, []string{"--endpoint", "--expect"}},
		"kinds":             {[]string{"watch", "--kind", ""}, strings.Split(milvus.KindNames(), ", ")},
		"shells":            {[]string{"completion", ""}, []string{"bash", "fish", "powershell", "zsh"}},
		"no ids":            {[]string{"watch", ""}, nil},
		"no collections":    {[]string{"refresh", ""}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var offered []string
			for line := range strings.Lines(runToEnd(t, nil, append([]string{"__complete"}, tt.words...)...).stdout) {
				if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(word, ":") {
					offered = append(offered, word)
				}
			}
			slices.Sort(offered)
			if diff := cmp.Diff(slices.Sorted(slices.Values(tt.want)), offered); diff != "" {
				t.Error(diff)
			}
		})
	}
}

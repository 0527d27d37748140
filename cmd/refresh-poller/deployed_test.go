package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/tests/schematest"
)

var results = cmp.AllowUnexported(result{})

func TestAStackThatCannotBeReadEndsWithASentence(t *testing.T) {
	for _, command := range [][]string{{"enqueue", "1"}, {"redrive", "--yes"}, {"follow"}} {
		t.Run(command[0], func(t *testing.T) {
			f := startAWS(t)
			says := func(text string) string { return command[0] + ": " + text + "\n" }
			if diff := cmp.Diff(result{3, "", says("there is no stack none in eu-west-1: check --stack, the region and the account")}, runToEnd(t, nil, append(command, "--stack=none")...), results); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(result{2, "", says("give the stack's name, with --stack")}, runToEnd(t, nil, command...), results); diff != "" {
				t.Error(diff)
			}
			t.Setenv("AWS_REGION", "")
			if diff := cmp.Diff(result{3, "", says("no AWS region is set: set AWS_REGION, or a profile's region with aws configure")}, runToEnd(t, nil, append(command, "--stack=orders")...), results); diff != "" {
				t.Error(diff)
			}
			if calls := f.made(); len(calls) > 1 {
				t.Errorf("called %q", calls)
			}
		})
	}
}

func TestEnqueuedJobsAreLinesOfJSON(t *testing.T) {
	tests := map[string]struct {
		args, environ, kind string
		want                []string // bodies
	}{
		"ids":                 {args: "7 8 7", want: []string{`{"jobId":"7"}`, `{"jobId":"8"}`}},
		"ids of a variable":   {environ: "7 8", want: []string{`{"jobId":"7"}`, `{"jobId":"8"}`}},
		"of the stack's kind": {args: "job-1", kind: "cloud", want: []string{`{"jobId":"job-1"}`}},
		"with options":        {args: `--kind=import --context={"a":1} --deadline=90m 7`, kind: "cloud", want: []string{`{"jobId":"7","kind":"import","context":{"a":1},"deadlineSeconds":5400}`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startAWS(t)
			f.parameters["JobKind"] = tt.kind
			got := runToEnd(t, map[string]string{"JOB_ID": tt.environ}, append([]string{"enqueue", "--stack=orders"}, strings.Fields(tt.args)...)...)
			want := result{}
			for i, body := range tt.want {
				id := regexp.MustCompile(`"jobId":"[^"]*"`).FindString(body)
				want.stdout += fmt.Sprintf("{%s,\"watchId\":\"message-%d\"}\n", id, i+1)
			}
			if diff := cmp.Diff(want, got, results) + cmp.Diff(tt.want, f.sent); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNothingIsEnqueuedIfOneArgumentIsWrong(t *testing.T) {
	const digits = ": a job id is a whole number from 1 to 9223372036854775807, written in digits"
	tests := map[string]struct {
		args, want string
		calls      []string
	}{
		"an id":                       {"1 4.495e17", "job id 2 of 2 has an exponent" + digits, []string{"cloudformation:DescribeStacks the stack"}},
		"an id of the kind given":     {"--kind=snapshot x", "the job id is not a number" + digits, nil},
		"no id":                       {"", "give a job's id, or several", nil},
		"a kind":                      {"--kind=compaction 1", "--kind must be one of external_collection, import, snapshot, cloud", nil},
		"a context that is no JSON":   {"--context={ 1", "--context is not valid JSON: it must be a JSON object", nil},
		"a context that is no object": {"--context=[1] --kind=import 1", "--context is an array: it must be a JSON object", nil},
		"a deadline":                  {"--deadline=1ms 1", "--deadline must be 1s to 336h, in whole seconds, such as 90m: refresh-poller enqueue --help lists the flags", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startAWS(t)
			got := runToEnd(t, nil, append([]string{"enqueue", "--stack=orders"}, strings.Fields(tt.args)...)...)
			if diff := cmp.Diff(result{2, "", "enqueue: " + tt.want + "\n"}, got, results) + cmp.Diff(tt.calls, f.made()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJobsThatAreNotEnqueuedAreNamed(t *testing.T) {
	f := startAWS(t)
	f.refuse = "SendMessageBatch"
	want := "enqueue: not enqueued: 7 8: send to the job queue: the credentials may not (not for you): docs/deploy.md lists what each command needs\n"
	if diff := cmp.Diff(result{1, "", want}, runToEnd(t, nil, "enqueue", "--stack=orders", "7", "8"), results); diff != "" {
		t.Error(diff)
	}
}

// seven is what lies in the dead-letter queue.
var seven = []string{"the body is empty: send one", "", "jobId has a sign: digits", "", "the body is empty: send one", "a\x1b[2Jb: c", ""}

const tableOfSeven = `7 dead letters:
      3  not handled: received too often
      2  the body is empty
      1  a [2Jb
      1  jobId has a sign
`

func TestRedriveTellsWhyLettersAreThereAndMovesThem(t *testing.T) {
	tests := map[string]struct {
		dead  []string
		args  []string
		want  string
		moved string
		back  string
	}{
		"none":                {nil, nil, "there are no dead letters\n", "", ""},
		"one":                 {[]string{""}, nil, "1 dead letter:\n      1  not handled: received too often\n1 moved to the job queue, 0 left\n", "0", ""},
		"all":                 {seven, nil, tableOfSeven + "7 moved to the job queue, 0 left\n", "0 1 2 3 4 5 6", ""},
		"those with a reason": {seven, []string{"--reason=body is empty: send"}, tableOfSeven + "2 with a reason that contains \"body is empty: send\"\n2 moved to the job queue, 5 left\n", "0 4", "1 2 3 5 6"},
		"those without":       {seven, []string{"--reason=not handled"}, tableOfSeven + "3 with a reason that contains \"not handled\"\n3 moved to the job queue, 4 left\n", "1 3 6", "0 2 4 5"},
		"none of them":        {seven, []string{"--reason=x"}, tableOfSeven + "0 with a reason that contains \"x\"\n", "", "0 1 2 3 4 5 6"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startAWS(t)
			f.dead = tt.dead
			got := runToEnd(t, nil, append([]string{"redrive", "--stack=orders", "--yes"}, tt.args...)...)
			if diff := cmp.Diff(result{0, "", tt.want}, got, results); diff != "" {
				t.Error(diff)
			}
			numbers := func(letters []string) string {
				slices.Sort(letters)
				return strings.ReplaceAll(strings.Join(letters, " "), "letter-", "")
			}
			if diff := cmp.Diff([]string{tt.moved, tt.back}, []string{numbers(f.sent), numbers(f.released)}); diff != "" {
				t.Error("moved, released", diff)
			}
		})
	}
}

func TestAQueueThatCannotBeReadIsNoEmptyOne(t *testing.T) {
	for _, call := range []string{"GetQueueAttributes", "ReceiveMessage"} {
		f := startAWS(t)
		f.refuse = call
		got := runToEnd(t, nil, "redrive", "--stack=orders", "--yes")
		if got.status != 3 || !strings.Contains(got.stderr, ": the credentials may not (not for you): docs/deploy.md") {
			t.Errorf("%s: %+v", call, got)
		}
	}
}

func TestRedriveStopsWhereTheJobQueueTakesNothing(t *testing.T) {
	f := startAWS(t)
	f.dead, f.refuse = []string{"", ""}, "SendMessageBatch"
	want := "2 dead letters:\n      2  not handled: received too often\n0 moved to the job queue, 2 left\n" +
		"redrive: send to the job queue: the credentials may not (not for you): docs/deploy.md lists what each command needs\n"
	if diff := cmp.Diff(result{1, "", want}, runToEnd(t, nil, "redrive", "--stack=orders", "--yes"), results); diff != "" || len(f.released) != 2 {
		t.Errorf("%q are released%s", f.released, diff)
	}
}

func TestWithoutATerminalAndWithoutYesNothingIsLookedAt(t *testing.T) {
	f := startAWS(t)
	stdin, _ := pipe(t)
	err := redrive(t.Context(), redriveOptions{stack: "orders"}, host{stdout: os.Stdout, stderr: os.Stderr}, stdin)
	if diff := cmp.Diff(failure{2, "there is no terminal to ask at: give --yes to move the letters without a question"}, err, cmp.AllowUnexported(failure{})); diff != "" || len(f.made()) > 0 {
		t.Errorf("%v, after %q", err, f.made())
	}
}

func TestOnlyAYesIsAYes(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "Yes \n": true, "\n": false, "n\n": false, "yeah\n": false, "": false} {
		stdin, terminal := pipe(t)
		_, stderr := pipe(t)
		fmt.Fprint(terminal, answer)
		terminal.Close()
		if yes, err := ask(t.Context(), stdin, stderr, "? "); yes != want || err != nil {
			t.Errorf("%q is %v, %v", answer, yes, err)
		}
	}
	stdin, _ := pipe(t)
	questions, stderr := pipe(t)
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		bufio.NewReader(questions).ReadString('?')
		interrupt()
	}()
	if yes, err := ask(ctx, stdin, stderr, "? "); yes || err != interrupted {
		t.Errorf("interrupted: %v, %v", yes, err)
	}
}

// lineOf is the poller's about a watch; without a delay its last.
func lineOf(watchID, rest string) string {
	return fmt.Sprintf(`{"level":"INFO","msg":"job polled","kind":"external_collection","jobId":"7","watchId":%q,"since":"2024-04-11T10:39:58.12Z","poll":3%s}`, watchID, rest)
}

func TestFollowShowsTheLatestLineOfEachWatchAndTheEnds(t *testing.T) {
	f := startAWS(t)
	f.parameters["LogLevel"] = "WARN"
	f.log = []string{
		lineOf("a", `,"state":"RefreshPending","delaySeconds":5`),
		lineOf("a", `,"state":"RefreshInProgress","collection":"ext_\u001b[2Jbooks","progress":42,"delaySeconds":300`),
		lineOf("b", `,"outcome":"failed","state":"RefreshFailed","reason":"no such\u009b object\u202e","eventId":"e"`),
		`{"level":"WARN","msg":"message rejected","reason":"the body is empty"}`,
		`{"level":"DEBUG","msg":"unseen"}`,
		`{"time":"2024-04-11T10:40:00Z","type":"platform.report","record":{}}`,
	}
	got := runUntil(t, "message rejected", nil, "follow", "--stack=orders")
	masked := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d|\d+h\d\dm`).ReplaceAllString(got.stderr, "-")
	want := `The watches of stack orders in the last 20 minutes, and from now on. Ctrl-C ends it.
Most lines are hidden: the stack's LogLevel is WARN. Deploy it with LogLevel=INFO to see every watch.
- 7                    poll 3    in progress     42 %  -  next 5m00s   ext_ [2Jbooks
- 7                    poll 3    failed                -               no such  object
- message rejected: the body is empty
follow: interrupted
`
	if diff := cmp.Diff(want, masked); diff != "" || got.status != exitInterrupted {
		t.Errorf("status %d%s", got.status, diff)
	}
	if strings.Count(got.stdout, "\n") != 1 || strings.ContainsAny(got.stdout, "\x1b\u009b\u202e") {
		t.Errorf("%q", got.stdout)
	}
	schematest.Detail(t, got.stdout)
}

func TestALogThatCannotBeReadEndsFollow(t *testing.T) {
	f := startAWS(t)
	f.refuse = "FilterLogEvents"
	got := runToEnd(t, nil, "follow", "--stack=orders")
	if got.status != 3 || !strings.HasSuffix(got.stderr, "follow: read the log group orders-PollerLogGroup: the credentials may not (not for you): docs/deploy.md lists what each command needs\n") {
		t.Errorf("%+v", got)
	}
}

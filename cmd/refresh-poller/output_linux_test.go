package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"refresh-poller/internal/laptop/simcluster"
)

// TestMain has the test's binary be the program where a test runs it as that:
// which signals come, and what is closed, only a process can tell.
func TestMain(m *testing.M) {
	if os.Getenv("AS_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

// program returns a shell's command that runs the program: "$0" in the text.
func program(t *testing.T, environ map[string]string, text string) *exec.Cmd {
	command := exec.CommandContext(t.Context(), "sh", "-c", text, os.Args[0])
	command.Env = append(os.Environ(), "AS_PROGRAM=1")
	for name, value := range environ {
		command.Env = append(command.Env, name+"="+value)
	}
	return command
}

// outputs runs a command and returns its exit status and what it wrote.
func outputs(t *testing.T, command *exec.Cmd) result {
	t.Helper()
	var stdout, stderr strings.Builder
	if command.Stdout == nil {
		command.Stdout = &stdout
	}
	if command.Stderr == nil {
		command.Stderr = &stderr
	}
	if _, ended := errors.AsType[*exec.ExitError](command.Run()); command.ProcessState == nil || !ended && !command.ProcessState.Success() {
		t.Fatalf("%q did not run", command.Args)
	}
	return result{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// completing is the environment for a watch of a job that has completed. That of
// job 1, on the same cluster, would not end.
func completing(t *testing.T) map[string]string {
	cluster := simcluster.New(simcluster.Options{Token: token})
	cluster.Add(simcluster.Job{ID: exactID})
	cluster.Add(simcluster.Job{ID: "1", Hangs: true})
	return watching(t, cluster)
}

// gone is a pipe whose reader has left.
func gone(t *testing.T) *os.File {
	r, w := pipe(t)
	r.Close()
	return w
}

func TestAnOutputThatCantBeWrittenIsToldAndTheStatusIs4(t *testing.T) {
	tests := map[string]struct {
		text   string
		stdout io.Writer
		told   string
	}{
		"a full disk":             {`"$0" watch > /dev/full`, nil, "watch: an event could not be written: write /dev/stdout: no space left on device\n"},
		"a full disk in between":  {`JOB_ID=1 PUBLISH_PROGRESS=true "$0" watch > /dev/full`, nil, "watch: an event could not be written: write /dev/stdout: no space left on device\n"},
		"a reader that left":      {`"$0" watch`, gone(t), "watch: an event could not be written: write /dev/stdout: broken pipe\n"},
		"a closed output":         {`"$0" watch >&-`, nil, "watch: stdout is closed, or /dev/null opened for reading too: give it a place for the events, such as > /dev/null\n"},
		"a closed output of demo": {`"$0" demo >&-`, nil, "demo: stdout is closed, or /dev/null opened for reading too: give it a place for the events, such as > /dev/null\n"},
		"help on a full disk":     {`"$0" help > /dev/full`, nil, "help: write /dev/stdout: no space left on device\n"},
		"help for who left":       {`"$0" help`, gone(t), "help: write /dev/stdout: broken pipe\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := program(t, completing(t), tt.text)
			command.Stdout = tt.stdout
			got := outputs(t, command)
			if got.status != exitNotWritten || !strings.HasSuffix("\n"+got.stderr, "\n"+tt.told) {
				t.Errorf("status %d\n%s", got.status, got.stderr)
			}
		})
	}
}

func TestAWatchGoesOnWithoutStderr(t *testing.T) {
	tests := map[string]struct {
		text   string
		stderr io.Writer
	}{
		"a full disk":        {`"$0" watch 2> /dev/full`, nil},
		"a reader that left": {`"$0" watch`, gone(t)},
		"closed":             {`"$0" watch 2>&-`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := program(t, completing(t), tt.text)
			command.Stderr = tt.stderr
			got := outputs(t, command)
			if got.status != exitCompleted || strings.Count(got.stdout, "\n") != 1 || !strings.Contains(got.stdout, simcluster.Completed) {
				t.Errorf("status %d\n%s", got.status, got.stdout)
			}
		})
	}
}

func TestEventsMayBeThrownAway(t *testing.T) {
	if got := outputs(t, program(t, completing(t), `"$0" watch > /dev/null`)); got.status != exitCompleted {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
}

func TestAnInterruptedProgramEndsWithThe130OfShells(t *testing.T) {
	for _, command := range []string{"watch", "refresh ext_books", "demo"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			environ := watching(t, answer(502, "<html>"))
			command := program(t, environ, `exec "$0" `+command)
			told, stderr := pipe(t)
			command.Stderr = stderr
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			stderr.Close()
			interrupt := sync.OnceFunc(func() { command.Process.Signal(os.Interrupt) })
			all := collect(told, func(line string) {
				if strings.Contains(line, "poll 1") {
					interrupt()
				}
			})
			command.Wait()
			if got := command.ProcessState.ExitCode(); got != exitInterrupted {
				t.Errorf("status %d\n%s", got, <-all)
			}
		})
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const module = "refresh-poller"

// In gremlins' environment: the true go command, and the tests that do not run.
const (
	goVariable   = "MUTATE_GO"
	skipVariable = "MUTATE_SKIP"
)

// asGo stands in for the go command that gremlins calls, and returns its exit status.
// gremlins 0.6.0 misjudges without it: go test exits with 1 where a mutant does not
// compile, which gremlins takes for killed (getTestFailedStatus in
// internal/engine/executor.go expects 2); and it runs no mutant outside the blocks of a
// coverage profile, which hold neither constants nor the conditions of a switch's cases.
func asGo(args []string) int {
	if args[0] != "test" {
		return run(exec.Command(os.Getenv(goVariable), args...), "")
	}
	if at := slices.Index(args, "-coverprofile"); at >= 0 {
		dir := strings.TrimSuffix(args[len(args)-1], "/...")
		if status := test(dir); status != 0 {
			return status
		}
		return coverAll(args[at+1], dir)
	}
	return test("", "-test.failfast", "-test.timeout", args[slices.Index(args, "-timeout")+1])
}

// test builds and runs the tests of the package in dir. It returns 2 if they do not
// compile, and 1 if they fail.
func test(dir string, flags ...string) int {
	binary, err := os.CreateTemp(os.Getenv("GOTMPDIR"), "mutate-*.test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	binary.Close()
	defer os.Remove(binary.Name())
	build := exec.Command(os.Getenv(goVariable), "test", "-c", "-ldflags=-s -w", "-o", binary.Name())
	// Builds are most of the work, and a third of that would be garbage collection.
	build.Env = append(os.Environ(), "GOGC=off", "GOMEMLIMIT=1GiB")
	if run(build, dir) != 0 {
		return 2
	}
	return min(1, run(exec.Command(binary.Name(), append(flags, "-test.skip", os.Getenv(skipVariable))...), dir))
}

// run returns the command's exit status.
func run(cmd *exec.Cmd, dir string) int {
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	err := cmd.Run()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return max(1, failed.ExitCode()) // -1: ended by a signal
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// coverAll writes a coverage profile in which every line of the package is covered.
func coverAll(profile, dir string) int {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	text := "mode: set\n"
	for _, file := range files {
		text += path.Join(module, filepath.ToSlash(file)) + ":1.1,1000000.1 1 1\n"
	}
	if err = errors.Join(err, os.WriteFile(profile, []byte(text), 0o600)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

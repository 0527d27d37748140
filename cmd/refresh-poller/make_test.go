package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/version"
)

// makeIn returns make in a directory, with these variables in its environment and
// none of a make that runs this test.
func makeIn(t *testing.T, dir string, environ map[string]string, args ...string) *exec.Cmd {
	command := exec.CommandContext(t.Context(), "make", args...)
	command.Dir = dir
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS")
	})
	for name, value := range environ {
		command.Env = append(command.Env, name+"="+value)
	}
	return command
}

func TestMakeBuildsTheProgramWithTheVersion(t *testing.T) {
	out, err := makeIn(t, "../..", nil, "-s", "bin/refresh-poller").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "../../bin/refresh-poller", "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "refresh-poller "+version.Number+" (") {
		t.Errorf("%v, %s", err, out)
	}
}

func TestMakeSaysThatTheFirstStartCompiles(t *testing.T) {
	dir := t.TempDir()
	// A module in the place of this one, which compiles in no time.
	for name, text := range map[string]string{
		"go.mod":                     "module example\n",
		"cmd/refresh-poller/main.go": "package main\n\nfunc main() {}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyMakefile(t, dir)
	for i, want := range []string{"The first start downloads the Go modules that it needs, and compiles.\n", ""} {
		if out, err := makeIn(t, dir, nil, "-s", "demo").CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("start %d: %v, %q", i+1, err, out)
		}
	}
}

func copyMakefile(t *testing.T, dir string) {
	t.Helper()
	makefile, err := os.ReadFile("../../Makefile")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "Makefile"), makefile, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestMakeWatchSucceedsIfTheJobCompletesWhateverOthersDo(t *testing.T) {
	if out, err := makeIn(t, "../..", nil, "bin/refresh-poller").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cluster := simcluster.New(simcluster.Options{Token: token})
	environ := watching(t, cluster)
	var watches sync.WaitGroup
	for id := range 6 {
		job, want := simcluster.Job{ID: strconv.Itoa(id + 1)}, 0
		if id%2 > 0 {
			job.Fails, want = "no such object", 2
		}
		cluster.Add(job)
		watches.Go(func() {
			command := makeIn(t, "../..", environ, "-s", "watch", "JOB_ID="+job.ID)
			out, err := command.CombinedOutput()
			if got := command.ProcessState.ExitCode(); got != want {
				t.Errorf("job %s: status %d, not %d (%v)\n%s", job.ID, got, want, err, out)
			}
		})
	}
	watches.Wait()
}

func TestMakeOnlySaysWhatItWouldDoIfAskedTo(t *testing.T) {
	for _, target := range []string{"watch", "demo"} {
		t.Run(target, func(t *testing.T) {
			cluster := simcluster.New(simcluster.Options{Token: token})
			environ := watching(t, cluster)
			dir := t.TempDir()
			copyMakefile(t, dir)
			out, err := makeIn(t, dir, environ, "-n", target).CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "\nbin/refresh-poller "+target+"\n") || strings.Contains(string(out), password) {
				t.Errorf("%v\n%s", err, out)
			}
			left, _ := filepath.Glob(filepath.Join(dir, "*"))
			if diff := cmp.Diff([]string{filepath.Join(dir, "Makefile")}, left); diff != "" || cluster.Counts().Describes > 0 {
				t.Errorf("%d describes; files (-want +got):\n%s", cluster.Counts().Describes, diff)
			}
		})
	}
}

// fakeSAM puts a sam on the PATH that notes its arguments, and fails to deploy the
// stack bad. It returns the path, and what it was called with.
func fakeSAM(t *testing.T, dir string) (path string, calls func() []string) {
	t.Helper()
	noted := filepath.Join(dir, "calls")
	script := "#!/bin/sh\necho \"$@\" >> " + noted + "\ncase $* in *bad.toml) exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "sam"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir + ":" + os.Getenv("PATH"), func() []string {
		text, _ := os.ReadFile(noted)
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
}

func TestMakeDeployAllDeploysEachStackAndSaysWhichFailed(t *testing.T) {
	for name, tt := range map[string]struct {
		args, files, deployed []string
		status                int
		says                  string
	}{
		"all":            {files: []string{"orders", "books"}, deployed: []string{"books", "orders"}},
		"some":           {args: []string{"STACKS=orders"}, files: []string{"books", "orders"}, deployed: []string{"orders"}},
		"one fails":      {files: []string{"bad", "books"}, deployed: []string{"bad", "books"}, status: 2, says: "Not deployed: bad\n"},
		"no such file":   {args: []string{"STACKS=books boks"}, files: []string{"books"}, status: 2, says: "There is no stacks/boks.toml: docs/deploy.md#several-clusters says what goes into one.\n"},
		"without a file": {files: nil, status: 2, says: "There is no stacks/NAME.toml: docs/deploy.md#several-clusters says what goes into one.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyMakefile(t, dir)
			if err := os.Mkdir(filepath.Join(dir, "stacks"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, file := range append(tt.files, "books.toml.example") {
				if !strings.Contains(file, ".") {
					file += ".toml"
				}
				if err := os.WriteFile(filepath.Join(dir, "stacks", file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path, calls := fakeSAM(t, t.TempDir())
			command := makeIn(t, dir, map[string]string{"PATH": path}, append([]string{"-s", "deploy-all"}, tt.args...)...)
			out, _ := command.CombinedOutput()
			if got := command.ProcessState.ExitCode(); got != tt.status || !strings.Contains(string(out), tt.says) {
				t.Errorf("status %d, not %d\n%s", got, tt.status, out)
			}
			want := []string{""}
			for i, stack := range tt.deployed {
				if i == 0 {
					want = []string{"build"}
				}
				want = append(want, "deploy --config-file "+filepath.Join(dir, "stacks", stack+".toml"))
			}
			if diff := cmp.Diff(want, calls()); diff != "" {
				t.Errorf("sam's arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMakeSaysThatDeployingNeedsTheSAMCLI(t *testing.T) {
	for _, target := range []string{"deploy", "deploy-all"} {
		command := makeIn(t, "../..", map[string]string{"PATH": t.TempDir()}, "-s", target)
		out, _ := command.CombinedOutput()
		if want := "make " + target + " needs the SAM CLI: docs/deploy.md says which\n"; !strings.Contains(string(out), want) || command.ProcessState.Success() {
			t.Errorf("not %q, but\n%s", want, out)
		}
	}
}

func TestMakeHelpFitsIntoEightyColumns(t *testing.T) {
	out, err := makeIn(t, "../..", nil, "-s", "help").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "  make demo ") {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 80 {
			t.Errorf("%d columns: %s", width, line)
		}
	}
}

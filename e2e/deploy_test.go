//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// deployment is what deploy.py says of a stack that it has created.
type deployment struct {
	Outputs  map[string]string
	Function function
	// Resumer is nil in a stack that wakes no workflows.
	Resumer *function
	Mapping struct {
		BatchSize                      int
		MaximumBatchingWindowInSeconds int
		FunctionResponseTypes          []string
		ScalingConfig                  struct{ MaximumConcurrency int }
	}
}

// function is a function's configuration.
type function struct {
	FunctionArn, Handler, LogFormat, LogLevel string
	MemorySize, Timeout                       int
	Environment                               map[string]string
	VpcConfig                                 *struct{ SubnetIds, SecurityGroupIds []string }
	Role                                      struct {
		Path                string
		PermissionsBoundary struct{ PermissionsBoundaryArn string }
	}
	// Policies are the names of the role's own.
	Policies []string
}

// parameters are those of a stack.
type parameters map[string]string

// binaries are the functions' bootstraps, by the functions' logical ids.
type binaries map[string]string

// build builds the binaries as SAM does, but for this machine.
func build(t *testing.T) binaries {
	t.Helper()
	built := binaries{}
	for _, name := range []string{"PollerFunction", "ResumeFunction"} {
		dir := t.TempDir()
		out, err := exec.Command("make", "-C", "..", "build-"+name, "ARTIFACTS_DIR="+dir, "GOARCH="+runtime.GOARCH).CombinedOutput()
		if err != nil {
			t.Fatalf("make build-%s: %v\n%s", name, err, out)
		}
		built[name] = filepath.Join(dir, "bootstrap")
	}
	return built
}

// deploy creates the stacks of template.yaml, by their names.
func deploy(t *testing.T, e *emulator, b binaries, stacks map[string]parameters) map[string]deployment {
	t.Helper()
	created, err := tryToDeploy(e, b, stacks)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// tryToDeploy is deploy that may fail; the error has what CloudFormation said.
func tryToDeploy(e *emulator, b binaries, stacks map[string]parameters) (created map[string]deployment, err error) {
	order, err := json.Marshal(map[string]any{"template": "../template.yaml", "binaries": b, "stacks": stacks})
	if err != nil {
		return nil, err
	}
	python := exec.Command(python(), "deploy.py")
	python.Env = e.environ()
	python.Stdin = bytes.NewReader(order)
	var stderr bytes.Buffer
	python.Stderr = &stderr
	out, err := python.Output()
	if err == nil {
		err = json.Unmarshal(out, &created)
	}
	if err != nil {
		return nil, fmt.Errorf("deploy.py: %w\n%s%s", err, stderr.Bytes(), out)
	}
	return created, nil
}

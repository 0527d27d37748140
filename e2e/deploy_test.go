//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
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
	FunctionArn, CodeSha256, Handler, LogFormat, LogLevel string
	MemorySize, Timeout                                   int
	Environment                                           map[string]string
	VpcConfig                                             *struct{ SubnetIds, SecurityGroupIds []string }
	Role                                                  struct {
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

// packaged is the stack as a release has it.
const packaged = "../dist/stack"

// pack builds it, once.
var pack = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("make", "-C", "..", "package").CombinedOutput()
})

// build builds the stack to deploy, and its functions' binaries for this machine.
func build(t *testing.T) binaries {
	t.Helper()
	if out, err := pack(); err != nil {
		t.Fatalf("make package: %v\n%s", err, out)
	}
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

// wantPackage fails unless a function has the package of the release, byte for byte.
func (f function) wantPackage(t *testing.T, name string) {
	t.Helper()
	zip, err := os.ReadFile(filepath.Join(packaged, name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(zip)
	if want := base64.StdEncoding.EncodeToString(sum[:]); f.CodeSha256 != want {
		t.Errorf("the code of %s has the sum %s, not %s", name, f.CodeSha256, want)
	}
}

// deploy creates the packaged stacks, by their names.
func deploy(t *testing.T, e *emulator, stacks map[string]parameters) map[string]deployment {
	t.Helper()
	created, err := tryToDeploy(e, stacks)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// tryToDeploy is deploy that may fail; the error has what CloudFormation said.
func tryToDeploy(e *emulator, stacks map[string]parameters) (created map[string]deployment, err error) {
	order, err := json.Marshal(map[string]any{"template": packaged + "/template.yaml", "stacks": stacks})
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

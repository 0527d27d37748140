//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"refresh-poller/internal/tests/schematest"
)

// demo runs beside the stacks, and with none of them.
func demo(t *testing.T, _ *stack) func(t *testing.T) {
	command := exec.Command("make", "-s", "-C", "..", "demo")
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) {
		if err := command.Wait(); err != nil {
			t.Fatalf("make demo: %v\n%s", err, &stderr)
		}
		events := 0
		for line := range strings.Lines(stdout.String()) {
			events++
			schematest.Detail(t, line)
		}
		if events < 7 {
			t.Errorf("%d events of seven jobs:\n%s", events, &stdout)
		}
	}
}

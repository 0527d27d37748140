package stack

import (
	"os/exec"
	"strings"
	"testing"
)

// Each would make a cold start longer.
func TestTheFunctionsAreBuiltWithoutTheProgramsLibraries(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./functions/...")
	list.Dir = "../../.."
	out, err := list.Output()
	if err != nil || !strings.Contains(string(out), "refresh-poller/functions/poller\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	for path := range strings.Lines(string(out)) {
		for _, programs := range []string{
			"github.com/spf13/", "github.com/vbauerster/", "github.com/aws/aws-sdk-go-v2/service/cloudformation", "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs",
			"refresh-poller/internal/deployed", "refresh-poller/internal/laptop/screen", "refresh-poller/internal/laptop/embedded",
		} {
			if strings.HasPrefix(path, programs) {
				t.Errorf("they need %s", path)
			}
		}
	}
}

package stack

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// needed returns the packages that the functions are built of.
func needed(t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./functions/...")
	list.Dir = "../../.."
	out, err := list.Output()
	if err != nil || !strings.Contains(string(out), "refresh-poller/functions/poller\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

// Each would make a cold start longer.
func TestTheFunctionsAreBuiltWithoutTheProgramsLibraries(t *testing.T) {
	for _, path := range needed(t) {
		for _, programs := range []string{"github.com/spf13/", "github.com/vbauerster/", "github.com/aws/aws-sdk-go-v2/service/cloudformation", "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"} {
			if strings.HasPrefix(path, programs) {
				t.Errorf("they need %s", path)
			}
		}
	}
}

// docs/design.md shows the house so: the functions' rooms, and a wing each for what
// runs on a laptop and what only tests use.
func TestTheRoomsOfInternalAreTheFunctionsButForTwoWings(t *testing.T) {
	want := []string{"laptop", "tests"}
	for _, path := range needed(t) {
		if room, ok := strings.CutPrefix(path, "refresh-poller/internal/"); ok {
			want = append(want, room)
		}
	}
	rooms, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, room := range rooms {
		got = append(got, room.Name())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rooms (-needed by the functions +there):\n%s", diff)
	}
}

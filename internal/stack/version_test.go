package stack

import (
	"regexp"
	"strings"
	"testing"
)

// versionNumber is the one that the Makefile sets.
func versionNumber(t *testing.T) string {
	t.Helper()
	set := regexp.MustCompile(`(?m)^VERSION := (\d+\.\d+\.\d+)$`).FindStringSubmatch(document(t, "Makefile"))
	if set == nil {
		t.Fatal("the Makefile sets no version")
	}
	return set[1]
}

func TestTheChangelogBeginsWithTheVersion(t *testing.T) {
	first := regexp.MustCompile(`(?m)^## .*$`).FindString(document(t, "CHANGELOG.md"))
	if want := "## " + versionNumber(t); first != want && !strings.HasPrefix(first, want+" ") {
		t.Errorf("its first heading is %q, not %q", first, want)
	}
}

// The linker takes a variable that does not exist for no fault; that this one does,
// a test of the program tells.
func TestEveryBuildSetsTheVersion(t *testing.T) {
	builds := regexp.MustCompile(`(?m)^\t.*\bgo build -.*$`).FindAllString(document(t, "Makefile"), -1)
	if len(builds) < 2 {
		t.Fatalf("the builds are %q", builds)
	}
	for _, build := range builds {
		if !strings.Contains(build, `$(SET_VERSION)"`) {
			t.Errorf("%s does not", build)
		}
	}
}

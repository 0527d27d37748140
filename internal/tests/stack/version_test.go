package stack

import (
	"regexp"
	"strings"
	"testing"

	"refresh-poller/internal/version"
)

func TestTheChangelogBeginsWithTheVersion(t *testing.T) {
	first := regexp.MustCompile(`(?m)^## .*$`).FindString(document(t, "CHANGELOG.md"))
	if want := "## " + version.Number; first != want && !strings.HasPrefix(first, want+" ") {
		t.Errorf("its first heading is %q, not %q", first, want)
	}
}

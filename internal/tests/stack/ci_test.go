package stack

import (
	"io/fs"
	"os"
	"regexp"
	"testing"
)

// Whoever may move a tag could change what a version does.
func TestEachActionIsPinnedByItsCommitAndNamesItsVersion(t *testing.T) {
	workflows, err := fs.Glob(os.DirFS("../../.."), ".github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("workflows: %v, %v", workflows, err)
	}
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, path := range workflows {
		for _, uses := range regexp.MustCompile(`(?m)uses: (.*)$`).FindAllStringSubmatch(document(t, path), -1) {
			if !pinned.MatchString(uses[1]) {
				t.Errorf("%s uses %s", path, uses[1])
			}
		}
	}
}

package stack

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// In a template it is ${AWS::Partition}. The patterns that ARNs are checked by,
// arn:aws[a-z-]*:, take all three.
func TestNothingThatIsDeployedOrCopiedNamesAPartition(t *testing.T) {
	named := regexp.MustCompile(`arn:aws[a-z-]*:\S*`)
	root, read := os.DirFS("../../.."), 0
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		// An app has the ARN of the account that it is for.
		if err != nil || entry.IsDir() || path == "examples/cdk/app.js" || path != "template.yaml" && !strings.HasPrefix(path, "examples/") && !strings.HasPrefix(path, "docs/") {
			return err
		}
		read++
		text, err := fs.ReadFile(root, path)
		for _, found := range named.FindAllString(string(text), -1) {
			t.Errorf("%s names a partition: %s", path, found)
		}
		return err
	})
	if err != nil || read < 10 {
		t.Errorf("%d files read: %v", read, err)
	}
}

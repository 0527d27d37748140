package stack

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestTheTestsThatContributorsAreToldOfExist(t *testing.T) {
	var code strings.Builder
	err := fs.WalkDir(os.DirFS("../../.."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			code.WriteString(document(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`((?:Test|Example)[A-Z]\\w+)`").FindAllStringSubmatch(document(t, "CONTRIBUTING.md"), -1)
	for _, name := range names {
		if !strings.Contains(code.String(), "func "+name[1]+"(") {
			t.Errorf("CONTRIBUTING.md names %s, which there is not", name[1])
		}
	}
	if len(names) < 10 {
		t.Errorf("found but %d names", len(names))
	}
}

package stack

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`(?:\]\(|\b(?:src|href)=")([^)"\s]+)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	unnamed = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors are the names that GitHub gives the headings of a document.
func anchors(text string) (names []string) {
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := unnamed.ReplaceAllString(strings.ToLower(h[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// broken returns the links of a document in the tree that lead to no file or heading.
func broken(tree fs.FS, name string) (links []string) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return []string{err.Error()}
	}
	for _, found := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		target, anchor, _ := strings.Cut(found[1], "#")
		if strings.Contains(target, "://") {
			continue
		}
		file := name
		if target != "" {
			file = path.Join(path.Dir(name), target)
		}
		if _, err := fs.Stat(tree, file); err != nil {
			links = append(links, found[1])
			continue
		}
		if anchor == "" {
			continue
		}
		if there, err := fs.ReadFile(tree, file); err != nil || !slices.Contains(anchors(string(there)), anchor) {
			links = append(links, found[1])
		}
	}
	return links
}

func TestEveryLinkInTheDocumentsLeadsToAFileAndAHeading(t *testing.T) {
	tree, documents := os.DirFS("../../.."), 0
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err == nil && entry.IsDir() && name != "." && (name[0] == '.' || name == "bin" || name == "dist" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case err == nil && path.Ext(name) == ".md":
			documents++
			for _, to := range broken(tree, name) {
				t.Errorf("%s: nothing is at %s", name, to)
			}
		}
		return err
	})
	if err != nil || documents < 10 {
		t.Errorf("%d documents, %v", documents, err)
	}
}

func TestABrokenLinkIsFound(t *testing.T) {
	tree := os.DirFS(t.TempDir())
	if got := broken(tree, "a.md"); len(got) != 1 {
		t.Errorf("a document that is not there: %q", got)
	}
	root := t.TempDir()
	text := "# Step Functions: start, go `on`\n[a](#step-functions-start-go-on) [b](a.md#none) [c](b.md) <img src=\"c.svg\"> [d](https://example.org/x#y)\n```sh\n# No heading\n[e](f.md)\n```\n[g](#no-heading)\n"
	if err := os.WriteFile(root+"/a.md", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"a.md#none", "b.md", "c.svg", "#no-heading"}
	if got := broken(os.DirFS(root), "a.md"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

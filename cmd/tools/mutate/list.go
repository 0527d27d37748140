package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var item = regexp.MustCompile("^- `([^`]*)` ([A-Z_]+): `([^`]+)`$")

// readList reads docs/mutants.md: a heading for each file of code, and an item for
// each mutant, as [mutant.String] writes it. The indented lines below one item, or
// below several that follow each other, say why they are harmless.
func readList(name string) (listed []mutant, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var file string
	unexplained := 0
	for at, line := range strings.Split(string(text)+"\n## ", "\n") {
		found := item.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "## "):
			if unexplained > 0 {
				return nil, fmt.Errorf("%s:%d: the reason is missing below %s", name, unexplained, listed[len(listed)-1])
			}
			file = strings.TrimPrefix(line, "## ")
		case found != nil:
			listed = append(listed, mutant{file, found[1], found[2], found[3]})
			unexplained = at + 1
		case strings.HasPrefix(line, "- "):
			return nil, fmt.Errorf("%s:%d: %q is not as make mutate prints a survivor", name, at+1, line)
		case strings.HasPrefix(line, "  "):
			unexplained = 0
		}
	}
	return listed, nil
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gremlins calls this binary as the command go.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "go" {
		os.Exit(asGo(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// files are of a module with a package whose tests leave one mutant, n >= most, alive.
// Two, of the texts, do not compile; one is in a constant and one in a case.
var files = map[string]string{
	"go.mod": "module refresh-poller\n\ngo 1.26\n",
	"internal/most/most.go": `package most

const limit = 2 * 3

type list []int

func (l *list) most() (most int) {
	for _, n := range *l {
		if n > most {
			most = n
		}
	}
	switch {
	case most == limit:
		return -1
	}
	return most
}

func name(first, last string) string { return first + " " + last }
`,
	"internal/most/most_test.go": `package most

import "testing"

func TestMost(t *testing.T) {
	for want, l := range map[int]list{5: {3, 5, 4}, -1: {6}} {
		if got := l.most(); got != want {
			t.Error(got)
		}
	}
	if got := name("a", "b"); got != "a b" {
		t.Error(got)
	}
}

func TestNoScheduleIsTried(t *testing.T) { t.Fatal("not to be run") }
`,
	"internal/laptop/laptop.go": "package laptop\n\nvar two = 1 + 1\n",
}

const survivor = "- `list.most` CONDITIONALS_BOUNDARY: `if n «>» most {`"

// write writes the module, and a list of mutants, and returns its root.
func write(t *testing.T, list string) (root string) {
	t.Helper()
	root = t.TempDir()
	writeFile(t, filepath.Join(root, "docs", "mutants.md"), list)
	for name, text := range files {
		writeFile(t, filepath.Join(root, name), text)
	}
	return root
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFourOfFiveMutantsAreTooFew(t *testing.T) {
	var said strings.Builder
	held, err := mutate(t.Context(), &said, write(t, "## internal/most/most.go\n"+survivor+"\n  So.\n"), nil)
	if err != nil || held {
		t.Errorf("held: %t, %v", held, err)
	}
	want := "internal/most            5 mutants,     4 killed,    1 survived:  80.0 %\n" +
		"all                      5 mutants,     4 killed,    1 survived:  80.0 %, in "
	if !strings.HasPrefix(said.String(), want) || strings.Contains(said.String(), "docs/mutants.md") {
		t.Errorf("got\n%s\nwant\n%s", &said, want)
	}
}

func TestTheSurvivorsMustBeThoseOfTheList(t *testing.T) {
	m, other := mutant{"internal/most/most.go", "f", "K", "«>»"}, mutant{"internal/most/most.go", "g", "K", "«>»"}
	elsewhere := mutant{"internal/mostly/most.go", "f", "K", "«>»"}
	tests := map[string]struct {
		listed, survivors []mutant
		says              string
	}{
		"the same":                         {[]mutant{m, other}, []mutant{other, m, m}, ""},
		"listed, of a package not changed": {[]mutant{m, elsewhere}, []mutant{m}, ""},
		"not listed":                       {[]mutant{m}, []mutant{m, other}, "\nNot in docs/mutants.md: kill it with a test, or say there why it is harmless:\n## internal/most/most.go\n- `g` K: `«>»`\n"},
		"killed":                           {[]mutant{m, other}, []mutant{m}, "\nIn docs/mutants.md, but killed, or gone: take it out:\n## internal/most/most.go\n- `g` K: `«>»`\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			same := compare(&said, tt.listed, tt.survivors, []string{"most"})
			if said.String() != tt.says || same != (tt.says == "") {
				t.Errorf("the same: %t, said %s", same, &said)
			}
		})
	}
}

func TestAPackageWhoseTestsFailIsNotMutated(t *testing.T) {
	root := write(t, "")
	writeFile(t, filepath.Join(root, "internal/most/fails_test.go"), "package most\n\nimport \"testing\"\n\nfunc TestFails(t *testing.T) { t.Fatal(\"as ever\") }\n")
	if _, err := mutate(t.Context(), os.Stderr, root, nil); err == nil || !strings.Contains(err.Error(), "as ever") {
		t.Error(err)
	}
}

func TestAListSaysWhyItsMutantsAreHarmless(t *testing.T) {
	const other = "- `const` ARITHMETIC_BASE: `limit = 2 «*» 3`"
	same := []mutant{{"a.go", "list.most", "CONDITIONALS_BOUNDARY", "if n «>» most {"}, {"a.go", "const", "ARITHMETIC_BASE", "limit = 2 «*» 3"}}
	tests := map[string]struct {
		list    string
		want    []mutant
		problem string
	}{
		"each":       {"# Mutants\n\nText.\n\n## a.go\n\n" + survivor + "\n  So.\n" + other + "\n  And so.\n", same, ""},
		"together":   {"## a.go\n" + survivor + "\n" + other + "\n  So.\n", same, ""},
		"no reason":  {"## a.go\n" + survivor + "\n\n## b.go\n", nil, ":2: the reason is missing below " + survivor},
		"none last":  {"## a.go\n" + survivor + "\n  So.\n" + other, nil, ":4: the reason is missing below " + other},
		"misspelled": {"## a.go\n- `most`: `n > most`\n  So.\n", nil, ":2: \"- `most`: `n > most`\" is not as make mutate prints"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "mutants.md")
			writeFile(t, file, tt.list)
			got, err := readList(file)
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("%v, want %s", err, tt.problem)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(mutant{})); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

// Every mutant of the list can still be there: its line is.
func TestEachListedMutantHasItsLineInTheCode(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	listed, err := readList(filepath.Join(root, "docs", "mutants.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range listed {
		s, err := newSource(root, m.file)
		if err != nil {
			t.Error(err)
			continue
		}
		before, rest, _ := strings.Cut(m.code, "«")
		operator, after, _ := strings.Cut(rest, "»")
		if !s.has(m.function, before+operator+after) {
			t.Errorf("%s: there is no such line: %s", m.file, m)
		}
	}
}

func (s *source) has(function, code string) bool {
	for at, line := range s.lines {
		if strings.ReplaceAll(strings.TrimSpace(line), "`", "'") == code && s.function(at+1) == function {
			return true
		}
	}
	return false
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// skipped matches the tests that do not count: those that look at many schedules at
// once, which take half a minute and more for each mutant, and may kill one by chance.
const skipped = "^TestNoSchedule|^TestUnderLoad|^TestEverySchedule|^TestTheExplorer"

// All mutations but INVERT_NEGATIVES, which ARITHMETIC_BASE does too.
var mutations = []string{
	"--invert-negatives=false", "--invert-logical", "--invert-loopctrl", "--invert-assignments",
	"--invert-bitwise", "--invert-bwassign", "--remove-self-assignments",
}

// gremlins is the tool, with a folder of its own that holds asGo as the command go.
type gremlins struct{ root, binary, folder string }

func newGremlins(root string) (*gremlins, error) {
	binary, err := exec.Command("go", "tool", "-n", "gremlins").Output()
	if err != nil {
		return nil, fmt.Errorf("build gremlins: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	return &gremlins{root, strings.TrimSpace(string(binary)), folder}, os.Symlink(self, filepath.Join(folder, "go"))
}

func (g *gremlins) close() { os.RemoveAll(g.folder) }

// unleash counts what becomes of the mutants of a package.
func (g *gremlins) unleash(ctx context.Context, name string) (counts, error) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return counts{}, err
	}
	dir := "internal/" + name
	report := filepath.Join(g.folder, name+".json")
	cmd := exec.CommandContext(ctx, g.binary, append(mutations, "unleash", "--timeout-coefficient", "5", "-o", report, "./"+dir)...)
	cmd.Dir = g.root
	cmd.Env = append(os.Environ(), "PATH="+g.folder+string(os.PathListSeparator)+os.Getenv("PATH"),
		"TMPDIR="+g.folder, goVariable+"="+goCommand, skipVariable+"="+skipped)
	if out, err := cmd.CombinedOutput(); err != nil {
		return counts{}, fmt.Errorf("mutate %s: %w\n%s", dir, err, out)
	}
	text, err := os.ReadFile(report)
	if errors.Is(err, fs.ErrNotExist) { // there are no mutants
		return counts{name: dir}, nil
	}
	if err != nil {
		return counts{}, err
	}
	return count(g.root, dir, text)
}

// counts is what became of mutants.
type counts struct {
	name          string
	total, killed int
	survivors     []mutant
}

func (c counts) percent() float64 { return 100 * float64(c.killed) / float64(max(1, c.total)) }

func (c counts) String() string {
	return fmt.Sprintf("%-20s %5d mutants, %5d killed, %4d survived: %5.1f %%", c.name, c.total, c.killed, c.total-c.killed, c.percent())
}

func (c *counts) add(other counts) {
	c.total += other.total
	c.killed += other.killed
	c.survivors = append(c.survivors, other.survivors...)
}

// count reads gremlins' report. Tests that a mutant makes hang notice it too, and a
// mutant that does not compile is none.
func count(root, dir string, report []byte) (counts, error) {
	var read struct {
		Files []struct {
			Name      string `json:"file_name"`
			Mutations []struct {
				Type, Status string
				Line, Column int
			}
		}
	}
	if err := json.Unmarshal(report, &read); err != nil {
		return counts{}, fmt.Errorf("gremlins' report on %s: %w", dir, err)
	}
	c := counts{name: dir}
	for _, file := range read.Files {
		s, err := newSource(root, path.Join(dir, file.Name))
		if err != nil {
			return counts{}, err
		}
		for _, m := range file.Mutations {
			switch m.Status {
			case "NOT VIABLE":
			case "KILLED", "TIMED OUT":
				c.total++
				c.killed++
			default:
				c.total++
				c.survivors = append(c.survivors, s.mutant(m.Type, m.Line, m.Column))
			}
		}
	}
	slices.SortFunc(c.survivors, func(a, b mutant) int { return cmp.Compare(a.file+a.code, b.file+b.code) })
	return c, nil
}

// Command mutate tells what the tests of the deployed packages do not notice. gremlins
// changes one operator at a time and runs the tests of its package; mutate counts what
// they kill, and compares the survivors with those that docs/mutants.md explains. It
// exits with 1 if a survivor is not listed there, if a listed one is killed or gone, or
// if fewer than 90 % are killed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// threshold is the least share of mutants, in percent, that the tests have to kill.
const threshold = 90.0

func main() {
	if filepath.Base(os.Args[0]) == "go" {
		os.Exit(asGo(os.Args[1:]))
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: mutate ROOT [PACKAGE …], a package being the name of a folder of internal")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	held, err := mutate(ctx, os.Stdout, os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if !held {
		os.Exit(1)
	}
}

// mutate reports whether the packages hold to the list and to the threshold, all of
// them if none is named.
func mutate(ctx context.Context, w io.Writer, root string, packages []string) (held bool, err error) {
	if len(packages) == 0 {
		if packages, err = deployed(root); err != nil {
			return false, err
		}
	}
	listed, err := readList(filepath.Join(root, "docs", "mutants.md"))
	if err != nil {
		return false, err
	}
	g, err := newGremlins(root)
	if err != nil {
		return false, err
	}
	defer g.close()

	begun := time.Now()
	sum := counts{name: "all"}
	for _, name := range packages {
		c, err := g.unleash(ctx, name)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return false, err
		}
		fmt.Fprintln(w, c)
		sum.add(c)
	}
	fmt.Fprintf(w, "%s, in %s\n", sum, time.Since(begun).Round(time.Second))
	return compare(w, listed, sum.survivors, packages) && sum.percent() >= threshold, nil
}

// deployed returns the rooms of the deployed functions: all folders of internal but
// the laptop's, the tests', and the version, a constant.
func deployed(root string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(root, "internal"))
	for _, entry := range entries {
		if !slices.Contains([]string{"laptop", "tests", "version"}, entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// compare prints where the survivors of the packages are not those of the list, and
// reports whether they are.
func compare(w io.Writer, listed, survivors []mutant, packages []string) bool {
	same := true
	for _, m := range survivors {
		if !slices.Contains(listed, m) {
			fmt.Fprintf(w, "\nNot in docs/mutants.md: kill it with a test, or say there why it is harmless:\n## %s\n%s\n", m.file, m)
			same = false
		}
	}
	for _, m := range listed {
		ran := slices.ContainsFunc(packages, func(name string) bool { return strings.HasPrefix(m.file, "internal/"+name+"/") })
		if ran && !slices.Contains(survivors, m) {
			fmt.Fprintf(w, "\nIn docs/mutants.md, but killed, or gone: take it out:\n## %s\n%s\n", m.file, m)
			same = false
		}
	}
	return same
}

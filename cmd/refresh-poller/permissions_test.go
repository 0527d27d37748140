package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documented returns the rows of docs/deploy.md's table: the actions on each
// resource, by command.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| (`[a-z]+` )?\\| (the stack|`\\w+`) \\| (.*) \\|$")
	action := regexp.MustCompile("`([a-z]+:[A-Z]\\w+)`")
	found, command := map[string][]string{}, ""
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		if match[1] != "" {
			command = strings.Trim(match[1], "` ")
		}
		for _, a := range action.FindAllStringSubmatch(match[3], -1) {
			found[command] = append(found[command], a[1]+" "+strings.Trim(match[2], "`"))
		}
	}
	for _, actions := range found {
		slices.Sort(actions)
	}
	return found
}

func TestTheDocumentedPermissionsAreWhatTheCommandsCall(t *testing.T) {
	called := map[string][]string{}
	for _, args := range [][]string{{"enqueue", "7"}, {"redrive", "--yes", "--reason=empty"}, {"follow"}} {
		f := startAWS(t)
		f.dead = seven
		got := runUntil(t, "No watch", nil, append(args, "--stack=orders")...)
		if want := map[string]int{"follow": exitInterrupted}[args[0]]; got.status != want {
			t.Errorf("%+v", got)
		}
		called[args[0]] = f.made()
	}
	if diff := cmp.Diff(documented(t), called); diff != "" {
		t.Error(diff)
	}
}

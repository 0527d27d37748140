package stack

import (
	"go/ast"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/watch"

	"refresh-poller/internal/milvus"
)

var watchMessage = watch.Message{Kind: milvus.ExternalCollection, JobID: "1", Watch: watch.State{ID: "watch-1", Since: time.Date(2024, 4, 11, 10, 40, 0, 0, time.UTC)}}

func runbook(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var anchored = regexp.MustCompile(`docs/runbook\.md#([a-z0-9-]+)$`)

// runbookAnchors returns the runbook's anchors.
func runbookAnchors(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, name := range anchors(runbook(t)) {
		if found[name] {
			t.Errorf("two headings have the anchor %s", name)
		}
		found[name] = true
	}
	return found
}

func TestEveryAlarmHasItsParagraphInTheRunbook(t *testing.T) {
	stack, known, used := template(t), runbookAnchors(t), map[string]string{}
	for _, name := range ofType(t, stack, "AWS::CloudWatch::Alarm") {
		description := at[string](t, stack, "Resources", name, "Properties", "AlarmDescription")
		if len(description) > 1024 {
			t.Errorf("the description of %s has %d characters: CloudWatch takes 1024", name, len(description))
		}
		match := anchored.FindStringSubmatch(description)
		switch {
		case match == nil:
			t.Errorf("%s does not end in its place in the runbook: %s", name, description)
		case !known[match[1]]:
			t.Errorf("%s names %s, which is no heading of the runbook", name, match[1])
		case used[match[1]] != "":
			t.Errorf("%s has the paragraph of %s", name, used[match[1]])
		default:
			used[match[1]] = name
		}
	}
}

var verb = regexp.MustCompile(`%[a-z]`)

// A sentence of internal/watch says what is wrong, then, after a colon, what is
// right; the runbook has the first half, with … for what is filled in.
func TestTheRunbookHasEveryRejectReason(t *testing.T) {
	quoted := strings.Join(strings.Fields(strings.ReplaceAll(runbook(t), "\n> ", " ")), " ")
	refusals := 0
	for _, call := range calls(t, "../../watch") {
		if function, ok := call.Fun.(*ast.Ident); !ok || function.Name != "refuse" {
			continue
		}
		refusals++
		fault, _, _ := strings.Cut(text(call.Args[0]), ": ")
		fault = verb.ReplaceAllString(fault, "…")
		if !strings.Contains(quoted, fault+" ") {
			t.Errorf("the runbook does not say: %s", fault)
		}
	}
	if refusals < 30 {
		t.Errorf("found but %d refusals in internal/watch", refusals)
	}
}

// The sentences about a secret have the same form.
func TestTheRunbookHasEveryFaultOfASecret(t *testing.T) {
	quoted := strings.Join(strings.Fields(strings.ReplaceAll(runbook(t), "\n> ", " ")), " ")
	faults := 0
	for _, call := range calls(t, "../../secret") {
		if function, ok := call.Fun.(*ast.SelectorExpr); !ok || function.Sel.Name != "New" {
			continue
		}
		sentence := call.Args[0]
		if sum, ok := sentence.(*ast.BinaryExpr); ok {
			sentence = sum.X
		}
		if fault, _, ok := strings.Cut(text(sentence), ": "); ok {
			faults++
			if !strings.Contains(quoted, fault+" ") {
				t.Errorf("the runbook does not say: %s", fault)
			}
		}
	}
	if faults < 18 {
		t.Errorf("found but %d faults in internal/secret", faults)
	}
}

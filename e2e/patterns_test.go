//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"
)

// documented is a pattern with the samples that it has to match, sorted.
type documented struct {
	pattern string
	matches []string
}

var (
	patternBlock  = regexp.MustCompile("(?s)```json\n(.*?)```\n(?:\nMatches (.*?)\\.\n)?")
	patternOption = regexp.MustCompile("(?s)--event-pattern '(.*?)'()")
	quoted        = regexp.MustCompile("`([a-z-]+)`")
)

// intended is what the patterns of a document match that does not say so: in
// README.md every end but a completion, in docs/deploy.md every end.
var intended = map[string][]string{
	"../README.md":      {"expired", "failed", "failed-elsewhere", "not-found"},
	"../docs/deploy.md": {"completed", "completed-slowly", "expired", "failed", "failed-elsewhere", "not-found"},
}

// documentedPatterns reads README.md and all under docs: blocks of JSON with a
// source, and what the CLI is given.
func documentedPatterns(t *testing.T) (all []documented) {
	paths, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "../README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := len(all)
		for _, block := range slices.Concat(patternBlock.FindAllStringSubmatch(string(text), -1), patternOption.FindAllStringSubmatch(string(text), -1)) {
			d := documented{pattern: block[1], matches: intended[path]}
			if !strings.Contains(d.pattern, `"source": [`) { // an event, or a state machine
				continue
			}
			if strings.Contains(d.pattern, `"refresh-poller.`) { // for stacks on one bus: bus_test.go
				continue
			}
			if d.matches == nil {
				for _, name := range quoted.FindAllStringSubmatch(block[2], -1) {
					d.matches = append(d.matches, name[1])
				}
			}
			if d.matches == nil {
				t.Errorf("%s does not say what this matches: %s", path, d.pattern)
			}
			all = append(all, d)
		}
		if len(all) == found && intended[path] != nil {
			t.Errorf("%s has no pattern", path)
		}
	}
	return all
}

// patterns puts the samples for subscribers on a bus with a rule for each
// pattern that the documents have.
func patterns(t *testing.T, s *stack) func(t *testing.T) {
	return func(t *testing.T) {
		const bus = "documented"
		events := eventbridge.NewFromConfig(s.emulator.client())
		if _, err := events.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String(bus)}); err != nil {
			t.Fatal(err)
		}
		caught := map[string]documented{} // by the queue's URL
		for i, d := range documentedPatterns(t) {
			caught[s.catchEvents(t, bus, fmt.Sprint("pattern-", i), d.pattern)] = d
		}
		if len(caught) < 10 {
			t.Errorf("%d patterns", len(caught))
		}
		names := s.putSamples(t, events, bus)
		for url, d := range caught {
			if diff := cmp.Diff(d.matches, s.samplesIn(t, url, names, len(d.matches))); diff != "" {
				t.Errorf("samples (-documented +matched) by %s\n%s", d.pattern, diff)
			}
		}
	}
}

// samplesIn empties a queue of samples and returns their names, sorted. It waits for
// as many as it is told: kumo delivers after it has answered.
func (s *stack) samplesIn(t *testing.T, url string, names map[string]string, want int) (got []string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		messages := s.take(t.Context(), url)
		for _, m := range messages {
			var event struct{ Detail struct{ ID string } }
			if err := json.Unmarshal([]byte(*m.Body), &event); err != nil {
				t.Fatal(err)
			}
			got = append(got, names[event.Detail.ID])
		}
		if len(messages) == 0 && (len(got) >= want || time.Now().After(deadline)) {
			slices.Sort(got)
			return got
		}
	}
}

// putSamples returns the samples' names by the ids of their details. When it
// returns, moto has delivered them all.
func (s *stack) putSamples(t *testing.T, events *eventbridge.Client, bus string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../events/published/*.json")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	var entries []eventtypes.PutEventsRequestEntry
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var sample struct {
			Source     string
			DetailType string `json:"detail-type"`
			Detail     json.RawMessage
		}
		var detail struct{ ID string }
		if err := json.Unmarshal(text, &sample); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(sample.Detail, &detail); err != nil {
			t.Fatal(err)
		}
		names[detail.ID] = strings.TrimSuffix(filepath.Base(file), ".json")
		entries = append(entries, eventtypes.PutEventsRequestEntry{
			EventBusName: &bus, Source: &sample.Source, DetailType: &sample.DetailType, Detail: aws.String(string(sample.Detail)),
		})
	}
	for call := range slices.Chunk(entries, 10) { // the most that PutEvents takes
		out, err := events.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: call})
		if err != nil || out.FailedEntryCount > 0 {
			t.Fatal(err, out)
		}
	}
	return names
}

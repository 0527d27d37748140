package stack

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/metric"
)

// widget is what these tests read of a dashboard's widget (Amazon CloudWatch API
// Reference, "Dashboard Body Structure and Syntax").
type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title   string
		Region  string
		Metrics [][]any
		Alarms  []string
		Query   string
	}
}

// widgets returns the dashboard's, with each reference replaced by <what it
// names>; that is what "<JobQueue.QueueName>" in a test is.
func widgets(t *testing.T) []widget {
	t.Helper()
	stack := template(t)
	sub := at[[]any](t, stack, "Resources", "Dashboard", "Properties", "DashboardBody", "Fn::Sub")
	text := sub[0].(string)
	for name, choice := range sub[1].(object) {
		if choice, ok := choice.(object)["Fn::If"].([]any); ok {
			text = replaced(text, name, choice[1]) // as in a stack where the condition holds
		} else {
			text = replaced(text, name, sub[1].(object)[name])
		}
	}
	text = substituted.ReplaceAllStringFunc(text, func(reference string) string {
		name := strings.Trim(reference, "${}")
		resource, _, _ := strings.Cut(name, ".")
		_, exists := at[object](t, stack, "Resources")[resource]
		if !exists && name != "AWS::Region" && name != "AWS::StackName" {
			t.Errorf("the dashboard names %s, which the stack has not", name)
		}
		return "<" + name + ">"
	})
	if strings.Contains(text, "${") {
		t.Error("the dashboard has a reference that is none")
	}
	var body struct{ Widgets []widget }
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&body); err != nil || decoder.More() {
		t.Fatalf("the dashboard is not one JSON value: %v", err)
	}
	if len(body.Widgets) == 0 {
		t.Fatal("the dashboard has no widget")
	}
	for i := range body.Widgets {
		if body.Widgets[i].Height == 0 {
			body.Widgets[i].Height = 6 // CloudWatch's default
		}
		writeOut(body.Widgets[i].Properties.Metrics)
	}
	return body.Widgets
}

// replaced returns text with the variable's value, a Fn::Sub.
func replaced(text, variable string, value any) string {
	return strings.ReplaceAll(text, "${"+variable+"}", value.(object)["Fn::Sub"].(string))
}

// writeOut replaces each ".", which stands for what the metric above has there.
func writeOut(metrics [][]any) {
	for i, m := range metrics {
		for j := range m {
			if m[j] == "." {
				m[j] = metrics[i-1][j]
			}
		}
	}
}

func TestTheDashboardShowsItsOwnRegionAndLogs(t *testing.T) {
	for _, w := range widgets(t) {
		switch p := w.Properties; w.Type {
		case "metric":
			if p.Region != "<AWS::Region>" || len(p.Metrics) == 0 {
				t.Errorf("%q is of the region %q, with %d metrics", p.Title, p.Region, len(p.Metrics))
			}
		case "log":
			if p.Region != "<AWS::Region>" || !strings.HasPrefix(p.Query, "SOURCE '<PollerLogGroup>' | ") {
				t.Errorf("%q is of the region %q and asks %s", p.Title, p.Region, p.Query)
			}
		case "alarm":
		default:
			t.Errorf("%q is of the type %q", p.Title, w.Type)
		}
	}
}

func TestTheDashboardShowsEveryAlarm(t *testing.T) {
	shown := map[string]bool{}
	for _, w := range widgets(t) {
		for _, arn := range w.Properties.Alarms {
			shown[arn] = true
		}
	}
	alarms := ofType(t, template(t), "AWS::CloudWatch::Alarm")
	for _, alarm := range alarms {
		if !shown["<"+alarm+".Arn>"] {
			t.Errorf("the dashboard does not show %s", alarm)
		}
	}
	if len(shown) != len(alarms) {
		t.Errorf("%d alarms are shown, of %d", len(shown), len(alarms))
	}
}

func TestTheDashboardShowsEveryEnd(t *testing.T) {
	want := map[string]bool{}
	for _, d := range metric.Definitions {
		if name := string(d.Name); strings.HasPrefix(name, "Events") && d.Name != metric.EventsProgress {
			want[name] = true
		}
	}
	for _, w := range widgets(t) {
		if w.Properties.Title != "Watches ended" {
			continue
		}
		shown := map[string]bool{}
		for _, m := range w.Properties.Metrics {
			shown[m[1].(string)] = true
		}
		if diff := cmp.Diff(sortedKeys(want), sortedKeys(shown)); diff != "" {
			t.Errorf("metrics of ends (-counted +shown):\n%s", diff)
		}
		return
	}
	t.Error("no widget shows the watches that ended")
}

// CloudWatch draws 24 columns.
func TestNoWidgetCoversAnother(t *testing.T) {
	taken := map[[2]int]string{}
	for _, w := range widgets(t) {
		if w.X < 0 || w.Width < 1 || w.X+w.Width > 24 || w.Height < 1 {
			t.Errorf("%q is at column %d, %d wide and %d high", w.Properties.Title, w.X, w.Width, w.Height)
		}
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, covered := taken[[2]int{x, y}]; covered {
					t.Fatalf("%q covers %q", w.Properties.Title, other)
				}
				taken[[2]int{x, y}] = w.Properties.Title
			}
		}
	}
}

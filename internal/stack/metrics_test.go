package stack

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/metric"
)

func TestAlarmsNameMetricsThatThePollerEmits(t *testing.T) {
	stack := template(t)
	emitted := map[string]bool{}
	for _, d := range metric.Definitions {
		emitted[string(d.Name)] = true
	}
	ours := 0
	walk(at[object](t, stack, "Resources"), func(v any) {
		named, ok := v.(object)
		if !ok || named["Namespace"] != metric.Namespace {
			return
		}
		ours++
		if name := at[string](t, named, "MetricName"); !emitted[name] {
			t.Errorf("no line has the metric %s", name)
		}
		if diff := cmp.Diff([]any{object{"Name": metric.Dimension, "Value": ref("AWS::StackName")}}, named["Dimensions"]); diff != "" {
			t.Errorf("dimensions of %s (-want +got):\n%s", named["MetricName"], diff)
		}
	})
	if ours == 0 {
		t.Errorf("no alarm watches the namespace %s", metric.Namespace)
	}
}

func TestTheAlarmOnPollsComputesWithMetricsOfEveryLine(t *testing.T) {
	alarm := at[object](t, template(t), "Resources", "PollsWithoutSuccessAlarm", "Properties")
	always := map[string]bool{}
	for _, d := range metric.Definitions {
		always[string(d.Name)] = d.Always
	}
	watched, byID := "", map[string]string{}
	for _, query := range at[[]any](t, alarm, "Metrics") {
		query := query.(object)
		if at[bool](t, query, "ReturnData") {
			watched += at[string](t, query, "Expression")
			continue
		}
		stat := at[object](t, query, "MetricStat")
		name := at[string](t, stat, "Metric", "MetricName")
		if !always[name] || stat["Stat"] != "Sum" {
			t.Errorf("the %v of %s is not in every line", stat["Stat"], name)
		}
		byID[at[string](t, query, "Id")] = name
	}
	want := map[string]string{"polls": "Polls", "succeeded": "Succeeded", "notFound": "DescribeErrorsNotFound"}
	if diff := cmp.Diff(want, byID); diff != "" {
		t.Errorf("metrics by id (-want +got):\n%s", diff)
	}
	if watched != "IF((succeeded + notFound) > 0, 0, polls)" {
		t.Errorf("the alarm watches %s", watched)
	}
}

func TestTheAlarmOnPollsHasAPollInEachPeriodAndComesWithinHalfAnHour(t *testing.T) {
	stack := template(t)
	alarm := at[object](t, stack, "Resources", "PollsWithoutSuccessAlarm", "Properties")
	delay := at[int](t, stack, "Parameters", "MaxPollDelaySeconds", "MaxValue")
	for _, query := range at[[]any](t, alarm, "Metrics") {
		stat, ok := query.(object)["MetricStat"].(object)
		if !ok {
			continue
		}
		period := at[int](t, stat, "Period")
		if span := period * at[int](t, alarm, "EvaluationPeriods"); period < delay || span > 1800 {
			t.Errorf("a period of %d s, and %d s of them, with up to %d s between two polls", period, span, delay)
		}
	}
}

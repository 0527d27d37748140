package stack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/metric"
)

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

// Without a fault a job's end lies one delay back at most; the alarm is for more
// than two, so that one failed poll does not raise it.
func TestTheAlarmOnLagFollowsTheLongestDelay(t *testing.T) {
	alarm := at[object](t, template(t), "Resources", "DetectionLagAlarm", "Properties")
	queries := at[[]any](t, alarm, "Metrics")
	want := object{"Fn::Sub": "lag / 1000 - 2 * ${MaxPollDelaySeconds}"}
	if diff := cmp.Diff(want, at[object](t, queries[0].(object), "Expression")); diff != "" {
		t.Errorf("the alarm watches (-want +got):\n%s", diff)
	}
	stat := at[object](t, queries[1].(object), "MetricStat")
	if name := at[string](t, stat, "Metric", "MetricName"); name != string(metric.DetectionLag) {
		t.Errorf("lag is %s", name)
	}
}

// ofAWS are the metrics of AWS's own that the stack may name, each with its only
// dimension and the resource that is its value (Amazon SQS Developer Guide,
// "Available CloudWatch metrics"; AWS Lambda Developer Guide, "Types of metrics
// for Lambda functions").
var ofAWS = map[string]bool{
	"AWS/SQS ApproximateNumberOfMessagesVisible QueueName=<JobQueue.QueueName>":              true,
	"AWS/SQS ApproximateNumberOfMessagesNotVisible QueueName=<JobQueue.QueueName>":           true,
	"AWS/SQS ApproximateNumberOfMessagesDelayed QueueName=<JobQueue.QueueName>":              true,
	"AWS/SQS ApproximateAgeOfOldestMessage QueueName=<JobQueue.QueueName>":                   true,
	"AWS/SQS ApproximateNumberOfMessagesVisible QueueName=<JobDeadLetterQueue.QueueName>":    true,
	"AWS/SQS ApproximateNumberOfMessagesVisible QueueName=<ResumeDeadLetterQueue.QueueName>": true,
	"AWS/Lambda Duration FunctionName=<PollerFunction>":                                      true,
	"AWS/Lambda Errors FunctionName=<PollerFunction>":                                        true,
	"AWS/Lambda Throttles FunctionName=<PollerFunction>":                                     true,
	"AWS/Lambda ConcurrentExecutions FunctionName=<PollerFunction>":                          true,
}

func TestEveryMetricNamedIsEmitted(t *testing.T) {
	emitted := map[string]bool{}
	for _, d := range metric.Definitions {
		emitted[fmt.Sprintf("%s %s %s=<AWS::StackName>", metric.Namespace, d.Name, metric.Dimension)] = true
	}
	for _, w := range widgets(t) {
		for _, m := range w.Properties.Metrics {
			if len(m) == 5 {
				if _, options := m[4].(object); options {
					m = m[:4]
				}
			}
			if len(m) != 4 {
				t.Errorf("%q shows %v, which has not one dimension", w.Properties.Title, m)
				continue
			}
			if name := fmt.Sprintf("%s %s %s=%s", m[0], m[1], m[2], m[3]); !emitted[name] && !ofAWS[name] {
				t.Errorf("%q shows %s, which nobody emits", w.Properties.Title, name)
			}
		}
	}
	stack := template(t)
	for _, alarm := range ofType(t, stack, "AWS::CloudWatch::Alarm") {
		watched := 0
		walk(at[object](t, stack, "Resources", alarm, "Properties"), func(v any) {
			named, ok := v.(object)
			if !ok || named["MetricName"] == nil {
				return
			}
			watched++
			dimensions := at[[]any](t, named, "Dimensions")
			if len(dimensions) != 1 {
				t.Errorf("%s has %d dimensions", alarm, len(dimensions))
				return
			}
			dimension := dimensions[0].(object)
			name := fmt.Sprintf("%s %s %s=%s", named["Namespace"], named["MetricName"], dimension["Name"], bracketed(dimension["Value"]))
			if !emitted[name] && !ofAWS[name] {
				t.Errorf("%s watches %s, which nobody emits", alarm, name)
			}
		})
		if watched == 0 {
			t.Errorf("%s watches nothing", alarm)
		}
	}
}

// bracketed writes a Ref or GetAtt as widgets does.
func bracketed(v any) string {
	function, _ := v.(object)
	if get, ok := function["Fn::GetAtt"].([]any); ok {
		return fmt.Sprintf("<%s.%s>", get[0], get[1])
	}
	return fmt.Sprintf("<%s>", function["Ref"])
}

func TestTheCostsNameTheAlarmsAndMetricsThereAre(t *testing.T) {
	onOne, onThree := 0, 0
	for name, alarm := range properties(t, template(t), "AWS::CloudWatch::Alarm") {
		metrics := 0
		walk(alarm, func(v any) {
			if named, ok := v.(object); ok && named["MetricName"] != nil {
				metrics++
			}
		})
		switch {
		case at[object](t, template(t), "Resources", name)["Condition"] != nil: // docs/workflows.md has its price
		case metrics == 1:
			onOne++
		case metrics == 3:
			onThree++
		}
	}
	always := 0
	for _, d := range metric.Definitions {
		if d.Always {
			always++
		}
	}
	costs := strings.Join(strings.Fields(document(t, "docs/deploy.md")), " ")
	for _, want := range []string{
		fmt.Sprintf("%.2f for the %s alarms on one metric each, %.2f for the one on three", 0.1*float64(onOne), []string{7: "seven", 8: "eight"}[onOne], 0.3*float64(onThree)),
		fmt.Sprintf("alarms on %d metrics |", onOne+3*onThree),
		fmt.Sprintf("0.30 for each of the poller's own metrics (%d to %d,", always, len(metric.Definitions)),
	} {
		if !strings.Contains(costs, want) {
			t.Errorf("docs/deploy.md does not say: %s", want)
		}
	}
}

package stack

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/version"
)

var busName = object{"Fn::If": []any{"CreateEventBus", attribute("EventBus", "Name"), ref("EventBusName")}}

func TestTheFunctionIsGivenTheEnvironmentThatItReads(t *testing.T) {
	want := object{
		"CLUSTER_ENDPOINT":         ref("ClusterEndpoint"),
		"CLUSTER_TOKEN_SECRET_ARN": ref("ClusterTokenSecretArn"),
		"JOB_QUEUE_URL":            ref("JobQueue"),
		"DEAD_LETTER_QUEUE_URL":    ref("JobDeadLetterQueue"),
		"JOB_KIND":                 ref("JobKind"),
		"START_REFRESHES":          ref("StartRefreshes"),
		// The first of the two. The second has the function wait for the rule, which needs the bus.
		"EVENT_BUS_NAME": object{"Fn::If": []any{"CreateEventBus", attribute("EventBus", "Name"),
			object{"Fn::Select": []any{0, []any{ref("EventBusName"), ref("EventBusCheck")}}}}},
		"EVENT_SOURCE":            ref("EventSource"),
		"MIN_POLL_DELAY_SECONDS":  ref("MinPollDelaySeconds"),
		"MAX_POLL_DELAY_SECONDS":  ref("MaxPollDelaySeconds"),
		"WATCH_DEADLINE_SECONDS":  ref("WatchDeadlineSeconds"),
		"NOT_FOUND_GRACE_SECONDS": ref("NotFoundGraceSeconds"),
		"DESCRIBE_RATE_LIMIT":     ref("DescribeRateLimit"),
		"MAXIMUM_CONCURRENCY":     ref("MaximumConcurrency"),
		"PUBLISH_PROGRESS":        ref("PublishProgress"),
		"LOG_LEVEL":               ref("LogLevel"),
		"STACK_NAME":              ref("AWS::StackName"),
	}
	got := at[object](t, template(t), "Resources", "PollerFunction", "Properties", "Environment", "Variables")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestNoSecretIsResolvedIntoTheStack(t *testing.T) {
	walk(template(t), func(v any) {
		if text, ok := v.(string); ok && strings.Contains(text, "{{resolve:") {
			t.Errorf("the template resolves %s", text)
		}
	})
}

func TestTheFunctionRunsAsDesigned(t *testing.T) {
	function := at[object](t, template(t), "Resources", "PollerFunction")
	if diff := cmp.Diff(object{"BuildMethod": "makefile"}, at[object](t, function, "Metadata")); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	want := object{
		"CodeUri":       ".",
		"Handler":       "bootstrap",
		"Runtime":       "provided.al2023",
		"Architectures": []any{"arm64"},
		"MemorySize":    128,
		"Timeout":       30,
		// Without it Lambda ends every watch after 16 polls.
		"RecursiveLoop": "Allow",
		"Tracing":       ref("Tracing"),
		"LoggingConfig": object{"LogFormat": "JSON", "LogGroup": ref("PollerLogGroup"), "ApplicationLogLevel": "TRACE", "SystemLogLevel": "WARN"},
		"Events": object{"Jobs": object{"Type": "SQS", "Properties": object{
			"Queue":                          attribute("JobQueue", "Arn"),
			"BatchSize":                      10,
			"MaximumBatchingWindowInSeconds": ref("BatchingWindowSeconds"),
			"FunctionResponseTypes":          []any{"ReportBatchItemFailures"},
			"ScalingConfig":                  object{"MaximumConcurrency": ref("MaximumConcurrency")},
		}}},
	}
	properties := at[object](t, function, "Properties")
	got := object{}
	for key := range want {
		got[key] = properties[key]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	group := at[object](t, evaluate(t, nil).resources(), "PollerLogGroup", "Properties")
	if diff := cmp.Diff(object{"RetentionInDays": ref("LogRetentionDays")}, group); diff != "" {
		t.Errorf("log group (-want +got):\n%s", diff)
	}
}

func TestTheJobQueueGivesLambdaTimeToRetry(t *testing.T) {
	stack := template(t)
	timeout := at[int](t, stack, "Resources", "PollerFunction", "Properties", "Timeout")
	queue := at[object](t, stack, "Resources", "JobQueue", "Properties")
	window := at[int](t, stack, "Parameters", "BatchingWindowSeconds", "MaxValue")
	if visibility := at[int](t, queue, "VisibilityTimeout"); visibility < 6*timeout+window {
		t.Errorf("the visibility timeout is %d s, less than 6 times the function's %d s and the window of %d s", visibility, timeout, window)
	}
	redrive := at[object](t, queue, "RedrivePolicy")
	if diff := cmp.Diff(attribute("JobDeadLetterQueue", "Arn"), at[object](t, redrive, "deadLetterTargetArn")); diff != "" {
		t.Errorf("dead-letter queue (-want +got):\n%s", diff)
	}
	if count := at[int](t, redrive, "maxReceiveCount"); count < 5 {
		t.Errorf("a message is a dead letter after %d receives, fewer than 5", count)
	}
}

func TestQueuesAreStandardEncryptedAndKeepMessages14Days(t *testing.T) {
	stack := template(t)
	queues := ofType(t, stack, "AWS::SQS::Queue")
	if diff := cmp.Diff([]string{"JobDeadLetterQueue", "JobQueue", "ResumeDeadLetterQueue"}, queues); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	made := evaluate(t, map[string]string{"ResumeWorkflows": "true"}).resources()
	for _, name := range queues {
		queue := at[object](t, made, name, "Properties")
		if !at[bool](t, queue, "SqsManagedSseEnabled") {
			t.Errorf("%s is not encrypted", name)
		}
		if seconds := at[int](t, queue, "MessageRetentionPeriod"); seconds != 14*24*60*60 {
			t.Errorf("%s keeps messages %d s, not 14 days", name, seconds)
		}
		if queue["FifoQueue"] != nil {
			t.Errorf("%s is a FIFO queue, which delays no single message", name)
		}
	}
}

// The two queues name each other; one of them can do so by a name only.
func TestTheDeadLetterQueueTakesFromTheJobQueueOnly(t *testing.T) {
	stack := template(t)
	name := at[[]any](t, stack, "Resources", "JobQueue", "Properties", "QueueName", "Fn::Sub")
	want := object{
		"redrivePermission": "byQueue",
		"sourceQueueArns": []any{object{"Fn::Sub": []any{
			"arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:" + name[0].(string), name[1],
		}}},
	}
	got := at[object](t, stack, "Resources", "JobDeadLetterQueue", "Properties", "RedriveAllowPolicy")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("redrive allow policy (-want +got):\n%s", diff)
	}
}

func TestABusIsCreatedOnlyWhenNoneIsNamed(t *testing.T) {
	stack := template(t)
	empty := object{"Fn::Equals": []any{ref("EventBusName"), ""}}
	if diff := cmp.Diff(empty, at[object](t, stack, "Conditions", "CreateEventBus")); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	if condition := at[string](t, stack, "Resources", "EventBus", "Condition"); condition != "CreateEventBus" {
		t.Errorf("the bus is created on the condition %s", condition)
	}
}

// PutEvents takes events for a bus that does not exist and drops them. PutRule
// fails, and so does a stack with a rule on it.
func TestAStackWithoutItsNamedBusDoesNotDeploy(t *testing.T) {
	stack := template(t)
	given := object{"Fn::Not": []any{object{"Fn::Equals": []any{ref("EventBusName"), ""}}}}
	if diff := cmp.Diff(given, at[object](t, stack, "Conditions", "NamesEventBus")); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	rule := at[object](t, stack, "Resources", "EventBusCheck")
	if rule["Condition"] != "NamesEventBus" {
		t.Errorf("the bus is looked for on the condition %v", rule["Condition"])
	}
	got := maps.Clone(at[object](t, rule, "Properties"))
	delete(got, "Description")
	// No target and no state but DISABLED: it does nothing, costs nothing and lets nobody in.
	want := object{
		"EventBusName": ref("EventBusName"), "State": "DISABLED",
		"EventPattern": object{"source": []any{ref("EventSource")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rule (-want +got):\n%s", diff)
	}
}

func TestAlarmsWatchWhatAWSMeasures(t *testing.T) {
	stack := template(t)
	action := object{"Fn::If": []any{"Notifies", []any{ref("AlarmTopicArn")}, []any{}}}
	watched := map[string]bool{}
	for _, name := range ofType(t, stack, "AWS::CloudWatch::Alarm") {
		alarm := at[object](t, stack, "Resources", name, "Properties")
		if at[string](t, alarm, "AlarmDescription") == "" {
			t.Errorf("%s does not say what it means", name)
		}
		if diff := cmp.Diff(action, at[object](t, alarm, "AlarmActions")); diff != "" {
			t.Errorf("action of %s (-want +got):\n%s", name, diff)
		}
		if missing := at[string](t, alarm, "TreatMissingData"); missing != "notBreaching" {
			t.Errorf("%s takes missing data as %s: a stack with nothing to do would raise it", name, missing)
		}
		for of := range references(alarm["Dimensions"]) {
			watched[at[string](t, alarm, "MetricName")+" of "+of] = true
		}
	}
	for _, metric := range []string{
		"ApproximateNumberOfMessagesVisible of JobDeadLetterQueue",
		"ApproximateNumberOfMessagesVisible of ResumeDeadLetterQueue",
		"ApproximateAgeOfOldestMessage of JobQueue",
		"Errors of PollerFunction",
		"Throttles of PollerFunction",
	} {
		if !watched[metric] {
			t.Errorf("no alarm watches %s", metric)
		}
	}
}

func TestTheAgeAlarmLeavesTimeForTheLongestDelayAndAllRetries(t *testing.T) {
	stack := template(t)
	queue := at[object](t, stack, "Resources", "JobQueue", "Properties")
	retries := at[int](t, queue, "VisibilityTimeout") * at[int](t, queue, "RedrivePolicy", "maxReceiveCount")
	delay := at[int](t, stack, "Parameters", "MaxPollDelaySeconds", "MaxValue")
	if age := at[int](t, stack, "Resources", "OldestMessageAlarm", "Properties", "Threshold"); age < delay+retries {
		t.Errorf("the alarm is raised at %d s, before %d s", age, delay+retries)
	}
}

func TestOutputs(t *testing.T) {
	outputs := at[object](t, template(t), "Outputs")
	want := map[string]any{
		"JobQueueUrl":        ref("JobQueue"),
		"JobQueueArn":        attribute("JobQueue", "Arn"),
		"DeadLetterQueueUrl": ref("JobDeadLetterQueue"),
		"EventBusName":       busName,
		"EventBusArn": object{"Fn::If": []any{"CreateEventBus", attribute("EventBus", "Arn"),
			object{"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"}}},
		"PollerFunctionName": ref("PollerFunction"),
		"EnqueuePolicyArn":   ref("EnqueuePolicy"),

		"ResumeFunctionName":       ref("ResumeFunction"),
		"ResumeDeadLetterQueueUrl": ref("ResumeDeadLetterQueue"),

		"Version": version.Number,
	}
	got := map[string]any{}
	for name, output := range outputs {
		got[name] = output.(object)["Value"]
		if at[string](t, output.(object), "Description") == "" {
			t.Errorf("the output %s has no description", name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

// detailTypes are those of all kinds, as the template lists them.
func detailTypes() (all []any) {
	for _, kind := range milvus.JobKinds() {
		all = append(all, kind.DetailType())
	}
	return all
}

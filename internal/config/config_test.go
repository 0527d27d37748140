package config

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/poller"
)

const (
	endpoint = "https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530"
	secret   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cluster/token-AbCdEf"
)

// required are the variables without a default.
var required = map[string]string{
	"CLUSTER_ENDPOINT":         endpoint,
	"CLUSTER_TOKEN_SECRET_ARN": secret,
	"JOB_QUEUE_URL":            "https://sqs.eu-central-1.amazonaws.com/123456789012/JobQueue",
	"DEAD_LETTER_QUEUE_URL":    "https://sqs.eu-central-1.amazonaws.com/123456789012/JobDeadLetterQueue",
	"EVENT_BUS_NAME":           "refreshes",
	"STACK_NAME":               "refresh-poller",
}

// with returns the required variables, some of them changed.
func with(changes map[string]string) map[string]string {
	environ := maps.Clone(required)
	maps.Copy(environ, changes)
	return environ
}

func load(t *testing.T, changes map[string]string) Config {
	t.Helper()
	c, err := Load(with(changes))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatIsNotSetHasTheTemplatesDefault(t *testing.T) {
	want := Config{
		ClusterEndpoint:       endpoint,
		ClusterTokenSecretArn: secret,
		JobQueueUrl:           required["JOB_QUEUE_URL"],
		DeadLetterQueueUrl:    required["DEAD_LETTER_QUEUE_URL"],
		JobKind:               milvus.ExternalCollection,
		EventBusName:          "refreshes",
		EventSource:           "refresh-poller",
		MinPollDelaySeconds:   2,
		MaxPollDelaySeconds:   300,
		WatchDeadlineSeconds:  86400,
		NotFoundGraceSeconds:  120,
		DescribeRateLimit:     20,
		MaximumConcurrency:    2,
		PublishProgress:       false,
		LogLevel:              slog.LevelInfo,
		StackName:             "refresh-poller",
	}
	empty := map[string]string{}
	for _, name := range []string{
		"JOB_KIND", "START_REFRESHES", "EVENT_SOURCE", "MIN_POLL_DELAY_SECONDS", "MAX_POLL_DELAY_SECONDS", "WATCH_DEADLINE_SECONDS",
		"NOT_FOUND_GRACE_SECONDS", "DESCRIBE_RATE_LIMIT", "MAXIMUM_CONCURRENCY", "PUBLISH_PROGRESS", "LOG_LEVEL",
	} {
		empty[name] = ""
	}
	for name, changes := range map[string]map[string]string{"not set": nil, "empty": empty} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, load(t, changes)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryParameterIsRead(t *testing.T) {
	got := load(t, map[string]string{
		"CLUSTER_ENDPOINT":        "https://milvus.example.org/",
		"JOB_KIND":                "import",
		"START_REFRESHES":         "true",
		"EVENT_SOURCE":            "books",
		"MIN_POLL_DELAY_SECONDS":  "10",
		"MAX_POLL_DELAY_SECONDS":  "20",
		"WATCH_DEADLINE_SECONDS":  "30",
		"NOT_FOUND_GRACE_SECONDS": "40",
		"DESCRIBE_RATE_LIMIT":     "0.5",
		"MAXIMUM_CONCURRENCY":     "60",
		"PUBLISH_PROGRESS":        "true",
		"LOG_LEVEL":               "DEBUG",
	})
	want := load(t, nil)
	want.ClusterEndpoint = "https://milvus.example.org"
	want.JobKind = "import"
	want.StartRefreshes = true
	want.EventSource = "books"
	want.MinPollDelaySeconds = 10
	want.MaxPollDelaySeconds = 20
	want.WatchDeadlineSeconds = 30
	want.NotFoundGraceSeconds = 40
	want.DescribeRateLimit = 0.5
	want.MaximumConcurrency = 60
	want.PublishProgress = true
	want.LogLevel = slog.LevelDebug
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestValuesJustInsideTheirBoundsAreTaken(t *testing.T) {
	tests := map[string]map[string]string{
		"the shortest delays":               {"MIN_POLL_DELAY_SECONDS": "1", "MAX_POLL_DELAY_SECONDS": "1"},
		"the longest delays":                {"MIN_POLL_DELAY_SECONDS": "900", "MAX_POLL_DELAY_SECONDS": "900"},
		"the shortest deadline":             {"WATCH_DEADLINE_SECONDS": "1"},
		"the longest deadline":              {"WATCH_DEADLINE_SECONDS": "1209600"},
		"no grace":                          {"NOT_FOUND_GRACE_SECONDS": "0"},
		"the longest grace":                 {"NOT_FOUND_GRACE_SECONDS": "86400"},
		"a tiny rate":                       {"DESCRIBE_RATE_LIMIT": "0.001"},
		"a huge rate":                       {"DESCRIBE_RATE_LIMIT": "1e6"},
		"the least concurrency":             {"MAXIMUM_CONCURRENCY": "2"},
		"the most concurrency":              {"MAXIMUM_CONCURRENCY": "1000"},
		"progress":                          {"PUBLISH_PROGRESS": "true"},
		"no progress":                       {"PUBLISH_PROGRESS": "false"},
		"debug":                             {"LOG_LEVEL": "DEBUG"},
		"info":                              {"LOG_LEVEL": "INFO"},
		"warn":                              {"LOG_LEVEL": "WARN"},
		"error":                             {"LOG_LEVEL": "ERROR"},
		"a source of one letter":            {"EVENT_SOURCE": "a"},
		"a source that only resembles aws.": {"EVENT_SOURCE": "aws-poller"},
		"http for localhost":                {"CLUSTER_ENDPOINT": "http://localhost:19530"},
		"http for 127.0.0.1":                {"CLUSTER_ENDPOINT": "http://127.0.0.1:19530"},
		"no port":                           {"CLUSTER_ENDPOINT": "https://milvus.example.org"},
		"another partition":                 {"CLUSTER_TOKEN_SECRET_ARN": "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:x"},
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(with(changes)); err != nil {
				t.Error(err)
			}
		})
	}
}

const (
	badEndpoint = "ClusterEndpoint must be an https URL of scheme, host and, if need be, port only, such as https://in01-0123456789abcde.aws-us-west-2.vectordb.zillizcloud.com:19530 (http is for localhost, 127.0.0.1, addresses of RFC 1918, names in .internal or .local, and internal-*.elb.amazonaws.com)"
	badSecret   = "ClusterTokenSecretArn must be the ARN of a Secrets Manager secret"
	badRate     = "DescribeRateLimit must be a number of requests a second above 0"
	badLevel    = "LogLevel must be DEBUG, INFO, WARN or ERROR"
	badSource   = `EventSource must not be empty or start with "aws."`
)

var badKind = "JobKind must be one of " + milvus.KindNames()

func TestEveryFaultIsASentenceInTheTemplatesWords(t *testing.T) {
	tests := map[string]struct {
		variable, value, want string
	}{
		"no endpoint":                      {"CLUSTER_ENDPOINT", "", badEndpoint},
		"http":                             {"CLUSTER_ENDPOINT", "http://milvus.example.org", badEndpoint},
		"http for a host like localhost":   {"CLUSTER_ENDPOINT", "http://localhost.example.org", badEndpoint},
		"http for another loopback":        {"CLUSTER_ENDPOINT", "http://127.0.0.2", badEndpoint},
		"another scheme":                   {"CLUSTER_ENDPOINT", "grpc://milvus.example.org", badEndpoint},
		"no scheme":                        {"CLUSTER_ENDPOINT", "milvus.example.org:19530", badEndpoint},
		"no host":                          {"CLUSTER_ENDPOINT", "https://", badEndpoint},
		"user info":                        {"CLUSTER_ENDPOINT", "https://root@milvus.example.org", badEndpoint},
		"a path":                           {"CLUSTER_ENDPOINT", "https://milvus.example.org/v2", badEndpoint},
		"a query":                          {"CLUSTER_ENDPOINT", "https://milvus.example.org?a=b", badEndpoint},
		"a fragment":                       {"CLUSTER_ENDPOINT", "https://milvus.example.org#a", badEndpoint},
		"a port out of range":              {"CLUSTER_ENDPOINT", "https://milvus.example.org:65536", badEndpoint},
		"no secret":                        {"CLUSTER_TOKEN_SECRET_ARN", "", badSecret},
		"a secret's name":                  {"CLUSTER_TOKEN_SECRET_ARN", "cluster/token", badSecret},
		"another service's ARN":            {"CLUSTER_TOKEN_SECRET_ARN", "arn:aws:sqs:eu-central-1:123456789012:secret:x", badSecret},
		"no queue":                         {"JOB_QUEUE_URL", "", "JobQueueUrl must be the URL of the queue"},
		"no dead-letter queue":             {"DEAD_LETTER_QUEUE_URL", "", "DeadLetterQueueUrl must be the URL of the dead-letter queue"},
		"no bus":                           {"EVENT_BUS_NAME", "", "EventBusName must be the name of an event bus"},
		"no stack":                         {"STACK_NAME", "", "StackName must be the name of the stack"},
		"a kind that there isn't":          {"JOB_KIND", "compaction", badKind},
		"a kind in capitals":               {"JOB_KIND", "Import", badKind},
		"a source of AWS's own":            {"EVENT_SOURCE", "aws.sqs", badSource},
		"a minimum of 0":                   {"MIN_POLL_DELAY_SECONDS", "0", "MinPollDelaySeconds must be 1 to 900"},
		"a minimum above 900":              {"MIN_POLL_DELAY_SECONDS", "901", "MinPollDelaySeconds must be 1 to 900"},
		"a minimum that is a fraction":     {"MIN_POLL_DELAY_SECONDS", "1.5", "MinPollDelaySeconds must be a whole number"},
		"a minimum over int32":             {"MIN_POLL_DELAY_SECONDS", "4294967301", "MinPollDelaySeconds must be 1 to 900"},
		"a maximum of 0":                   {"MAX_POLL_DELAY_SECONDS", "0", "MaxPollDelaySeconds must be 1 to 900"},
		"a maximum above 900":              {"MAX_POLL_DELAY_SECONDS", "901", "MaxPollDelaySeconds must be 1 to 900"},
		"a maximum below the minimum":      {"MAX_POLL_DELAY_SECONDS", "1", "MaxPollDelaySeconds must not be below MinPollDelaySeconds"},
		"a deadline of 0":                  {"WATCH_DEADLINE_SECONDS", "0", "WatchDeadlineSeconds must be 1 to 1209600"},
		"a deadline over 14 days":          {"WATCH_DEADLINE_SECONDS", "1209601", "WatchDeadlineSeconds must be 1 to 1209600"},
		"a deadline in words":              {"WATCH_DEADLINE_SECONDS", "a day", "WatchDeadlineSeconds must be a whole number"},
		"a negative grace":                 {"NOT_FOUND_GRACE_SECONDS", "-1", "NotFoundGraceSeconds must be 0 to 86400"},
		"a grace over a day":               {"NOT_FOUND_GRACE_SECONDS", "86401", "NotFoundGraceSeconds must be 0 to 86400"},
		"a rate of 0":                      {"DESCRIBE_RATE_LIMIT", "0", badRate},
		"a negative rate":                  {"DESCRIBE_RATE_LIMIT", "-1", badRate},
		"a rate that is no number":         {"DESCRIBE_RATE_LIMIT", "NaN", "DescribeRateLimit must be a number"},
		"an infinite rate":                 {"DESCRIBE_RATE_LIMIT", "Inf", badRate},
		"a rate infinite in the other way": {"DESCRIBE_RATE_LIMIT", "-Inf", badRate},
		"a rate in words":                  {"DESCRIBE_RATE_LIMIT", "twenty", "DescribeRateLimit must be a number"},
		"a concurrency of 1":               {"MAXIMUM_CONCURRENCY", "1", "MaximumConcurrency must be 2 to 1000"},
		"a concurrency above 1000":         {"MAXIMUM_CONCURRENCY", "1001", "MaximumConcurrency must be 2 to 1000"},
		"progress in other words":          {"PUBLISH_PROGRESS", "yes", "PublishProgress must be true or false"},
		"starts in other words":            {"START_REFRESHES", "yes", "StartRefreshes must be true or false"},
		"a level that there isn't":         {"LOG_LEVEL", "TRACE", badLevel},
		"progress as a letter":             {"PUBLISH_PROGRESS", "T", "PublishProgress must be true or false"},
		"progress as a number":             {"PUBLISH_PROGRESS", "1", "PublishProgress must be true or false"},
		"a level in small letters":         {"LOG_LEVEL", "info", badLevel},
		"a level with an offset":           {"LOG_LEVEL", "INFO+4", badLevel},
		"a level as a number":              {"LOG_LEVEL", "4", badLevel},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(with(map[string]string{tt.variable: tt.value}))
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheControlPlaneStartsNoRefreshes(t *testing.T) {
	_, err := Load(with(map[string]string{"START_REFRESHES": "true", "JOB_KIND": "cloud"}))
	if err == nil || err.Error() != "StartRefreshes must be false where JobKind is cloud: the control plane starts no refreshes" {
		t.Error(err)
	}
}

func TestAMinimumThatIsWrongIsTheOnlyFault(t *testing.T) {
	for _, minimum := range []string{"901", "many"} {
		_, err := Load(with(map[string]string{"MIN_POLL_DELAY_SECONDS": minimum}))
		if err == nil || strings.Contains(err.Error(), "MaxPollDelaySeconds") {
			t.Errorf("%s: %v", minimum, err)
		}
	}
}

func TestAllFaultsAreReportedAtOnceWithoutAnyValue(t *testing.T) {
	const password = "hunter2"
	environ := map[string]string{"EVENT_BUS_NAME": "", "STACK_NAME": "", "JOB_QUEUE_URL": "", "DEAD_LETTER_QUEUE_URL": "", "EVENT_SOURCE": "aws." + password}
	for _, name := range []string{
		"CLUSTER_ENDPOINT", "CLUSTER_TOKEN_SECRET_ARN", "JOB_KIND", "START_REFRESHES", "MIN_POLL_DELAY_SECONDS", "MAX_POLL_DELAY_SECONDS",
		"WATCH_DEADLINE_SECONDS", "NOT_FOUND_GRACE_SECONDS", "DESCRIBE_RATE_LIMIT", "MAXIMUM_CONCURRENCY",
		"PUBLISH_PROGRESS", "LOG_LEVEL",
	} {
		environ[name] = "https://root:" + password + "@milvus.example.org"
	}
	_, err := Load(environ)
	if err == nil {
		t.Fatal("accepted")
	}
	want := strings.Join([]string{
		badEndpoint,
		badSecret,
		"JobQueueUrl must be the URL of the queue",
		"DeadLetterQueueUrl must be the URL of the dead-letter queue",
		badKind,
		"StartRefreshes must be true or false",
		"EventBusName must be the name of an event bus",
		badSource,
		"MinPollDelaySeconds must be a whole number",
		"MaxPollDelaySeconds must be a whole number",
		"WatchDeadlineSeconds must be a whole number",
		"NotFoundGraceSeconds must be a whole number",
		"DescribeRateLimit must be a number",
		"MaximumConcurrency must be a whole number",
		"PublishProgress must be true or false",
		badLevel,
		"StackName must be the name of the stack",
	}, "\n")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(err.Error(), password) {
		t.Error("the error holds the password")
	}
}

func TestAWrongNumberIsMendedToTheNearestRightOne(t *testing.T) {
	type variables = map[string]string
	const (
		minimum, maximum = "MIN_POLL_DELAY_SECONDS", "MAX_POLL_DELAY_SECONDS"
		deadline, rate   = "WATCH_DEADLINE_SECONDS", "DESCRIBE_RATE_LIMIT"
	)
	tests := map[string]struct {
		given, worksAs variables
		fault          string
	}{
		"a maximum below the minimum":     {variables{minimum: "600"}, variables{minimum: "600", maximum: "600"}, "MaxPollDelaySeconds must not be below MinPollDelaySeconds"},
		"a minimum above all maxima":      {variables{minimum: "901"}, variables{minimum: "900", maximum: "900"}, "MinPollDelaySeconds must be 1 to 900"},
		"a maximum below all minima":      {variables{maximum: "0"}, variables{maximum: "2"}, "MaxPollDelaySeconds must be 1 to 900"},
		"a fraction":                      {variables{minimum: "7.5"}, variables{minimum: "8"}, "MinPollDelaySeconds must be a whole number"},
		"a fraction next to no right one": {variables{minimum: "0.4"}, variables{minimum: "1"}, "MinPollDelaySeconds must be a whole number"},
		"no number":                       {variables{deadline: "a day"}, nil, "WatchDeadlineSeconds must be a whole number"},
		"more than a float64 holds":       {variables{deadline: "1e400"}, variables{deadline: "1209600"}, "WatchDeadlineSeconds must be 1 to 1209600"},
		"no rate":                         {variables{rate: "0"}, variables{rate: "0.001"}, badRate},
		"a rate in words":                 {variables{rate: "twenty"}, nil, "DescribeRateLimit must be a number"},
		"an infinite rate":                {variables{rate: "Inf"}, variables{rate: fmt.Sprint(math.MaxFloat64)}, badRate},
		"two at once":                     {variables{minimum: "0", deadline: "0"}, variables{minimum: "1", deadline: "1"}, "MinPollDelaySeconds must be 1 to 900\nWatchDeadlineSeconds must be 1 to 1209600"},
		"none, but in odd writing":        {variables{minimum: "+1e1", maximum: " 20.0", deadline: "030"}, variables{minimum: "10", maximum: "20", deadline: "30"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, faults, err := Mend(with(tt.given))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(load(t, tt.worksAs), got); diff != "" {
				t.Error(diff)
			}
			var sentences []string
			for _, fault := range faults {
				sentences = append(sentences, fault.Error())
			}
			if diff := cmp.Diff(tt.fault, strings.Join(sentences, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNoNumberStopsTheFunction(t *testing.T) {
	_, faults, err := Mend(with(map[string]string{"EVENT_BUS_NAME": "", "MIN_POLL_DELAY_SECONDS": "0"}))
	if err == nil || err.Error() != "EventBusName must be the name of an event bus" || len(faults) != 1 {
		t.Errorf("%v; mended: %v", err, faults)
	}
}

func TestSettingsAreDurations(t *testing.T) {
	got := load(t, map[string]string{"PUBLISH_PROGRESS": "true", "START_REFRESHES": "true"}).Settings()
	want := poller.Settings{
		MinDelay:        2 * time.Second,
		MaxDelay:        5 * time.Minute,
		Deadline:        24 * time.Hour,
		Grace:           2 * time.Minute,
		StartRefreshes:  true,
		PublishProgress: true,
		ClusterEndpoint: endpoint,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAllSharesTogetherAreTheRateLimit(t *testing.T) {
	tests := map[string]struct {
		limit, concurrency string
		want               float64
	}{
		"the defaults":     {"20", "2", 10},
		"below one each":   {"20", "1000", 0.02},
		"a fraction of it": {"0.5", "2", 0.25},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := load(t, map[string]string{"DESCRIBE_RATE_LIMIT": tt.limit, "MAXIMUM_CONCURRENCY": tt.concurrency})
			if got := c.DescribeRateShare(); math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAPollerIsOfTheConfiguredStack(t *testing.T) {
	c, err := Load(with(map[string]string{"JOB_KIND": "import"}))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Poller()
	got := []string{p.JobQueueURL, p.DeadLetterQueueURL, p.EventBusName, p.EventSource, p.Stack, p.Settings.ClusterEndpoint, string(p.JobKind)}
	want := []string{c.JobQueueUrl, c.DeadLetterQueueUrl, "refreshes", "refresh-poller", "refresh-poller", c.ClusterEndpoint, "import"}
	if diff := cmp.Diff(want, got); diff != "" || c.Cluster() == nil {
		t.Error(diff)
	}
}

func TestANewExecutionLetsTheFirstSecondPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Config{DescribeRateLimit: 20, MaximumConcurrency: 2}.Limiter()
		began := time.Now()
		for range 11 {
			done, err := l.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			done()
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("one request more than its share a second started after %s, want 2s", took)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("5", "300", "86400", "120", "20", "2", "false", "INFO")
	f.Add("0x5", "+300", "1_0", "-0", "1e400", "2.", "T", "info+2")
	f.Add(" 5", "9223372036854775808", "٣", "\x00", "NaN", "", "", "\n")
	f.Fuzz(func(t *testing.T, minDelay, maxDelay, deadline, grace, rate, concurrency, progress, level string) {
		c, err := Load(with(map[string]string{
			"MIN_POLL_DELAY_SECONDS": minDelay, "MAX_POLL_DELAY_SECONDS": maxDelay, "WATCH_DEADLINE_SECONDS": deadline,
			"NOT_FOUND_GRACE_SECONDS": grace, "DESCRIBE_RATE_LIMIT": rate, "MAXIMUM_CONCURRENCY": concurrency,
			"PUBLISH_PROGRESS": progress, "LOG_LEVEL": level,
		}))
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if name, right, _ := strings.Cut(line, " "); !strings.HasPrefix(right, "must ") || name == "" {
					t.Errorf("%q does not say what is right", line)
				}
			}
		}
		// Also where it was mended.
		s := c.Settings()
		if s.MinDelay < time.Second || s.MinDelay > s.MaxDelay || s.MaxDelay > 900*time.Second || s.Grace < 0 || s.Grace > 24*time.Hour ||
			s.Deadline < time.Second || s.Deadline > 14*24*time.Hour || !(c.DescribeRateLimit > 0) ||
			c.MaximumConcurrency < 2 || c.MaximumConcurrency > 1000 {
			t.Errorf("%+v, %v describes a second", s, c.DescribeRateLimit)
		}
		c.Limiter()
	})
}

// Package config reads the poller's configuration from the environment and
// says all that is wrong with it at once, in the words of the template.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"refresh-poller/internal/limiter"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/poller"
)

// Config is the environment that the template sets. Each field bears the name
// of the template's parameter, or of the output, that it comes from (StackName:
// AWS's own parameter); the defaults are the template's.
type Config struct {
	ClusterEndpoint       string         `env:"CLUSTER_ENDPOINT"`
	ClusterTokenSecretArn string         `env:"CLUSTER_TOKEN_SECRET_ARN"`
	JobQueueUrl           string         `env:"JOB_QUEUE_URL"`
	DeadLetterQueueUrl    string         `env:"DEAD_LETTER_QUEUE_URL"`
	JobKind               milvus.JobKind `env:"JOB_KIND" envDefault:"external_collection"`
	EventBusName          string         `env:"EVENT_BUS_NAME"`
	EventSource           string         `env:"EVENT_SOURCE" envDefault:"refresh-poller"`
	MinPollDelaySeconds   int            `env:"MIN_POLL_DELAY_SECONDS" envDefault:"5"`
	MaxPollDelaySeconds   int            `env:"MAX_POLL_DELAY_SECONDS" envDefault:"300"`
	WatchDeadlineSeconds  int            `env:"WATCH_DEADLINE_SECONDS" envDefault:"86400"`
	NotFoundGraceSeconds  int            `env:"NOT_FOUND_GRACE_SECONDS" envDefault:"120"`
	DescribeRateLimit     float64        `env:"DESCRIBE_RATE_LIMIT" envDefault:"20"`
	MaximumConcurrency    int            `env:"MAXIMUM_CONCURRENCY" envDefault:"2"`
	PublishProgress       bool           `env:"PUBLISH_PROGRESS" envDefault:"false"`
	LogLevel              slog.Level     `env:"LOG_LEVEL" envDefault:"INFO"`
	StackName             string         `env:"STACK_NAME"`
}

// Load reads environ, a map of environment variables. The error joins one
// sentence for each parameter that is wrong; none repeats a value, which might
// be a credential put in the wrong place.
func Load(environ map[string]string) (Config, error) {
	var c Config
	faults := unreadable(env.ParseWithOptions(&c, env.Options{Environment: environ}))
	check := func(name string, ok bool, right string) {
		if _, already := faults[name]; !ok && !already {
			faults[name] = right
		}
	}
	endpoint, err := milvus.Endpoint(c.ClusterEndpoint)
	if err != nil {
		faults["ClusterEndpoint"] = err.Error()
	}
	c.ClusterEndpoint = endpoint
	check("ClusterTokenSecretArn", secretARN.MatchString(c.ClusterTokenSecretArn), "must be the ARN of a Secrets Manager secret")
	check("JobQueueUrl", c.JobQueueUrl != "", "must be the URL of the queue")
	check("DeadLetterQueueUrl", c.DeadLetterQueueUrl != "", "must be the URL of the dead-letter queue")
	check("JobKind", c.JobKind.Known(), "must be one of "+milvus.KindNames())
	check("EventBusName", c.EventBusName != "", "must be the name of an event bus")
	check("EventSource", c.EventSource != "" && !strings.HasPrefix(c.EventSource, "aws."), `must not be empty or start with "aws."`)
	check("MinPollDelaySeconds", within(c.MinPollDelaySeconds, 1, 900), "must be 1 to 900")
	check("MaxPollDelaySeconds", within(c.MaxPollDelaySeconds, 1, 900), "must be 1 to 900")
	check("MaxPollDelaySeconds", c.MaxPollDelaySeconds >= c.MinPollDelaySeconds || faults["MinPollDelaySeconds"] != "", "must not be below MinPollDelaySeconds")
	check("WatchDeadlineSeconds", within(c.WatchDeadlineSeconds, 1, 1209600), "must be 1 to 1209600")
	check("NotFoundGraceSeconds", within(c.NotFoundGraceSeconds, 0, 86400), "must be 0 to 86400")
	check("DescribeRateLimit", c.DescribeRateLimit > 0 && !math.IsInf(c.DescribeRateLimit, 0), "must be a number of requests a second above 0")
	check("MaximumConcurrency", within(c.MaximumConcurrency, 2, 1000), "must be 2 to 1000")
	// strconv and slog take more words than the template: T, debug, INFO+2.
	check("PublishProgress", oneOf(environ["PUBLISH_PROGRESS"], "true", "false"), "must be true or false")
	check("LogLevel", oneOf(environ["LOG_LEVEL"], "DEBUG", "INFO", "WARN", "ERROR"), "must be DEBUG, INFO, WARN or ERROR")
	check("StackName", c.StackName != "", "must be the name of the stack")
	return c, report(faults)
}

var secretARN = regexp.MustCompile(`^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\S+$`)

func within(n, low, high int) bool { return low <= n && n <= high }

// oneOf reports whether text is one of words, or empty, which stands for the
// default.
func oneOf(text string, words ...string) bool { return text == "" || slices.Contains(words, text) }

// unreadable returns what env could not parse, by the field's name.
func unreadable(err error) map[string]string {
	faults := map[string]string{}
	all, _ := errors.AsType[env.AggregateError](err)
	for _, err := range all.Errors {
		fault, ok := errors.AsType[env.ParseError](err)
		if !ok {
			panic(err) // the struct's tags are wrong, not its values
		}
		switch fault.Type {
		case reflect.TypeFor[float64]():
			faults[fault.Name] = "must be a number"
		case reflect.TypeFor[int]():
			faults[fault.Name] = "must be a whole number"
		}
	}
	return faults
}

// report joins the faults in the order of the fields.
func report(faults map[string]string) error {
	var all []error
	for field := range reflect.TypeFor[Config]().Fields() {
		if fault, ok := faults[field.Name]; ok {
			all = append(all, fmt.Errorf("%s %s", field.Name, fault))
		}
	}
	return errors.Join(all...)
}

// Poller returns a poller of the configured stack. Its Tokens, SQS, EventBridge,
// Limiter, Log and Metrics are still to be set.
func (c Config) Poller() *poller.Poller {
	return &poller.Poller{
		Settings:           c.Settings(),
		JobQueueURL:        c.JobQueueUrl,
		DeadLetterQueueURL: c.DeadLetterQueueUrl,
		JobKind:            c.JobKind,
		EventBusName:       c.EventBusName,
		EventSource:        c.EventSource,
		Stack:              c.StackName,
		Cluster:            milvus.NewClient(c.ClusterEndpoint, batchSize),
	}
}

// batchSize is the template's: so many describes may be under way at once.
const batchSize = 10

// Settings returns what the poller decides by.
func (c Config) Settings() poller.Settings {
	return poller.Settings{
		MinDelay:        time.Duration(c.MinPollDelaySeconds) * time.Second,
		MaxDelay:        time.Duration(c.MaxPollDelaySeconds) * time.Second,
		Deadline:        time.Duration(c.WatchDeadlineSeconds) * time.Second,
		Grace:           time.Duration(c.NotFoundGraceSeconds) * time.Second,
		PublishProgress: c.PublishProgress,
		ClusterEndpoint: c.ClusterEndpoint,
	}
}

// DescribeRateShare returns how many describes a second one execution
// environment may start, so that all of them stay under DescribeRateLimit.
func (c Config) DescribeRateShare() float64 {
	return c.DescribeRateLimit / float64(c.MaximumConcurrency)
}

// Limiter returns the limiter of an execution environment that may have taken the
// place of another.
func (c Config) Limiter() *limiter.Limiter {
	l := limiter.New(c.DescribeRateShare())
	l.Spend()
	return l
}

// Package config reads the poller's configuration from the environment and
// says all that is wrong with it at once, in the words of the template.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
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
	StartRefreshes        bool           `env:"START_REFRESHES" envDefault:"false"`
	EventBusName          string         `env:"EVENT_BUS_NAME"`
	EventSource           string         `env:"EVENT_SOURCE" envDefault:"refresh-poller"`
	MinPollDelaySeconds   int            `env:"MIN_POLL_DELAY_SECONDS" envDefault:"2"`
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
	c, others, numbers := read(environ)
	maps.Copy(others, numbers)
	return c, errors.Join(sentences(others)...)
}

// Mend is Load for a function that runs already, which a wrong number is not to
// stop: CloudFormation can't tell them all. The nearest that is right takes its
// place, or the default if it is no number, and faults has Load's sentence on it.
func Mend(environ map[string]string) (c Config, faults []error, err error) {
	c, others, numbers := read(environ)
	return c, sentences(numbers), errors.Join(sentences(others)...)
}

// read returns what is wrong by the parameters' names: numbers, which it has
// mended, and others.
func read(environ map[string]string) (c Config, others, numbers map[string]string) {
	_ = env.ParseWithOptions(&c, env.Options{Environment: environ}) // what it can't read is found below
	others, numbers = c.checkTexts(environ), c.mendNumbers(environ)
	return c, others, numbers
}

func (c *Config) checkTexts(environ map[string]string) map[string]string {
	faults := map[string]string{}
	check := func(name string, ok bool, right string) {
		if !ok {
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
	check("StartRefreshes", oneOf(environ["START_REFRESHES"], "true", "false"), "must be true or false")
	if c.StartRefreshes && c.JobKind == "cloud" {
		faults["StartRefreshes"] = "must be false where JobKind is cloud: the control plane starts no refreshes"
	}
	check("EventBusName", c.EventBusName != "", "must be the name of an event bus")
	check("EventSource", c.EventSource != "" && !strings.HasPrefix(c.EventSource, "aws."), `must not be empty or start with "aws."`)
	// strconv and slog take more words than the template: T, debug, INFO+2.
	check("PublishProgress", oneOf(environ["PUBLISH_PROGRESS"], "true", "false"), "must be true or false")
	check("LogLevel", oneOf(environ["LOG_LEVEL"], "DEBUG", "INFO", "WARN", "ERROR"), "must be DEBUG, INFO, WARN or ERROR")
	check("StackName", c.StackName != "", "must be the name of the stack")
	return faults
}

func (c *Config) mendNumbers(environ map[string]string) map[string]string {
	faults := map[string]string{}
	for name, n := range map[string]struct {
		field       *int
		least, most float64
	}{
		"MinPollDelaySeconds":  {&c.MinPollDelaySeconds, 1, 900},
		"MaxPollDelaySeconds":  {&c.MaxPollDelaySeconds, 1, 900},
		"WatchDeadlineSeconds": {&c.WatchDeadlineSeconds, 1, 1209600},
		"NotFoundGraceSeconds": {&c.NotFoundGraceSeconds, 0, 86400},
		"MaximumConcurrency":   {&c.MaximumConcurrency, 2, 1000},
	} {
		given, ok := number(environ, name)
		whole := math.Round(given)
		nearest := min(max(whole, n.least), n.most)
		switch *n.field = int(nearest); {
		case !ok || given != whole:
			faults[name] = "must be a whole number"
		case given != nearest:
			faults[name] = fmt.Sprintf("must be %.0f to %.0f", n.least, n.most)
		}
	}
	if c.MaxPollDelaySeconds < c.MinPollDelaySeconds {
		c.MaxPollDelaySeconds = c.MinPollDelaySeconds
		if faults["MaxPollDelaySeconds"]+faults["MinPollDelaySeconds"] == "" {
			faults["MaxPollDelaySeconds"] = "must not be below MinPollDelaySeconds"
		}
	}
	rate, ok := number(environ, "DescribeRateLimit")
	c.DescribeRateLimit = rate
	switch {
	case !ok:
		faults["DescribeRateLimit"] = "must be a number"
	case rate <= 0 || math.IsInf(rate, 0):
		c.DescribeRateLimit = min(max(rate, leastRate), math.MaxFloat64)
		faults["DescribeRateLimit"] = "must be a number of requests a second above 0"
	}
	return faults
}

// leastRate is the template's MinValue of DescribeRateLimit.
const leastRate = 0.001

var secretARN = regexp.MustCompile(`^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\S+$`)

// oneOf reports whether text is one of words, or empty, which stands for the
// default.
func oneOf(text string, words ...string) bool { return text == "" || slices.Contains(words, text) }

// number returns the parameter's value: the default if it is not set, or not
// ok. CloudFormation's type Number is an integer or a float, and how it may be
// written is not documented (User Guide, "Parameters").
func number(environ map[string]string, name string) (value float64, ok bool) {
	field, _ := reflect.TypeFor[Config]().FieldByName(name)
	text := strings.TrimSpace(cmp.Or(environ[field.Tag.Get("env")], field.Tag.Get("envDefault")))
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(value) {
		value, _ = strconv.ParseFloat(field.Tag.Get("envDefault"), 64)
		return value, false
	}
	return value, true
}

// sentences returns the faults in the order of the fields.
func sentences(faults map[string]string) (all []error) {
	for field := range reflect.TypeFor[Config]().Fields() {
		if fault, ok := faults[field.Name]; ok {
			all = append(all, fmt.Errorf("%s %s", field.Name, fault))
		}
	}
	return all
}

// Poller returns a poller of the configured stack. Its Cluster, Refreshes,
// Tokens, SQS, EventBridge, Limiter, Log and Metrics are still to be set.
func (c Config) Poller() *poller.Poller {
	return &poller.Poller{
		Settings:           c.Settings(),
		JobQueueURL:        c.JobQueueUrl,
		DeadLetterQueueURL: c.DeadLetterQueueUrl,
		JobKind:            c.JobKind,
		EventBusName:       c.EventBusName,
		EventSource:        c.EventSource,
		Stack:              c.StackName,
	}
}

// Cluster returns a client of the configured cluster.
func (c Config) Cluster() *milvus.Client { return milvus.NewClient(c.ClusterEndpoint, batchSize) }

// batchSize is the template's: so many describes may be under way at once.
const batchSize = 10

// Settings returns what the poller decides by.
func (c Config) Settings() poller.Settings {
	return poller.Settings{
		MinDelay:        time.Duration(c.MinPollDelaySeconds) * time.Second,
		MaxDelay:        time.Duration(c.MaxPollDelaySeconds) * time.Second,
		Deadline:        time.Duration(c.WatchDeadlineSeconds) * time.Second,
		Grace:           time.Duration(c.NotFoundGraceSeconds) * time.Second,
		StartRefreshes:  c.StartRefreshes,
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

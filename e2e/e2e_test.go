//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// The tokens of the clusters. The secrets hold them in all three forms. Two have
// characters that encoders escape.
const (
	plainToken          = "token-0-of-the-main-stack"
	tokenBeforeRotation = "token-1-before-the-rotation"
	tokenAfterRotation  = `token-2-"after"/the'rotation\%2B+&<r>‹🔑`
	password            = `password "of"/the'named\bus%2B+&<stack>‹🔑`
)

const namedBus = "team.orders_1-refresh"

// orders are the stacks to deploy: one with the defaults, where only the times
// are short; one for what slows the others down; and one with a bus that exists
// already and every other parameter that a condition asks for.
var orders = map[string]order{
	"main": {plainToken, plainToken, parameters{}, nil},
	"busy": {tokenBeforeRotation, `{"token": "` + tokenBeforeRotation + `"}`, parameters{"DescribeRateLimit": "8"}, nil},
	"bus": {"poller:" + password, `{"username": "poller", "password": ` + strconv.Quote(password) + `}`, parameters{
		"EventBusName": namedBus, "PublishProgress": "true", "StartRefreshes": "true", "LogLevel": "DEBUG", "EventArchiveDays": "1", "RegisterSchemas": "true",
		"AlarmTopicArn":               "arn:aws:sns:" + region + ":" + account + ":on-call",
		"ResumeWorkflows":             "true",
		"WorkflowArns":                "arn:aws:states:" + region + ":" + account + ":stateMachine:" + workflow,
		"ClusterTokenSecretKmsKeyArn": "arn:aws:kms:" + region + ":" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab",
	}, nil},
}

// order is a stack to deploy: the cluster's token, the secret's value, and the
// parameters beside those that all have.
type order struct {
	token, secret string
	parameters    parameters
	// breaker breaks what the poller calls; nil breaks nothing.
	breaker *breaker
}

// A scenario begins watches on a stack, all scenarios at about the same time,
// and returns what waits for their end and checks it.
type scenario func(t *testing.T, s *stack) (check func(t *testing.T))

// The largest id there is, and one that no float64 holds.
const (
	largestJob = "9223372036854775807"
	oddJob     = "449503829274509313"
)

const (
	failedJob      = "449503829274509400"
	unknownJob     = "449503829274509401"
	hangingJob     = "449503829274509402"
	goodJob        = "449503829274509403"
	throttledJob   = "449503829274509404"
	rotatedJob     = "449503829274509405"
	progressJob    = "449503829274509406"
	doomedJob      = "449503829274509407"
	awaitedJob     = "449503829274509408"
	awaitedFailure = "449503829274509409"
	burstJobs      = 449503829274509410 // and those above it
)

var scenarios = []struct {
	name, stack string
	begin       scenario
}{
	{"bad input", "main", badInput}, // first, so that its batch stays together
	{"completion", "main", completion},
	{"failure", "main", failure},
	{"not found", "main", notFound},
	{"expiry", "main", expiry},
	{"jobs of every kind", "main", everyKind},
	{"burst", "busy", burst},
	{"rate limit", "busy", rateLimit},
	{"refreshes on request", "bus", startedOnRequest},
	{"progress on a named bus", "bus", progress},
	{"rotated secret", "busy", rotatedSecret},
	{"dead letter", "bus", deadLetter},
	{"patterns of the documents", "main", patterns},
	{"demo", "main", demo},
	{"workflows that wait", "bus", workflows},
	{"examples of subscribers", "main", subscribers},
	{"examples of producers", "main", producers},
}

func TestTheDeployedTemplate(t *testing.T) {
	began := time.Now()
	stacks := deployAll(t, orders)
	deployed := time.Since(began)
	checks := make([]func(*testing.T), len(scenarios))
	for i, s := range scenarios {
		checks[i] = s.begin(t, stacks[s.stack])
	}
	for i, s := range scenarios {
		t.Run(s.name, checks[i])
	}
	for name, s := range stacks {
		t.Run(name+" afterwards", func(t *testing.T) {
			s.afterwards(t)
			s.wantNothingTwice(t)
			s.Function.wantPackage(t, "PollerFunction")
			if s.Resumer != nil {
				s.Resumer.wantPackage(t, "ResumeFunction")
			}
		})
	}
	fmt.Printf("deployed after %.1f s, all done after %.1f s\n", deployed.Seconds(), time.Since(began).Seconds())
}

// deployAll deploys the stacks in an emulator of their own and sets them to work.
func deployAll(t *testing.T, orders map[string]order) map[string]*stack {
	t.Helper()
	built := build(t)
	e := startEmulator(t)
	secrets, buses := secretsmanager.NewFromConfig(e.client()), eventbridge.NewFromConfig(e.client())
	if _, err := buses.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String(namedBus)}); err != nil {
		t.Fatal(err)
	}
	wanted, clusters := map[string]parameters{}, map[string]*cluster{}
	for name, order := range orders {
		secret, err := secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("token-" + name), SecretString: &order.secret})
		if err != nil {
			t.Fatal(err)
		}
		clusters[name] = startCluster(t, order.token, order.breaker)
		wanted[name] = parameters{
			"ClusterEndpoint": clusters[name].URL + "/", "ClusterTokenSecretArn": *secret.ARN,
			"MinPollDelaySeconds": "1", "MaxPollDelaySeconds": "3", "NotFoundGraceSeconds": "4",
		}
		maps.Copy(wanted[name], order.parameters)
	}
	stacks := map[string]*stack{}
	for name, deployment := range deploy(t, e, wanted) {
		stacks[name] = start(t, e, built, deployment, clusters[name])
	}
	return stacks
}

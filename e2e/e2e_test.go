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
// are short; the same on the other emulators; one for what slows the others down;
// and one with a bus that exists already and every other parameter that a condition
// asks for.
var orders = map[string]order{
	"main":    {plainToken, plainToken, parameters{}, nil},
	elsewhere: {plainToken, plainToken, parameters{}, nil},
	"busy":    {tokenBeforeRotation, `{"token": "` + tokenBeforeRotation + `"}`, parameters{"DescribeRateLimit": "8"}, nil},
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
	name   string
	stacks []string
	begin  scenario
}{
	{"bad input", []string{"main", elsewhere}, badInput}, // first, so that its batch stays together
	{"completion", []string{"main", elsewhere}, completion},
	{"failure", []string{"main", elsewhere}, failure},
	{"not found", []string{"main", elsewhere}, notFound},
	{"expiry", []string{"main", elsewhere}, expiry},
	{"jobs of every kind", []string{"main", elsewhere}, everyKind},
	{"burst", []string{"busy"}, burst},
	{"rate limit", []string{"busy"}, rateLimit},
	{"refreshes on request", []string{"bus"}, startedOnRequest},
	{"progress on a named bus", []string{"bus"}, progress},
	{"rotated secret", []string{"busy"}, rotatedSecret},
	{"dead letter", []string{"bus", elsewhere}, deadLetter},
	{"patterns of the documents", []string{"main", elsewhere}, patterns},
	{"demo", []string{"main"}, demo},
	{"workflows that wait", []string{"bus"}, workflows},
	{"examples of subscribers", []string{"main"}, subscribers},
	{"examples of producers", []string{"main"}, producers},
}

func TestTheDeployedTemplate(t *testing.T) {
	began := time.Now()
	stacks := deployAll(t, orders)
	deployed := time.Since(began)
	type check struct {
		name string
		run  func(*testing.T)
	}
	var checks []check
	for _, s := range scenarios {
		for _, stack := range s.stacks {
			checks = append(checks, check{s.name + "/" + stack, s.begin(t, stacks[stack])})
		}
	}
	for _, c := range checks {
		t.Run(c.name, c.run)
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
		at := e
		if name == elsewhere {
			at = e.beside(t)
		}
		at.adopt(t, deployment)
		stacks[name] = start(t, at, built, deployment, clusters[name])
	}
	return stacks
}

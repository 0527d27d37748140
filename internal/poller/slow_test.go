package poller

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"refresh-poller/internal/awscall"
	"refresh-poller/internal/pipenet"
	"refresh-poller/internal/secret"
)

// slowAWS is an AWS in memory, of which one service is slow to answer calls that
// take effect at once.
type slowAWS struct {
	slow  string // begins the X-Amz-Target of its calls
	takes time.Duration

	calls atomic.Int32 // of the slow one
}

func (a *slowAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := call{Target: r.Header.Get("X-Amz-Target")}
	_ = json.NewDecoder(r.Body).Decode(&c.Input)
	_, _ = io.Copy(io.Discard, r.Body)
	if strings.HasPrefix(c.Target, a.slow) {
		a.calls.Add(1)
		select {
		case <-time.After(a.takes):
		case <-r.Context().Done():
			return
		}
	}
	text := `{"SecretString": "0123456789abcdef"}`
	if c.Input["Entries"] != nil {
		_, text = taken(c)
	}
	_, _ = io.WriteString(w, text)
}

// pollSlowly polls a message in an invocation of 30 s, and reports how long that
// took and whether the message comes back.
func pollSlowly(t *testing.T, a *slowAWS, protocol pipenet.Protocol, body string) (h *harness, took time.Duration, failed bool) {
	t.Helper()
	s := pipenet.Start(t, protocol, a.ServeHTTP)
	cfg := aws.Config{
		Region: "eu-central-1", BaseEndpoint: &s.URL,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient:  awscall.NewClient(awshttp.NewBuildableClient().WithTransportOptions(s.Route)),
	}
	h = newHarness(t)
	h.Cluster, h.SQS, h.EventBridge = half, sqs.NewFromConfig(cfg), eventbridge.NewFromConfig(cfg)
	h.Settings.PublishProgress = true
	h.Tokens = secret.NewReader(secretsmanager.NewFromConfig(cfg), "arn")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	began := time.Now()
	response, err := h.Handle(ctx, batchOf(body))
	if err != nil {
		t.Fatal(err)
	}
	return h, time.Since(began), len(response.BatchItemFailures) > 0
}

// The bodies of messages about a job that half has completed, and one that runs.
const messageOfAnEnd, messageOfProgress = "1", "6"

func TestASlowAWSIsWaitedFor(t *testing.T) {
	for service, body := range map[string]string{"AWSEvents": messageOfAnEnd, "AmazonSQS": messageOfProgress} {
		for _, tt := range []struct {
			takes, took time.Duration
			calls       int32
			failed      bool
		}{
			{4 * time.Second, 4 * time.Second, 1, false},
			{8 * time.Second, 8 * time.Second, 1, false},
			{12 * time.Second, 12 * time.Second, 2, false},
			{28 * time.Second, 28 * time.Second, 3, false},
			{time.Hour, 29400 * time.Millisecond, 3, true},
		} {
			for _, protocol := range pipenet.Protocols {
				t.Run(fmt.Sprint(service, " takes ", tt.takes, " over ", protocol), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						a := &slowAWS{slow: service, takes: tt.takes}
						_, took, failed := pollSlowly(t, a, protocol, body)
						if failed != tt.failed || took != tt.took || a.calls.Load() != tt.calls {
							t.Errorf("comes back: %t after %s and %d calls", failed, took, a.calls.Load())
						}
					})
				})
			}
		}
	}
}

func TestASlowEventBridgeCostsNoMessageItsWay(t *testing.T) {
	for _, protocol := range pipenet.Protocols {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, took, failed := pollSlowly(t, &slowAWS{slow: "AWSEvents", takes: time.Hour}, protocol, messageOfProgress)
				if failed || took != 25800*time.Millisecond || !strings.Contains(h.log.String(), "progress not published") {
					t.Errorf("comes back: %t after %s\n%s", failed, took, h.log)
				}
			})
		})
	}
}

func TestASlowSecretsManagerIsWaitedForWhileDescribesMayStart(t *testing.T) {
	for takes, described := range map[time.Duration]bool{4 * time.Second: true, 11 * time.Second: true, 13 * time.Second: false} {
		for _, protocol := range pipenet.Protocols {
			t.Run(fmt.Sprint(takes, " over ", protocol), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, _, failed := pollSlowly(t, &slowAWS{slow: "secretsmanager", takes: takes}, protocol, messageOfAnEnd)
					if got := strings.Contains(h.log.String(), "RefreshCompleted"); failed || got != described {
						t.Errorf("described: %t, comes back: %t\n%s", got, failed, h.log)
					}
				})
			})
		}
	}
}

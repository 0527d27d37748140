package resume

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"refresh-poller/internal/awscall"
	"refresh-poller/internal/pipenet"
)

// An invocation has 30 s, of which the last is kept.
func TestASlowStepFunctionsIsWaitedFor(t *testing.T) {
	tests := []struct {
		takes, ends time.Duration
		calls       int32
		resumed     bool
	}{
		{4 * time.Second, 4 * time.Second, 1, true},
		{9 * time.Second, 9 * time.Second, 1, true},
		{12 * time.Second, 12 * time.Second, 2, true},
		{28 * time.Second, 28 * time.Second, 3, true},
		{time.Hour, 29 * time.Second, 3, false},
	}
	for _, tt := range tests {
		for _, protocol := range pipenet.Protocols {
			t.Run(fmt.Sprint(tt.takes, " over ", protocol), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var calls atomic.Int32
					s := pipenet.Start(t, protocol, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						calls.Add(1)
						select {
						case <-time.After(tt.takes):
							_, _ = io.WriteString(w, "{}")
						case <-r.Context().Done():
						}
					})
					r := &Resumer{Log: slog.New(slog.DiscardHandler), StepFunctions: sfn.NewFromConfig(aws.Config{
						Region: "eu-central-1", BaseEndpoint: &s.URL,
						Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
						HTTPClient:  awscall.NewClient(awshttp.NewBuildableClient().WithTransportOptions(s.Route)),
					})}
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					defer cancel()
					began := time.Now()
					err := r.Handle(ctx, about(end("RefreshCompleted")+waiting))
					if ended := time.Since(began); (err == nil) != tt.resumed || ended != tt.ends || calls.Load() != tt.calls {
						t.Errorf("%v after %s and %d calls", err, ended, calls.Load())
					}
				})
			})
		}
	}
}

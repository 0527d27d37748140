// Command poller is the Lambda function PollerFunction.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/caarlos0/env/v11"

	"refresh-poller/internal/awscall"
	"refresh-poller/internal/config"
	"refresh-poller/internal/secret"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	handle, err := wire(context.Background())
	if err != nil {
		log.Error("the function can't start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handle)
}

func wire(ctx context.Context) (any, error) {
	c, faults, err := config.Mend(env.ToMap(os.Environ()))
	if err != nil {
		return nil, err
	}
	aws, err := awscall.Config(ctx)
	if err != nil {
		return nil, err
	}
	p := c.Poller()
	cluster, tokens := c.Cluster(), secret.NewReader(secretsmanager.NewFromConfig(aws), c.ClusterTokenSecretArn)
	tokens.Trusting = cluster.Trust
	p.Cluster, p.Refreshes, p.Tokens = cluster, cluster, tokens
	p.SQS = sqs.NewFromConfig(aws)
	p.EventBridge = eventbridge.NewFromConfig(aws)
	p.Limiter = c.Limiter()
	p.Log = slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: c.LogLevel}))
	p.Metrics = os.Stdout
	p.ConfigurationFaults = len(faults)
	for _, fault := range faults {
		p.Log.Error("a parameter is wrong, the nearest that is right serves", "error", fault.Error())
	}
	return p.Handle, nil
}

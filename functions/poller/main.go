// Command poller is the Lambda function PollerFunction.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/caarlos0/env/v11"

	"refresh-poller/internal/config"
	"refresh-poller/internal/secret"
)

// awsTimeout bounds one attempt of an AWS call; the SDK makes up to three.
const awsTimeout = 3 * time.Second

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
	aws, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(awsTimeout)))
	if err != nil {
		return nil, err
	}
	p := c.Poller()
	p.Tokens = secret.NewReader(secretsmanager.NewFromConfig(aws), c.ClusterTokenSecretArn)
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

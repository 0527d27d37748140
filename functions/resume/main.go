// Command resume is the Lambda function ResumeFunction.
package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"refresh-poller/internal/awscall"
	"refresh-poller/internal/resume"
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
	var level slog.Level
	if level.UnmarshalText([]byte(cmp.Or(os.Getenv("LOG_LEVEL"), "INFO"))) != nil {
		return nil, errors.New("LogLevel must be DEBUG, INFO, WARN or ERROR")
	}
	aws, err := awscall.Config(ctx)
	if err != nil {
		return nil, err
	}
	r := resume.Resumer{
		StepFunctions: sfn.NewFromConfig(aws),
		Log:           slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level})),
	}
	return r.Handle, nil
}

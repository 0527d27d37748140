package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/spf13/cobra"

	"refresh-poller/internal/deployed"
)

// inAWS is the group of the commands for a stack that is deployed.
var inAWS = &cobra.Group{ID: "aws", Title: "With a stack in AWS:"}

const inAWSHelp = `

The region and the credentials are the AWS SDK's: AWS_PROFILE, AWS_REGION, and
the files of aws configure.`

// stackFlag gives a command of inAWS its flag --stack.
func stackFlag(command *cobra.Command, stack *string) {
	command.Flags().SortFlags = false
	command.Flags().StringVar(stack, "stack", "", "`NAME` of the stack")
	completeWith[string](command, "stack")
}

// find finds the stack, or says what to check.
func find(ctx context.Context, name string) (aws.Config, deployed.Stack, error) {
	if name == "" {
		return aws.Config{}, deployed.Stack{}, failure{exitBadArgument, "give the stack's name, with --stack"}
	}
	config, err := deployed.Connect(ctx)
	if err != nil {
		return config, deployed.Stack{}, unreadable(ctx, err)
	}
	stack, err := deployed.Find(ctx, cloudformation.NewFromConfig(config), name, config.Region)
	if err != nil {
		return config, stack, unreadable(ctx, err)
	}
	return config, stack, nil
}

// unreadable is the failure of what could not be read in AWS.
func unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return interrupted
	}
	return failure{exitRefused, err.Error()}
}

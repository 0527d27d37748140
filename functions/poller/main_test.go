package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// The alarm hangs on the count in the metrics, its runbook on the line.
func TestAParameterThatIsWrongIsToldAndCounted(t *testing.T) {
	for name, value := range map[string]string{
		"CLUSTER_ENDPOINT": "https://cluster.example", "CLUSTER_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:refresh-poller/token-a1b2c3",
		"JOB_QUEUE_URL": "https://sqs.example/1/JobQueue", "DEAD_LETTER_QUEUE_URL": "https://sqs.example/1/Dead", "EVENT_BUS_NAME": "bus", "STACK_NAME": "stack",
		"MIN_POLL_DELAY_SECONDS": "600", "MAX_POLL_DELAY_SECONDS": "300", "AWS_REGION": "eu-central-1",
	} {
		t.Setenv(name, value)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = write
	defer func() { os.Stdout = stdout }()
	handle, err := wire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handle.(func(context.Context, events.SQSEvent) (events.SQSEventResponse, error))(t.Context(), events.SQSEvent{}); err != nil {
		t.Fatal(err)
	}
	write.Close()
	written, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"level":"ERROR"`, "MaxPollDelaySeconds", `"ConfigurationFaults":1`} {
		if !strings.Contains(string(written), want) {
			t.Errorf("%s is not in %s", want, written)
		}
	}
}

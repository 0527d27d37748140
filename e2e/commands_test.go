//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/tests/schematest"
)

// commanded is a stack that only the program's commands serve: what is in its
// dead-letter queue stays there, and its function's lines come into its log group.
type commanded struct {
	*stack
	dead string // the dead-letter queue's URL
}

func TestTheCommandsServeADeployedStack(t *testing.T) {
	for name, others := range map[string]bool{"in moto": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startEmulator(t)
			if others {
				e = e.beside(t)
			}
			deployCommanded(t, e).serve(t)
		})
	}
}

func (c commanded) serve(t *testing.T) {
	t.Run("enqueue and follow", c.enqueueAndFollow)
	t.Run("redrive", c.redrive)
	t.Run("no such stack", func(t *testing.T) {
		stdout, stderr, status := c.run(t, "enqueue", "--stack=another", "1")
		if want := "enqueue: there is no stack another in " + region + ": check --stack, the region and the account\n"; stdout != "" || stderr != want || status != 3 {
			t.Errorf("status %d\n%s%s", status, stdout, stderr)
		}
	})
}

func deployCommanded(t *testing.T, e *emulator) commanded {
	t.Helper()
	if out, err := exec.Command("make", "-s", "-C", "..", "bin/refresh-poller").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	built, cluster := build(t), startCluster(t, plainToken, nil)
	secret, err := secretsmanager.NewFromConfig(e.client()).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("token"), SecretString: aws.String(plainToken)})
	if err != nil {
		t.Fatal(err)
	}
	d := deploy(t, e, map[string]parameters{"commanded": {
		"ClusterEndpoint": cluster.URL, "ClusterTokenSecretArn": *secret.ARN, "MinPollDelaySeconds": "1", "MaxPollDelaySeconds": "3",
	}})["commanded"]
	e.adopt(t, d)
	emptied, err := sqs.NewFromConfig(e.client()).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("emptied-instead")})
	if err != nil {
		t.Fatal(err)
	}
	dead := d.Outputs["DeadLetterQueueUrl"]
	d.Outputs = maps.Clone(d.Outputs)
	d.Outputs["DeadLetterQueueUrl"] = *emptied.QueueUrl
	c := commanded{start(t, e, built, d, cluster), dead}
	c.keepLog(t)
	return c
}

// keepLog has the lines that the function prints come into the stack's log group, as
// Lambda does.
func (c commanded) keepLog(t *testing.T) {
	logs := cloudwatchlogs.NewFromConfig(c.emulator.client())
	group, err := cloudformation.NewFromConfig(c.emulator.client()).DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{
		StackName: aws.String("commanded"), LogicalResourceId: aws.String("PollerLogGroup"),
	})
	if err != nil {
		t.Fatal(err)
	}
	name, stream := group.StackResourceDetail.PhysicalResourceId, aws.String("2024/04/11/[$LATEST]0")
	if _, err := logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name, LogStreamName: stream}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		kept := make([]int, len(c.printed))
		for sleep(ctx, 200*time.Millisecond) {
			var events []logtypes.InputLogEvent
			for i, printed := range c.printed {
				text := printed.String()[kept[i]:]
				text = text[:strings.LastIndex(text, "\n")+1]
				kept[i] += len(text)
				for line := range strings.Lines(text) {
					events = append(events, logtypes.InputLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: aws.String(strings.TrimSpace(line))})
				}
			}
			if len(events) == 0 {
				continue
			}
			if _, err := logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: name, LogStreamName: stream, LogEvents: events}); err != nil && ctx.Err() == nil {
				t.Errorf("put log events: %v", err)
			}
		}
	}()
}

// command returns the program with these arguments, with credentials of the
// emulator's.
func (c commanded) command(t *testing.T, args ...string) *exec.Cmd {
	command := exec.CommandContext(t.Context(), "../bin/refresh-poller", args...)
	command.Env = c.emulator.environ()
	return command
}

// run runs the program to its end.
func (c commanded) run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, all bytes.Buffer
	command := c.command(t, args...)
	command.Stdout, command.Stderr = &out, &all
	if err := command.Run(); command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), all.String(), command.ProcessState.ExitCode()
}

func (c commanded) enqueueAndFollow(t *testing.T) {
	const failing, completing = "449503829274509501", "449503829274509502"
	c.cluster.Add(simcluster.Job{ID: failing, CollectionName: "ext_orders", RunsFor: 4 * time.Second, Shape: simcluster.Tasks(2), Fails: "no such object"})
	c.cluster.Add(simcluster.Job{ID: completing, CollectionName: "ext_books", RunsFor: 8 * time.Second})
	follow := c.command(t, "follow", "--stack=commanded")
	events, notes := &output{}, &output{}
	follow.Stdout, follow.Stderr = events, notes
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := c.run(t, "enqueue", "--stack=commanded", `--context={"pipeline": "nightly"}`, failing, completing)
	if stderr != "" || status != 0 {
		t.Errorf("enqueue: status %d\n%s", status, stderr)
	}
	for line := range strings.Lines(stdout) {
		var enqueued struct{ JobID, WatchID string }
		if err := json.Unmarshal([]byte(line), &enqueued); err != nil {
			t.Fatalf("enqueue printed %q: %v", line, err)
		}
		end := c.end(t, enqueued.JobID).Detail
		watch, producers := end["watch"].(map[string]any), end["context"].(map[string]any)
		if watch["id"] != enqueued.WatchID || producers["pipeline"] != "nightly" {
			t.Errorf("the watch %v of job %s with the context %v, not watch %s", watch["id"], enqueued.JobID, producers, enqueued.WatchID)
		}
		await(t, "the end of "+enqueued.JobID+" from follow", func() bool { return strings.Contains(events.String(), end["id"].(string)) })
	}
	follow.Process.Signal(os.Interrupt)
	follow.Wait()
	t.Logf("follow said\n%s%s", notes, events)
	if status := follow.ProcessState.ExitCode(); status != 130 || !strings.HasSuffix(notes.String(), "follow: interrupted\n") {
		t.Errorf("follow: status %d", status)
	}
	for _, want := range []string{failing + "   poll ", "  in progress  ", "  next ", "  ext_books\n", "  failed     ", "  no such object\n", "  completed  "} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("follow did not say %q", want)
		}
	}
	for line := range strings.Lines(events.String()) {
		schematest.Detail(t, line)
	}
	if n := strings.Count(events.String(), "\n"); n != 2 {
		t.Errorf("follow told %d events", n)
	}
}

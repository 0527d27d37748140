package poller

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"refresh-poller/internal/milvus"
)

// startMutants are faults with refreshes that are started, and with what a message
// has to remember.
var startMutants = map[string]planted{
	"a running refresh is ignored": {
		scopes["another refresh runs"], 0, mutant{build: func(e *execution) { e.poller.Refreshes = blindRefreshes{e} }}, "a refresh is started while 1 is known to run",
	},
	"a refresh is started before the margin has passed": {
		scopes["a refresh that is asked for"], 0, mutant{build: func(e *execution) { e.poller.Refreshes = hastyRefreshes{e} }}, "a refresh is started that no message needs: a was sent 0s before",
	},
	"a start whose answer was lost is made again at once": {
		scopes["a refresh that is asked for"], 1, mutant{build: func(e *execution) { e.poller.Refreshes = stubbornRefreshes{e} }}, "a refresh is started that no message needs: a asked for one 0s before, in this batch",
	},
	"that a start was asked for is forgotten": {
		scope{bodies: []string{books}, deadline: 20 * time.Second, grace: 10 * time.Second, asks: asks{hides: 10 * time.Second}}, 1, mutant{build: func(e *execution) { e.poller.SQS = forgetfulSQS{e, "started"} }}, "a refresh is started that no message needs: 1 asked for one 5s before",
	},
	"a job that never appears is kept": {
		asked(asks{others: 1}), 0, mutant{build: func(e *execution) { e.poller.Cluster = patientCluster{e} }}, "no answer was one by which watch a may end as WatchExpired, 15s after it began",
	},
	"what is asked for at the deadline is started": {
		scopes["another refresh runs"], 0, mutant{build: func(e *execution) { e.poller.Settings.Deadline += worldDelay }}, "a refresh is started that no message needs: a has been over for 0s",
	},
	"that progress fell is forgotten": {
		scopes["progress that falls, and a message that can't be read"], 0, mutant{build: func(e *execution) { e.poller.SQS = forgetfulSQS{e, "restarts"} }}, "two events have one id: a RefreshInProgress 1 at 66, having fallen 0 times, and a RefreshInProgress 1 at 66, having fallen 1 times",
	},
	"a failure that was seen is forgotten": {
		scopes["a job that fails early"], 0, mutant{build: func(e *execution) { e.poller.SQS = forgetfulSQS{e, "unexplained"} }}, "no answer was one by which watch a may end as WatchExpired, 10s after it began",
	},
}

// blindRefreshes shows no job that runs.
type blindRefreshes struct{ *execution }

func (e blindRefreshes) List(ctx context.Context, token string, of milvus.Collection) (milvus.List, error) {
	list, err := e.execution.List(ctx, token, of)
	list.Jobs = slices.DeleteFunc(slices.Clone(list.Jobs), func(job milvus.Listed) bool { return !job.Terminal() })
	return list, err
}

// hastyRefreshes starts one where there is none.
type hastyRefreshes struct{ *execution }

func (e hastyRefreshes) List(ctx context.Context, token string, of milvus.Collection) (milvus.List, error) {
	list, err := e.execution.List(ctx, token, of)
	if err == nil && len(list.Jobs) == 0 {
		_, err = e.Start(ctx, token, of)
	}
	return list, err
}

type stubbornRefreshes struct{ *execution }

func (e stubbornRefreshes) Start(ctx context.Context, token string, of milvus.Collection) (string, error) {
	id, err := e.execution.Start(ctx, token, of)
	if err != nil {
		return e.execution.Start(ctx, token, of)
	}
	return id, nil
}

// patientCluster takes a job that is not found for one that comes yet.
type patientCluster struct{ *execution }

func (e patientCluster) Describe(ctx context.Context, token string, ref milvus.Ref) (milvus.Job, error) {
	job, err := e.execution.Describe(ctx, token, ref)
	if err == unknown {
		err = &milvus.Error{Kind: milvus.Temporary, Message: "not found"}
	}
	return job, err
}

// forgetfulSQS loses a number of the poller's own state.
type forgetfulSQS struct {
	*execution
	key string
}

func (e forgetfulSQS) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, options ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	number := regexp.MustCompile(`,"` + e.key + `":[0-9]+`)
	for i, entry := range in.Entries {
		in.Entries[i].MessageBody = aws.String(number.ReplaceAllString(*entry.MessageBody, ""))
	}
	return e.execution.SendMessageBatch(ctx, in, options...)
}

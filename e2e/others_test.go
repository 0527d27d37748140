//go:build e2e

package e2e

import (
	"net/http/httptest"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// others are a second SQS, fauxqs, and a second EventBridge, kumo, so that what moto
// takes for AWS is not all that the poller is tried on.
type others struct {
	fauxqs, kumo string // URLs
	// queues is what the URLs of fauxqs's queues begin with.
	queues string
}

// elsewhere is the stack that deployAll has the others serve.
const elsewhere = "elsewhere"

// othersAccount is fauxqs's.
const othersAccount = "000000000000"

// beside starts the others, and a proxy that passes them the calls of SQS and
// EventBridge, all at once, and the rest to the moto of e.
func (e *emulator) beside(t *testing.T) *emulator {
	t.Helper()
	b := &emulator{moto: e.moto}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.URL = server.URL
	kumo := filepath.Join(t.TempDir(), "kumo")
	if out, err := exec.Command("go", "-C", "kumo", "build", "-o", kumo, ".").CombinedOutput(); err != nil {
		t.Fatalf("kumo: %v\n%s", err, out)
	}
	b.others = &others{
		fauxqs: serve(t, exec.Command("node", "fauxqs/server.js"), "npm ci --prefix e2e/fauxqs"),
		kumo:   serve(t, exec.Command(kumo), "", "KUMO_HOST=127.0.0.1", "KUMO_PORT="+b.port(), "TZ=UTC"),
		queues: "http://sqs." + region + ".localhost:" + b.port() + "/" + othersAccount + "/",
	}
	return b
}

var queueURL = regexp.MustCompile(`"QueueUrl": ?"[^"]*/([^"/]+)"`)

// take returns where a call has to go, and its body there, unless that is moto.
// fauxqs knows a queue by its own URL of it only.
func (o *others) take(target string, body []byte) (url string, fitted []byte, ok bool) {
	service, _, _ := strings.Cut(target, ".")
	switch {
	case o == nil:
	case service == "AmazonSQS":
		return o.fauxqs, queueURL.ReplaceAll(body, []byte(`"QueueUrl":"`+o.queues+`$1"`)), true
	case service == "AWSEvents":
		return o.kumo, body, true
	}
	return "", nil, false
}

// adopt has the others create what moto created of a stack: the queues, with the
// attributes that CloudFormation gave them, and the bus.
func (e *emulator) adopt(t *testing.T, d deployment) {
	t.Helper()
	if e.others == nil {
		return
	}
	moto := e.client()
	moto.BaseEndpoint = &e.moto.URL
	for _, output := range []string{"DeadLetterQueueUrl", "JobQueueUrl"} {
		url := d.Outputs[output]
		created, err := sqs.NewFromConfig(moto).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if policy, ok := created.Attributes["RedrivePolicy"]; ok {
			created.Attributes["RedrivePolicy"] = strings.ReplaceAll(policy, account, othersAccount)
		}
		if _, err := sqs.NewFromConfig(e.client()).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(path.Base(url)), Attributes: created.Attributes}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := eventbridge.NewFromConfig(e.client()).CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String(d.Outputs["EventBusName"])}); err != nil {
		t.Fatal(err)
	}
}

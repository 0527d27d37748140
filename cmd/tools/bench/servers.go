package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The calls, by their header X-Amz-Target.
const (
	describe = "" // the cluster's
	send     = "AmazonSQS.SendMessageBatch"
	put      = "AWSEvents.PutEvents"
	read     = "secretsmanager.GetSecretValue"
)

// upstream is the cluster and AWS, each on a loopback port of its own. It answers
// every call with success after latency, and keeps the first requests for the bare calls.
type upstream struct {
	clusterURL, awsURL string
	servers            [2]*http.Server
	latency            time.Duration
	// What follows is set before the first call. jobState returns the state in
	// which a describe finds the job; with none, the cluster is not ready.
	jobState func(jobID string) string
	// sent gets what is sent, before it is confirmed: messages to the URL of
	// their queue, the details of events to none.
	sent func(queueURL string, bodies []string)

	mu        sync.Mutex
	traffic   traffic
	recording bool
	recorded  []recorded
}

// traffic is what has reached an upstream: calls, and connections to the cluster.
type traffic struct{ describes, sends, puts, others, connections int }

func (t traffic) minus(before traffic) traffic {
	return traffic{
		t.describes - before.describes, t.sends - before.sends, t.puts - before.puts,
		t.others - before.others, t.connections - before.connections,
	}
}

// recorded is a request as it came in.
type recorded struct {
	call, url string
	header    http.Header
	body      []byte
}

func startUpstream(latency time.Duration) (*upstream, error) {
	u := &upstream{latency: latency, recording: true, jobState: byLastDigit, sent: func(string, []string) {}}
	var urls [2]string
	for i := range u.servers {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("serve the upstream: %w", err)
		}
		urls[i] = "http://" + listener.Addr().String()
		u.servers[i] = &http.Server{Handler: u, ReadHeaderTimeout: 10 * time.Second}
		if i == 0 {
			u.servers[i].ConnState = u.connected
		}
		go u.servers[i].Serve(listener)
	}
	u.clusterURL, u.awsURL = urls[0], urls[1]
	return u, nil
}

func (u *upstream) close() {
	for _, s := range u.servers {
		s.Close()
	}
}

func (u *upstream) connected(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.traffic.connections++
	}
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	call := r.Header.Get("X-Amz-Target") // the cluster's only call has none
	u.count(call, recorded{call, "http://" + r.Host + r.URL.Path, r.Header, body})
	time.Sleep(u.latency)
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	io.WriteString(w, u.answer(call, body))
}

func (u *upstream) count(call string, r recorded) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch call {
	case describe:
		u.traffic.describes++
	case send:
		u.traffic.sends++
	case put:
		u.traffic.puts++
	default:
		u.traffic.others++
		return
	}
	if u.recording {
		u.recorded = append(u.recorded, r)
	}
}

// recordings returns the calls of a batch so far, and keeps none from now on.
func (u *upstream) recordings() []recorded {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.recording = false
	return u.recorded
}

// sofar returns what has come since the start.
func (u *upstream) sofar() traffic {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.traffic
}

// byLastDigit is the state of a job in the batch that is compared.
func byLastDigit(jobID string) string {
	if strings.HasSuffix(jobID, completedDigit) {
		return "RefreshCompleted"
	}
	return "RefreshInProgress"
}

// answer returns the body of the answer to a call.
func (u *upstream) answer(call string, body []byte) string {
	var in struct {
		JobID    json.Number
		QueueURL string
		Entries  []struct{ ID, MessageBody, Detail string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		panic(err) // http.Server logs it and breaks the connection
	}
	var bodies, results []string
	for _, e := range in.Entries {
		if call == put {
			bodies = append(bodies, e.Detail)
			results = append(results, `{"EventId":"cdc73f9d-aea9-11e3-9d5a-835b769c0d9c"}`)
			continue
		}
		bodies = append(bodies, e.MessageBody)
		sum := md5.Sum([]byte(e.MessageBody)) // which the SDK checks
		results = append(results, fmt.Sprintf(`{"Id":%q,"MessageId":"059f36b4-87a3-44ab-83d2-661975830a7d","MD5OfMessageBody":%q}`, e.ID, hex.EncodeToString(sum[:])))
	}
	if call == send || call == put {
		u.sent(in.QueueURL, bodies)
	}
	switch call {
	case send:
		return `{"Successful":[` + strings.Join(results, ",") + `],"Failed":[]}`
	case put:
		return `{"FailedEntryCount":0,"Entries":[` + strings.Join(results, ",") + `]}`
	case read:
		return `{"SecretString":"0123456789abcdef"}`
	}
	return describeAnswer(string(in.JobID), u.jobState(string(in.JobID)))
}

func describeAnswer(jobID, state string) string {
	progress, ended := 42, ""
	switch state {
	case "":
		return `{"code":2,"message":"service unavailable"}`
	case "RefreshCompleted":
		progress, ended = 100, `,"endTime":1712832093000`
	}
	return fmt.Sprintf(`{"code":0,"data":{"jobId":%s,"collectionName":"ext_books","state":%q,"progress":%d,`+
		`"externalSource":"volume://my-volume/books","startTime":1712832000000%s}}`, jobID, state, progress, ended)
}

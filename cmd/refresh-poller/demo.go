package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/embedded"
	"refresh-poller/internal/laptop/screen"
	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/milvus"
)

const demoToken = "root:hunter2-of-demo"

// demoSettings are a stack's parameters, sped up to fit a quarter of a minute.
var demoSettings = map[string]string{
	"MIN_POLL_DELAY_SECONDS":  "1",
	"MAX_POLL_DELAY_SECONDS":  "2",
	"NOT_FOUND_GRACE_SECONDS": "5",
	"WATCH_DEADLINE_SECONDS":  "25",
	"START_REFRESHES":         "true",
}

// demoWatch is a job of the simulated cluster, the message that starts its watch,
// what it shows, and the state that has to come of it. The job of a message that
// asks for a refresh begins when the poller starts it.
type demoWatch struct {
	name, shows string
	job         simcluster.Job
	body        string
	want        string
}

var demoWatches = []demoWatch{
	{
		"ext_orders", "completes, as most do",
		simcluster.Job{ID: "449503829274509313", PendingFor: time.Second, RunsFor: 8 * time.Second, Shape: simcluster.Tasks(4), ExternalSource: `{"type":"volume","path":"volume://my-volume/orders"}`},
		`449503829274509313`, simcluster.Completed,
	},
	{
		"ext_late", "is not visible at first, and completes",
		simcluster.Job{ID: "9223372036854775807", VisibleAfter: 3 * time.Second, PendingFor: 4 * time.Second, RunsFor: 7 * time.Second},
		`{"jobId": "9223372036854775807", "context": {"pipeline": "nightly"}}`, simcluster.Completed,
	},
	{
		"ext_limited", "completes behind rate limits and a bad gateway",
		simcluster.Job{ID: "449503829274509314", RunsFor: 10 * time.Second, Shape: simcluster.SlowStart, Faults: []simcluster.Answer{simcluster.Failure(1807, "request is rejected by limiter"), simcluster.GatewayPage(), simcluster.RateLimited(2 * time.Second)}},
		`{"code": 0, "data": {"jobId": 449503829274509314}}`, simcluster.Completed,
	},
	{
		"ext_broken", "fails at 60 %",
		simcluster.Job{ID: "449503829274509315", PendingFor: time.Second, RunsFor: 6 * time.Second, Shape: simcluster.LinearTo(60), Fails: "read s3://key:secret@orders/2024.parquet: no such object"},
		`{"detail-type": "Refresh submitted", "detail": {"jobId": 449503829274509315}}`, simcluster.Failed,
	},
	{
		"ext_never", "is never found",
		simcluster.Job{ID: "449503829274509316", NeverVisible: true},
		`449503829274509316`, event.StateNotFound,
	},
	{
		"ext_stuck", "hangs, and expires at its deadline",
		simcluster.Job{ID: "449503829274509317", RunsFor: 6 * time.Second, Shape: simcluster.LinearTo(73), Hangs: true},
		`{"jobId": 449503829274509317, "deadlineSeconds": 14}`, event.StateExpired,
	},
	{
		"ext_asked", "is started by the poller, and completes",
		simcluster.Job{ID: simcluster.FirstStarted, VisibleAfter: time.Second, RunsFor: 5 * time.Second, Shape: simcluster.Tasks(3)},
		`{"refresh": {"collectionName": "ext_asked"}}`, simcluster.Completed,
	},
}

// asks reports whether the message asks for a refresh.
func (w demoWatch) asks() bool { return w.job.ID == simcluster.FirstStarted }

// demoBadMessage has an id that a float64 has been at.
const demoBadMessage = `{"jobId": 4.495038292745093e17}`

func newDemo(h host) *cobra.Command {
	return &cobra.Command{
		Use:     "demo",
		Short:   "Follow simulated jobs on an embedded queue and bus",
		GroupID: here.ID,
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return demo(command.Context(), h) },
	}
}

// demo follows the jobs above, and returns nil if each came to its end.
func demo(ctx context.Context, h host) error {
	cluster := simcluster.New(simcluster.Options{Token: demoToken, RequestsPerSecond: 20})
	endpoint, stop, err := serve(cluster)
	if err != nil {
		return err
	}
	defer stop()
	settings := maps.Clone(demoSettings)
	settings["CLUSTER_ENDPOINT"] = endpoint
	c, err := loadConfig(settings)
	if err != nil {
		return err
	}

	show, err := screen.New(h.stdout, h.stderr)
	if err != nil {
		return failure{exitNotWritten, err.Error()}
	}
	defer show.Close()
	show.Note(foretold)
	s := newStack(c, demoToken, milvus.NewClient(endpoint, len(demoWatches)), show)
	running, end := context.WithTimeout(context.WithoutCancel(ctx), 28*time.Second)
	defer end()
	defer onInterrupt(ctx, show, end)()
	ends := map[string]string{}
	s.showEvents(show, end, func(detail event.Detail) {
		if ends[detail.JobID] = detail.State; len(ends) == len(demoWatches) {
			end()
		}
	})
	var published atomic.Int64
	s.bus.Subscribe(func(events.EventBridgeEvent) { published.Add(1) })
	show.Status(func() string { return s.status(published.Load()) })
	titles, ids := map[string]string{}, []string{}
	for _, w := range demoWatches {
		titles[w.job.ID] = w.name
		if w.asks() { // it has no id yet
			ids = append(ids, w.name)
		} else {
			ids = append(ids, w.job.ID)
		}
	}
	show.Call(titles)
	show.Expect(ids...)
	for _, w := range demoWatches {
		w.job.CollectionName = w.name
		if w.asks() {
			cluster.AddCollection(simcluster.Collection{Name: w.name, Course: func(int) simcluster.Job { return w.job }})
		} else {
			cluster.Add(w.job)
		}
		s.queues.Send(jobQueue, w.body, 0)
	}
	s.queues.Send(jobQueue, demoBadMessage, 0)
	err = s.run(running)
	if lost := show.Close(); lost != nil {
		return failure{exitNotWritten, lost.Error()}
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return interrupted
	}
	if faults := report(show.Note, s.queues.Messages(deadLetterQueue), cluster.Counts(), ends); faults > 0 {
		return failure{status: exitOtherEnd}
	}
	for _, line := range whatNext(os.Args[0]) {
		show.Note(line)
	}
	return nil
}

// serve has the cluster listen on loopback.
func serve(cluster http.Handler) (endpoint string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: cluster, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener)
	return "http://" + listener.Addr().String(), func() { server.Close() }, nil
}

// foretold is what there will be to see.
const foretold = "For about 15 seconds, the poller as it is deployed follows seven refreshes of a simulated cluster: " +
	"ext_orders, ext_late and ext_limited complete, ext_broken fails, ext_never is never found, " +
	"ext_stuck hangs until its deadline, and ext_asked is started by the poller itself. One message more can't be read."

// status is the queues and the bus in a line, which has to fit into 60 cells.
func (s *stack) status(published int64) string {
	text := fmt.Sprintf("queue: %d waiting", s.queues.Depth(jobQueue))
	if due := s.queues.Due(jobQueue); !due.IsZero() {
		text += fmt.Sprintf(", due in %.0fs", math.Ceil(max(time.Until(due), 0).Seconds()))
	}
	return fmt.Sprintf("%s · bus: %d events · rejected: %d", text, published, s.queues.Depth(deadLetterQueue))
}

// whatNext says what to do after the demo, with the name that the program has here.
func whatNext(program string) []string {
	return []string{
		"",
		"What next:",
		"  one real job, from this terminal:",
		"    " + program + " watch --token-file token --endpoint https://… JOB_ID",
		`  all jobs, in your AWS account (README.md, "Deploy"):`,
		"    sam build && sam deploy --guided",
	}
}

// report tells how every message ended, and returns how many did otherwise than
// they should.
func report(say func(string), dead []embedded.Message, counts simcluster.Counts, ends map[string]string) (faults int) {
	expect := func(ok bool, right string) {
		if !ok {
			say("  but it should be " + right)
			faults++
		}
	}
	say("")
	say("How the watches ended:")
	for _, w := range demoWatches {
		got := cmp.Or(ends[w.job.ID], "no event")
		say(fmt.Sprintf("  %-11s  %-16s  %s", w.name, got, w.shows))
		expect(got == w.want, w.want)
	}
	say("In the dead-letter queue:")
	for _, m := range dead {
		say("  " + m.Body)
		say("  " + aws.ToString(m.MessageAttributes["RejectReason"].StringValue))
	}
	expect(len(dead) == 1 && dead[0].Body == demoBadMessage, demoBadMessage+" alone")
	say(fmt.Sprintf("The cluster was asked %d times, at most %d times in a second. It started %d refresh.", counts.Describes+counts.Lists+counts.Starts, counts.PeakPerSecond, counts.Starts))
	return faults
}

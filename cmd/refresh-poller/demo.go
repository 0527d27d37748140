package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"refresh-poller/internal/embedded"
	"refresh-poller/internal/event"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/screen"
	"refresh-poller/internal/simcluster"
)

const demoToken = "root:hunter2-of-demo"

// demoSettings are a stack's parameters, sped up to fit half a minute.
var demoSettings = map[string]string{
	"MIN_POLL_DELAY_SECONDS":  "1",
	"MAX_POLL_DELAY_SECONDS":  "3",
	"NOT_FOUND_GRACE_SECONDS": "6",
	"WATCH_DEADLINE_SECONDS":  "25",
}

// demoWatch is a job of the simulated cluster, the message that starts its
// watch, and the state that has to come of it.
type demoWatch struct {
	job  simcluster.Job
	body string
	want string
}

var demoWatches = []demoWatch{
	{
		simcluster.Job{ID: "449503829274509313", CollectionName: "ext_books", VisibleAfter: 2 * time.Second, PendingFor: 3 * time.Second, RunsFor: 9 * time.Second, Shape: simcluster.Tasks(4), ExternalSource: `{"type":"volume","path":"volume://my-volume/books"}`},
		`449503829274509313`, "RefreshCompleted",
	},
	{
		simcluster.Job{ID: "9223372036854775807", CollectionName: "ext_logs", RunsFor: 12 * time.Second, Shape: simcluster.IndexWait},
		`{"jobId": "9223372036854775807", "context": {"pipeline": "nightly"}}`, "RefreshCompleted",
	},
	{
		simcluster.Job{ID: "449503829274509314", CollectionName: "ext_clicks", RunsFor: 10 * time.Second, Shape: simcluster.SlowStart, Faults: []simcluster.Answer{simcluster.Failure(1807, "request is rejected by limiter"), simcluster.GatewayPage(), simcluster.RateLimited(2 * time.Second)}},
		`{"code": 0, "data": {"jobId": 449503829274509314}}`, "RefreshCompleted",
	},
	{
		simcluster.Job{ID: "449503829274509315", CollectionName: "ext_orders", PendingFor: time.Second, RunsFor: 6 * time.Second, Shape: simcluster.Fallen(simcluster.Tasks(3), 33), Fails: "read s3://key:secret@orders/2024.parquet: no such object", ReasonAfter: 2 * time.Second},
		`{"detail-type": "Refresh submitted", "detail": {"jobId": 449503829274509315}}`, "RefreshFailed",
	},
	{
		simcluster.Job{ID: "449503829274509316", NeverVisible: true},
		`449503829274509316`, event.StateNotFound,
	},
	{
		simcluster.Job{ID: "449503829274509317", CollectionName: "ext_stuck", RunsFor: 6 * time.Second, Shape: simcluster.LinearTo(73), Hangs: true},
		`{"jobId": 449503829274509317, "deadlineSeconds": 15}`, event.StateExpired,
	},
}

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
	show.Note(fmt.Sprintf("%d jobs of a simulated cluster, and a bad message: about 15 seconds", len(demoWatches)))
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
	for _, w := range demoWatches {
		cluster.Add(w.job)
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
		say(strings.TrimRight(fmt.Sprintf("  %-19s  %-16s  %s", w.job.ID, got, w.job.CollectionName), " "))
		expect(got == w.want, w.want)
	}
	say("In the dead-letter queue:")
	for _, m := range dead {
		say("  " + m.Body)
		say("  " + aws.ToString(m.MessageAttributes["RejectReason"].StringValue))
	}
	expect(len(dead) == 1 && dead[0].Body == demoBadMessage, demoBadMessage+" alone")
	say(fmt.Sprintf("The cluster was asked %d times, at most %d times in a second.", counts.Describes, counts.PeakPerSecond))
	return faults
}

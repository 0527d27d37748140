package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"refresh-poller/internal/laptop/screen"
	"refresh-poller/internal/milvus"
)

const (
	checkToken    = "check that --token-file, or CLUSTER_TOKEN, holds its API key, or user:password, which may describe these jobs"
	checkEndpoint = "check that --endpoint, or CLUSTER_ENDPOINT, is where jobs of this kind are described, with the right port, by a version that has them"
	checkBetween  = "check --endpoint, the token, and what stands in between, such as a proxy"
	checkCA       = "if the CA is one of your own, or of a proxy in between, name its certificate with --ca-file"
	checkHost     = "check the host of --endpoint, or CLUSTER_ENDPOINT"
	checkClock    = "have it renewed, or set the clock of this computer"
	checkPair     = "put the certificate and its key, in PEM, into clientCertificate and clientPrivateKey of JSON in --token-file, with the token in token"
	checkPort     = "check the port of --endpoint, or CLUSTER_ENDPOINT, or whether it is to begin with http"
)

// What to check while the cluster has not shown the job once.
var hints = map[milvus.ErrorKind]string{
	milvus.Refused:       "The cluster refuses the token, or asks for another certificate: " + checkToken + ". It is tried again, slowly; Ctrl-C ends the watch.",
	milvus.Misconfigured: "This is not the API, or not to be trusted: " + checkEndpoint + "; a CA of your own belongs into --ca-file. It is tried again, slowly; Ctrl-C ends the watch.",
	milvus.Temporary: "It is tried again. If this goes on, check that --endpoint is right, that it can be reached from here " +
		"(through HTTPS_PROXY, where that is set), and that its certificate is trusted (--ca-file).",
}

// referee ends the watch of whoever has to act first: the token is refused, the
// answers are not the API's, or TLS fails. It stands between the poller, its cluster
// and its log, for only the poller's line tells that an answer stands.
type referee struct {
	slog.Handler
	cluster
	keepTrying bool
	// patience is how long such a fault has to last once the cluster has answered.
	patience time.Duration
	stop     func()

	mu       sync.Mutex
	answered bool
	since    time.Time // when the fault came that has been the only answer since; or zero
	faults   map[string]*milvus.Error
	sentence string
}

// newReferee returns the referee of a watch that show and end belong to.
func newReferee(w plan, show *screen.Screen, end func()) *referee {
	cluster := w.config.Cluster()
	cluster.Trust(w.trust)
	return &referee{
		Handler:    show,
		cluster:    cluster,
		keepTrying: w.keepTrying,
		patience:   w.config.Settings().MaxDelay,
		stop:       func() { show.Close(); end() },
		faults:     map[string]*milvus.Error{},
	}
}

// Describe remembers a fault that only the user can mend.
func (r *referee) Describe(ctx context.Context, token string, job milvus.Ref) (milvus.Job, error) {
	found, err := r.cluster.Describe(ctx, token, job)
	fault, _ := err.(*milvus.Error) // milvus.Client has no other
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case fault == nil || fault.Kind == milvus.NotFound:
		r.answered, r.since = true, time.Time{}
	case fault.Kind == milvus.Refused || fault.Kind == milvus.Misconfigured:
		r.faults[job.ID] = fault
	}
	return found, err
}

// WithAttrs is part of slog.Handler.
func (r *referee) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup is part of slog.Handler.
func (r *referee) WithGroup(string) slog.Handler { return r }

// Handle ends the watch instead of showing a poll that failed by such a fault. All
// describes of its batch are done by then.
func (r *referee) Handle(ctx context.Context, record slog.Record) error {
	if r.ends(record) {
		r.stop()
		return nil
	}
	return r.Handler.Handle(ctx, record)
}

func (r *referee) ends(record slog.Record) bool {
	jobID, text, goesOn := "", "", false
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "jobId":
			jobID = a.Value.String()
		case "error":
			text = a.Value.String()
		case "delaySeconds":
			goesOn = true
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	fault := r.faults[jobID]
	if r.keepTrying || !goesOn || fault == nil || fault.Error() != text {
		return false
	}
	if r.answered && r.since.IsZero() {
		r.since = record.Time
	}
	if r.answered && record.Time.Sub(r.since) < r.patience {
		return false
	}
	r.sentence = advice(fault)
	return true
}

// verdict returns why the watch was ended, or "".
func (r *referee) verdict() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sentence
}

// advice is one sentence: what is wrong, and what to check.
func advice(fault *milvus.Error) string {
	what, check, text := "this is not the API", checkEndpoint, fault.Error()
	if fault.Distrust != "" {
		text = fault.Message // without what mends a stack
	}
	switch {
	case fault.Distrust == milvus.UnknownAuthority:
		what, check = "the certificate is not trusted", checkCA
	case fault.Distrust == milvus.OtherHost:
		what, check = "the certificate is for another host", checkHost
	case fault.Distrust == milvus.OutOfDate:
		what, check = "the certificate is out of date", checkClock
	case fault.Distrust == milvus.NotTLS:
		what, check = "the port does not speak TLS", checkPort
	case fault.Distrust == milvus.NoCertificate:
		what, check = "the cluster asks for a certificate", checkPair
	case fault.Distrust == milvus.CertificateRefused:
		what, check = "the cluster refuses the certificate in --token-file", checkPair
	case fault.Kind == milvus.Refused && fault.Code != 0:
		what, check = "the cluster refuses the token", checkToken
	case fault.Kind == milvus.Refused:
		what, check = "the request is refused, and not by the API", checkBetween
	}
	return fmt.Sprintf("%s (%s): %s", what, text, check)
}

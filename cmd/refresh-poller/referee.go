package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"refresh-poller/internal/laptop/screen"
	"refresh-poller/internal/milvus"
)

const (
	checkToken    = "check that --token-file, or CLUSTER_TOKEN, holds its API key, or user:password, which may describe these jobs"
	checkEndpoint = "check that --endpoint, or CLUSTER_ENDPOINT, is where jobs of this kind are described, with the right port, by a version that has them"
	// Those of a command that starts refreshes.
	checkRight     = "check that --token-file, or CLUSTER_TOKEN, holds its API key, or user:password, which may list and start the refreshes of these collections"
	checkRefreshes = "check that --endpoint, or CLUSTER_ENDPOINT, is where external collections are refreshed, with the right port, by a version that can"

	checkBetween = "check --endpoint, the token, and what stands in between, such as a proxy"
	checkCA      = "if the CA is one of your own, or of a proxy in between, name its certificate with --ca-file"
	checkHost    = "check the host of --endpoint, or CLUSTER_ENDPOINT"
	checkClock   = "have it renewed, or set the clock of this computer"
	checkPair    = "put the certificate and its key, in PEM, into clientCertificate and clientPrivateKey of JSON in --token-file, with the token in token"
	checkPort    = "check the port of --endpoint, or CLUSTER_ENDPOINT, or whether it is to begin with http"
)

// checks are what to check where the cluster refuses the token, or is not the API.
func (w plan) checks() (ofToken, ofEndpoint string) {
	if w.starts {
		return checkRight, checkRefreshes
	}
	return checkToken, checkEndpoint
}

// hints are what to check while the cluster has not shown the job once.
func (w plan) hints() map[milvus.ErrorKind]string {
	ofToken, ofEndpoint := w.checks()
	return map[milvus.ErrorKind]string{
		milvus.Refused:       "The cluster refuses the token, or asks for another certificate: " + ofToken + ". It is tried again, slowly; Ctrl-C ends the watch.",
		milvus.Misconfigured: "This is not the API, or not to be trusted: " + ofEndpoint + "; a CA of your own belongs into --ca-file. It is tried again, slowly; Ctrl-C ends the watch.",
		milvus.Temporary: "It is tried again. If this goes on, check that --endpoint is right, that it can be reached from here " +
			"(through HTTPS_PROXY, where that is set), and that its certificate is trusted (--ca-file).",
	}
}

// referee ends the watch of whoever has to act first: the token is refused, the
// answers are not the API's, or TLS fails. It stands between the poller, its cluster
// and its log, for only the poller's line tells that an answer stands.
type referee struct {
	slog.Handler
	cluster
	plan plan
	// patience is how long such a fault has to last once the cluster has answered.
	patience time.Duration
	stop     func()

	mu                       sync.Mutex
	describes, lists, starts requests
	faults                   map[string]fault // by their texts
	sentence                 string
	// started are the jobs of the collections whose refresh the cluster was asked for:
	// "" where it may have been started.
	started map[string]string
}

// requests is what has come of those for one thing.
type requests struct {
	answered bool
	since    time.Time // when the fault came that has been the only answer since; or zero
}

// fault is one that only the user can mend, and what was asked for.
type fault struct {
	*milvus.Error
	of *requests
}

// newReferee returns the referee of watches that show and end belong to.
func newReferee(w plan, show *screen.Screen, end func()) *referee {
	cluster := w.config.Cluster()
	cluster.Trust(w.trust)
	return &referee{
		Handler:  show,
		cluster:  cluster,
		plan:     w,
		patience: w.config.Settings().MaxDelay,
		stop:     func() { show.Close(); end() },
		faults:   map[string]fault{},
		started:  map[string]string{},
	}
}

// Describe remembers a fault that only the user can mend, as do List and Start.
func (r *referee) Describe(ctx context.Context, token string, job milvus.Ref) (milvus.Job, error) {
	found, err := r.cluster.Describe(ctx, token, job)
	r.remember(&r.describes, err)
	return found, err
}

// List is as Describe.
func (r *referee) List(ctx context.Context, token string, of milvus.Collection) (milvus.List, error) {
	list, err := r.cluster.List(ctx, token, of)
	r.remember(&r.lists, err)
	return list, err
}

// Start is as Describe, and remembers what it started.
func (r *referee) Start(ctx context.Context, token string, of milvus.Collection) (string, error) {
	id, err := r.cluster.Start(ctx, token, of)
	failure := r.remember(&r.starts, err)
	if failure == nil || failure.Unsure {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.started[of.Name] = id
	}
	return id, err
}

// aboutTheJob are the kinds of failures with which the API answers.
var aboutTheJob = []milvus.ErrorKind{milvus.NotFound, milvus.Busy, milvus.Impossible}

func (r *referee) remember(of *requests, err error) *milvus.Error {
	failure, _ := err.(*milvus.Error) // milvus.Client has no other
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case failure == nil || slices.Contains(aboutTheJob, failure.Kind):
		of.answered, of.since = true, time.Time{}
		if of != &r.lists { // who may list may perhaps not start
			r.describes.since, r.lists.since, r.starts.since = time.Time{}, time.Time{}, time.Time{}
		}
	case !r.plan.keepTrying && (failure.Kind == milvus.Refused || failure.Kind == milvus.Misconfigured):
		r.faults[failure.Error()] = fault{failure, of}
	}
	return failure
}

// WithAttrs is part of slog.Handler.
func (r *referee) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup is part of slog.Handler.
func (r *referee) WithGroup(string) slog.Handler { return r }

// Handle ends the watch instead of showing a poll that failed by such a fault. All
// requests of its batch are done by then.
func (r *referee) Handle(ctx context.Context, record slog.Record) error {
	if r.ends(record) {
		r.stop()
		return nil
	}
	return r.Handler.Handle(ctx, record)
}

func (r *referee) ends(record slog.Record) bool {
	text, goesOn := "", false
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "error":
			text = a.Value.String()
		case "delaySeconds":
			goesOn = true
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	fault, remembered := r.faults[text]
	if !goesOn || !remembered {
		return false
	}
	if fault.of.answered && fault.of.since.IsZero() {
		fault.of.since = record.Time
	}
	if fault.of.answered && record.Time.Sub(fault.of.since) < r.patience {
		return false
	}
	r.sentence = r.plan.advice(fault.Error)
	return true
}

// verdict returns why the watch was ended, or "".
func (r *referee) verdict() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sentence
}

// advice is one sentence: what is wrong, and what to check.
func (w plan) advice(fault *milvus.Error) string {
	ofToken, ofEndpoint := w.checks()
	what, check, text := "this is not the API", ofEndpoint, fault.Error()
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
		what, check = "the cluster refuses the token", ofToken
	case fault.Kind == milvus.Refused:
		what, check = "the request is refused, and not by the API", checkBetween
	}
	return fmt.Sprintf("%s (%s): %s", what, text, check)
}

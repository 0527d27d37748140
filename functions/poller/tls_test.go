package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/tests/authority"
	"refresh-poller/internal/tests/leak"
)

// The deployed program picks up each change without a restart.
func TestTheFunctionTakesItsTrustFromTheSecret(t *testing.T) {
	t.Parallel()
	own, clients := authority.New(t, "own"), authority.New(t, "clients")
	soon := time.Now().Add(time.Hour)
	cluster := authority.Serve(t, "HTTP/2, TLS 1.3", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, inProgress(asked(r))) })
	cluster.Present(t, own.Issue(t, soon), clients)
	aws := startAccount(t)
	var printed bytes.Buffer
	f := deploy(t, aws, cluster.URL, time.Minute, &printed)
	pid := f.PID()
	right := clients.Issue(t, soon)
	for i, step := range []struct {
		ca     string
		client authority.Pair
		want   string
	}{
		{"", authority.Pair{}, "put its certificate into caCertificate of the secret"},
		{own.PEM(), authority.Pair{}, "put one that it takes into clientCertificate of the secret"},
		{own.PEM(), right, "RefreshInProgress"},
	} {
		aws.holdPEMs(step.ca, step.client)
		if failed := invoke(t, f, "1"); failed != nil {
			t.Fatalf("%v failed", failed)
		}
		if sent, _, _ := aws.all(); len(sent) != i+1 || !strings.Contains(sent[i], step.want) {
			t.Errorf("%q is not in %s", step.want, sent)
		}
	}
	if f.PID() != pid {
		t.Error("the process is another")
	}
	f.Close() // what was printed is complete then
	sent, _, _ := aws.all()
	if leak.Find(printed.String()+strings.Join(sent, ""), right.Key, "0123456789abcdef") != nil || !strings.Contains(printed.String(), `"errorKind":"refused"`) {
		t.Errorf("printed %s", printed.String())
	}
}

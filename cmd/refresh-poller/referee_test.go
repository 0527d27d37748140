package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/authority"
)

// endsAtOnce checks that a watch of these jobs ends with status 3, no event and
// one sentence, which begins and ends so.
func endsAtOnce(t *testing.T, environ map[string]string, begin, end string, args ...string) {
	t.Helper()
	got := runToEnd(t, environ, append([]string{"watch"}, args...)...)
	if got.status != exitRefused || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("status %d, stdout %q, stderr\n%s", got.status, got.stdout, got.stderr)
	}
	if !strings.HasPrefix(got.stderr, "watch: "+begin) || !strings.HasSuffix(got.stderr, ": "+end+"\n") {
		t.Errorf("%q ... %q is not\n%s", begin, end, got.stderr)
	}
}

func TestAWatchThatOnlyItsUserCanHelpEndsAtOnce(t *testing.T) {
	const refused = "the cluster refuses the token "
	tests := map[string]struct {
		cluster    http.Handler
		begin, end string
	}{
		"another token":                    {simcluster.New(simcluster.Options{Token: "another"}), refused + "(user hasn't authenticated (HTTP 401, code 1800))", checkToken},
		"a cluster that repeats the token": {answer(200, `{"code": 21119, "message": `+strconv.Quote("The apikey "+token+" is illegal.")+`}`), refused + "(The apikey *** is illegal. (HTTP 200, code 21119))", checkToken},
		"no right to describe":             {answer(200, `{"code": 1401, "message": "permission deny"}`), refused + "(permission deny (HTTP 200, code 1401))", checkToken},
		"an older server":                  {http.NotFoundHandler(), "this is not the API (the answer is not the API's JSON (HTTP 404))", checkEndpoint},
		"a web site":                       {http.RedirectHandler("https://example.org", http.StatusFound), "this is not the API (the answer is not the API's JSON (HTTP 302))", checkEndpoint},
		"a gateway that refuses":           {answer(403, "<html>"), "the request is refused, and not by the API (the answer is not the API's JSON (HTTP 403))", checkBetween},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endsAtOnce(t, watching(t, tt.cluster), tt.begin, tt.end)
		})
	}
}

func TestATokenIsRefusedOnceForManyJobs(t *testing.T) {
	cluster := simcluster.New(simcluster.Options{Token: "another", RequestsPerSecond: 20})
	var ids []string
	for i := range 20 {
		ids = append(ids, strconv.Itoa(i+1))
	}
	endsAtOnce(t, watching(t, cluster), "the cluster refuses the token ", checkToken, ids...)
}

// certified writes the certificate of an httptest server into a file, for
// --ca-file. It is for 127.0.0.1 and example.com.
func certified(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func startTLS(t *testing.T) (server *httptest.Server, environ map[string]string) {
	t.Helper()
	cluster := simcluster.New(simcluster.Options{Token: token})
	cluster.Add(simcluster.Job{ID: exactID})
	environ = watching(t, cluster)
	server = httptest.NewUnstartedServer(cluster)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	environ["CLUSTER_ENDPOINT"] = server.URL
	return server, environ
}

func TestACAOfOnesOwnIsTrusted(t *testing.T) {
	server, environ := startTLS(t)
	if got := runToEnd(t, environ, "watch", "--ca-file", certified(t, server)); got.status != exitCompleted {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
	environ["CLUSTER_CA_FILE"] = certified(t, server)
	if got := runToEnd(t, environ, "watch"); got.status != exitCompleted {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
}

func TestACertificateThatIsNotRightIsNamedWithTheRemedy(t *testing.T) {
	server, environ := startTLS(t)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	endsAtOnce(t, environ, "the certificate is not trusted (no answer: tls: failed to verify certificate: x509: certificate signed by unknown authority): ", checkCA)
	endsAtOnce(t, environ, "the certificate is for another host (no answer: tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not localhost): ", checkHost,
		"--ca-file", certified(t, server), "--endpoint", "https://localhost:"+port)
}

func TestThePairInTheTokensFileIsForTheCluster(t *testing.T) {
	_, environ := startTLS(t)
	own, clients := authority.New(t, "own"), authority.New(t, "clients")
	soon := time.Now().Add(time.Hour)
	cluster := simcluster.New(simcluster.Options{Token: token})
	cluster.Add(simcluster.Job{ID: exactID})
	server := authority.Serve(t, "HTTP/2, TLS 1.3", cluster.ServeHTTP)
	server.Present(t, own.Issue(t, soon), clients)
	environ["CLUSTER_ENDPOINT"] = server.URL
	file := filepath.Join(t.TempDir(), "token")
	holding := func(pair authority.Pair) {
		text, _ := json.Marshal(map[string]string{"token": token, "caCertificate": own.PEM(), "clientCertificate": pair.Certificate, "clientPrivateKey": pair.Key})
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holding(authority.Pair{})
	endsAtOnce(t, environ, "the cluster asks for a certificate (no answer: ", checkPair, "--token-file", file)
	holding(own.Issue(t, soon))
	endsAtOnce(t, environ, "the cluster refuses the certificate in --token-file (no answer: ", checkPair, "--token-file", file)
	holding(clients.Issue(t, soon))
	if got := runToEnd(t, environ, "watch", "--token-file", file); got.status != exitCompleted {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
}

func TestAPortWithoutTLSIsNamed(t *testing.T) {
	http := httptest.NewServer(answer(200, ""))
	t.Cleanup(http.Close)
	// What it says first is no HTTP.
	banner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { banner.Close() })
	go func() {
		for {
			connection, err := banner.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(connection, "220 mail.example.org ESMTP\r\n")
			connection.Close()
		}
	}()
	for _, server := range []string{http.Listener.Addr().String(), banner.Addr().String()} {
		environ := watching(t, answer(200, ""))
		environ["CLUSTER_ENDPOINT"] = "https://" + server
		endsAtOnce(t, environ, "the port does not speak TLS (no answer: tls: first record does not look like a TLS handshake): ", checkPort)
	}
}

func TestANetworkThatFailsIsTriedAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	environ := watching(t, answer(200, ""))
	environ["CLUSTER_ENDPOINT"] = "https://" + listener.Addr().String()
	got := runUntil(t, "It is tried again", environ, "watch")
	if got.status != exitInterrupted || !strings.Contains(got.stderr, "connection refused") {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
}

// answers are what a cluster answers, one after the other: nil with a job.
type answers struct {
	cluster // is asked for nothing else
	next    *milvus.Error
}

func (a *answers) Describe(context.Context, string, milvus.Ref) (milvus.Job, error) {
	if a.next != nil {
		return milvus.Job{}, a.next
	}
	return milvus.Job{State: "RefreshInProgress"}, nil
}

func TestAFaultAfterAnAnswerHasToLast(t *testing.T) {
	refused := &milvus.Error{Kind: milvus.Refused, Message: "user hasn't authenticated"}
	untrusted := &milvus.Error{Kind: milvus.Misconfigured, Message: "tls", Distrust: milvus.UnknownAuthority}
	unavailable := &milvus.Error{Kind: milvus.Temporary, Message: "no answer"}
	missing := &milvus.Error{Kind: milvus.NotFound, Message: "no such job"}
	type poll struct {
		at     time.Duration
		job    string
		answer *milvus.Error
	}
	const minute = time.Minute
	tests := map[string]struct {
		polls []poll
		ended int // by which of the polls; -1 by none
	}{
		"at first":                        {[]poll{{0, "1", refused}}, 0},
		"at first, behind an outage":      {[]poll{{0, "1", unavailable}, {minute, "1", refused}}, 1},
		"after a job":                     {[]poll{{0, "1", nil}, {minute, "1", refused}}, -1},
		"after a job, and again later":    {[]poll{{0, "1", nil}, {minute, "1", refused}, {6 * minute, "1", refused}}, 2},
		"after a job, and again too soon": {[]poll{{0, "1", nil}, {minute, "1", untrusted}, {5 * minute, "1", untrusted}}, -1},
		"of TLS, and lasting":             {[]poll{{0, "1", nil}, {minute, "1", untrusted}, {2 * minute, "1", untrusted}, {6 * minute, "1", untrusted}}, 3},
		"and with an outage between":      {[]poll{{0, "1", nil}, {minute, "1", refused}, {2 * minute, "1", unavailable}, {6 * minute, "1", refused}}, 3},
		"that is over":                    {[]poll{{0, "1", nil}, {minute, "1", refused}, {6 * minute, "1", nil}, {7 * minute, "1", refused}}, -1},
		"of one job among others":         {[]poll{{0, "1", nil}, {minute, "2", refused}, {2 * minute, "1", nil}, {6 * minute, "2", refused}}, -1},
		"and an answer without a job":     {[]poll{{0, "1", missing}, {minute, "1", refused}}, -1},
		"and then the network's":          {[]poll{{0, "1", nil}, {minute, "1", untrusted}, {9 * minute, "1", unavailable}}, -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var cluster answers
			ended := -1
			now := 0
			r := &referee{
				Handler: slog.DiscardHandler, cluster: &cluster, patience: 5 * minute,
				stop: func() { ended = now }, faults: map[string]*milvus.Error{},
			}
			for i, p := range tt.polls {
				now = i
				cluster.next = p.answer
				record := slog.NewRecord(time.Time{}.Add(p.at), slog.LevelInfo, "job polled", 0)
				record.AddAttrs(slog.String("jobId", p.job), slog.Int64("delaySeconds", 60))
				if _, err := r.Describe(t.Context(), token, milvus.Ref{ID: p.job}); err != nil {
					record.AddAttrs(slog.String("error", err.Error()))
				}
				if err := r.Handle(t.Context(), record); err != nil {
					t.Fatal(err)
				}
			}
			if ended != tt.ended || (r.verdict() != "") != (tt.ended >= 0) {
				t.Errorf("ended by poll %d, not %d: %q", ended, tt.ended, r.verdict())
			}
		})
	}
}

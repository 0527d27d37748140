package poller

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/secret"
	"refresh-poller/internal/tests/authority"
)

// vault is Secrets Manager with one secret. It counts how often that is read.
type vault struct {
	mu    sync.Mutex
	text  string
	reads int
}

func (v *vault) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": v.text})
}

// hold puts a token and PEMs into the secret.
func (v *vault) hold(token, ca string, client authority.Pair) {
	text, _ := json.Marshal(map[string]string{"token": token, "caCertificate": ca, "clientCertificate": client.Certificate, "clientPrivateKey": client.Key})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.text = string(text)
}

// secured is a poller with the function's own client and reader, on a vault and a TLS
// server whose jobs are all in progress.
type secured struct {
	*harness
	vault  *vault
	server *authority.Server
	own    *authority.Authority // of the server's certificate
	// refused is the token that the server does not take, and job what it says of each.
	refused, job atomic.Pointer[string]
}

const (
	firstToken, secondToken = "first-0123456789abcdef", "second-fedcba9876543210"
)

var tenJobs = []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}

func newSecured(t *testing.T, protocol string) *secured {
	t.Helper()
	s := &secured{harness: newHarness(t), vault: &vault{}, own: authority.New(t, "own")}
	s.job.Store(new(`"state": "RefreshInProgress", "progress": 42`))
	s.server = authority.Serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ JobID int64 }
		_ = json.NewDecoder(r.Body).Decode(&asked)
		if refused := s.refused.Load(); refused != nil && r.Header.Get("Authorization") == "Bearer "+*refused {
			_, _ = io.WriteString(w, `{"code": 1800, "message": "user hasn't authenticated"}`)
			return
		}
		fmt.Fprintf(w, `{"code": 0, "data": {"jobId": %d, %s}}`, asked.JobID, *s.job.Load())
	})
	s.server.Present(t, s.own.Issue(t, time.Now().Add(time.Hour)), nil)
	aws := httptest.NewServer(s.vault)
	t.Cleanup(aws.Close)
	reader := secret.NewReader(secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: &aws.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""),
	}), "arn")
	cluster := milvus.NewClient(s.server.URL, 10)
	reader.Trusting = cluster.Trust
	s.Cluster, s.Tokens = cluster, reader
	s.Settings.MinDelay = time.Second
	return s
}

// wantPolls polls the jobs, and expects so many answers of one kind; "" is success.
// All are sent on, after the delay of their kind.
func (s *secured) wantPolls(t *testing.T, kind milvus.ErrorKind, bodies ...string) {
	t.Helper()
	sent := len(s.aws.messages[jobQueue])
	s.poll(t, bodies)
	counted := "Succeeded"
	if kind != "" {
		counted = "DescribeErrors" + strings.ToUpper(string(kind[:1])) + string(kind[1:])
	}
	if line := s.lastMeasured(t); line[counted] != float64(len(bodies)) {
		t.Errorf("measured %v, want %d of %s\n%s", line, len(bodies), counted, s.log)
	}
	for _, e := range s.aws.messages[jobQueue][sent:] {
		if slow := e.DelaySeconds == 300; slow != (kind != "") {
			t.Errorf("again after %d s", e.DelaySeconds)
		}
	}
}

// wantReads checks how often the secret has been read.
func (s *secured) wantReads(t *testing.T, want int) {
	t.Helper()
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	if s.vault.reads != want {
		t.Errorf("the secret was read %d times, want %d", s.vault.reads, want)
	}
}

func overEach(t *testing.T, run func(*testing.T, *secured)) {
	for protocol := range authority.Protocols {
		t.Run(protocol, func(t *testing.T) { run(t, newSecured(t, protocol)) })
	}
}

func TestAServerThatIsNotTrustedIsTheOperatorsToMend(t *testing.T) {
	overEach(t, func(t *testing.T, s *secured) {
		s.vault.hold(firstToken, "", authority.Pair{})
		s.wantPolls(t, milvus.Misconfigured, tenJobs...)
		s.wantReads(t, 2)
		if opened := s.server.Opened.Load(); opened > 10 {
			t.Errorf("%d connections for ten jobs, though the secret is the same", opened)
		}
		const sentence = "certificate signed by unknown authority: if the CA is one of your own, put its certificate into caCertificate of the secret"
		for _, text := range []string{`"level":"WARN"`, `"errorKind":"misconfigured"`, sentence} {
			if !strings.Contains(s.log.String(), text) {
				t.Errorf("%s is not in %s", text, s.log)
			}
		}
		s.vault.hold(firstToken, s.own.PEM(), authority.Pair{})
		s.wantPolls(t, "", tenJobs...)
		s.wantReads(t, 3)
	})
}

func TestACAThatChangesIsPickedUpWithinABatch(t *testing.T) {
	overEach(t, func(t *testing.T, s *secured) {
		s.vault.hold(firstToken, s.own.PEM(), authority.Pair{})
		s.wantPolls(t, "", "1") // of one connection, for HTTP/2 may open some that no request is sent over
		other := authority.New(t, "other")
		s.server.Present(t, other.Issue(t, time.Now().Add(time.Hour)), nil)
		s.vault.hold(firstToken, other.PEM(), authority.Pair{})
		s.server.CloseClientConnections()
		s.wantPolls(t, "", tenJobs...)
		s.wantReads(t, 2)
	})
}

func TestAnotherTrustClosesTheOldConnections(t *testing.T) {
	overEach(t, func(t *testing.T, s *secured) {
		s.vault.hold(firstToken, s.own.PEM(), authority.Pair{})
		s.wantPolls(t, "", tenJobs...)
		before := s.server.Opened.Load()
		s.vault.hold(secondToken, s.own.PEM()+authority.New(t, "other").PEM(), authority.Pair{})
		s.refused.Store(new(firstToken)) // which has the secret read anew
		s.wantPolls(t, "", tenJobs...)
		for deadline := time.Now().Add(10 * time.Second); s.server.Closed.Load() < before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d connections are closed", s.server.Closed.Load(), before)
			}
		}
		if s.server.Opened.Load() == before {
			t.Error("there is no new connection")
		}
	})
}

func TestTheSameTrustKeepsTheConnections(t *testing.T) {
	overEach(t, func(t *testing.T, s *secured) {
		client := s.own.Issue(t, time.Now().Add(time.Hour))
		s.vault.hold(firstToken, s.own.PEM(), client)
		s.wantPolls(t, "", "1")
		s.vault.hold(secondToken, s.own.PEM(), client)
		s.refused.Store(new(firstToken))
		s.wantPolls(t, "", "2")
		s.wantReads(t, 2)
		s.refused.Store(new(secondToken))
		s.wantPolls(t, milvus.Refused, "3")
		s.wantReads(t, 3)
		if opened, closed := s.server.Opened.Load(), s.server.Closed.Load(); opened != 1 || closed != 0 {
			t.Errorf("%d connections, %d of them closed", opened, closed)
		}
	})
}

func TestARefusedCertificateOfThePollersIsTheOperatorsToMend(t *testing.T) {
	clients, strangers := authority.New(t, "clients"), authority.New(t, "strangers")
	soon := time.Now().Add(time.Hour)
	tests := map[string]struct {
		pair     authority.Pair
		sentence string
	}{
		"missing":              {authority.Pair{}, "the cluster asks for a certificate: put one that it takes into clientCertificate of the secret, and its key into clientPrivateKey"},
		"of another authority": {strangers.Issue(t, soon), "tls: unknown certificate authority: the cluster refuses clientCertificate of the secret"},
		"expired":              {clients.Issue(t, time.Now().Add(-time.Minute)), "tls: expired certificate: the cluster refuses clientCertificate of the secret"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, s *secured) {
				right := clients.Issue(t, soon)
				s.credentials = append(s.credentials, right.Key)
				if tt.pair.Key != "" {
					s.credentials = append(s.credentials, tt.pair.Key)
				}
				s.server.Present(t, s.own.Issue(t, soon), clients)
				s.vault.hold(firstToken, s.own.PEM(), tt.pair)
				s.wantPolls(t, milvus.Refused, tenJobs...)
				s.wantReads(t, 2)
				if n := strings.Count(s.log.String(), tt.sentence); n != 10 {
					t.Errorf("the sentence is there %d times in %s", n, s.log)
				}
				s.vault.hold(firstToken, s.own.PEM(), right)
				s.wantPolls(t, "", tenJobs...)
				s.wantReads(t, 3)
			})
		})
	}
}

func TestOfASecretWithHalfAPairNothingIsSent(t *testing.T) {
	s := newSecured(t, "HTTP/2, TLS 1.3")
	pair := s.own.Issue(t, time.Now().Add(time.Hour))
	s.credentials = append(s.credentials, pair.Key, firstToken)
	s.vault.hold(firstToken, s.own.PEM(), authority.Pair{Key: pair.Key})
	s.handle(t, tenJobs...)
	if s.server.Opened.Load() > 0 || !strings.Contains(s.log.String(), "it has clientPrivateKey without clientCertificate: it must have both, or neither") {
		t.Errorf("%d connections: %s", s.server.Opened.Load(), s.log)
	}
}

// Whoever made the pair may have given the cluster both.
func TestWhatTheClusterRepeatsOfThePrivateKeyIsTakenOut(t *testing.T) {
	s := newSecured(t, "HTTP/1.1, TLS 1.3")
	pair := s.own.Issue(t, time.Now().Add(time.Hour))
	s.credentials = append(s.credentials, pair.Key)
	s.vault.hold(firstToken, s.own.PEM(), pair)
	s.job.Store(new(`"state": "RefreshFailed", "endTime": 1712832000000, "reason": ` + strconv.Quote("bad key "+pair.Key)))
	s.handle(t, "1")
	if got := s.aws.details(t)["1"].Reason; !strings.Contains(got, "bad key") || !strings.Contains(got, "***") {
		t.Errorf("the reason is %q", got)
	}
}

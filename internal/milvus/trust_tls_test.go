package milvus

import (
	"crypto/tls"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"refresh-poller/internal/tests/authority"
	"refresh-poller/internal/tests/leak"
)

// overEach runs a test with a cluster over each protocol, whose certificate is of an
// authority of its own.
func overEach(t *testing.T, run func(*testing.T, *authority.Server, *authority.Authority)) {
	own := authority.New(t, "own")
	for protocol := range authority.Protocols {
		t.Run(protocol, func(t *testing.T) {
			s := authority.Serve(t, protocol, answering(200, success(exactID, inProgress)))
			s.Present(t, own.Issue(t, time.Now().Add(time.Hour)), nil)
			run(t, s, own)
		})
	}
}

func TestACAOfOnesOwnIsTrustedOnceTheClientIsTold(t *testing.T) {
	overEach(t, func(t *testing.T, s *authority.Server, own *authority.Authority) {
		c := NewClient(s.URL, 10)
		failure := failed(t, c)
		const want = "no answer: tls: failed to verify certificate: x509: certificate signed by unknown authority: if the CA is one of your own, put its certificate into caCertificate of the secret"
		if failure.Kind != Misconfigured || failure.Distrust != UnknownAuthority || failure.Error() != want || failure.Outdated() {
			t.Errorf("got %+v: %s", failure, failure)
		}
		c.Trust(Trust{Roots: authority.Pool(own)})
		if !failure.Outdated() {
			t.Error("the failure is not outdated")
		}
		if _, err := c.Describe(t.Context(), apiKey, refresh(exactID)); err != nil {
			t.Error(err)
		}
	})
}

// pairOf returns a client's pair.
func pairOf(t *testing.T, a *authority.Authority, until time.Time) Trust {
	pair := a.Issue(t, until)
	certificate := pair.TLS(t)
	return Trust{Certificate: &certificate, PrivateKey: pair.Key}
}

func TestACertificateOfTheClientsIsTakenOrItsRefusalNamed(t *testing.T) {
	clients, strangers := authority.New(t, "clients"), authority.New(t, "strangers")
	soon := time.Now().Add(time.Hour)
	tests := map[string]struct {
		trust    Trust
		distrust Distrust
		fault    string
	}{
		"right":   {pairOf(t, clients, soon), "", ""},
		"missing": {Trust{}, NoCertificate, ": the cluster asks for a certificate: put one that it takes into clientCertificate of the secret, and its key into clientPrivateKey"},
		"of another authority": {pairOf(t, strangers, soon), CertificateRefused,
			"remote error: tls: unknown certificate authority: the cluster refuses clientCertificate of the secret: put one there that it takes, and its key into clientPrivateKey"},
		"expired": {pairOf(t, clients, time.Now().Add(-time.Minute)), CertificateRefused, "remote error: tls: expired certificate: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, s *authority.Server, own *authority.Authority) {
				s.Present(t, own.Issue(t, soon), clients)
				c := NewClient(s.URL, 10)
				trust := tt.trust
				trust.Roots = authority.Pool(own)
				c.Trust(trust)
				for range 3 {
					_, err := c.Describe(t.Context(), apiKey, refresh(exactID))
					if tt.fault == "" && err == nil {
						continue
					}
					failure, _ := err.(*Error)
					if failure == nil || failure.Kind != Refused || failure.Distrust != tt.distrust || failure.Stale || !strings.Contains(failure.Error(), tt.fault) {
						t.Errorf("got %+v", err)
					}
				}
			})
		})
	}
}

func TestTenAtOnceAreAllToldThatTheCertificateIsRefused(t *testing.T) {
	clients := authority.New(t, "clients")
	overEach(t, func(t *testing.T, s *authority.Server, own *authority.Authority) {
		s.Present(t, own.Issue(t, time.Now().Add(time.Hour)), clients)
		c := NewClient(s.URL, 10)
		c.Trust(Trust{Roots: authority.Pool(own)})
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, err := c.Describe(t.Context(), apiKey, refresh(exactID))
				if failure, _ := err.(*Error); failure == nil || failure.Distrust != NoCertificate {
					t.Errorf("got %+v", err)
				}
			})
		}
		all.Wait()
	})
}

func TestAnotherTrustClosesTheConnectionsThereAre(t *testing.T) {
	overEach(t, func(t *testing.T, s *authority.Server, own *authority.Authority) {
		other := authority.New(t, "other")
		c := NewClient(s.URL, 10)
		c.Trust(Trust{Roots: authority.Pool(own)})
		for range 3 {
			if _, err := c.Describe(t.Context(), apiKey, refresh(exactID)); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Opened.Load(); n != 1 {
			t.Errorf("%d connections before", n)
		}
		c.Trust(Trust{Roots: authority.Pool(other)})
		if failure := failed(t, c); failure.Distrust != UnknownAuthority {
			t.Errorf("got %+v", failure)
		}
		s.Present(t, other.Issue(t, time.Now().Add(time.Hour)), nil)
		if _, err := c.Describe(t.Context(), apiKey, refresh(exactID)); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(10 * time.Second); s.Closed.Load() < 2; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of the two connections before are closed", s.Closed.Load())
			}
		}
	})
}

// A handshake that fails otherwise is the network's, or a single backend's.
func TestAnAlertAboutSomethingElseIsTemporary(t *testing.T) {
	own := authority.New(t, "own")
	pair := own.Issue(t, time.Now().Add(time.Hour))
	s := authority.Serve(t, "HTTP/1.1, TLS 1.3", answering(200, success(exactID, inProgress)))
	s.Present(t, pair, nil)
	c := clientOf(s.URL, func(transport *http.Transport) { transport.TLSClientConfig.MaxVersion = tls.VersionTLS12 })
	c.Trust(Trust{Roots: authority.Pool(own)})
	failure := failed(t, c)
	if failure.Kind != Temporary || failure.Distrust != "" || failure.Error() != "no answer: remote error: tls: protocol version not supported" {
		t.Errorf("got %+v", failure)
	}
}

func TestNothingHoldsThePrivateKey(t *testing.T) {
	clients := authority.New(t, "clients")
	pair := clients.Issue(t, time.Now().Add(time.Hour))
	lines := strings.Split(pair.Key, "\n")
	body := `{"code": 0, "data": {"jobId": ` + refresh(exactID).ID + `, "state": "` + lines[1] + `", "collectionName": "` + lines[1] + `", "externalSource": "` + strings.ReplaceAll(pair.Key, "\n", `\n`) + `", "reason": "` + strings.ReplaceAll(pair.Key, "\n", `\\n`) + `"}}`
	tests := map[string]struct {
		job  Ref
		body string
	}{
		"a job":              {refresh(exactID), body},
		"a job of the cloud": {Ref{"cloud", "job-1"}, `{"code": 0, "data": {"jobId": "job-1", "status": "IN_PROGRESS", "type": "` + lines[1] + `"}}`},
		"an error":           {refresh(exactID), `{"code": 1, "message": "` + lines[2] + " " + lines[1] + `"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, answering(200, tt.body))
			certificate := pair.TLS(t)
			c.Trust(Trust{Certificate: &certificate, PrivateKey: pair.Key})
			job, err := c.Describe(t.Context(), apiKey, tt.job)
			if found := leak.Find(show(job, err), pair.Key); found != nil || !strings.Contains(show(job, err), "***") {
				t.Errorf("the key is in %s", show(job, err))
			}
		})
	}
}

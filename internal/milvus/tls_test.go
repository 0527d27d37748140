package milvus

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"refresh-poller/internal/tests/leak"
)

// issue returns a certificate that has signed itself.
func issue(t *testing.T, host string, from, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if address := net.ParseIP(host); address != nil {
		form.IPAddresses = []net.IP{address}
	} else {
		form.DNSNames = []string{host}
	}
	raw, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func startTLS(t *testing.T, certificate tls.Certificate, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := newServer(t, handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	return server
}

func TestACertificateIsVerified(t *testing.T) {
	now := time.Now()
	tests := map[string]struct {
		host        string
		from, until time.Time
		trusted     bool
		fault       string // of the error; none where all is right
		distrust    Distrust
	}{
		"that is right":                 {"127.0.0.1", now.Add(-time.Hour), now.Add(time.Hour), true, "", ""},
		"of an unknown authority":       {"127.0.0.1", now.Add(-time.Hour), now.Add(time.Hour), false, "unknown authority", UnknownAuthority},
		"of another address":            {"127.0.0.2", now.Add(-time.Hour), now.Add(time.Hour), true, "certificate is valid for 127.0.0.2", OtherHost},
		"of another host":               {"cluster.example", now.Add(-time.Hour), now.Add(time.Hour), true, "cannot validate certificate for 127.0.0.1", OtherHost},
		"that has expired":              {"127.0.0.1", now.Add(-2 * time.Hour), now.Add(-time.Hour), true, "certificate has expired", OutOfDate},
		"that is not valid yet":         {"127.0.0.1", now.Add(time.Hour), now.Add(2 * time.Hour), true, "is not yet valid", OutOfDate},
		"of another host, and expired":  {"cluster.example", now.Add(-2 * time.Hour), now.Add(-time.Hour), true, "certificate has expired", OutOfDate},
		"of a name that only resembles": {"127.0.0.1.example", now.Add(-time.Hour), now.Add(time.Hour), true, "cannot validate certificate for 127.0.0.1", OtherHost},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			certificate := issue(t, tt.host, tt.from, tt.until)
			server := startTLS(t, certificate, func(w http.ResponseWriter, r *http.Request) {
				if tt.fault != "" {
					t.Error("the request was sent")
				}
				answering(200, success(exactID, inProgress))(w, r)
			})
			c := NewClient(server.URL, 1)
			if tt.trusted {
				c = trusting(certificate.Leaf, server.URL)
			}
			job, err := c.Describe(t.Context(), apiKey, refresh(exactID))
			if tt.fault == "" {
				if err != nil || job.State != "RefreshInProgress" {
					t.Errorf("got %+v, %v", job, err)
				}
				return
			}
			failure, _ := err.(*Error)
			if failure == nil || failure.Kind != Misconfigured || failure.Distrust != tt.distrust || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("got %+v, want %s, %q", failure, tt.distrust, tt.fault)
			}
		})
	}
}

// relay is a proxy that opens tunnels, wherever to, to one address, and
// remembers all that passes.
type relay struct {
	URL, to string
	mu      sync.Mutex
	asked   []string
	passed  bytes.Buffer
}

func startRelay(t *testing.T, to string) *relay {
	p := &relay{to: to}
	server := newServer(t, p.ServeHTTP)
	server.Start()
	p.URL = server.URL
	return p
}

func (p *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI)
	fmt.Fprint(&p.passed, r.Header)
	p.mu.Unlock()
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() {
		_, _ = io.Copy(io.MultiWriter(there, p), buffered)
		there.Close()
	}()
	_, _ = io.Copy(here, there)
}

func (p *relay) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed.Write(text)
}

// net/http reads the proxy's variables once in a process, so this needs another.
func TestDescribeInAProcessOfItsOwn(t *testing.T) {
	endpoint := os.Getenv("TEST_ENDPOINT")
	if endpoint == "" {
		return
	}
	job, err := NewClient(endpoint, 1).Describe(t.Context(), apiKey, refresh(exactID))
	fmt.Printf("\nshown: %s\n", show(job, err))
}

// describeWith describes a job in another process, whose only roots are the
// certificate, and returns what is shown of it.
func describeWith(t *testing.T, endpoint string, root *x509.Certificate, environment ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(os.Args[0], "-test.run", "^TestDescribeInAProcessOfItsOwn$")
	process.Env = append(environment, "TEST_ENDPOINT="+endpoint, "SSL_CERT_FILE="+file)
	out, err := process.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if shown, ok := strings.CutPrefix(lines.Text(), "shown: "); ok {
			return shown
		}
	}
	t.Fatalf("nothing is shown in %s", out)
	return ""
}

func TestAProxyOfTheEnvironmentGetsNoToken(t *testing.T) {
	const host, proxyPassword = "cluster.example", "proxy-pass%word"
	now := time.Now()
	right := issue(t, host, now.Add(-time.Hour), now.Add(time.Hour))
	forged := issue(t, host, now.Add(-time.Hour), now.Add(time.Hour))
	answer := answering(200, success(exactID, inProgress))
	tests := map[string]struct {
		certificate tls.Certificate
		endpoint    string
		variable    string
		asked       string
		want        string
	}{
		"that opens a tunnel":             {right, "https://" + host + ":19530", "HTTPS_PROXY", "CONNECT cluster.example:19530", "RefreshInProgress"},
		"that answers as if it were it":   {forged, "https://" + host + ":19530", "HTTPS_PROXY", "CONNECT cluster.example:19530", "certificate"},
		"that is for http":                {right, "http://127.0.0.1:1", "HTTP_PROXY", "", "connection refused"},
		"that is for http elsewhere":      {right, "http://cluster.internal:1", "HTTP_PROXY", "", "no answer"},
		"that is not for this machine":    {right, "https://localhost:1", "HTTPS_PROXY", "", "connection refused"},
		"that is for all, which is no Go": {right, "https://localhost:1", "ALL_PROXY", "", "connection refused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := startTLS(t, tt.certificate, answer)
			p := startRelay(t, server.Listener.Addr().String())
			withUser := strings.Replace(p.URL, "http://", "http://poller:proxy-pass%25word@", 1)
			shown := describeWith(t, tt.endpoint, right.Leaf, tt.variable+"="+withUser)
			if !strings.Contains(shown, tt.want) {
				t.Errorf("got %s, want %q in it", shown, tt.want)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if asked := strings.Join(p.asked, ", "); asked != tt.asked {
				t.Errorf("the proxy was asked for %q, not %q", asked, tt.asked)
			}
			if leak.Find(p.passed.String(), apiKey) != nil || leak.Find(shown, apiKey, proxyPassword) != nil {
				t.Errorf("a credential is in %s, or passed the proxy", shown)
			}
		})
	}
}

func TestThePasswordOfAProxyIsNotShown(t *testing.T) {
	root := issue(t, "cluster.example", time.Now(), time.Now().Add(time.Hour)).Leaf
	for _, value := range []string{"http://poller:word-of/the-proxy@127.0.0.1:1", "http://poller:word-of%the-proxy@127.0.0.1:1", "ftp://poller:word-of-the-proxy@127.0.0.1:1"} {
		shown := describeWith(t, "https://cluster.example", root, "HTTPS_PROXY="+value)
		if strings.Contains(shown, "word-of") || strings.Contains(shown, "the-proxy") {
			t.Errorf("%s is shown as %s", value, shown)
		}
	}
}

// A password may be a word of Go's errors, which are no echo of it. The names in a
// certificate are the cluster's, though.
func TestTheWordsOfGosErrorsStay(t *testing.T) {
	now := time.Now()
	tests := map[string]struct{ host, password, want string }{
		"of a certificate":                      {"127.0.0.1", "certificate", "no answer: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"of an authority":                       {"127.0.0.1", "authority", "no answer: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"of our own":                            {"127.0.0.1", "answer", "no answer: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"but not those in the certificate":      {"prod-7.example.com", "prod-7", "no answer: tls: failed to verify certificate: x509: certificate is valid for ***.example.com, not cluster.example"},
		"nor one of Go's that is there as well": {"certificate.example.com", "certificate", "no answer: tls: failed to verify ***: x509: *** is valid for ***.example.com, not cluster.example"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			certificate := issue(t, tt.host, now.Add(-time.Hour), now.Add(time.Hour))
			server := startTLS(t, certificate, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
			c := NewClient(server.URL, 1)
			if tt.host != "127.0.0.1" {
				c = clientOf(server.URL, func(transport *http.Transport) {
					transport.TLSClientConfig.ServerName = "cluster.example"
					transport.TLSClientConfig.RootCAs = x509.NewCertPool()
					transport.TLSClientConfig.RootCAs.AddCert(certificate.Leaf)
				})
			}
			if failure := failedWith(t, t.Context(), c, "root:"+tt.password); failure.Message != tt.want {
				t.Errorf("got %q, want %q", failure.Message, tt.want)
			}
		})
	}
	t.Run("of the network", func(t *testing.T) {
		server := newServer(t, nil)
		server.Start()
		server.Close()
		failure := failedWith(t, t.Context(), NewClient(server.URL, 1), "root:connect")
		if want := "connect: connection refused"; !strings.HasSuffix(failure.Message, want) {
			t.Errorf("got %q, want %q at its end", failure.Message, want)
		}
	})
}

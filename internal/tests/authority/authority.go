// Package authority issues certificates, and serves TLS with them on this machine.
// Only tests use it.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// Authority is a CA.
type Authority struct {
	Certificate *x509.Certificate
	key         crypto.Signer
}

// Pair is a certificate and its key, in PEM.
type Pair struct{ Certificate, Key string }

// New returns a CA of that name.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	form := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), SerialNumber: big.NewInt(1),
	}
	key := newKey(t)
	return &Authority{sign(t, form, form, key.Public(), key), key}
}

// PEM returns the CA's certificate.
func (a *Authority) PEM() string { return PEM("CERTIFICATE", a.Certificate.Raw) }

// Pool returns one of the CAs.
func Pool(all ...*Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range all {
		pool.AddCert(a.Certificate)
	}
	return pool
}

// PEM returns bytes in PEM.
func PEM(label string, bytes []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: bytes}))
}

// Issue returns a certificate for 127.0.0.1, as a server and as a client, that is
// valid until then.
func (a *Authority) Issue(t testing.TB, until time.Time) Pair {
	t.Helper()
	key := newKey(t)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{a.Sign(t, key.Public(), until), PEM("PRIVATE KEY", raw)}
}

// Sign is Issue for a key that there is.
func (a *Authority) Sign(t testing.TB, public crypto.PublicKey, until time.Time) string {
	t.Helper()
	form := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "poller"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: until.Add(-2 * time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	return PEM("CERTIFICATE", sign(t, form, a.Certificate, public, a.key).Raw)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, form, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, form, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// TLS returns the pair as crypto/tls has it.
func (p Pair) TLS(t testing.TB) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// Server is one on this machine whose certificate, and whose wishes, may change as it
// runs.
type Server struct {
	*httptest.Server
	// Opened counts the connections, Closed those that are closed.
	Opened, Closed atomic.Int64
	config         atomic.Pointer[tls.Config]
}

// Protocols are the versions of HTTP and TLS to serve.
var Protocols = map[string]struct {
	HTTP2 bool
	TLS   uint16
}{
	"HTTP/1.1, TLS 1.2": {false, tls.VersionTLS12},
	"HTTP/1.1, TLS 1.3": {false, tls.VersionTLS13},
	"HTTP/2, TLS 1.2":   {true, tls.VersionTLS12},
	"HTTP/2, TLS 1.3":   {true, tls.VersionTLS13},
}

// Serve starts a server, over one of Protocols. It has to be told what to Present.
func Serve(t testing.TB, protocol string, handler http.HandlerFunc) *Server {
	t.Helper()
	s := &Server{Server: httptest.NewUnstartedServer(handler)}
	s.EnableHTTP2 = Protocols[protocol].HTTP2
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.Opened.Add(1)
		case http.StateClosed:
			s.Closed.Add(1)
		}
	}
	version := Protocols[protocol].TLS
	s.TLS = &tls.Config{MinVersion: version, MaxVersion: version, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		config := s.config.Load().Clone()
		config.MinVersion, config.MaxVersion, config.NextProtos = version, version, s.TLS.NextProtos
		return config, nil
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// Present has new connections see the pair. With clients, they need a certificate of
// that authority.
func (s *Server) Present(t testing.TB, pair Pair, clients *Authority) {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{pair.TLS(t)}}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, Pool(clients)
	}
	s.config.Store(config)
}

package milvus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// docs/networks.md tells a network's fault by what the log says. The errors are made
// as net and crypto make them: a test has no route that drops packets.
func TestTheDocumentOfNetworksQuotesTheErrors(t *testing.T) {
	text, err := os.ReadFile("../../docs/networks.md")
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{DNSNames: []string{"milvus.example.com"}}
	there := &net.TCPAddr{IP: net.IPv4(10, 0, 1, 7), Port: 19530}
	unverified := func(err error) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{certificate}, Err: err}
	}
	faults := map[string]error{
		"dropped packets": context.DeadlineExceeded,
		"a closed port":   &net.OpError{Op: "dial", Net: "tcp", Addr: there, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"an unknown name": &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "milvus.example.internal", Server: "169.254.78.1:53"}},
		"another CA":      unverified(x509.UnknownAuthorityError{}),
		"another host":    unverified(x509.HostnameError{Certificate: certificate, Host: "milvus.example.internal"}),
		"no TLS":          tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake", Conn: &net.TCPConn{}},
		"mutual TLS":      &net.OpError{Op: "remote error", Err: tls.AlertError(116)},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			failure := failed(t, clientOf("http://localhost", func(transport *http.Transport) {
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, fault }
			}))
			if !strings.Contains(string(text), "\n| `"+failure.Error()+"` | `"+string(failure.Kind)+"` |") {
				t.Errorf("docs/networks.md does not have, as %s: %v", failure.Kind, failure)
			}
		})
	}
	if rows := strings.Count(string(text), "\n| `no answer: "); rows != len(faults) {
		t.Errorf("docs/networks.md has %d errors, and here are %d", rows, len(faults))
	}
}

package milvus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"

	"refresh-poller/internal/redact"
)

// Trust is whom a client trusts in TLS, and as whom it makes itself known.
type Trust struct {
	// Roots are the CAs; nil means the system's.
	Roots *x509.CertPool
	// Certificate is for a cluster that asks for one; nil where there is none.
	Certificate *tls.Certificate
	// PrivateKey is the certificate's in PEM. No job and no error holds it.
	PrivateKey string
}

// trust is a Trust in use.
type trust struct {
	certificate bool
	secrets     *redact.Known // nil without any
}

// Trust makes t hold for the connections made from now on, and leaves those there
// are. Calls of it must follow each other.
func (c *Client) Trust(t Trust) {
	next := &trust{certificate: t.Certificate != nil}
	if t.PrivateKey != "" {
		next.secrets = redact.Index(t.PrivateKey)
	}
	c.connections.Change(func(transport *http.Transport) {
		transport.TLSClientConfig.RootCAs = t.Roots
		transport.TLSClientConfig.GetClientCertificate = c.present(t.Certificate)
	})
	// Last, so that a describe which found this trust had its connections too.
	c.trust.Store(next)
}

// present returns what answers a cluster that asks for a certificate. It gets the
// one there is whatever CAs it names: its refusal says more than sending none.
func (c *Client) present(certificate *tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if certificate == nil {
		certificate = &tls.Certificate{}
	}
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.asked.Store(true)
		return certificate, nil
	}
}

// hide returns text without the private key, which the cluster does not know from
// us; but who made the pair may have given it both.
func (t *trust) hide(text string) string {
	if t.secrets == nil {
		return text
	}
	return t.secrets.Values(text)
}

func (t *trust) hideIn(job Job) Job {
	for _, text := range []*string{&job.CollectionName, &job.Type, &job.ExternalSource, &job.Reason} {
		*text = t.hide(*text)
	}
	if !job.Terminal() {
		job.State = t.hide(job.State)
	}
	return job
}

// Distrust says why a TLS connection was given up. Until someone acts, the next is
// too.
type Distrust string

const (
	// UnknownAuthority: the certificate is of no authority that is trusted.
	UnknownAuthority Distrust = "unknownAuthority"
	// OtherHost: the certificate is for other hosts.
	OtherHost Distrust = "otherHost"
	// OutOfDate: the certificate has expired, or is not valid yet.
	OutOfDate Distrust = "outOfDate"
	// NotTLS: the first bytes of the answer are not those of TLS.
	NotTLS Distrust = "notTLS"
	// NoCertificate: the cluster wants one of the client, which has none.
	NoCertificate Distrust = "noCertificate"
	// CertificateRefused: the cluster does not take the client's certificate.
	CertificateRefused Distrust = "certificateRefused"
)

// mends says what mends a distrust, in a deployed stack.
var mends = map[Distrust]string{
	UnknownAuthority:   "if the CA is one of your own, put its certificate into caCertificate of the secret",
	OtherHost:          "the endpoint must name a host that the certificate is for",
	OutOfDate:          "it, or its CA's in caCertificate of the secret, has to be renewed",
	NotTLS:             "the endpoint must have a port that speaks TLS",
	NoCertificate:      "the cluster asks for a certificate: put one that it takes into clientCertificate of the secret, and its key into clientPrivateKey",
	CertificateRefused: "the cluster refuses clientCertificate of the secret: put one there that it takes, and its key into clientPrivateKey",
}

// kind is that of an error by which TLS failed, or the network did.
func (d Distrust) kind() ErrorKind {
	switch d {
	case "":
		return Temporary
	case NoCertificate, CertificateRefused:
		return Refused
	}
	return Misconfigured
}

func (c *Client) distrust(err error) Distrust {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return OtherHost
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return OutOfDate
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return UnknownAuthority
	}
	// Only the first record's has the connection.
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil {
		return NotTLS
	}
	switch refused := c.refusesCertificate(err); {
	case refused && c.trust.Load().certificate:
		return CertificateRefused
	case refused:
		return NoCertificate
	}
	return ""
}

// refusals are the alerts about a peer's certificate (RFC 8446, section 6.2):
// bad_certificate, unsupported_certificate, certificate_revoked,
// certificate_expired, certificate_unknown, unknown_ca, access_denied,
// certificate_required.
var refusals = []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116}

// handshakeFailure is what TLS 1.2 says to a client without a certificate, and for
// much else (RFC 5246, section 7.4.6).
const handshakeFailure tls.AlertError = 40

// refusesCertificate reports whether the cluster has given up the connection for the
// client's certificate. With TLS 1.3 it comes when the handshake is over for the
// client, as the answer to its first request.
func (c *Client) refusesCertificate(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" { // as crypto/tls calls an alert of the peer's
		return false
	}
	// crypto/tls keeps the type of these to itself (readRecordOrCCS in conn.go), but
	// not what each says.
	is := func(a tls.AlertError) bool { return a.Error() == op.Err.Error() }
	return slices.ContainsFunc(refusals, is) || is(handshakeFailure) && c.asked.Load()
}

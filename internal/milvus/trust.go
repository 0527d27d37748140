package milvus

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

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
)

func distrust(err error) Distrust {
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
	return ""
}

// Roots returns the system's CAs and those of text, in PEM. The error says what is
// wrong with text in half a sentence.
func Roots(text []byte) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without any
	}
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("has a certificate that can't be read")
		}
		roots.AddCert(certificate)
		found = true
	}
	if !found {
		return nil, errors.New("has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
	}
	return roots, nil
}

package milvus

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestOnlyACertificateOfAnotherTimeIsOutOfDate(t *testing.T) {
	for reason, want := range map[x509.InvalidReason]bool{x509.Expired: true, x509.NotAuthorizedToSign: false, x509.TooManyIntermediates: false} {
		err := &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: reason}}
		if got := (&Client{}).distrust(err); (got == OutOfDate) != want {
			t.Errorf("%v: %q", err, got)
		}
	}
}

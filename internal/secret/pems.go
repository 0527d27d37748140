package secret

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"refresh-poller/internal/milvus"
)

// The faults of the certificates and the key. As those of the token, each repeats
// nothing and is in the runbook.
var (
	errCA               = errors.New("caCertificate can't be read: it must be certificates of CAs in PEM, each from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")
	errCALines          = errors.New(`caCertificate has lost its line ends: it must have those of the PEM file, written as \n in JSON`)
	errCertificate      = errors.New("clientCertificate can't be read: it must be a certificate in PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, and those between it and its CA")
	errCertificateLines = errors.New(`clientCertificate has lost its line ends: it must have those of the PEM file, written as \n in JSON`)
	errKey              = errors.New("clientPrivateKey can't be read: it must be one key in PEM, from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----, of RSA, ECDSA or Ed25519")
	errKeyLines         = errors.New(`clientPrivateKey has lost its line ends: it must have those of the PEM file, written as \n in JSON`)
	errKeyEncrypted     = errors.New("clientPrivateKey is encrypted: it must be without a passphrase, as openssl pkey writes it")
	errOtherKey         = errors.New("clientPrivateKey is not that of clientCertificate: it must belong to the first certificate there")
	errNoKey            = errors.New("it has clientCertificate without clientPrivateKey: it must have both, or neither")
	errNoCertificate    = errors.New("it has clientPrivateKey without clientCertificate: it must have both, or neither")
)

// What is wrong with a PEM, in half a sentence.
var (
	errNone       = errors.New("has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
	errUnreadable = errors.New("has a certificate that can't be read")
	errLines      = errors.New("has lost its line ends")
)

// pems are the PEMs of a secret as they are there, or empty.
type pems struct{ ca, certificate, key string }

// trust returns what they say, nothing if they are empty.
func (p pems) trust() (trust milvus.Trust, err error) {
	if p.ca != "" {
		trust.Roots, err = Roots([]byte(p.ca))
		if err != nil {
			return milvus.Trust{}, either(err, errCALines, errCA)
		}
	}
	switch {
	case p.certificate == "" && p.key == "":
		return trust, nil
	case p.key == "":
		return milvus.Trust{}, errNoKey
	case p.certificate == "":
		return milvus.Trust{}, errNoCertificate
	}
	if trust.Certificate, trust.PrivateKey, err = p.pair(); err != nil {
		return milvus.Trust{}, err
	}
	return trust, nil
}

// pair returns the client's certificate, and its key in PEM.
func (p pems) pair() (*tls.Certificate, string, error) {
	chain, err := certificates(p.certificate)
	if err != nil {
		return nil, "", either(err, errCertificateLines, errCertificate)
	}
	key, text, err := privateKey(p.key)
	if err != nil {
		return nil, "", err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }) // as those of the standard library are
	if !ok || !public.Equal(chain[0].PublicKey) {
		return nil, "", errOtherKey
	}
	pair := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, text, nil
}

// either names a fault of a PEM.
func either(fault, lines, unreadable error) error {
	if fault == errLines {
		return lines
	}
	return unreadable
}

// Roots returns the system's CAs and those of text, in PEM. The error says what is
// wrong with text in half a sentence.
func Roots(text []byte) (*x509.CertPool, error) {
	found, err := certificates(string(text))
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without any
	}
	for _, c := range found {
		roots.AddCert(c)
	}
	return roots, nil
}

// certificates returns those of text, at least one. Keys and words beside them don't
// count.
func certificates(text string) ([]*x509.Certificate, error) {
	all, err := blocks(text)
	if err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	for _, block := range all {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errUnreadable
		}
		found = append(found, c)
	}
	if found == nil {
		return nil, errNone
	}
	return found, nil
}

// privateKey returns the only key in text, and it in PEM as Go writes it.
func privateKey(text string) (crypto.Signer, string, error) {
	all, err := blocks(text)
	if err != nil {
		return nil, "", either(err, errKeyLines, errKey)
	}
	var only *pem.Block
	for _, block := range all {
		switch {
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"): // EC PARAMETERS, or the certificate
		case only != nil:
			return nil, "", errKey
		default:
			only = block
		}
	}
	if only == nil {
		return nil, "", errKey
	}
	if strings.HasPrefix(only.Type, "ENCRYPTED ") || strings.Contains(only.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, "", errKeyEncrypted
	}
	key, ok := parseKey(only).(crypto.Signer)
	if !ok {
		return nil, "", errKey
	}
	return key, string(pem.EncodeToMemory(only)), nil
}

// parseKey returns a key, or nil.
func parseKey(block *pem.Block) any {
	switch block.Type {
	case "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key
		}
	case "EC PRIVATE KEY":
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key
		}
	case "PRIVATE KEY":
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			return key
		}
	}
	return nil
}

const begin = "-----BEGIN "

// blocks returns those of PEM in text, which encoding/pem would leave out where it
// can't read them. White space and what is invisible around a line don't count.
func blocks(text string) ([]*pem.Block, error) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	begun := 0
	for i, line := range lines {
		lines[i] = strings.TrimFunc(line, invisible)
		_, label, ok := strings.Cut(lines[i], begin)
		if !ok {
			continue
		}
		begun++
		if _, behind, _ := strings.Cut(label, "-----"); behind != "" {
			return nil, errLines
		}
	}
	var all []*pem.Block
	for block, rest := pem.Decode([]byte(strings.Join(lines, "\n"))); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block)
	}
	if len(all) != begun {
		return nil, errUnreadable
	}
	return all, nil
}

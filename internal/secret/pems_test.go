package secret

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/authority"
	"refresh-poller/internal/tests/leak"
)

// written is a secret with a token, and the PEMs that are not empty.
func written(ca, certificate, key string) string {
	all := map[string]string{"token": "0123456789abcdef"}
	for name, value := range map[string]string{"caCertificate": ca, "clientCertificate": certificate, "clientPrivateKey": key} {
		if value != "" {
			all[name] = value
		}
	}
	text, _ := json.Marshal(all) // strings always can be
	return string(text)
}

func in(t *testing.T, label string, marshal func() ([]byte, error)) string {
	t.Helper()
	raw, err := marshal()
	if err != nil {
		t.Fatal(err)
	}
	return authority.PEM(label, raw)
}

func TestAPairIsReadInEveryForm(t *testing.T) {
	ca := authority.New(t, "clients")
	soon := time.Now().Add(time.Hour)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pair := ca.Issue(t, soon)
	pkcs1 := in(t, "RSA PRIVATE KEY", func() ([]byte, error) { return x509.MarshalPKCS1PrivateKey(rsaKey), nil })
	sec1 := in(t, "EC PRIVATE KEY", func() ([]byte, error) { return x509.MarshalECPrivateKey(ecKey) })
	tests := map[string]struct {
		certificate, key string
		chain            int
	}{
		"PKCS #8":                     {pair.Certificate, pair.Key, 1},
		"PKCS #1":                     {ca.Sign(t, rsaKey.Public(), soon), pkcs1, 1},
		"RSA in PKCS #8":              {ca.Sign(t, rsaKey.Public(), soon), in(t, "PRIVATE KEY", func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(rsaKey) }), 1},
		"SEC 1":                       {ca.Sign(t, ecKey.Public(), soon), sec1, 1},
		"SEC 1, with its parameters":  {ca.Sign(t, ecKey.Public(), soon), authority.PEM("EC PARAMETERS", []byte("\x06\x05\x2b\x81\x04\x00\x22")) + sec1, 1},
		"Ed25519":                     {ca.Sign(t, edPublic, soon), in(t, "PRIVATE KEY", func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(edKey) }), 1},
		"a chain":                     {pair.Certificate + ca.PEM(), pair.Key, 2},
		"both in each":                {pair.Key + pair.Certificate, pair.Certificate + pair.Key, 1},
		"CRLF":                        {crlf(pair.Certificate), crlf(pair.Key), 1},
		"CR":                          {strings.ReplaceAll(pair.Certificate, "\n", "\r"), strings.ReplaceAll(pair.Key, "\n", "\r"), 1},
		"what is invisible around it": {"\ufeff \n" + pair.Certificate + "\u200b\t", " \r\n\ufeff" + pair.Key + "\n\n", 1},
		"indented":                    {"  " + strings.ReplaceAll(pair.Certificate, "\n", "\n  "), "\t" + strings.ReplaceAll(pair.Key, "\n", "\n\t"), 1},
		"what openssl says of it":     {"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + pair.Certificate, "Bag Attributes\n    friendlyName: a: b\n" + pair.Key, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			token, trust, err := Parse(written("", tt.certificate, tt.key))
			if err != nil {
				t.Fatal(err)
			}
			if token == "" || trust.Roots != nil || len(trust.Certificate.Certificate) != tt.chain || trust.Certificate.PrivateKey == nil {
				t.Errorf("got %q, %+v", token, trust.Certificate.Leaf)
			}
			if leak.Find(trust.PrivateKey, tt.key) == nil && tt.chain == 1 && name != "both in each" && !strings.HasPrefix(name, "SEC 1,") {
				t.Error("the private key is another")
			}
		})
	}
}

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

func TestCAsAreTrustedBesideTheSystems(t *testing.T) {
	one, two := authority.New(t, "one"), authority.New(t, "two")
	system, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	want := system.Clone()
	want.AddCert(one.Certificate)
	want.AddCert(two.Certificate)
	for name, text := range map[string]string{"two": one.PEM() + two.PEM(), "twice": one.PEM() + "\n" + two.PEM() + one.PEM(), "CRLF": "\ufeff" + crlf(one.PEM()+two.PEM())} {
		_, trust, err := Parse(written(text, "", ""))
		if err != nil || !trust.Roots.Equal(want) || trust.Certificate != nil {
			t.Errorf("%s: %v, %+v", name, err, trust)
		}
	}
}

func TestOfNoPEMNothingIsTold(t *testing.T) {
	for _, text := range []string{
		"0123456789abcdef", `{"token": "0123456789abcdef"}`, written(" ", "\n", "\ufeff"),
		`{"token": "0123456789abcdef", "caCertificate": null, "clientCertificate": "", "clientPrivateKey": null}`,
	} {
		if _, trust, err := Parse(text); err != nil || trust != (milvus.Trust{}) {
			t.Errorf("%s: %+v, %v", text, trust, err)
		}
	}
}

func TestAFaultOfAPEMIsNamed(t *testing.T) {
	ca := authority.New(t, "clients")
	soon := time.Now().Add(time.Hour)
	pair, other := ca.Issue(t, soon), ca.Issue(t, soon)
	escaped := func(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }
	spaced := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", " ") }
	odd, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	half := pair.Certificate[:len(pair.Certificate)/2]
	body := strings.Join(strings.Split(pair.Key, "\n")[1:4], "\n")
	tests := map[string]struct {
		ca, certificate, key string
		want                 error
	}{
		"a CA that is none":               {ca: "hunter2", want: errCA},
		"half a CA":                       {ca: half, want: errCA},
		"half a CA behind a whole one":    {ca: ca.PEM() + half, want: errCA},
		"a whole CA behind half of one":   {ca: half + "\n" + ca.PEM(), want: errCA},
		"a CA whose base64 is none":       {ca: strings.Replace(ca.PEM(), "MII", "M!I", 1), want: errCA},
		"a CA in PEM that is none":        {ca: ca.PEM() + authority.PEM("CERTIFICATE", []byte("hunter2")), want: errCA},
		"a key as the CA":                 {ca: pair.Key, want: errCA},
		"a CA without its first line":     {ca: strings.SplitN(ca.PEM(), "\n", 2)[1], want: errCA},
		`a CA with \n in the text`:        {ca: escaped(ca.PEM()), want: errCALines},
		"a CA with spaces":                {ca: spaced(ca.PEM()), want: errCALines},
		"a CA on one line":                {ca: strings.ReplaceAll(ca.PEM(), "\n", ""), want: errCALines},
		"two CAs, the second with spaces": {ca: ca.PEM() + spaced(ca.PEM()), want: errCALines},
		"a bad CA beside a right pair":    {ca: "hunter2", certificate: pair.Certificate, key: pair.Key, want: errCA},

		"a certificate alone":               {certificate: pair.Certificate, want: errNoKey},
		"a key alone":                       {key: pair.Key, want: errNoCertificate},
		"both in clientCertificate":         {certificate: pair.Certificate + pair.Key, want: errNoKey},
		"half a certificate":                {certificate: half, key: pair.Key, want: errCertificate},
		"a certificate, half of its CA":     {certificate: pair.Certificate + half, key: pair.Key, want: errCertificate},
		"a key as the certificate":          {certificate: pair.Key, key: pair.Key, want: errCertificate},
		`a certificate with \n`:             {certificate: escaped(pair.Certificate), key: pair.Key, want: errCertificateLines},
		"a certificate with spaces":         {certificate: spaced(pair.Certificate), key: pair.Key, want: errCertificateLines},
		"a certificate as the key":          {certificate: pair.Certificate, key: pair.Certificate, want: errKey},
		"a key that is none":                {certificate: pair.Certificate, key: "hunter2", want: errKey},
		"a key without its lines around":    {certificate: pair.Certificate, key: body, want: errKey},
		"half a key":                        {certificate: pair.Certificate, key: pair.Key[:80], want: errKey},
		"two keys":                          {certificate: pair.Certificate, key: pair.Key + other.Key, want: errKey},
		"a key of another algorithm":        {certificate: pair.Certificate, key: authority.PEM("DSA PRIVATE KEY", []byte("hunter2")), want: errKey},
		"a key that signs nothing":          {certificate: pair.Certificate, key: in(t, "PRIVATE KEY", func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(odd) }), want: errKey},
		"a PKCS #8 key called PKCS #1":      {certificate: pair.Certificate, key: strings.ReplaceAll(pair.Key, "PRIVATE", "RSA PRIVATE"), want: errKey},
		`a key with \n`:                     {certificate: pair.Certificate, key: escaped(pair.Key), want: errKeyLines},
		"a key with spaces":                 {certificate: pair.Certificate, key: spaced(pair.Key), want: errKeyLines},
		"an encrypted key":                  {certificate: pair.Certificate, key: strings.ReplaceAll(pair.Key, "PRIVATE", "ENCRYPTED PRIVATE"), want: errKeyEncrypted},
		"a key that openssl has encrypted":  {certificate: pair.Certificate, key: strings.Replace(pair.Key, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123\n\n", 1), want: errKeyEncrypted},
		"the key of another":                {certificate: pair.Certificate, key: other.Key, want: errOtherKey},
		"a chain in the wrong order":        {certificate: ca.PEM() + pair.Certificate, key: pair.Key, want: errOtherKey},
		"a huge one that is no PEM":         {ca: strings.Repeat("-----BEGIN CERTIFICATE-----\n", 2300), want: errCA},
		"a huge one of but line ends":       {ca: "x" + strings.Repeat("\n", 64<<10) + "x", want: errCA},
		"a huge one of numbers without end": {ca: authority.PEM("CERTIFICATE", []byte(strings.Repeat("\x30\x84", 20<<10))), want: errCA},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			token, trust, err := Parse(written(tt.ca, tt.certificate, tt.key))
			if err != tt.want || token != "" || trust != (milvus.Trust{}) {
				t.Fatalf("got %q, %+v, %v, want %v", token, trust, err, tt.want)
			}
			if leak.Find(err.Error(), pair.Key, "0123456789abcdef") != nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v repeats the secret", err)
			}
		})
	}
}

func TestAPEMWithRealLineEndsInJSONIsTold(t *testing.T) {
	_, _, err := Parse(`{"token": "x", "caCertificate": "` + authority.New(t, "own").PEM() + `"}`)
	if err != errJSON || !strings.Contains(err.Error(), `the line ends of a PEM there are \n`) {
		t.Errorf("got %v", err)
	}
}

func TestRootsAreReadOrTheFaultIsNamed(t *testing.T) {
	a := authority.New(t, "own")
	one, key := a.PEM(), authority.PEM("PRIVATE KEY", []byte("hunter2"))
	tests := map[string]struct{ text, fault string }{
		"one":                     {one, ""},
		"one amid words and keys": {"hunter2\n" + key + one + key, ""},
		"nothing":                 {"", "has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"},
		"a key":                   {key, "has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"},
		"not PEM":                 {"hunter2", "has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"},
		"half a certificate":      {one[:len(one)/2], "has a certificate that can't be read"},
		"what is none":            {one + authority.PEM("CERTIFICATE", []byte("hunter2")), "has a certificate that can't be read"},
		"one line":                {strings.ReplaceAll(one, "\n", " "), "has lost its line ends"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			roots, err := Roots([]byte(tt.text))
			if tt.fault != "" {
				if err == nil || err.Error() != tt.fault {
					t.Errorf("got %v, want %q", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Certificate.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyAChangedTrustIsTold(t *testing.T) {
	one, two := authority.New(t, "one"), authority.New(t, "two")
	pair := one.Issue(t, time.Now().Add(time.Hour))
	synctest.Test(t, func(t *testing.T) {
		told := 0
		v := &vault{}
		r, _ := readerOf(v)
		r.Trusting = func(milvus.Trust) { told++ }
		for _, step := range []struct {
			text  string
			told  int
			fails bool
		}{
			{"0123456789abcdef", 0, false},
			{written(one.PEM(), "", ""), 1, false},
			{written(one.PEM(), "", ""), 1, false},
			{strings.Replace(written(one.PEM(), "", ""), "0123", "3210", 1), 1, false}, // the token alone
			{written(one.PEM()+two.PEM(), "", ""), 2, false},
			{written(one.PEM(), "", pair.Key), 2, true},
			{written(one.PEM()+two.PEM(), "", ""), 2, false}, // as before the fault
			{written("", pair.Certificate, pair.Key), 3, false},
			{"0123456789abcdef", 4, false},
		} {
			v.value = step.text
			time.Sleep(retryAge)
			if _, err := r.Token(context.Background(), time.Now()); (err != nil) != step.fails || told != step.told {
				t.Errorf("%s: told %d times, want %d; %v", step.text, told, step.told, err)
			}
		}
	})
}

// The trust has to be there before whoever got the token beside it describes.
func TestTheTrustIsToldBeforeTheToken(t *testing.T) {
	told := false
	r, _ := readerOf(&vault{value: written(authority.New(t, "own").PEM(), "", "")})
	r.Trusting = func(trust milvus.Trust) {
		told = true
		if r.state.Load().token != "" {
			t.Error("the token is out")
		}
	}
	wantToken(t, r, time.Time{}, "0123456789abcdef")
	if !told {
		t.Error("nothing was told")
	}
}

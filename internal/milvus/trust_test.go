package milvus

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

func TestOnlyTheFirstBytesTellThatAPortDoesNotSpeakTLS(t *testing.T) {
	tests := map[string]struct {
		answer string // to the first bytes of TLS
		want   Distrust
	}{
		"HTTP":                        {"HTTP/1.1 400 Bad Request\r\n\r\n", NotTLS},
		"another protocol":            {"SSH-2.0-OpenSSH_9.7\r\n", NotTLS},
		"a hang-up":                   {"", ""},
		"TLS that breaks off":         {"\x16\x03\x03\x00\x40\x02", ""},
		"an alert, such as no cipher": {"\x15\x03\x03\x00\x02\x02\x28", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				defer connection.Close()
				_, _ = connection.Read(make([]byte, 4096))
				_, _ = connection.Write([]byte(tt.answer))
			}()
			failure := failed(t, NewClient("https://"+listener.Addr().String(), 1))
			if failure.Kind != Temporary || failure.Distrust != tt.want {
				t.Errorf("got %+v", failure)
			}
		})
	}
}

func TestRootsAreReadOrTheFaultIsNamed(t *testing.T) {
	block := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	leaf := issue(t, "127.0.0.1", time.Now(), time.Now().Add(time.Hour)).Leaf
	one, key := block("CERTIFICATE", leaf.Raw), block("PRIVATE KEY", []byte("hunter2"))
	const none = "has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"
	tests := map[string]struct{ text, fault string }{
		"one":                     {one, ""},
		"one amid words and keys": {"hunter2\n" + key + one + key, ""},
		"nothing":                 {"", none},
		"a key":                   {key, none},
		"not PEM":                 {"hunter2", none},
		"half a certificate":      {one[:len(one)/2], none},
		"what is none":            {one + block("CERTIFICATE", []byte("hunter2")), "has a certificate that can't be read"},
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
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyTheRootsOfAClientAreTrusted(t *testing.T) {
	certificate := issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	server := startTLS(t, certificate, answering(200, success(exactID, inProgress)))
	roots := x509.NewCertPool()
	if failure := failed(t, NewClientTrusting(server.URL, 1, roots)); failure.Distrust != UnknownAuthority {
		t.Errorf("got %+v", failure)
	}
	roots.AddCert(certificate.Leaf)
	if _, err := NewClientTrusting(server.URL, 1, roots).Describe(t.Context(), apiKey, refresh(exactID)); err != nil {
		t.Error(err)
	}
}

func TestAProxyThatRefusesToConnectIsNamed(t *testing.T) {
	proxy := newServer(t, answering(http.StatusProxyAuthRequired, "hunter2"))
	proxy.Start()
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := clientOf("https://cluster.example", func(transport *http.Transport) { transport.Proxy = http.ProxyURL(address) })
	failure := failed(t, c)
	if failure.Kind != Temporary || failure.Error() != "no answer: the proxy refuses to connect (HTTP 407)" {
		t.Errorf("got %+v", failure)
	}
}

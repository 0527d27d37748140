package milvus

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"refresh-poller/internal/tests/authority"
	"refresh-poller/internal/tests/leak"
)

// wire is a server's end of a connection, and keeps what the client wrote.
type wire struct {
	net.Conn
	mu   sync.Mutex
	read bytes.Buffer
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read.Write(p[:n])
	return n, err
}

// serveTLS serves connections one by one, and returns the URL and an end, after which
// all that clients wrote can be looked at.
func serveTLS(t *testing.T, serve func(*wire)) (url string, end func() []*wire) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all []*wire
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w := &wire{Conn: conn}
			all = append(all, w)
			serve(w)
			_ = conn.Close()
		}
	})
	end = sync.OnceValue(func() []*wire {
		_ = listener.Close()
		serving.Wait()
		return all
	})
	t.Cleanup(func() { end() })
	return "https://" + listener.Addr().String(), end
}

// sendingTLS answers the first bytes with some of its own, and lets the client leave.
func sendingTLS(raw string) func(*wire) {
	return func(w *wire) {
		_, _ = w.Read(make([]byte, 4096))
		_, _ = io.WriteString(w, raw)
		_, _ = io.Copy(io.Discard, w)
	}
}

// serverHello is one of an old form, of a version, with the end of its random and an
// extension, perhaps (RFC 5246, section 7.4.1.3).
func serverHello(version, randomEnd, extension string) string {
	const suite = "\xc0\x2b" // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	hello := version + strings.Repeat("r", 32-len(randomEnd)) + randomEnd + "\x00" + suite + "\x00"
	if extension != "" {
		hello += "\x00" + string(rune(len(extension))) + extension
	}
	return "\x16\x03\x03\x00" + string(rune(len(hello)+4)) + "\x02\x00\x00" + string(rune(len(hello))) + hello
}

// chain returns a server's configuration with a certificate that is right, and more.
func chain(t *testing.T, a *authority.Authority, more ...[]byte) *tls.Config {
	t.Helper()
	certificate := a.Issue(t, time.Now().Add(time.Hour)).TLS(t)
	certificate.Certificate = append(certificate.Certificate, more...)
	return &tls.Config{Certificates: []tls.Certificate{certificate}}
}

func versions(config *tls.Config, from, to uint16, protocols ...string) *tls.Config {
	config.MinVersion, config.MaxVersion, config.NextProtos = from, to, protocols
	return config
}

// A handshake that fails is the network's or a single backend's, and asked for again,
// but where the certificate is not trusted. Nothing of the request is sent.
func TestAHostileHandshakeIsSorted(t *testing.T) {
	own := authority.New(t, "own")
	namesakes := make([][]byte, 150) // more than are tried
	for i := range namesakes {
		namesakes[i] = authority.New(t, "own").Certificate.Raw
	}
	hugeKey := chain(t, own)
	hugeKey.Certificates[0].Certificate[0] = raw(own.Sign(t, &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8200, 1), E: 65537}, time.Now().Add(time.Hour)))
	stolen := chain(t, own)
	stolen.Certificates[0].PrivateKey = chain(t, own).Certificates[0].PrivateKey
	unreadable := chain(t, own)
	unreadable.Certificates[0].Certificate = [][]byte{[]byte("no ASN.1")}
	tests := map[string]struct {
		raw      string      // what answers the first bytes, or
		config   *tls.Config // what a server of crypto/tls has
		kind     ErrorKind
		distrust Distrust
		want     string
	}{
		"TLS 1.0 at most":                   {"", versions(chain(t, own), tls.VersionTLS10, tls.VersionTLS10), Temporary, "", "remote error: tls: protocol version not supported"},
		"TLS 1.1 at most":                   {"", versions(chain(t, own), tls.VersionTLS10, tls.VersionTLS11), Temporary, "", "remote error: tls: protocol version not supported"},
		"TLS 1.0 that nobody offered":       {serverHello("\x03\x01", "", ""), nil, Temporary, "", "tls: server selected unsupported protocol version 301"},
		"TLS 1.1 that nobody offered":       {serverHello("\x03\x02", "", ""), nil, Temporary, "", "tls: server selected unsupported protocol version 302"},
		"SSL 3.0":                           {serverHello("\x03\x00", "", ""), nil, Temporary, "", "tls: server selected unsupported protocol version 300"},
		"TLS 1.2 in place of 1.3":           {serverHello("\x03\x03", "DOWNGRD\x01", ""), nil, Temporary, "", "tls: downgrade attempt detected"},
		"a protocol of ALPN nobody offered": {serverHello("\x03\x03", "", "\x00\x10\x00\x09\x00\x07\x06spdy/3"), nil, Temporary, "", "tls: server selected unadvertised ALPN protocol"},
		"an ALPN without a protocol":        {serverHello("\x03\x03", "", "\x00\x10\x00\x03\x00\x01\x00"), nil, Temporary, "", "error decoding message"},
		"no common protocol":                {"", versions(chain(t, own), tls.VersionTLS12, 0, "spdy/3"), Temporary, "", "remote error: tls: no application protocol"},
		"warnings without an end":           {strings.Repeat("\x15\x03\x03\x00\x02\x01\x5a", 40), nil, Temporary, "", "tls: too many ignored records"},
		"a record that is too large":        {"\x16\x03\x03\xff\xff" + strings.Repeat("x", 1<<16), nil, Temporary, "", "tls: oversized record received with length 65535"},
		"a message that is too large":       {"\x16\x03\x03\x00\x04\x02\xff\xff\xff", nil, Temporary, "", "exceeds maximum of 65536 bytes"},
		"no certificate that can be read":   {"", unreadable, Temporary, "", "tls: failed to parse certificate from server"},
		"certificates of 300 KB":            {"", chain(t, own, bytes.Repeat([]byte("x"), 300_000)), Temporary, "", "exceeds maximum of 262144 bytes"},
		"a key of 8200 bits":                {"", hugeKey, Temporary, "", "tls: server sent certificate containing RSA key larger than 8192 bits"},
		"a chain that is a maze":            {"", chain(t, authority.New(t, "own"), namesakes...), Misconfigured, UnknownAuthority, "x509: signature check attempts limit reached"},
		"another's certificate":             {"", stolen, Temporary, "", "tls: invalid signature by the server certificate: ECDSA verification failure"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serve := sendingTLS(tt.raw)
			if tt.config != nil {
				serve = func(w *wire) {
					conn := tls.Server(w, tt.config)
					if sent, err := io.ReadAll(conn); err == nil || len(sent) > 0 {
						t.Errorf("the client sent %q, %v", sent, err)
					}
				}
			}
			url, end := serveTLS(t, serve)
			c := NewClient(url, 1)
			c.Trust(Trust{Roots: authority.Pool(own)})
			c.timeout = time.Minute // the handshake has to end for what it is
			failure := failed(t, c)
			if failure.Kind != tt.kind || failure.Distrust != tt.distrust || !strings.Contains(failure.Error(), tt.want) {
				t.Errorf("got %s, %q: %v", failure.Kind, failure.Distrust, failure)
			}
			connections := end()
			for _, w := range connections {
				if leak.Find(w.read.String(), apiKey) != nil {
					t.Error("the token was sent")
				}
			}
			if len(connections) != 1 {
				t.Errorf("%d connections", len(connections))
			}
		})
	}
}

func raw(certificate string) []byte {
	block, _ := pem.Decode([]byte(certificate))
	return block.Bytes
}

// Neither the token nor the client's certificate, whose names say something too.
func TestAServerThatIsNotTrustedSeesNothingOfTheClient(t *testing.T) {
	own, strangers, clients := authority.New(t, "own"), authority.New(t, "strangers"), authority.New(t, "clients")
	for protocol, of := range authority.Protocols {
		t.Run(protocol, func(t *testing.T) {
			config := versions(chain(t, strangers), of.TLS, of.TLS, "http/1.1")
			if of.HTTP2 {
				config.NextProtos = []string{"h2"}
			}
			config.ClientAuth = tls.RequestClientCert
			url, end := serveTLS(t, func(w *wire) {
				conn := tls.Server(w, config)
				sent, err := io.ReadAll(conn)
				if state := conn.ConnectionState(); err == nil || len(sent) > 0 || len(state.PeerCertificates) > 0 {
					t.Errorf("the client sent %q and %d certificates, %v", sent, len(state.PeerCertificates), err)
				}
			})
			c := NewClient(url, 1)
			trust := pairOf(t, clients, time.Now().Add(time.Hour))
			trust.Roots = authority.Pool(own)
			c.Trust(trust)
			if failure := failed(t, c); failure.Distrust != UnknownAuthority {
				t.Errorf("got %+v", failure)
			}
			if end(); c.asked.Load() {
				t.Error("the certificate was asked for and presented")
			}
		})
	}
}

// A session would go on with the certificate that was right when it began.
func TestNoSessionIsResumed(t *testing.T) {
	own, other := authority.New(t, "own"), authority.New(t, "other")
	for protocol, of := range authority.Protocols {
		t.Run(protocol, func(t *testing.T) {
			var mu sync.Mutex
			resumed := 0
			present := chain(t, own)
			keys := [32]byte{1}
			server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.TLS.DidResume {
					resumed++
				}
				answering(200, success(exactID, inProgress))(w, r)
			})
			server.EnableHTTP2 = of.HTTP2
			server.TLS = versions(&tls.Config{}, of.TLS, of.TLS)
			server.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
				mu.Lock()
				defer mu.Unlock()
				config := versions(&tls.Config{Certificates: present.Certificates}, of.TLS, of.TLS, server.TLS.NextProtos...)
				config.SetSessionTicketKeys([][32]byte{keys})
				return config, nil
			}
			server.StartTLS()
			describe := func(c *Client) error {
				_, err := c.Describe(t.Context(), apiKey, refresh(exactID))
				server.CloseClientConnections()
				c.connections.Renew()
				return err
			}

			willing := clientOf(server.URL, func(transport *http.Transport) {
				transport.TLSClientConfig.RootCAs = authority.Pool(own)
				transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			})
			if err := errorsOf(describe(willing), describe(willing)); err != nil || resumed != 1 {
				t.Fatalf("the server resumes no session: %d, %v", resumed, err)
			}
			c := NewClient(server.URL, 1)
			c.Trust(Trust{Roots: authority.Pool(own)})
			if err := errorsOf(describe(c), describe(c)); err != nil || resumed != 1 {
				t.Errorf("%d sessions were resumed, %v", resumed-1, err)
			}
			mu.Lock()
			present = chain(t, other)
			mu.Unlock()
			if failure, _ := describe(c).(*Error); failure == nil || failure.Distrust != UnknownAuthority {
				t.Errorf("with the certificate of another authority: %v", failure)
			}
		})
	}
}

// errorsOf returns the first of some errors that is one.
func errorsOf(errs ...error) error {
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

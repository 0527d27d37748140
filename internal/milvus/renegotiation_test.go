package milvus

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/tests/authority"
)

// spoken keeps what a server says.
type spoken struct {
	net.Conn
	said bytes.Buffer
}

func (s *spoken) Write(p []byte) (int, error) {
	s.said.Write(p)
	return s.Conn.Write(p)
}

// helloRequest is the record by which a server asks to renegotiate, right after the
// handshake of a connection of TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: crypto/tls has
// none (RFC 5246, sections 5, 6.3 and 7.4.1.1; RFC 5288, section 3).
func helloRequest(keyLog, said string) ([]byte, error) {
	var clientRandom, master []byte
	if _, err := fmt.Sscanf(keyLog, "CLIENT_RANDOM %x %x", &clientRandom, &master); err != nil {
		return nil, err
	}
	serverRandom := said[11:43] // behind the headers of record and message, and the version
	mac := func(parts ...[]byte) []byte {
		h := hmac.New(sha256.New, master)
		h.Write(bytes.Join(parts, nil))
		return h.Sum(nil)
	}
	seed := []byte("key expansion" + serverRandom + string(clientRandom))
	var block []byte
	for a := mac(seed); len(block) < 40; a = mac(a) {
		block = append(block, mac(a, seed)...)
	}
	key, iv := block[16:32], block[36:40] // the server's, behind the client's
	encryption, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(encryption)
	if err != nil {
		return nil, err
	}
	const second, handshake = "\x00\x00\x00\x00\x00\x00\x00\x01", "\x16\x03\x03" // Finished was the first record
	sealed := gcm.Seal(nil, append(iv, second...), make([]byte, 4), []byte(second+handshake+"\x00\x04"))
	return append([]byte(handshake+"\x00"+string(rune(8+len(sealed)))+second), sealed...), nil
}

func TestRenegotiationIsRefused(t *testing.T) {
	own := authority.New(t, "own")
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			var keyLog bytes.Buffer
			config := versions(chain(t, own), tls.VersionTLS12, tls.VersionTLS12, protocol)
			config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
			config.KeyLogWriter = &keyLog
			url, end := serveTLS(t, func(w *wire) {
				s := &spoken{Conn: w}
				conn := tls.Server(s, config)
				request, err := []byte(nil), conn.Handshake()
				if err == nil {
					request, err = helloRequest(keyLog.String(), s.said.String())
				}
				if err != nil {
					t.Error(err)
				}
				_, _ = w.Conn.Write(request)
				_, _ = io.Copy(io.Discard, conn)
			})
			c := NewClient(url, 1)
			c.Trust(Trust{Roots: authority.Pool(own)})
			c.timeout = time.Minute // the refusal has to end it
			failure := failed(t, c)
			// Over HTTP/2 the connection may end before the request has it.
			if end(); failure.Kind != Temporary || failure.Distrust != "" || !strings.Contains(failure.Error(), "tls: no renegotiation") && (protocol != "h2" || !strings.Contains(failure.Error(), "could not be established")) {
				t.Errorf("got %+v", failure)
			}
		})
	}
}

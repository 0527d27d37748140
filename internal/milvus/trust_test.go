package milvus

import (
	"net"
	"net/http"
	"net/url"
	"testing"
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
			if failure.Kind != tt.want.kind() || failure.Distrust != tt.want {
				t.Errorf("got %+v", failure)
			}
		})
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

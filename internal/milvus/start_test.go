package milvus

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var books = Collection{Name: "ext_books"}

func startFailure(t *testing.T, c *Client) *Error {
	t.Helper()
	id, err := c.Start(t.Context(), apiKey, books)
	failure, ok := errors.AsType[*Error](err)
	if !ok || id != "" {
		t.Fatalf("got job %q, %v, want an *Error", id, err)
	}
	return failure
}

func TestAStartNamesTheCollectionAndNothingElse(t *testing.T) {
	for want, of := range map[string]Collection{
		`{"collectionName":"ext_books"}`:                    books,
		`{"collectionName":"ext_books","dbName":"default"}`: {Name: "ext_books", Database: "default"},
		`{"collectionName":"a\"b\\é"}`:                      {Name: `a"b\é`},
	} {
		var got *http.Request
		var body []byte
		c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			_, _ = io.WriteString(w, `{"code": 0, "data": {"jobId": 449503829274509313}}`)
		})
		id, err := c.Start(t.Context(), apiKey, of)
		if err != nil || id != "449503829274509313" {
			t.Fatalf("job %q, %v", id, err)
		}
		if string(body) != want || got.Method != "POST" || got.URL.Path != "/v2/vectordb/jobs/external_collection/refresh" ||
			got.ContentLength != int64(len(want)) || got.Header.Get("Authorization") != "Bearer "+apiKey || got.Header.Get("Request-Timeout") != "10" {
			t.Errorf("%s %s with %s and %v", got.Method, got.URL, body, got.Header)
		}
	}
}

func TestTheIDOfAStartedJobStaysExact(t *testing.T) {
	for id, want := range map[string]string{
		"9223372036854775807": "9223372036854775807", `"9223372036854775807"`: "9223372036854775807", `"job-0aB1"`: "job-0aB1",
		"9223372036854775808": "", "0": "", "-1": "", "1.0": "", "1e3": "", `"01"`: "", `"../1"`: "", "null": "", "{}": "", "[]": "", `""`: "",
	} {
		got, err := startCluster(t, answering(200, `{"code": 0, "data": {"jobId": `+id+`}}`)).Start(t.Context(), apiKey, books)
		failure, _ := errors.AsType[*Error](err)
		if got != want || (want == "") != (failure != nil && failure.Kind == Temporary && failure.Unsure) {
			t.Errorf("%s became %q, %+v", id, got, failure)
		}
	}
}

func TestWhatAStartIsAnsweredHasItsKind(t *testing.T) {
	const sure, unsure = false, true
	coded := func(code int, message string) string {
		return fmt.Sprintf(`{"code": %d, "message": %q}`, code, message)
	}
	tests := map[string]struct {
		status int
		body   string
		kind   ErrorKind
		unsure bool
		job    string
	}{
		"no such collection":          {200, coded(100, "collection not found[collection=ext_books]"), Impossible, sure, ""},
		"an illegal schema":           {200, coded(105, "not an external collection"), Impossible, sure, ""},
		"no such database":            {200, coded(800, "database not found"), Impossible, sure, ""},
		"a parameter that is wrong":   {200, coded(1100, "not an external collection"), Impossible, sure, ""},
		"the same, honestly":          {400, coded(1100, "not an external collection"), Impossible, sure, ""},
		"a source demanded":           {200, coded(1802, "missing required parameters"), Impossible, sure, ""},
		"a parameter missing":         {200, coded(1101, "external source is empty"), Impossible, sure, ""},
		"one that runs":               {200, coded(703, "refresh job 449503829274509313 is already in progress for collection ext_books, please wait"), Busy, sure, "449503829274509313"},
		"one that runs, honestly":     {500, coded(703, "refresh job 9223372036854775807 is already in progress"), Busy, sure, "9223372036854775807"},
		"one of Zilliz Cloud's":       {200, coded(703, "refresh job job-0aB1 is already in progress"), Busy, sure, "job-0aB1"},
		"one without a name":          {200, coded(703, "task duplicates"), Busy, sure, ""},
		"one with a name that is odd": {200, coded(703, "refresh job 9223372036854775808 is already in progress"), Busy, sure, ""},
		"the limiter":                 {200, coded(1807, "request is rejected by limiter"), Throttled, sure, ""},
		"a gateway's limit":           {429, "", Throttled, sure, ""},
		"no privilege":                {403, coded(1401, "privilege not permitted"), Refused, sure, ""},
		"a refused credential":        {401, "", Refused, sure, ""},
		"another credential refused":  {200, coded(1800, "user hasn't authenticated"), Refused, sure, ""},
		"an older server":             {404, "404 page not found", Misconfigured, sure, ""},
		"a redirect":                  {307, "", Misconfigured, sure, ""},
		"not JSON for the server":     {200, coded(1801, "can only accept json format request"), Misconfigured, sure, ""},
		"not ready":                   {200, coded(1, "service not ready"), Temporary, sure, ""},
		"unavailable":                 {503, coded(2, "service unavailable"), Temporary, unsure, ""},
		"the server's timeout":        {408, coded(10001, "request timeout"), Temporary, unsure, ""},
		"a code nobody knows":         {200, coded(4711, "how odd"), Temporary, unsure, ""},
		"not found is no such code":   {200, coded(65535, "job 1 not found"), Temporary, unsure, ""},
		"a gateway's page":            {502, gatewayPage, Temporary, unsure, ""},
		"a page for JSON":             {200, gatewayPage, Temporary, unsure, ""},
		"another status":              {500, `{"code": 0, "data": {"jobId": 1}}`, Temporary, unsure, ""},
		"no code":                     {200, `{"data": {"jobId": 1}}`, Temporary, unsure, ""},
		"no data":                     {200, `{"code": 0}`, Temporary, unsure, ""},
		"nothing":                     {200, "", Temporary, unsure, ""},
		"more than is read":           {200, `{"code": 0, "data": {"jobId": 1, "x": "` + strings.Repeat("x", maxBody) + `"}}`, Temporary, unsure, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := startFailure(t, startCluster(t, answering(tt.status, tt.body)))
			if got.Kind != tt.kind || got.Unsure != tt.unsure || got.JobID != tt.job || got.Stale {
				t.Errorf("%+v, want %s, unsure: %v, job %q", got, tt.kind, tt.unsure, tt.job)
			}
		})
	}
}

// What never reached a server has started nothing.
func TestAStartWithoutAConnectionIsNotUnsure(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if got := startFailure(t, NewClient(server.URL, 1)); got.Kind != Temporary || got.Unsure {
		t.Errorf("%+v", got)
	}
}

func TestAStartThatTimesOutIsUnsure(t *testing.T) {
	c := startCluster(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or it would not see the client go
		<-r.Context().Done()
	})
	c.timeout = 50 * time.Millisecond
	if got := startFailure(t, c); got.Kind != Temporary || !got.Unsure || got.Stale {
		t.Errorf("%+v", got)
	}
}

// Two would be two refreshes.
func TestAStartIsOneRequestThoughItsKeptConnectionBreaks(t *testing.T) {
	var requests atomic.Int32
	c := startCluster(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"code": 0, "data": {"jobId": 1}}`)
	})
	if _, err := c.Start(t.Context(), apiKey, books); err != nil {
		t.Fatal(err)
	}
	if got := startFailure(t, c); got.Kind != Temporary || !got.Unsure || got.Stale || requests.Load() != 2 {
		t.Errorf("%d requests of two starts; the second: %+v", requests.Load(), got)
	}
}

// Frames of HTTP/2 (RFC 9113, section 6).
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway = 0, 1, 3, 4, 7
	endStream                                                       = 1
)

func frame(kind byte, stream uint32, payload ...uint32) []byte {
	out := []byte{0, 0, byte(4 * len(payload)), kind, 0}
	out = binary.BigEndian.AppendUint32(out, stream)
	for _, word := range payload {
		out = binary.BigEndian.AppendUint32(out, word)
	}
	return out
}

// refusing is a server of HTTP/2 that answers each whole request with a frame.
func refusing(t *testing.T, requests *atomic.Int32, answer func(stream uint32) []byte) *Client {
	t.Helper()
	server := newServer(t, http.NotFound)
	server.TLS = &tls.Config{NextProtos: []string{"h2"}}
	server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) {
		preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		if _, err := io.ReadFull(conn, preface); err != nil {
			return
		}
		_, _ = conn.Write(frame(frameSettings, 0))
		for header := make([]byte, 9); ; {
			if _, err := io.ReadFull(conn, header); err != nil {
				return
			}
			length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
			_, _ = io.CopyN(io.Discard, conn, length)
			if kind := header[3]; (kind == frameData || kind == frameHeaders) && header[4]&endStream != 0 {
				requests.Add(1)
				_, _ = conn.Write(answer(binary.BigEndian.Uint32(header[5:])))
			}
		}
	}}
	server.StartTLS()
	return trusting(server.Certificate(), server.URL)
}

// net/http repeats a request that a server of HTTP/2 says it has not processed, and
// after a PROTOCOL_ERROR (golang/go#42777), which says no such thing.
func TestAStartIsOneRequestThoughHTTP2RefusesIt(t *testing.T) {
	for name, answer := range map[string]func(stream uint32) []byte{
		"REFUSED_STREAM": func(stream uint32) []byte { return frame(frameReset, stream, 7) },
		"PROTOCOL_ERROR": func(stream uint32) []byte { return frame(frameReset, stream, 1) },
		"CANCEL":         func(stream uint32) []byte { return frame(frameReset, stream, 8) },
		"GOAWAY":         func(uint32) []byte { return frame(frameGoAway, 0, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			got := startFailure(t, refusing(t, &requests, answer))
			if got.Kind != Temporary || !got.Unsure || requests.Load() != 1 {
				t.Errorf("%d requests: %+v", requests.Load(), got)
			}
		})
	}
}

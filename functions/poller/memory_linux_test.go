package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"refresh-poller/internal/tests/authority"
)

// memoryLimit, in bytes, leaves a quarter of the function's 128 MB for what Lambda may
// count besides.
const memoryLimit = 96e6

// peakOf returns the most memory that a process has taken so far, in bytes.
func peakOf(t *testing.T, pid int) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &bytes)
	}
	if bytes == 0 {
		t.Fatalf("the kernel does not tell VmHWM: %s", status)
	}
	return bytes << 10
}

// hostileAnswers are the members of ten jobs, of nearly the 1 MiB that is read of an
// answer.
func hostileAnswers(privateKey string) (answers []string) {
	const size = 1<<20 - 400
	line := strings.Split(privateKey, "\n")[1]
	for _, text := range []string{"password=hunter2 ", line + `\n`, line[:20] + " ", `\u0022\\`, "Bearer abcdefgh "} {
		answers = append(answers, `"reason": "`+filled(text, size)+`"`)
	}
	return append(answers,
		`"externalSource": "{`+filled(`\"a\":\"b\",`, size)+`\"z\":1}"`,
		`"externalSource": "`+filled("s3://id:secret@bucket/x?token=t ", size)+`"`,
		`"x": `+strings.Repeat(`{"a":`, 9000)+"1"+strings.Repeat("}", 9000),
		`"x": {`+filled(`"a":1,`, size)+`"z":1}`,
		`"x": [`+filled(`0,`, size)+`0]`)
}

func filled(text string, size int) string { return strings.Repeat(text, size/len(text)) }

// hostileMessages are as large as the 6 MB of an invocation's payload allow, and none
// can be read.
func hostileMessages() (bodies []string) {
	const size = 590_000
	for range 5 {
		bodies = append(bodies, `{"jobId": 1, "context": {`+filled(`"a":1,`, size)+`"z":1}}`, strings.Repeat("[", size))
	}
	return bodies
}

func TestTenHostileAnswersAndTenFullContextsFitIntoMemory(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(time.Hour)
	own, clients := authority.New(t, "own"), authority.New(t, "clients")
	client := authority.Pair{Certificate: clients.Sign(t, key.Public(), soon), Key: authority.PEM("PRIVATE KEY", raw)}
	answers := hostileAnswers(client.Key)
	var full []string
	for i := range answers {
		full = append(full, fmt.Sprintf(`{"jobId": %d, "context": {"a":%q}}`, i+1, strings.Repeat("x", 16<<10-8)))
	}
	for _, protocol := range []string{"HTTP/1.1, TLS 1.3", "HTTP/2, TLS 1.3"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			cluster := authority.Serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				id := asked(r)
				place, _ := strconv.Atoi(id)
				w.Header().Set("X", strings.Repeat("x", 60_000)) // of the 64 KiB that are read
				_, _ = io.WriteString(w, `{"code": 0, "data": {"jobId": `+id+`, "state": "RefreshFailed", "endTime": 1712832000000, `+answers[place-1]+`}}`)
			})
			cluster.Present(t, own.Issue(t, soon), clients)
			aws := startAccount(t)
			aws.holdPEMs(own.PEM(), client)
			f := deploy(t, aws, cluster.URL, 30*time.Second, nil)
			pid := f.PID()
			began := time.Now()
			for _, bodies := range [][]string{full, full, full, hostileMessages()} {
				if failed := invoke(t, f, bodies...); failed != nil {
					t.Errorf("%v failed", failed)
				}
				t.Logf("%.1f MB after a batch, %.1f s after the first began", float64(peakOf(t, pid))/1e6, time.Since(began).Seconds())
			}
			if queue, dead, events := aws.all(); len(queue) != 0 || len(dead) != 10 || len(events) != 30 {
				t.Errorf("%d queued, %d rejected, %d published", len(queue), len(dead), len(events))
			}
			if peak := peakOf(t, pid); peak > memoryLimit || f.PID() != pid {
				t.Errorf("%.1f MB, at most %.1f", float64(peak)/1e6, memoryLimit/1e6)
			}
		})
	}
}

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"refresh-poller/internal/secret"
	"refresh-poller/internal/tests/authority"
)

// freeze stops a process, as Lambda does between two invocations, and runs meanwhile.
// As its clock tells, the wall clock goes on alone, or the monotonic one too.
func freeze(t *testing.T, pid int, frozen time.Duration, both bool, meanwhile func()) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	time.Sleep(frozen)
	if !both {
		holdMonotonicClock(t, pid, frozen)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// holdMonotonicClock takes so much off what package time of a stopped process takes
// for the monotonic clock. Linux has no way to stop that for one process, and Go asks
// no library for the time that one could replace. The timers of Go's runtime have a
// clock of their own, which goes on.
func holdMonotonicClock(t *testing.T, pid int, by time.Duration) {
	t.Helper()
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	var start [8]byte
	at := address(t, "time.startNano") // see "Monotonic Clocks" in time.go
	if _, err := memory.ReadAt(start[:], at); err != nil {
		t.Fatal(err)
	}
	binary.NativeEndian.PutUint64(start[:], binary.NativeEndian.Uint64(start[:])+uint64(by))
	if _, err := memory.WriteAt(start[:], at); err != nil {
		t.Fatal(err)
	}
}

func address(t *testing.T, symbol string) int64 {
	t.Helper()
	program, err := elf.Open(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	symbols, err := program.Symbols()
	i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == symbol })
	if err != nil || i < 0 {
		t.Fatalf("no %s among %d symbols, %v", symbol, len(symbols), err)
	}
	return int64(symbols[i].Value)
}

// It takes 5.5 s at first, for a read of the secret that failed stands for 5.
func TestAFrozenFunctionGoesOnByTheWallClock(t *testing.T) {
	t.Parallel()
	frozen := setting(t, "LAMBDA_FROZEN", time.Second)
	for clock, both := range map[string]bool{"goes on": true, "stands still": false} {
		for _, protocol := range []string{"HTTP/1.1, TLS 1.3", "HTTP/2, TLS 1.3"} {
			t.Run(fmt.Sprintf("over %s, the monotonic clock %s", protocol, clock), func(t *testing.T) {
				t.Parallel()
				frozenTwice(t, protocol, frozen, both)
			})
		}
	}
}

func frozenTwice(t *testing.T, protocol string, frozen time.Duration, both bool) {
	var mu sync.Mutex
	tokens := map[string]int{}
	cluster := authority.Serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]++
		_, _ = io.WriteString(w, inProgress(asked(r)))
	})
	own := authority.New(t, "own")
	pair := own.Issue(t, time.Now().Add(time.Hour))
	cluster.Present(t, pair, nil)
	ca := fmt.Sprintf("%q", own.PEM())
	const first, second = "first-0123456789abcdef", "second-fedcba9876543210"
	aws := startAccount(t)
	var printed bytes.Buffer
	f := deploy(t, aws, cluster.URL, time.Minute, &printed)
	pid := f.PID()
	polls := func() {
		t.Helper()
		if failed := invoke(t, f, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"); failed != nil {
			t.Errorf("%v failed", failed)
		}
	}

	aws.hold("")
	polls()
	freeze(t, pid, 5500*time.Millisecond, both, func() { aws.hold(`{"token": "` + first + `", "caCertificate": ` + ca + `}`) })
	polls() // a failure of that age is forgotten
	if tokens[first] != 10 {
		t.Errorf("asked with the tokens %v", tokens)
	}
	freeze(t, pid, frozen, both, func() {
		aws.hold(`{"token": "` + second + `", "caCertificate": ` + ca + `}`)
		cluster.CloseClientConnections() // as by a cluster that has waited long enough
	})
	polls()
	if rotated := tokens[second] > 0; rotated != (frozen > secret.MaxAge) || tokens[first]+tokens[second] != 20 {
		t.Errorf("frozen for %s: asked with the tokens %v", frozen, tokens)
	}
	if f.PID() != pid {
		t.Error("the process is another")
	}
	f.Close()
	if described := strings.Count(printed.String(), "RefreshInProgress"); described != 20 {
		t.Errorf("%d of 20 describes brought an answer:\n%s", described, printed.String())
	}
}

package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheBareCallsAreThoseOfABatch(t *testing.T) {
	u, err := startUpstream(0)
	if err != nil {
		t.Fatal(err)
	}
	defer u.close()
	p, err := newPoller(variables(u), u.awsURL)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := p.Handle(t.Context(), newBatch(0)); err != nil || len(res.BatchItemFailures) > 0 {
		t.Fatal(res, err)
	}
	batch := u.sofar()
	if err := newBare(u.recordings()).run(); err != nil {
		t.Fatal(err)
	}
	bare := u.sofar().minus(batch)
	batch.connections, bare.connections = 0, 0
	if diff := cmp.Diff(wanted, bare, cmp.AllowUnexported(traffic{})); diff != "" {
		t.Error("bare", diff)
	}
	wanted := wanted
	wanted.others = 1 // the first batch reads the secret
	if diff := cmp.Diff(wanted, batch, cmp.AllowUnexported(traffic{})); diff != "" {
		t.Error("batch", diff)
	}
}

func TestAComparisonMeasuresEveryPair(t *testing.T) {
	c, err := compare(time.Millisecond, 3)
	if err != nil {
		t.Fatal(err)
	}
	if c.batches != 3 || c.batch.time < 2*c.latency || c.bare.time < 2*c.latency || c.odd != (traffic{}) {
		t.Errorf("%+v", c)
	}
}

func TestALimitThatDoesNotHoldSaysSo(t *testing.T) {
	var out strings.Builder
	r := report{out: &out, kept: true}
	r.limit(false, "package: %d MB", 5)
	r.limit(true, "memory: %d MB", 1)
	if want := "package: 5 MB: DOES NOT HOLD\nmemory: 1 MB: holds\n"; out.String() != want || r.kept {
		t.Errorf("kept %t, printed %s", r.kept, out.String())
	}
}

func TestTheKernelTellsTheMemoryOfAProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	if now, peak, err := memory(os.Getpid()); err != nil || now < 1<<20 || peak < now {
		t.Errorf("%d bytes, at most %d, %v", now, peak, err)
	}
	if _, _, err := memory(-1); err == nil {
		t.Error("there is no such process")
	}
}

func TestWhatDoesNotCompressKeepsItsSize(t *testing.T) {
	file, content := filepath.Join(t.TempDir(), "bootstrap"), make([]byte, 100_000)
	rand.Read(content)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := zipped(file); err != nil || got < 100_000 || got > 101_000 {
		t.Errorf("%d bytes, %v", got, err)
	}
}

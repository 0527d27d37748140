// Command bench measures a batch of ten messages beside the bare HTTP calls that
// the same work needs, and the start, the memory and the package of the function;
// or, with -soak, whether its memory stays flat. It exits with 1 if one of
// docs/performance.md's limits does not hold.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	starts         = 21
	processBatches = 500

	maxRatio     = 1.05 // at the latency of a real cluster, the last of rounds
	maxMemory    = 20e6
	maxPackage   = 4.5e6
	milliseconds = float64(time.Millisecond)
)

// rounds are the latencies, with as many pairs of batch and bare calls as make
// the medians steady.
var rounds = []struct {
	latency time.Duration
	pairs   int
}{{0, 500}, {20 * time.Millisecond, 100}, {50 * time.Millisecond, 100}}

func main() {
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: bench PACKAGED_BOOTSTRAP BOOTSTRAP_FOR_THIS_MACHINE\n"+
			"       bench -soak BATCHES BOOTSTRAP_FOR_THIS_MACHINE, of at least %d BATCHES\n", fewestBatches)
	}
	batches := flag.Int("soak", 0, "")
	flag.Parse()
	r := report{out: os.Stdout, kept: true}
	var err error
	switch {
	case *batches == 0 && flag.NArg() == 2:
		err = r.run(flag.Arg(0), flag.Arg(1))
	case *batches >= fewestBatches && flag.NArg() == 1:
		err = r.soak(flag.Arg(0), *batches)
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if !r.kept {
		os.Exit(1)
	}
}

// report prints the figures; kept tells whether every limit so far holds.
type report struct {
	out  io.Writer
	kept bool
}

func (r *report) run(packaged, bootstrap string) error {
	fmt.Fprintf(r.out, "%s/%s, %d cores, %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	if err := r.batches(); err != nil {
		return fmt.Errorf("measure a batch: %w", err)
	}
	fmt.Fprintln(r.out)
	if runtime.GOOS == "linux" {
		if err := r.process(bootstrap); err != nil {
			return fmt.Errorf("measure the function's process: %w", err)
		}
	} else {
		fmt.Fprintln(r.out, "start and memory: on Linux only, which the function is built for")
	}
	size, err := zipped(packaged)
	if err != nil {
		return fmt.Errorf("zip the package: %w", err)
	}
	r.limit(size <= maxPackage, "package: %.2f MB zipped, at most %.1f MB", float64(size)/1e6, maxPackage/1e6)
	return nil
}

const columns = "%-18s %10s %10s %8s %14s %14s %12s\n"

func (r *report) batches() error {
	fmt.Fprintf(r.out, columns, "latency of a call", "bare calls", "batch", "ratio", "allocations", "KB allocated", "connections")
	fmt.Fprintf(r.out, columns, "", "ms", "ms", "", "bare / batch", "bare / batch", "opened")
	var slowest *comparison
	var odd traffic
	for _, round := range rounds {
		c, err := compare(round.latency, round.pairs)
		if err != nil {
			return err
		}
		fmt.Fprintf(r.out, columns, c.latency, fmt.Sprintf("%.2f", float64(c.bare.time)/milliseconds),
			fmt.Sprintf("%.2f", float64(c.batch.time)/milliseconds), fmt.Sprintf("%.3f", c.ratio()),
			fmt.Sprintf("%.0f / %.0f", c.bare.allocations, c.batch.allocations),
			fmt.Sprintf("%.0f / %.0f", c.bare.bytes/1e3, c.batch.bytes/1e3), fmt.Sprint(c.opened))
		slowest, odd = c, cmp.Or(odd, c.odd)
	}
	fmt.Fprintln(r.out)
	r.limit(slowest.ratio() <= maxRatio, "batch at %s: %.3f times its bare calls, at most %.2f", slowest.latency, slowest.ratio(), maxRatio)
	r.limit(slowest.opened == 0, "connections to the cluster at %s: %d batches opened %d, at most 0", slowest.latency, slowest.batches, slowest.opened)
	r.limit(odd == traffic{}, "calls of each batch: %d describes, %d SendMessageBatch, %d PutEvents", wanted.describes, wanted.sends, wanted.puts)
	if odd != (traffic{}) {
		fmt.Fprintf(r.out, "one made %+v\n", odd)
	}
	return nil
}

func (r *report) process(bootstrap string) error {
	path, err := filepath.Abs(bootstrap)
	if err != nil {
		return err
	}
	p, err := runProcess(context.Background(), path, starts, processBatches)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "the deployed binary, built for this machine\nstart: %.1f ms to the first request for an invocation, median of %d\n", float64(p.start)/milliseconds, starts)
	r.limit(p.opened <= batchSize, "connections to the cluster: %d batches opened %d, at most %d", processBatches, p.opened, batchSize)
	r.limit(p.peak <= maxMemory, "memory: %.1f MB at its peak in %d batches (%.1f MB before them), at most %.0f MB",
		float64(p.peak)/1e6, processBatches, float64(p.atStart)/1e6, maxMemory/1e6)
	return nil
}

// limit prints a figure that has a limit, and whether that holds.
func (r *report) limit(holds bool, format string, args ...any) {
	verdict := "holds"
	if !holds {
		verdict, r.kept = "DOES NOT HOLD", false
	}
	fmt.Fprintf(r.out, format+": %s\n", append(args, verdict)...)
}

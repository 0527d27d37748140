package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"refresh-poller/internal/tests/runtimeapi"
)

const (
	// maxGrowth bounds the memory of a soak's last quarter, in that of the second.
	// In the first, the heap and the binary's pages still grow to their size.
	maxGrowth = 1.03
	// soakSamples is about how often the memory is read.
	soakSamples = 400
	// fewestBatches have a sample in each quarter.
	fewestBatches = 4
)

// sample is the memory of the process after so many batches, in bytes.
type sample struct {
	batches   int
	now, peak int64
}

// soak sends the binary batches that are always new, and prints what memory it
// takes on the way.
func (r *report) soak(bootstrap string, batches int) error {
	if runtime.GOOS != "linux" {
		return errors.New("memory can be read on Linux only")
	}
	path, err := filepath.Abs(bootstrap)
	if err != nil {
		return err
	}
	began, c := time.Now(), newCrowd()
	samples, err := runSoak(context.Background(), path, c, batches)
	if err != nil {
		return fmt.Errorf("soak the function's process: %w", err)
	}
	fmt.Fprintf(r.out, "%d batches in %.0f s, %d messages: %d began a watch, %d events ended one, %d were rejected\n\n",
		batches, time.Since(began).Seconds(), c.messages, c.begun, c.ended, c.rejected)
	r.flat(samples)
	return nil
}

// runSoak returns samples, one from before the first batch among them.
func runSoak(ctx context.Context, bootstrap string, c *crowd, batches int) ([]sample, error) {
	u, err := startUpstream(0)
	if err != nil {
		return nil, err
	}
	defer u.close()
	u.jobState, u.sent = c.jobState, c.sent
	u.recordings() // or it keeps every call
	f, err := runtimeapi.Start(ctx, deployed(bootstrap, u))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pid := f.PID()
	var samples []sample
	every := max(batches/soakSamples, 1)
	for i := 0; ; i++ {
		if i%every == 0 || i == batches {
			now, peak, err := memory(pid)
			if err != nil {
				return nil, err
			}
			samples = append(samples, sample{i, now, peak})
		}
		if i == batches {
			break
		}
		if err := invoke(ctx, f, c.batch()); err != nil {
			return nil, err
		}
	}
	if f.PID() != pid || c.lost() {
		return nil, errors.New("the process ended between two batches, or lost a message")
	}
	return samples, nil
}

// flat prints some of the samples, and whether memory has stopped growing.
func (r *report) flat(samples []sample) {
	const columns = "%9s %12s %12s\n"
	fmt.Fprintf(r.out, columns+columns, "batches", "memory, MB", "peak, MB", "", "VmRSS", "VmHWM")
	n := len(samples)
	for _, percent := range []int{0, 1, 10, 25, 50, 75, 100} {
		s := samples[(n-1)*percent/100]
		fmt.Fprintf(r.out, columns, fmt.Sprint(s.batches), fmt.Sprintf("%.2f", float64(s.now)/1e6), fmt.Sprintf("%.2f", float64(s.peak)/1e6))
	}
	fmt.Fprintln(r.out)
	second, last := meanMemory(samples[n/4:n/2]), meanMemory(samples[n-n/4:])
	r.limit(last <= maxGrowth*second, "memory in the last quarter: %.2f MB on average, %.1f %% of the second quarter's, at most %.0f %%",
		last/1e6, 100*last/second, 100*maxGrowth)
}

func meanMemory(samples []sample) float64 {
	var sum float64
	for _, s := range samples {
		sum += float64(s.now)
	}
	return sum / float64(len(samples))
}

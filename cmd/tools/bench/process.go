package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"refresh-poller/internal/tests/runtimeapi"
)

// process is what the function's binary takes when it runs behind a Runtime API.
type process struct {
	// start is the median time to the first request for an invocation.
	start time.Duration
	// atStart and peak are the largest resident sizes before and after the
	// batches, in bytes. The binary's pages that were touched are part of them.
	atStart, peak int64
	// opened is how many connections to the cluster the batches needed.
	opened int
}

// runProcess starts the binary a number of times, and sends the last of them
// batches.
func runProcess(ctx context.Context, bootstrap string, starts, batches int) (process, error) {
	var out process
	u, err := startUpstream(0)
	if err != nil {
		return out, err
	}
	defer u.close()
	cfg := deployed(bootstrap, u)
	var times []time.Duration
	var f *runtimeapi.Function
	for range starts {
		if f != nil {
			f.Close()
		}
		began := time.Now()
		if f, err = runtimeapi.Start(ctx, cfg); err != nil {
			return out, err
		}
		times = append(times, time.Since(began))
	}
	defer f.Close()
	out.start = median(times)
	if _, out.atStart, err = memory(f.PID()); err != nil {
		return out, err
	}
	for number := range batches {
		if err := invoke(ctx, f, newBatch(number)); err != nil {
			return out, err
		}
	}
	out.opened = u.sofar().connections
	_, out.peak, err = memory(f.PID())
	return out, err
}

// deployed is the function as it is deployed, but on u.
func deployed(bootstrap string, u *upstream) runtimeapi.Config {
	environment := map[string]string{"AWS_ENDPOINT_URL": u.awsURL, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
	maps.Copy(environment, variables(u))
	return runtimeapi.Config{
		Bootstrap: bootstrap, ARN: "arn:aws:lambda:" + region + ":123456789012:function:poller", Handler: "bootstrap",
		MemoryMB: 128, LogFormat: "JSON", LogLevel: "TRACE", Timeout: 30 * time.Second, Environment: environment,
	}
}

// invoke sends the function a batch of which no item may fail.
func invoke(ctx context.Context, f *runtimeapi.Function, batch events.SQSEvent) error {
	payload, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	response, err := f.Invoke(ctx, payload)
	if err == nil && string(response) != `{"batchItemFailures":[]}` {
		err = fmt.Errorf("items of a batch failed: %s", response)
	}
	return err
}

// memory reads how large the process is in memory, and has been at most, in
// bytes. It is not the child's rusage, which begins with what this process had
// when it forked.
func memory(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &now)
		fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	if now == 0 || peak == 0 {
		return 0, 0, errors.New("the kernel does not tell VmRSS and VmHWM")
	}
	return now << 10, peak << 10, nil
}

// zipped returns the size of the package. SAM deflates a little tighter.
func zipped(bootstrap string) (bytes int64, err error) {
	file, err := os.Open(bootstrap)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var size counter
	archive := zip.NewWriter(&size)
	entry, err := archive.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(entry, file); err != nil {
		return 0, err
	}
	err = archive.Close()
	return int64(size), err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

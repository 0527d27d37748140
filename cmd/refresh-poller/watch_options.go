package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"refresh-poller/internal/config"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/secret"
	"refresh-poller/internal/watch"
)

// plan is what the options of a watch come to.
type plan struct {
	config     config.Config
	token      string
	trust      milvus.Trust
	keepTrying bool
	jobIDs     []string // each once
}

// read returns what the options and the environment say, or one sentence for each
// fault.
func (o watchOptions) read(args []string, environ map[string]string) (w plan, err error) {
	var faults []string
	check := func(err error) {
		if err != nil {
			faults = append(faults, strings.Split(err.Error(), "\n")...)
		}
	}
	if len(args) == 0 {
		args = strings.Fields(environ["JOB_ID"])
	}
	check(checkJobIDs(args, milvus.JobKind(o.kind)))
	w.token, w.trust, err = o.token(environ)
	check(err)
	if o.caFile != "" {
		w.trust.Roots, err = roots(o.caFile)
		check(err)
	}
	w.config, err = o.config(environ)
	check(err)
	if len(faults) > 0 {
		return plan{}, failure{exitBadArgument, strings.Join(faults, "\n")}
	}
	w.keepTrying = o.keepTrying
	for _, id := range args {
		if !slices.Contains(w.jobIDs, id) {
			w.jobIDs = append(w.jobIDs, id)
		}
	}
	return w, nil
}

// messageOf returns the message that starts a job's watch.
func messageOf(kind milvus.JobKind, jobID string) string {
	body, _ := json.Marshal(map[string]string{"kind": string(kind), "jobId": jobID}) // strings always can be
	return string(body)
}

// checkJobIDs doesn't repeat an id that is wrong: it may be a token that came there
// by mistake.
func checkJobIDs(ids []string, kind milvus.JobKind) error {
	if len(ids) == 0 {
		return errors.New("give a job's id, or several")
	}
	if !kind.Known() {
		return nil // which is said of the kind
	}
	for i, id := range ids {
		if _, err := watch.Parse(messageOf(kind, id), "", time.Now(), kind); err != nil {
			which := "the job id"
			if len(ids) > 1 {
				which = fmt.Sprintf("job id %d of %d", i+1, len(ids))
			}
			return errors.New(which + strings.TrimPrefix(err.Error(), "jobId"))
		}
	}
	return nil
}

// token returns the token, and the trust that JSON has beside it.
func (o watchOptions) token(environ map[string]string) (string, milvus.Trust, error) {
	text, where := environ["CLUSTER_TOKEN"], "CLUSTER_TOKEN"
	switch {
	case o.tokenFile != "":
		raw, err := readFile("--token-file", o.tokenFile)
		if err != nil {
			return "", milvus.Trust{}, err
		}
		text, where = string(raw), "--token-file"
	case text == "":
		return "", milvus.Trust{}, errors.New("give the cluster's API key or user:password in a file, with --token-file, or in CLUSTER_TOKEN")
	}
	token, trust, err := secret.Parse(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", where, err)
	}
	return token, trust, err
}

func roots(file string) (*x509.CertPool, error) {
	text, err := readFile("--ca-file", file)
	if err != nil {
		return nil, err
	}
	roots, err := secret.Roots(text)
	if err != nil {
		return nil, fmt.Errorf("--ca-file %w", err)
	}
	return roots, nil
}

// readFile reads the file that a flag names. The error doesn't repeat the name,
// which may be a token in the place of its file.
func readFile(flag, name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	if err != nil {
		return nil, fmt.Errorf("%s must be the name of a file that can be read: %w", flag, err)
	}
	return text, nil
}

// config returns the configuration of a stack that does what the options say.
func (o watchOptions) config(environ map[string]string) (config.Config, error) {
	settings := map[string]string{}
	maps.Copy(settings, environ)
	settings["CLUSTER_ENDPOINT"] = o.endpoint
	settings["JOB_KIND"] = o.kind
	settings["PUBLISH_PROGRESS"] = strconv.FormatBool(o.progress)
	settings["WATCH_DEADLINE_SECONDS"] = strconv.Itoa(int(time.Duration(o.timeout).Seconds()))
	c, err := loadConfig(settings)
	if err != nil {
		return c, errors.New(asArguments(err.Error()))
	}
	return c, nil
}

var (
	parameter = regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b`)
	words     = regexp.MustCompile(`[A-Z][a-z]+`)
	flagOf    = map[string]string{"CLUSTER_ENDPOINT": "--endpoint", "JOB_KIND": "--kind"}
)

// asArguments puts the flags' and variables' names in the place of the parameters'
// that they set: MinPollDelaySeconds becomes MIN_POLL_DELAY_SECONDS.
func asArguments(text string) string {
	return parameter.ReplaceAllStringFunc(text, func(name string) string {
		variable := strings.ToUpper(strings.Join(words.FindAllString(name, -1), "_"))
		if flag := flagOf[variable]; flag != "" {
			return flag + " (" + variable + ")"
		}
		return variable
	})
}

// duration is a flag's value: the time that a watch may take.
type duration time.Duration

func (d *duration) String() string { return time.Duration(*d).String() }

// Type is part of pflag.Value.
func (d *duration) Type() string { return "duration" }

// Set reads 90m, or a number of seconds, as a stack's parameter has it.
func (d *duration) Set(text string) error {
	given, err := time.ParseDuration(text)
	if seconds, numeric := strconv.ParseInt(text, 10, 32); numeric == nil {
		given, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || given < time.Second || given > watch.MaxDeadline || given%time.Second != 0 {
		return errors.New("must be 1s to 336h, in whole seconds, such as 90m")
	}
	*d = duration(given)
	return nil
}

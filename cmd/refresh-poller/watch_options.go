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
	"unicode/utf8"

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
	starts     bool
	keepTrying bool
	watches    []begun // each once
}

// begun is a watch: the job or collection that it is about, and the message that
// starts it.
type begun struct{ name, body string }

// read returns what the options and the environment say, or one sentence for each
// fault.
func (o watchOptions) read(args []string, environ map[string]string) (w plan, err error) {
	var faults []string
	check := func(err error) {
		if err != nil {
			faults = append(faults, strings.Split(err.Error(), "\n")...)
		}
	}
	check(o.check(args))
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
	w.starts, w.keepTrying = o.starts, o.keepTrying
	for _, name := range args {
		if about := (begun{name, o.message(name)}); !slices.Contains(w.watches, about) {
			w.watches = append(w.watches, about)
		}
	}
	return w, nil
}

// message returns the message that starts the watch of a job, or of a collection's
// refresh.
func (o watchOptions) message(name string) string {
	message := map[string]any{"kind": o.kind}
	if o.starts {
		of := map[string]string{"collectionName": name}
		if o.database != "" {
			of["dbName"] = o.database
		}
		message["refresh"] = of
	} else {
		message["jobId"] = name
	}
	if o.expect > 0 {
		message["expectedSeconds"] = int64(time.Duration(o.expect).Seconds())
	}
	body, _ := json.Marshal(message) // strings and numbers always can be
	return string(body)
}

// check doesn't repeat a name that is wrong: it may be a token that came there by
// mistake.
func (o watchOptions) check(names []string) error {
	none, one, called := "give a job's id, or several", "job id", "the job id"
	if o.starts {
		none, one, called = "give a collection's name, or several", "collection", "the collection's name"
	}
	switch {
	case len(names) == 0:
		return errors.New(none)
	case !milvus.JobKind(o.kind).Known():
		return nil // which is said of the kind
	case !utf8.ValidString(o.database):
		return errors.New("--database (CLUSTER_DATABASE) is not valid UTF-8, as all names are")
	}
	for i, name := range names {
		if len(names) > 1 {
			called = fmt.Sprintf("%s %d of %d", one, i+1, len(names))
		}
		_, err := watch.Parse(o.message(name), "", time.Now(), milvus.JobKind(o.kind))
		switch {
		case err != nil:
			return errors.New(strings.NewReplacer("jobId", called, "refresh.collectionName", called, "refresh.dbName", "--database (CLUSTER_DATABASE)").Replace(err.Error()))
		case !utf8.ValidString(name): // which JSON would mend
			return errors.New(called + " is not valid UTF-8, as all names are")
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
	settings["START_REFRESHES"] = strconv.FormatBool(o.starts)
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

// duration is a flag's value: a time that a watch may take.
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

package milvus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// List is what the cluster says of a collection's refreshes of the last day.
type List struct {
	// Jobs are the newest maxListed, newest first.
	Jobs []Listed
	// Clock is that of the cluster.
	Clock Clock
}

// Listed is a job with its id.
type Listed struct {
	ID string
	Job
}

// Clock tells the cluster's time.
type Clock struct {
	// Known says that the cluster told its time, and how far it is off by no more than
	// maxClockError.
	Known bool
	// Ahead is how far it is ahead of the local time; it may be negative.
	Ahead time.Duration
}

// A Date has whole seconds (RFC 9110, section 5.6.7), and was written some time
// between the request and the answer: the middle of both is off by half of each at
// most.
const (
	MaxClockError = 1500 * time.Millisecond
	maxRoundTrip  = 2*MaxClockError - time.Second
)

// maxListed bounds how many jobs of a list are read: a collection has at most one at
// a time, and a message that waits for so many to end has waited too long.
const maxListed = 64

// errEnough ends the reading of a list.
var errEnough = errors.New("so many jobs are enough")

// List returns the collection's refreshes. It is as Describe, but for an answer that
// is too large, of which the beginning is taken, and an error may be Impossible.
func (c *Client) List(ctx context.Context, token string, of Collection) (List, error) {
	trusted := c.trust.Load()
	list, err := c.list(ctx, token, of)
	for i := range list.Jobs {
		list.Jobs[i].Job = trusted.hideIn(list.Jobs[i].Job)
	}
	return list, c.under(trusted, err)
}

func (c *Client) list(ctx context.Context, token string, of Collection) (List, error) {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := newRequest(timed, http.MethodPost, c.endpoint+listPath, strings.NewReader(of.json()), token)
	if err != nil {
		return List{}, newError(Misconfigured, 0, nil, shown(err, token))
	}
	r, failure := c.send(req, token, true)
	if failure != nil {
		failure.Stale = failure.Stale && ctx.Err() == nil
		return List{}, failure
	}
	jobs, err := readList(r, token)
	return List{Jobs: jobs, Clock: clockOf(r, time.Now())}, err
}

// clockOf reads the Date of an answer whose header came at about now, or before.
func clockOf(r reply, now time.Time) Clock {
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil || r.took > maxRoundTrip {
		return Clock{}
	}
	return Clock{Known: true, Ahead: date.Add(time.Second / 2).Sub(now.Add(-r.took / 2))}
}

// readList reads {"code": 0, "data": {"records": [{"jobId": …, …}, …]}}. An answer
// that was cut counts as far as it goes.
func readList(r reply, token string) ([]Listed, error) {
	var a answer
	records, err := records(r.body, &a)
	if err != nil && err != errEnough && !(r.cut && err == io.ErrUnexpectedEOF) {
		return nil, newError(kindOfStatus(r.status), r.status, r.header, "the answer is not the API's JSON")
	}
	if failure := refusal(r, a, token, listRefusesForGood); failure != nil {
		return nil, failure
	}
	if records == nil {
		return nil, newError(Temporary, r.status, r.header, "the answer has no records")
	}
	kind := ExternalCollection.row()
	jobs := make([]Listed, 0, len(records))
	for _, d := range records {
		id, _ := d.id()
		if fault := d.fault(kind, id); fault != "" || !(Ref{ExternalCollection, id}).Valid() {
			return nil, newError(Temporary, r.status, r.header, "the list holds a job that can't be read")
		}
		jobs = append(jobs, Listed{ID: id, Job: d.job(kind, token)})
	}
	return jobs, nil
}

// records goes through the answer of a list, from which it takes code and message,
// and returns the newest maxListed records; nil if there is no list of them. An
// answer whose code stands behind so many is taken for one without.
func records(body []byte, a *answer) (found []data, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	err = within(dec, '{', func(key string) error {
		switch key {
		case "code":
			return next(dec, &a.Code)
		case "message":
			return next(dec, &a.Message)
		case "data":
			return within(dec, '{', func(key string) error {
				if key != "records" {
					return next(dec, new(json.RawMessage))
				}
				found = []data{}
				return within(dec, '[', func(string) error {
					if len(found) == maxListed {
						return errEnough
					}
					var d data
					err := next(dec, &d)
					if err == nil {
						found = append(found, d)
					}
					return err
				})
			})
		}
		return next(dec, new(json.RawMessage))
	})
	return found, err
}

// within calls each at each value of an object, with its key, or of an array. Null
// has none.
func within(dec *json.Decoder, begin json.Delim, each func(key string) error) error {
	switch token, err := dec.Token(); {
	case err != nil:
		return early(err)
	case token == nil:
		return nil
	case token != begin:
		return errors.New("the value is of another type")
	}
	for dec.More() {
		key := ""
		if begin == '{' {
			token, err := dec.Token()
			if err != nil {
				return early(err)
			}
			key = token.(string) // or it were an error
		}
		if err := each(key); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return early(err)
}

// next decodes the next value. One of the wrong type is left empty, as by decode.
func next(dec *json.Decoder, into any) error {
	err := dec.Decode(into)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); odd {
		return nil
	}
	return early(err)
}

// early is err, but for an end in the middle that it came too early.
func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Package awscall is how the functions call AWS: for how long a call is waited
// for, when it is tried again, and over which connection.
//
// What is called, and what a failed call means, is not decided here.
package awscall

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"refresh-poller/internal/connection"
)

const (
	// tries is how often a request is sent at most while no answer comes.
	tries = 3
	// minPause is the least time between two of them.
	minPause = 2 * time.Second
	// defaultTime stands in for a deadline that a call doesn't have.
	defaultTime = 30 * time.Second
)

// Config returns the SDK's configuration by the environment, with a Client.
func Config(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient()))
	if err != nil {
		return aws.Config{}, err
	}
	// AWS_CA_BUNDLE may have replaced it.
	cfg.HTTPClient = NewClient(cfg.HTTPClient.(*awshttp.BuildableClient))
	return cfg, nil
}

// Client is the SDK's HTTP client. A request that has no answer after a third of
// the time that is left for its call is sent again beside the first, over a new
// connection, and so after another third: the first may hang, or only be slow and
// about to take effect. The first answer counts, whichever request it is to. One
// that fails is left to the SDK, which makes up to three of them.
//
// A request has a body, as all of these calls have. No redirect is followed. It is
// safe for concurrent use.
type Client struct{ connections *connection.Pool }

// NewClient returns a client whose connections are made as base's.
func NewClient(base *awshttp.BuildableClient) *Client {
	return &Client{connections: connection.New(base.GetTransport())}
}

// Do sends the request until an answer is complete, or fails at the deadline of its
// context.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	deadline, ok := req.Context().Deadline()
	if !ok {
		deadline = time.Now().Add(defaultTime)
	}
	ctx, cancel := context.WithDeadline(req.Context(), deadline)
	defer cancel() // ends what else is under way
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	type answer struct {
		res *http.Response
		err error
	}
	answers := make(chan answer, tries)
	send := func() {
		res, err := c.send(req.WithContext(ctx), body)
		answers <- answer{res, err}
	}
	go send()
	pause := time.NewTicker(max(time.Until(deadline)/tries, minPause))
	defer pause.Stop()
	for sent, ended := 1, 0; ; {
		select {
		case a := <-answers:
			if ended++; a.err == nil || ended == sent {
				return a.res, a.err
			}
		case <-pause.C:
			if sent < tries { // a third is rounded down
				sent++
				c.connections.Renew()
				go send()
			}
		}
	}
}

// send sends the request once, and reads the answer to its end.
func (c *Client) send(req *http.Request, body []byte) (*http.Response, error) {
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	res, _, err := c.connections.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	return res, nil
}

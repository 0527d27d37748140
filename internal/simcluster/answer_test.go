package simcluster

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAFaultIsAnsweredAsScripted(t *testing.T) {
	tests := map[string]struct {
		fault  Answer
		status int
		header string // one to look for, "Name: value"
		body   string // a part of it
	}{
		"a failure is HTTP 200 with a code":      {Failure(65535, "job 1 not found"), 200, "Content-Type: application/json", `{"code":65535,"message":"job 1 not found"}`},
		"a rate limit says when to come back":    {RateLimited(3 * time.Second), 429, "Retry-After: 3", `"code":1807`},
		"a rate limit rounds up":                 {RateLimited(time.Millisecond), 429, "Retry-After: 1", `"code":1807`},
		"a rate limit may leave out when":        {RateLimited(0), 429, "Retry-After: ", `"code":1807`},
		"a server's timeout is HTTP 408":         {TimedOut(), 408, "", `"code":10001`},
		"code 1400 comes with HTTP 200":          {NotAuthenticated(), 200, "", `"code":1400,"message":"not authenticated"`},
		"a gateway's page is HTML":               {GatewayPage(), 502, "Content-Type: text/html", "<html>"},
		"a redirect has a location":              {Redirect("https://elsewhere.test/"), 307, "Location: https://elsewhere.test/", ""},
		"a wrong job is a success of another id": {WrongJob("9"), 200, "", `"code":0,"data":{"jobId":9,`},
		"a literal answer is sent as it is":      {Answer{Status: 500, Header: http.Header{"X-A": {"b"}}, Body: "oops"}, 500, "X-A: b", "oops"},
		"the zero answer is an empty HTTP 200":   {Answer{}, 200, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := newCluster(Options{}, Job{ID: "1", Faults: []Answer{tt.fault}})
			w := post(c, `{"jobId":1}`)
			key, value, _ := strings.Cut(tt.header, ": ")
			if w.Code != tt.status || w.Header().Get(key) != value || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("got HTTP %d, %v, %q", w.Code, w.Header(), w.Body)
			}
		})
	}
}

func TestACompressedAnswerIsUnpackedToWhatItWas(t *testing.T) {
	plain := RateLimited(time.Second)
	c, _ := newCluster(Options{}, Job{ID: "1", Faults: []Answer{Gzipped(plain)}})
	w := post(c, `{"jobId":1}`)
	unpacked, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(unpacked)
	if err != nil || string(body) != plain.Body {
		t.Errorf("unpacked %q, %v", body, err)
	}
	if got := w.Header(); w.Code != 429 || got.Get("Content-Encoding") != "gzip" || got.Get("Retry-After") != "1" {
		t.Errorf("got HTTP %d, %v", w.Code, got)
	}
}

func TestHonestStatusesGoByTheCode(t *testing.T) {
	tests := map[string]struct {
		body   string
		faults []Answer
		status int
	}{
		"a job is found":                 {`{"jobId":1}`, nil, 200},
		"a job is not found":             {`{"jobId":7}`, nil, 400},
		"an id as text":                  {`{"jobId":"1"}`, nil, 400},
		"no id":                          {`{}`, nil, 400},
		"a limit":                        {`{"jobId":1}`, []Answer{Failure(1807, "")}, 429},
		"a rate limit":                   {`{"jobId":1}`, []Answer{Failure(8, "")}, 429},
		"a request limit":                {`{"jobId":1}`, []Answer{Failure(4, "")}, 429},
		"not ready":                      {`{"jobId":1}`, []Answer{Failure(1, "")}, 503},
		"unavailable":                    {`{"jobId":1}`, []Answer{Failure(2, "")}, 503},
		"a timeout":                      {`{"jobId":1}`, []Answer{TimedOut()}, 500},
		"a client that is gone":          {`{"jobId":1}`, []Answer{Failure(10000, "")}, 499},
		"not authenticated":              {`{"jobId":1}`, []Answer{NotAuthenticated()}, 401},
		"not permitted":                  {`{"jobId":1}`, []Answer{Failure(1401, "")}, 403},
		"another code":                   {`{"jobId":1}`, []Answer{Failure(65535, "")}, 500},
		"what is no failure, as it is":   {`{"jobId":1}`, []Answer{GatewayPage()}, 502},
		"a literal answer, as it is too": {`{"jobId":1}`, []Answer{{Status: 418, Body: `{"code":1807}`}}, 418},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := newCluster(Options{HonestStatuses: true}, Job{ID: "1", Faults: tt.faults})
			if got := post(c, tt.body).Code; got != tt.status {
				t.Errorf("HTTP %d, want %d", got, tt.status)
			}
		})
	}
}

func TestFaultsComeInOrderOnceEachAndWhenTheirTimeHasCome(t *testing.T) {
	faults := append(slices.Repeat([]Answer{{Status: 500}}, 2), Answer{After: 5 * time.Second, Status: 503}, Answer{Status: 504})
	c, clk := newCluster(Options{}, Job{ID: "1", NeverVisible: true, Faults: faults})
	ask := func(n int) (statuses []int) {
		for range n {
			statuses = append(statuses, post(c, `{"jobId":1}`).Code)
		}
		return statuses
	}
	got := ask(3)
	clk.now = clk.now.Add(5 * time.Second)
	got = append(got, ask(3)...)
	if diff := cmp.Diff([]int{500, 500, 200, 503, 504, 200}, got); diff != "" {
		t.Errorf("HTTP statuses (-want +got):\n%s", diff)
	}
	if faults[0].Status != 500 || len(faults) != 4 {
		t.Errorf("the caller's script was changed: %v", faults)
	}
}

func TestADroppedConnectionGivesTheClientAnError(t *testing.T) {
	c, _ := newCluster(Options{}, Job{ID: "1", Faults: []Answer{{Drop: true}}})
	server := httptest.NewServer(c)
	defer server.Close()
	r, _ := http.NewRequest("POST", server.URL+refreshPath, strings.NewReader(`{"jobId":1}`))
	r.Header.Set("Authorization", "Bearer key")
	if response, err := server.Client().Do(r); err == nil {
		response.Body.Close()
		t.Errorf("got HTTP %d, want an error", response.StatusCode)
	}
}

func TestAStalledAnswerLastsUntilTheClientGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newCluster(Options{}, Job{ID: "1", Faults: []Answer{{Stall: true}}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", refreshPath, strings.NewReader(`{"jobId":1}`))
		r.Header.Set("Authorization", "Bearer key")
		start, w := time.Now(), httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if waited := time.Since(start); waited != time.Minute || w.Body.Len() > 0 {
			t.Errorf("got %q after %v, want nothing after a minute", w.Body, waited)
		}
	})
}

package simcluster

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// library is a cluster with a collection of which a refresh runs for a minute, and a
// clock to move.
func library(opts Options, change func(*Collection)) (c *Cluster, now *time.Time) {
	now = new(time.Date(2024, 4, 11, 10, 40, 0, 0, time.UTC))
	opts.Now = func() time.Time { return *now }
	c = New(opts)
	books := Collection{Name: "books", Course: func(int) Job { return Job{VisibleAfter: 2 * time.Second, RunsFor: time.Minute} }}
	if change != nil {
		change(&books)
	}
	c.AddCollection(books)
	c.AddCollection(Collection{Name: "tables", Database: "other", Internal: true})
	return c, now
}

// answered is what a cluster answers.
type answered struct {
	Code    int
	Message string
	Data    struct {
		JobID   int64
		Records []struct {
			JobID     int64
			State     string
			StartTime int64
		}
	}
	status int
	date   string
}

func askOf(t *testing.T, c *Cluster, path, body string) (a answered) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer ")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	a.status, a.date = w.Code, w.Header().Get("Date")
	return a
}

const inBooks = `{"collectionName": "books"}`

func TestAStartedRefreshAppearsAndRuns(t *testing.T) {
	c, now := library(Options{}, nil)
	id := askOf(t, c, startPath, inBooks).Data.JobID
	if list := askOf(t, c, listPath, inBooks); id != firstStarted || len(list.Data.Records) != 0 || list.Code != 0 {
		t.Fatalf("job %d; %+v", id, list)
	}
	*now = now.Add(2 * time.Second)
	list := askOf(t, c, listPath, `{"collectionName": "books", "dbName": "default"}`)
	if r := list.Data.Records; len(r) != 1 || r[0].JobID != id || r[0].State != InProgress || r[0].StartTime != now.Add(-2*time.Second).UnixMilli() {
		t.Errorf("%+v", list)
	}
	if list.date != "Thu, 11 Apr 2024 10:40:02 GMT" {
		t.Errorf("the date is %s", list.date)
	}
	*now = now.Add(time.Minute)
	second := askOf(t, c, startPath, inBooks).Data.JobID
	*now = now.Add(2 * time.Second)
	if r := askOf(t, c, listPath, inBooks).Data.Records; len(r) != 2 || r[0].JobID != second || r[1].State != Completed || c.Refreshes("", "books") != 2 {
		t.Errorf("%+v", r)
	}
}

func TestWhileARefreshRunsNoOtherStarts(t *testing.T) {
	for name, tt := range map[string]struct {
		opts  Options
		after time.Duration
		code  int
	}{
		"a newer server":               {Options{}, 10 * time.Second, codeTaskDuplicate},
		"a newer server, a race":       {Options{}, time.Second, 0},
		"an older server":              {Options{Older: true}, 10 * time.Second, 0},
		"a newer server with statuses": {Options{HonestStatuses: true}, 10 * time.Second, codeTaskDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			c, now := library(tt.opts, nil)
			askOf(t, c, startPath, inBooks)
			*now = now.Add(tt.after)
			got := askOf(t, c, startPath, inBooks)
			if got.Code != tt.code || (tt.code != 0) != strings.Contains(got.Message, "refresh job 449503829279000001 is already in progress for collection books") {
				t.Errorf("%+v", got)
			}
			*now = now.Add(30 * time.Second)
			if r := askOf(t, c, listPath, inBooks).Data.Records; len(r) != 1 || c.Refreshes("", "books") != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestWhatCannotBeRefreshedIsNamed(t *testing.T) {
	c, _ := library(Options{}, nil)
	for body, code := range map[string]int{
		`{"collectionName": "x"}`: codeNoCollection, `{"collectionName": "books", "dbName": "x"}`: codeNoDatabase, `{"collectionName": "books", "dbName": "other"}`: codeNoCollection,
		`{"collectionName": "tables", "dbName": "other"}`: codeInvalid, `{}`: codeMissing, `[`: codeBadJSON,
	} {
		if got := askOf(t, c, startPath, body); got.Code != code {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

func TestAListIsAnErrorForOneBadJob(t *testing.T) {
	c, _ := library(Options{NoDate: true}, nil)
	c.Add(Job{ID: "7", CollectionName: "books", RunsFor: time.Hour})
	if got := askOf(t, c, listPath, inBooks); len(got.Data.Records) != 1 || got.date != "" {
		t.Errorf("%+v", got)
	}
	c.Add(Job{ID: "8", CollectionName: "books", Inconsistent: true})
	if got := askOf(t, c, listPath, inBooks); got.Code != codeUnexpected {
		t.Errorf("%+v", got)
	}
}

func TestFaultsStandInForStartsAndLists(t *testing.T) {
	c, _ := library(Options{}, func(books *Collection) {
		books.StartFaults = []Answer{Failure(codeThrottled, "slow down")}
		books.LostStarts = []Answer{TimedOut()}
		books.ListFaults = []Answer{NotAuthenticated()}
	})
	for _, want := range []int{codeThrottled, codeTimeout} {
		if got := askOf(t, c, startPath, inBooks); got.Code != want {
			t.Errorf("%+v", got)
		}
	}
	if got := askOf(t, c, listPath, inBooks); got.Code != codeNotAuthenticated || c.Refreshes("", "books") != 1 {
		t.Errorf("%+v", got)
	}
	if counts := c.Counts(); counts.Starts != 2 || counts.Lists != 1 || counts.Describes != 0 {
		t.Errorf("%+v", counts)
	}
}

func TestStartsAndListsCountAgainstTheRateLimit(t *testing.T) {
	c, _ := library(Options{RequestsPerSecond: 2, Token: "t"}, nil)
	if got := askOf(t, c, startPath, inBooks); got.Code != codeUnauthenticated || got.status != 401 {
		t.Errorf("%+v", got)
	}
	c.SetToken("")
	askOf(t, c, startPath, inBooks)
	askOf(t, c, listPath, inBooks)
	if got := askOf(t, c, listPath, inBooks); got.Code != codeThrottled || c.Counts().Throttled != 1 {
		t.Errorf("%+v", got)
	}
}

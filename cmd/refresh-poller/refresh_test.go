package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/event"
	"refresh-poller/internal/laptop/simcluster"
	"refresh-poller/internal/milvus"
	"refresh-poller/internal/tests/schematest"
)

// books has a collection library.ext_books whose refreshes run like that.
func books(t *testing.T, course simcluster.Job) (*simcluster.Cluster, map[string]string) {
	t.Helper()
	cluster := simcluster.New(simcluster.Options{Token: token, RequestsPerSecond: 20})
	cluster.AddCollection(simcluster.Collection{Name: "ext_books", Database: "library", Course: func(int) simcluster.Job { return course }})
	environ := watching(t, cluster)
	environ["CLUSTER_DATABASE"] = "library"
	return cluster, environ
}

func TestARefreshEndsWithItsEventAndStatus(t *testing.T) {
	tests := map[string]struct {
		course         simcluster.Job
		args           []string
		status, starts int
		state, jobID   string
		stderr         string
	}{
		"completed": {
			simcluster.Job{RunsFor: 500 * time.Millisecond}, []string{"ext_books"},
			exitCompleted, 1, simcluster.Completed, simcluster.FirstStarted, "completed      100 %               449503829279000001\n",
		},
		"failed": {
			simcluster.Job{Fails: "no such object"}, []string{"ext_books"},
			exitOtherEnd, 1, simcluster.Failed, simcluster.FirstStarted, "failed          99 %               no such object\n",
		},
		"expired": {
			simcluster.Job{Hangs: true, Shape: simcluster.None}, []string{"--timeout=6s", "ext_books"},
			exitOtherEnd, 1, event.StateExpired, simcluster.FirstStarted, "expired          0 %               no terminal state within the deadline of 6 s; last seen RefreshInProgress at 0 %\n",
		},
		"of no collection": {
			simcluster.Job{}, []string{"ext_boks"},
			exitOtherEnd, 0, event.StateNotStarted, "", "not started                        no such refresh will start: collection not found[database=library][collection=ext_boks] (HTTP 200, code 100)\n",
		},
		"of no database": {
			simcluster.Job{}, []string{"--database=libary", "ext_books"},
			exitOtherEnd, 0, event.StateNotStarted, "", "not started                        no such refresh will start: database not found[database=libary] (HTTP 200, code 800)\n",
		},
		"too late": {
			simcluster.Job{}, []string{"--timeout=1s", "ext_books"},
			exitOtherEnd, 0, event.StateNotStarted, "", "not started                        nothing was started within the deadline of 1 s",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, environ := books(t, tt.course)
			got := runToEnd(t, environ, append([]string{"refresh"}, tt.args...)...)
			if got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("status %d, not %d, or %q is not in\n%s", got.status, tt.status, tt.stderr, got.stderr)
			}
			all := details(t, got.stdout)
			if len(all) != 1 || all[0].State != tt.state || all[0].JobID != tt.jobID || all[0].Watch.Joined {
				t.Fatalf("not the event of %s alone: %s", tt.state, got.stdout)
			}
			schematest.Detail(t, all[0].JSON())
			if n := cluster.Counts().Starts; n != tt.starts {
				t.Errorf("%d starts, not %d", n, tt.starts)
			}
		})
	}
}

func TestACollectionThatIsNamedTwiceIsRefreshedOnce(t *testing.T) {
	t.Parallel()
	cluster, environ := books(t, simcluster.Job{})
	cluster.AddCollection(simcluster.Collection{Name: "ext_authors", Database: "library"})
	got := runToEnd(t, environ, "refresh", "ext_books", "ext_authors", "ext_books")
	ended := map[string]string{}
	for _, detail := range details(t, got.stdout) {
		ended[detail.CollectionName] += detail.State
	}
	want := map[string]string{"ext_books": simcluster.Completed, "ext_authors": simcluster.Completed}
	if diff := cmp.Diff(want, ended); diff != "" || got.status != exitCompleted || cluster.Counts().Starts != 2 {
		t.Errorf("status %d, %d starts, %s\n%s", got.status, cluster.Counts().Starts, diff, got.stderr)
	}
}

func TestARefreshThatOnlyItsUserCanHelpEndsAtOnce(t *testing.T) {
	denied, denying := books(t, simcluster.Job{})
	denied.AddCollection(simcluster.Collection{Name: "ext_books", Database: "library", StartFaults: []simcluster.Answer{
		simcluster.Failure(1401, "permission deny"), simcluster.Failure(1401, "permission deny"),
	}})
	_, untrusted := startTLS(t)
	tests := map[string]struct {
		environ    map[string]string
		begin, end string
	}{
		"another token":     {watching(t, simcluster.New(simcluster.Options{Token: "another"})), "the cluster refuses the token (user hasn't authenticated (HTTP 401, code 1800))", checkRight},
		"an older server":   {watching(t, http.NotFoundHandler()), "this is not the API (the answer is not the API's JSON (HTTP 404))", checkRefreshes},
		"no right to start": {denying, "the cluster refuses the token (permission deny (HTTP 200, code 1401))", checkRight},
		"an unknown CA":     {untrusted, "the certificate is not trusted (", checkCA},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runToEnd(t, tt.environ, "refresh", "ext_books")
			last := got.stderr[strings.LastIndex("\n"+strings.TrimSuffix(got.stderr, "\n"), "\n"):]
			if got.status != exitRefused || got.stdout != "" || !strings.HasPrefix(last, "refresh: "+tt.begin) || !strings.HasSuffix(last, ": "+tt.end+"\n") {
				t.Errorf("status %d, stdout %q, stderr\n%s", got.status, got.stdout, got.stderr)
			}
		})
	}
}

func TestARefreshThatIsToKeepTryingSaysWhatToCheck(t *testing.T) {
	t.Parallel()
	got := runUntil(t, "check that", watching(t, http.NotFoundHandler()), "refresh", "--keep-trying", "ext_books")
	if got.status != exitInterrupted || !strings.Contains(got.stderr, checkRefreshes) ||
		!strings.HasSuffix(got.stderr, "\nrefresh: interrupted\nrefresh: no refresh that was started here runs on in the cluster\n") {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
}

func TestAnInterruptSaysWhatRunsOn(t *testing.T) {
	t.Run("a job", func(t *testing.T) {
		t.Parallel()
		_, environ := books(t, simcluster.Job{Hangs: true})
		got := runUntil(t, "the refresh was started", environ, "refresh", "ext_books")
		if want := "\nrefresh: interrupted\nrefresh: the refresh runs on in the cluster: refresh-poller watch 449503829279000001 follows it\n"; got.status != exitInterrupted || !strings.HasSuffix(got.stderr, want) {
			t.Errorf("status %d\n%s", got.status, got.stderr)
		}
	})
	t.Run("a start that is under way", func(t *testing.T) {
		t.Parallel()
		cluster, environ := books(t, simcluster.Job{})
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		environ["CLUSTER_ENDPOINT"] = watching(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cluster.ServeHTTP(w, r)
			if strings.HasSuffix(r.URL.Path, "/refresh") {
				interrupt()
				<-r.Context().Done()
			}
		}))["CLUSTER_ENDPOINT"]
		got := runWith(ctx, t, environ, func(string) {}, "refresh", "ext_books")
		if want := "\nrefresh: interrupted\nrefresh: a refresh may have been started, whose job id is not known\n"; got.status != exitInterrupted || !strings.HasSuffix(got.stderr, want) {
			t.Errorf("status %d\n%s", got.status, got.stderr)
		}
	})
}

func TestATokenThatIsRefusedMeanwhileLeavesWhatRunsOn(t *testing.T) {
	t.Parallel()
	cluster, environ := books(t, simcluster.Job{Hangs: true})
	environ["MAX_POLL_DELAY_SECONDS"] = "1"
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	got := runWith(ctx, t, environ, func(line string) {
		if strings.Contains(line, "the refresh was started") {
			cluster.SetToken("another")
		}
	}, "refresh", "ext_books")
	if want := ": " + checkRight + "\nrefresh: the refresh runs on in the cluster: refresh-poller watch 449503829279000001 follows it\n"; got.status != exitRefused || !strings.HasSuffix(got.stderr, want) {
		t.Errorf("status %d\n%s", got.status, got.stderr)
	}
}

func TestWhatRunsOnIsOneSentence(t *testing.T) {
	for name, tt := range map[string]struct {
		jobIDs  []string
		unknown bool
		want    string
	}{
		"nothing":           {nil, false, ""},
		"one":               {[]string{"7"}, false, "the refresh runs on in the cluster: refresh-poller watch 7 follows it"},
		"two":               {[]string{"7", "8"}, false, "the refreshes run on in the cluster: refresh-poller watch 7 8 follows them"},
		"perhaps":           {nil, true, "a refresh may have been started, whose job id is not known"},
		"one, perhaps more": {[]string{"7"}, true, "the refresh runs on in the cluster: refresh-poller watch 7 follows it; another may have been started, whose job id is not known"},
	} {
		if got := runsOn(tt.jobIDs, tt.unknown); got != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAStackOfAnotherKindInTheEnvironmentIsNoFault(t *testing.T) {
	t.Parallel()
	_, environ := books(t, simcluster.Job{})
	environ["JOB_KIND"], environ["START_REFRESHES"] = "cloud", "perhaps"
	if got := runToEnd(t, environ, "refresh", "ext_books"); got.status != exitCompleted {
		t.Errorf("refresh: status %d\n%s", got.status, got.stderr)
	}
	environ["START_REFRESHES"] = "true"
	if got := runToEnd(t, environ, "watch", "--kind=cloud", "--timeout=1s", "job-1"); got.status != exitOtherEnd {
		t.Errorf("watch: status %d\n%s", got.status, got.stderr)
	}
}

func TestAWatchBeginsWithTheMessageOfAProducer(t *testing.T) {
	for want, o := range map[string]watchOptions{
		`{"jobId":"7","kind":"import"}`:                                                                          {kind: "import"},
		`{"expectedSeconds":5400,"jobId":"7","kind":"import"}`:                                                   {kind: "import", expect: duration(90 * time.Minute)},
		`{"kind":"external_collection","refresh":{"collectionName":"7"}}`:                                        {kind: string(milvus.ExternalCollection), starts: true},
		`{"expectedSeconds":1,"kind":"external_collection","refresh":{"collectionName":"7","dbName":"library"}}`: {kind: string(milvus.ExternalCollection), starts: true, database: "library", expect: duration(time.Second)},
	} {
		if diff := cmp.Diff(want, o.message("7")); diff != "" {
			t.Error(diff)
		}
	}
}

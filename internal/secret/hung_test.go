package secret

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// invocation is how long after its beginning the poller asks for no token.
const invocation = 12 * time.Second

// hang has the reader's calls wait for as long as their contexts let them.
func (v *vault) hang(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// hungReader returns a reader that has read "old" once, and hangs since.
func hungReader(t *testing.T) (*Reader, *fakeClient) {
	t.Helper()
	r, client := readerOf(&vault{value: "old"})
	wantToken(t, r, time.Time{}, "old")
	client.getSecretValue = (&vault{}).hang
	return r, client
}

// batch asks as the poller does: for a token, and if the cluster refuses it, for
// a newer one for each of ten jobs. It returns how long that took, and the errors.
func batch(t *testing.T, r *Reader, refused bool) (took time.Duration, failures []error) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), invocation)
	defer cancel()
	if _, err := r.Token(ctx, time.Time{}); err != nil {
		return time.Since(began), []error{err}
	}
	if refused {
		tokenAt := time.Now()
		time.Sleep(time.Millisecond) // the cluster's answer
		failures = make([]error, 10)
		var done sync.WaitGroup
		for i := range failures {
			done.Go(func() { _, failures[i] = r.Token(ctx, tokenAt) })
		}
		done.Wait()
		took = -time.Millisecond
	}
	return took + time.Since(began), failures
}

// For five minutes, a batch every ten seconds or as soon as the last has ended.
func TestWhatAHungSecretCosts(t *testing.T) {
	tests := map[string]struct {
		refused bool
		first   time.Duration // to be spent on the first batch
		most    time.Duration // and on all
	}{
		"while the old token serves":     {false, 2 * time.Second, 10 * time.Second},
		"while the old token is refused": {true, 12*time.Second - time.Millisecond, 60 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := hungReader(t)
				time.Sleep(MaxAge)
				var each []string
				var all time.Duration
				for began := time.Now(); time.Since(began) < 5*time.Minute; {
					took, _ := batch(t, r, tt.refused)
					if len(each) == 0 && took != tt.first {
						t.Errorf("the first batch took %s, want %s", took, tt.first)
					}
					each = append(each, fmt.Sprint(took.Seconds()))
					all += took
					time.Sleep(max(10*time.Second-took, 0))
				}
				t.Logf("%d batches took %s: %s", len(each), all, each)
				if all > tt.most {
					t.Errorf("%d batches took %s, want %s at most", len(each), all, tt.most)
				}
			})
		})
	}
}

func TestAHungReadIsTriedAgainAMinuteLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := hungReader(t)
		time.Sleep(MaxAge)
		wantToken(t, r, time.Time{}, "old")
		wantCalls(t, client, 2)
		time.Sleep(time.Minute - time.Nanosecond)
		wantToken(t, r, time.Time{}, "old")
		wantCalls(t, client, 2)
		client.getSecretValue = (&vault{value: "new"}).get
		time.Sleep(time.Nanosecond)
		wantToken(t, r, time.Time{}, "new")
		wantCalls(t, client, 3)
	})
}

// A cluster takes the old token, Secrets Manager takes three seconds: the token
// is rotated, and a refusal has the new one read, though refreshes fail.
func TestASlowReadIsWaitedForOnceTheTokenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := hungReader(t)
		client.getSecretValue = func(ctx context.Context, _ string) (string, error) {
			select {
			case <-time.After(3 * time.Second):
				return "new", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		time.Sleep(MaxAge)
		wantToken(t, r, time.Time{}, "old")
		if _, failures := batch(t, r, true); slices.ContainsFunc(failures, func(err error) bool { return err != nil }) {
			t.Errorf("got %v", failures)
		}
		wantToken(t, r, time.Time{}, "new")
		wantCalls(t, client, 3)
	})
}

func TestAHungReadForANewerTokenIsNotRepeatedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := hungReader(t)
		for range 6 {
			_, failures := batch(t, r, true)
			for _, err := range failures {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			}
			wantCalls(t, client, 2)
			time.Sleep(8 * time.Second)
		}
		time.Sleep(20 * time.Second)
		client.getSecretValue = (&vault{value: "new"}).get
		wantToken(t, r, time.Now(), "new")
	})
}

func TestWithoutATokenAReadTakesWhatItsCallerAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := readerOf(&vault{})
		client.getSecretValue = (&vault{}).hang
		took, failures := batch(t, r, false)
		if took != invocation || len(failures) != 1 || !errors.Is(failures[0], context.DeadlineExceeded) {
			t.Errorf("took %s: %v", took, failures)
		}
		if took, failures = batch(t, r, false); took != 0 || len(failures) != 1 {
			t.Errorf("the next took %s: %v", took, failures)
		}
		wantCalls(t, client, 1)
	})
}

// While the first caller's read hangs, the second gets what it can have.
func TestNobodyWaitsBeyondTheirOwnTime(t *testing.T) {
	tests := map[string]struct {
		token bool // was read, and serves for another minute
		newer bool // is asked for by the second
		want  string
		took  time.Duration
	}{
		"for the first token":        {false, false, "", time.Second},
		"for a newer one":            {true, true, "", time.Second},
		"where the kept one will do": {true, false, "old", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, client := readerOf(&vault{})
				if tt.token {
					r, client = hungReader(t)
					time.Sleep(MaxAge - time.Minute)
				}
				client.calls, client.getSecretValue = 0, (&vault{}).hang
				long, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				go r.Token(long, time.Now())
				synctest.Wait()

				var newerThan time.Time
				if tt.newer {
					newerThan = time.Now()
				}
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				got, err := r.Token(short, newerThan)
				if got != tt.want || (err == nil) != (got != "") || time.Since(began) != tt.took {
					t.Errorf("got %q, %v after %s", got, err, time.Since(began))
				}
				wantCalls(t, client, 1)
			})
		})
	}
}

// Its time is over a little before the read has lasted for as long.
func TestARefreshThatHasWaitedBeforeIsRememberedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := hungReader(t)
		time.Sleep(MaxAge)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go r.Token(short, time.Now())
		synctest.Wait()
		wantToken(t, r, time.Time{}, "old")
		wantToken(t, r, time.Time{}, "old")
		wantCalls(t, client, 3)
	})
}

// Nothing is known of a secret that was given no time.
func TestAReadThatIsCalledOffIsNotRemembered(t *testing.T) {
	for name, token := range map[string]bool{"without a token": false, "for a newer one": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, client := readerOf(&vault{})
				if token {
					r, client = hungReader(t)
				}
				client.getSecretValue = (&vault{}).hang
				for _, left := range []time.Duration{0, time.Second} {
					ctx, cancel := context.WithTimeout(t.Context(), left)
					defer cancel()
					if got, err := r.Token(ctx, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %q, %v", got, err)
					}
				}
				client.getSecretValue = (&vault{value: "new"}).get
				wantToken(t, r, time.Now(), "new")
			})
		})
	}
}

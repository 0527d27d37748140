package secret

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:milvus-AbCdEf"

var errDown = errors.New("the service is down")

// fakeClient counts its calls.
type fakeClient struct {
	getSecretValue func(ctx context.Context, id string) (string, error)
	calls          int
}

func (f *fakeClient) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	f.calls++
	text, err := f.getSecretValue(ctx, aws.ToString(in.SecretId))
	if err != nil {
		return nil, err
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, nil
}

// vault is a secret whose value and health a test changes.
type vault struct {
	value string
	err   error
}

func (v *vault) get(context.Context, string) (string, error) { return v.value, v.err }

func readerOf(v *vault) (*Reader, *fakeClient) {
	client := &fakeClient{getSecretValue: v.get}
	return newReader(client, arn), client
}

func wantToken(t *testing.T, r *Reader, newerThan time.Time, want string) {
	t.Helper()
	got, err := r.Token(t.Context(), newerThan)
	if err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func wantFailure(t *testing.T, r *Reader, newerThan time.Time) {
	t.Helper()
	if got, err := r.Token(t.Context(), newerThan); !errors.Is(err, errDown) || got != "" {
		t.Fatalf("got %q, %v, want %v", got, err, errDown)
	}
}

func wantCalls(t *testing.T, c *fakeClient, want int) {
	t.Helper()
	if c.calls != want {
		t.Fatalf("the secret was read %d times, want %d", c.calls, want)
	}
}

func TestTheSecretOfThatARNIsRead(t *testing.T) {
	var got string
	client := &fakeClient{getSecretValue: func(_ context.Context, id string) (string, error) { got = id; return "token", nil }}
	wantToken(t, newReader(client, arn), time.Time{}, "token")
	if got != arn {
		t.Errorf("asked for %q", got)
	}
}

func TestATokenIsKeptForFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "old"}
		r, client := readerOf(v)
		wantToken(t, r, time.Time{}, "old")
		v.value = "new"
		time.Sleep(5*time.Minute - time.Nanosecond)
		wantToken(t, r, time.Time{}, "old")
		wantCalls(t, client, 1)
		time.Sleep(time.Nanosecond)
		wantToken(t, r, time.Time{}, "new")
		wantCalls(t, client, 2)
	})
}

func TestAUseDoesNotProlongATokensLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "token"}
		r, client := readerOf(v)
		for range 10 {
			wantToken(t, r, time.Time{}, "token")
			time.Sleep(time.Minute)
		}
		wantCalls(t, client, 2)
	})
}

func TestANewerTokenIsReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "old"}
		r, client := readerOf(v)
		wantToken(t, r, time.Time{}, "old")
		time.Sleep(time.Second)
		v.value = "new"
		wantToken(t, r, time.Now(), "new")
		wantToken(t, r, time.Time{}, "new")
		wantCalls(t, client, 2)
	})
}

// As after the clock was set back by an hour.
func TestATokenOrAFailureOfTheFutureIsNotKept(t *testing.T) {
	v := &vault{value: "old"}
	r, client := readerOf(v)
	wantToken(t, r, time.Time{}, "old")
	r.state.Load().readAt = time.Now().Add(time.Hour)
	v.value = "new"
	wantToken(t, r, time.Time{}, "new")
	v.err = errDown
	wantFailure(t, r, time.Now())
	r.state.Load().forcedAt = time.Now().Add(time.Hour)
	v.err = nil
	wantToken(t, r, time.Now(), "new")
	wantCalls(t, client, 4)
}

func TestATokenReadSinceIsNewEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := readerOf(&vault{value: "token"})
		before := time.Now()
		time.Sleep(time.Millisecond)
		for range 10 {
			wantToken(t, r, before, "token")
		}
		wantCalls(t, client, 1)
	})
}

func TestATokenOfThatVeryInstantIsNotNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, client := readerOf(&vault{value: "token"})
		wantToken(t, r, time.Time{}, "token")
		wantToken(t, r, time.Now(), "token")
		wantCalls(t, client, 2)
	})
}

func TestAnOldTokenServesWhenTheSecretCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "old"}
		r, client := readerOf(v)
		wantToken(t, r, time.Time{}, "old")
		v.err = errDown
		for range 3 {
			time.Sleep(MaxAge)
			wantToken(t, r, time.Time{}, "old")
		}
		wantCalls(t, client, 4)
	})
}

func TestAnOldTokenServesWhenTheSecretHasLostItsForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "old"}
		r, _ := readerOf(v)
		wantToken(t, r, time.Time{}, "old")
		v.value = `{"tokn": "new"}`
		time.Sleep(MaxAge)
		wantToken(t, r, time.Time{}, "old")
	})
}

func TestAnOldTokenDoesNotServeWhoWantsANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "old"}
		r, _ := readerOf(v)
		wantToken(t, r, time.Time{}, "old")
		time.Sleep(time.Second)
		v.err = errDown
		wantFailure(t, r, time.Now())
		wantToken(t, r, time.Time{}, "old")
	})
}

func TestAFailureIsRememberedForFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{err: errDown}
		r, client := readerOf(v)
		wantFailure(t, r, time.Time{})
		v.value, v.err = "token", nil
		time.Sleep(5*time.Second - time.Nanosecond)
		wantFailure(t, r, time.Time{})
		wantCalls(t, client, 1)
		time.Sleep(time.Nanosecond)
		wantToken(t, r, time.Time{}, "token")
		wantCalls(t, client, 2)
	})
}

func TestAFailureSinceIsRememberedForANewerTokenToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "old"}
		r, client := readerOf(v)
		wantToken(t, r, time.Time{}, "old")
		v.err = errDown
		refused := time.Now()
		time.Sleep(time.Millisecond)
		for range 10 {
			wantFailure(t, r, refused)
		}
		wantCalls(t, client, 2)
	})
}

func TestAFailureBeforeIsNotRememberedForANewerToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{err: errDown}
		r, client := readerOf(v)
		wantFailure(t, r, time.Time{})
		v.value, v.err = "token", nil
		time.Sleep(time.Second)
		wantToken(t, r, time.Now(), "token")
		wantCalls(t, client, 2)
	})
}

func TestASuccessForgetsTheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{err: errDown}
		r, client := readerOf(v)
		wantFailure(t, r, time.Time{})
		time.Sleep(failureAge)
		v.value, v.err = "token", nil
		wantToken(t, r, time.Time{}, "token")
		v.err = errDown
		time.Sleep(time.Second)
		wantToken(t, r, time.Time{}, "token")
		wantCalls(t, client, 2)
	})
}

func TestTenCallersReadOnce(t *testing.T) {
	tests := map[string]error{"a token": nil, "a failure": errDown}
	for name, err := range tests {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			client := &fakeClient{getSecretValue: func(context.Context, string) (string, error) {
				<-release
				return "token", err
			}}
			r := newReader(client, arn)
			var calling, done sync.WaitGroup
			for range 10 {
				calling.Add(1)
				done.Go(func() {
					calling.Done()
					if _, got := r.Token(t.Context(), time.Time{}); !errors.Is(got, err) {
						t.Errorf("got %v, want %v", got, err)
					}
				})
			}
			calling.Wait()
			close(release)
			done.Wait()
			wantCalls(t, client, 1)
		})
	}
}

func TestTheCallersDeadlineReachesTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var until time.Time
		client := &fakeClient{getSecretValue: func(ctx context.Context, _ string) (string, error) {
			until, _ = ctx.Deadline()
			return "token", nil
		}}
		r := newReader(client, arn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		want := time.Now().Add(time.Hour)
		for _, newerThan := range []time.Time{{}, time.Now()} {
			if _, err := r.Token(ctx, newerThan); err != nil || !until.Equal(want) {
				t.Errorf("got %v, until %s, want %s", err, until, want)
			}
		}
		time.Sleep(MaxAge) // now a token serves
		want = time.Now().Add(refreshTimeout)
		if _, err := r.Token(ctx, time.Time{}); err != nil || !until.Equal(want) {
			t.Errorf("got %v, until %s, want %s", err, until, want)
		}
	})
}

func TestAnErrorNamesTheSecretItCannotRead(t *testing.T) {
	r, _ := readerOf(&vault{value: "{}"})
	_, err := r.Token(t.Context(), time.Time{})
	if err == nil || !strings.HasPrefix(err.Error(), "read the secret "+arn+": ") || !errors.Is(err, errKeys) {
		t.Errorf("got %v", err)
	}
}

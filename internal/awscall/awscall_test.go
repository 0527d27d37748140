package awscall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"refresh-poller/internal/pipenet"
)

// service is an EventBridge in memory, and the SDK's client of it.
type service struct {
	*pipenet.Server
	client *eventbridge.Client
	// came counts the requests, underWay those that are not over.
	came, underWay atomic.Int32
}

// inABubble runs a test over each protocol, in simulated time.
func inABubble(t *testing.T, answer http.HandlerFunc, run func(*testing.T, *service)) {
	for _, protocol := range pipenet.Protocols {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{}
				s.Server = pipenet.Start(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					s.came.Add(1)
					s.underWay.Add(1)
					defer s.underWay.Add(-1)
					answer(w, r)
				})
				s.client = clientOf(s.Server, s.DialContext)
				run(t, s)
			})
		})
	}
}

func clientOf(s *pipenet.Server, dial func(ctx context.Context, network, address string) (net.Conn, error)) *eventbridge.Client {
	return eventbridge.NewFromConfig(aws.Config{
		Region: "eu-central-1", BaseEndpoint: &s.URL,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient: NewClient(awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
			s.Route(transport)
			transport.DialContext = dial
		})),
	})
}

// put publishes an event within a time; 0 means without a deadline. It returns how
// long that took.
func put(t *testing.T, client *eventbridge.Client, within time.Duration) (time.Duration, error) {
	ctx := t.Context()
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	began := time.Now()
	_, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{Detail: aws.String("{}")}}})
	return time.Since(began), err
}

const taken = `{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}`

// after answers after a time.
func after(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			_, _ = io.WriteString(w, taken)
		case <-r.Context().Done():
		}
	}
}

func TestASlowCallIsWaitedFor(t *testing.T) {
	const second = time.Second
	tests := []struct {
		within, takes time.Duration
		requests      int32
	}{
		{27 * second, 0, 1}, {27 * second, 4 * second, 1}, {27 * second, 8 * second, 1},
		{27 * second, 12 * second, 2}, {27 * second, 17 * second, 2}, {27 * second, 26 * second, 3},
		{7 * second, 2 * second, 1}, {7 * second, 4 * second, 2}, {7 * second, 6 * second, 3},
		{3 * second, second, 1}, {3 * second, 2500 * time.Millisecond, 2}, {second, 900 * time.Millisecond, 1},
		{0, 9 * second, 1}, {0, 29 * second, 3},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s of %s", tt.takes, tt.within), func(t *testing.T) {
			inABubble(t, after(tt.takes), func(t *testing.T, s *service) {
				took, err := put(t, s.client, tt.within)
				if err != nil || took != tt.takes || s.came.Load() != tt.requests {
					t.Errorf("%v after %s and %d requests, want %d", err, took, s.came.Load(), tt.requests)
				}
				if synctest.Wait(); s.underWay.Load() > 0 {
					t.Errorf("%d requests are still under way", s.underWay.Load())
				}
			})
		})
	}
}

func TestACallThatHangsIsTriedOverANewConnection(t *testing.T) {
	for death, die := range pipenet.Deaths {
		t.Run(death, func(t *testing.T) {
			inABubble(t, after(time.Millisecond), func(t *testing.T, s *service) {
				warm := make(chan error, 10)
				for range cap(warm) {
					go func() { _, err := put(t, s.client, time.Minute); warm <- err }()
				}
				for range cap(warm) {
					if err := <-warm; err != nil {
						t.Fatal(err)
					}
				}
				die(s.Server)
				for i := range 5 {
					took, err := put(t, s.client, 27*time.Second)
					if most := 10 * time.Second; err != nil || took > most || i > 0 && took > time.Second {
						t.Errorf("call %d: %v after %s", i, err, took)
					}
				}
				time.Sleep(2 * time.Second)
				if s.Open() != 1 {
					t.Errorf("%d connections are open", s.Open())
				}
			})
		})
	}
}

func TestACallEndsAtItsDeadlineAndIsNotMadeAgain(t *testing.T) {
	inABubble(t, after(time.Hour), func(t *testing.T, s *service) {
		const within = 29 * time.Second // which is no three whole pauses
		took, err := put(t, s.client, within)
		if !errors.Is(err, context.DeadlineExceeded) || took != within || s.came.Load() != tries {
			t.Errorf("%v after %s and %d requests", err, took, s.came.Load())
		}
	})
}

func TestAFailedCallIsLeftToTheSDK(t *testing.T) {
	var failures atomic.Int32
	tests := map[string]http.HandlerFunc{
		"by a fault":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusInternalServerError) },
		"by a hang-up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"by half an answer": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			inABubble(t, func(w http.ResponseWriter, r *http.Request) {
				if failures.Add(-1) >= 0 {
					fail(w, r)
					return
				}
				_, _ = io.WriteString(w, taken)
			}, func(t *testing.T, s *service) {
				failures.Store(2)
				took, err := put(t, s.client, 27*time.Second)
				if err != nil || s.came.Load() != 3 || took > 9*time.Second {
					t.Errorf("%v after %s and %d requests", err, took, s.came.Load())
				}
				failures.Store(3)
				if _, err := put(t, s.client, 27*time.Second); err == nil || s.came.Load() != 6 {
					t.Errorf("%v after %d requests more, want an error after 3", err, s.came.Load()-3)
				}
			})
		})
	}
}

func TestAFailureBesideARequestUnderWayIsNotTheEnd(t *testing.T) {
	var came atomic.Int32
	inABubble(t, func(w http.ResponseWriter, r *http.Request) {
		if came.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
		after(12*time.Second)(w, r)
	}, func(t *testing.T, s *service) {
		if took, err := put(t, s.client, 27*time.Second); err != nil || took != 12*time.Second || s.came.Load() != 2 {
			t.Errorf("%v after %s and %d requests", err, took, s.came.Load())
		}
	})
}

func TestAConnectionThatIsNotMadeIsTriedAgain(t *testing.T) {
	tests := map[string]func(ctx context.Context) (net.Conn, error){
		"for the dial hangs": func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"for TLS hangs": func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			return ours, nil
		},
	}
	for name, hang := range tests {
		t.Run(name, func(t *testing.T) {
			inABubble(t, after(0), func(t *testing.T, s *service) {
				var dialled atomic.Int32
				client := clientOf(s.Server, func(ctx context.Context, network, address string) (net.Conn, error) {
					if dialled.Add(1) == 1 {
						ctx, cancel := context.WithTimeout(ctx, time.Minute)
						defer cancel()
						return hang(ctx)
					}
					return s.DialContext(ctx, network, address)
				})
				if took, err := put(t, client, 27*time.Second); err != nil || took != 9*time.Second {
					t.Errorf("%v after %s", err, took)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		inABubble(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", status)
		}, func(t *testing.T, s *service) {
			if _, err := put(t, s.client, time.Minute); err == nil || s.came.Load() != 1 {
				t.Errorf("status %d: %v after %d requests", status, err, s.came.Load())
			}
		})
	}
}

package secret

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/leak"
)

// newSDKReader returns a reader with the SDK's own client of a server.
func newSDKReader(t *testing.T, handler http.HandlerFunc) *Reader {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return NewReader(secretsmanager.New(secretsmanager.Options{
		Region:           "eu-west-1",
		BaseEndpoint:     &server.URL,
		Credentials:      credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""),
		RetryMaxAttempts: 1,
	}), arn)
}

func TestTheRequestIsSecretsManagers(t *testing.T) {
	type request struct{ Method, Path, Target, ContentType, Body string }
	var got request
	r := newSDKReader(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = request{r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"), r.Header.Get("Content-Type"), string(body)}
		_, _ = io.WriteString(w, `{"ARN": "`+arn+`", "SecretString": "{\"token\": \"0123456789abcdef\"}"}`)
	})
	wantToken(t, r, time.Time{}, "0123456789abcdef")
	want := request{"POST", "/", "secretsmanager.GetSecretValue", "application/x-amz-json-1.1", `{"SecretId":"` + arn + `"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestABinarySecretIsRead(t *testing.T) {
	r := newSDKReader(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"SecretBinary": "cm9vdDpNaWx2dXM="}`)
	})
	wantToken(t, r, time.Time{}, "root:Milvus")
}

func TestAFailedReadSaysWhyAndNotWhat(t *testing.T) {
	// The second stands in JSON, as Secrets Manager answers.
	for hidden, credential := range map[string]string{
		"correct-horse-battery":     "correct-horse-battery",
		`c\"o'r/r\\e%2Bc+t ö&<h>‹🔑`: `c"o'r/r\e%2Bc+t ö&<h>‹🔑`,
	} {
		tests := map[string]struct {
			status     int
			body, want string
		}{
			"access denied":      {400, `{"__type": "AccessDeniedException", "Message": "not authorized"}`, "AccessDeniedException"},
			"no such secret":     {400, `{"__type": "ResourceNotFoundException", "Message": "can't find it"}`, "can't find it"},
			"half an answer":     {200, `{"SecretString": "` + hidden, "deserialization failed"},
			"a text that isn't":  {200, `{"SecretString": ["` + hidden + `"]}`, "deserialization failed"},
			"a binary in no way": {200, `{"SecretBinary": "` + hidden + `!"}`, "deserialization failed"},
			"neither":            {200, `{"Name": "` + hidden + `"}`, errEmpty.Error()},
			"a bad form":         {200, `{"SecretString": "{\"tokn\": \"` + hidden + `\"}"}`, forms},
			"a header's end":     {200, `{"SecretString": "` + hidden + `\r\nX-Evil: ` + hidden + `"}`, errControl.Error()},
		}
		for name, tt := range tests {
			t.Run(name+" of "+credential[:3], func(t *testing.T) {
				r := newSDKReader(t, func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				})
				_, err := r.Token(t.Context(), time.Time{})
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got %v, want %q in it", err, tt.want)
				}
				if leak.Find(fmt.Sprintf("%v %+v %#v", err, err, err), credential) != nil {
					t.Errorf("%v holds the secret", err)
				}
			})
		}
	}
}

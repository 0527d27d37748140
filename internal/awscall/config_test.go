package awscall

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func TestTheEnvironmentSaysWhereAWSIsAndWhomToTrust(t *testing.T) {
	for protocol, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(protocol, func(t *testing.T) {
			got := ""
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Proto
				_, _ = io.WriteString(w, `{"SecretString": "example"}`)
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			bundle := filepath.Join(t.TempDir(), "bundle.pem")
			certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
			if err := os.WriteFile(bundle, certificate, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_REGION", "eu-central-1")
			t.Setenv("AWS_ACCESS_KEY_ID", "id")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
			t.Setenv("AWS_ENDPOINT_URL", server.URL)
			t.Setenv("AWS_CA_BUNDLE", bundle)
			cfg, err := Config(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			secrets := secretsmanager.NewFromConfig(cfg)
			if _, err := secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("arn")}); err != nil {
				t.Fatal(err)
			}
			if got != protocol {
				t.Errorf("over %s", got)
			}
		})
	}
}

func TestABundleThatIsMissingIsAnError(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", filepath.Join(t.TempDir(), "bundle.pem"))
	if _, err := Config(t.Context()); err == nil {
		t.Error("no error")
	}
}

package stack

import (
	"io/fs"
	"os"
	"regexp"
	"testing"
)

var namedSecret = regexp.MustCompile(`(?:create-secret --name|--secret-id) ([^\s"$]+)`)

// Secrets Manager adds a hyphen and six characters to the name. A name that ends
// so itself, such as refresh-poller, makes a partial ARN look whole.
func TestASecretsNameInTheDocumentsIsNoEndOfAnARN(t *testing.T) {
	pattern := at[string](t, template(t), "Parameters", "ClusterTokenSecretArn", "AllowedPattern")
	found := 0
	for _, path := range markdown(t) {
		for _, match := range namedSecret.FindAllStringSubmatch(document(t, path), -1) {
			found++
			if match[1] != "refresh-poller/token" || allows(pattern, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"+match[1]) {
				t.Errorf("%s names the secret %s", path, match[1])
			}
		}
	}
	if found < 4 {
		t.Errorf("found but %d secrets", found)
	}
}

// markdown returns the paths of the documents.
func markdown(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md"} {
		found, err := fs.Glob(os.DirFS("../../.."), pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no document is %s: %v", pattern, err)
		}
		paths = append(paths, found...)
	}
	return paths
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
)

// moto has a default VPC with subnets. It makes no rules of what may leave a group:
// internal/tests/stack reads them.
func TestThePrivateNetworkIsDeployed(t *testing.T) {
	t.Parallel()
	e := startEmulator(t)
	describe := func(what, query string, into any) {
		t.Helper()
		if err := json.Unmarshal(stdout(t, e.command("aws", "ec2", what, "--output", "json", "--query", query)), into); err != nil {
			t.Fatal(err)
		}
	}
	var subnets []struct{ SubnetID, VpcID string }
	describe("describe-subnets", "Subnets[:2].{SubnetID: SubnetId, VpcID: VpcId}", &subnets)
	joined := subnets[0].SubnetID + "," + subnets[1].SubnetID

	outputs := e.deployExamples(t, map[string]exampleOrder{"private-network": {account, map[string]any{
		"VpcId": subnets[0].VpcID, "SubnetIds": joined, "ClusterCidr": "172.31.0.0/16", "ResumeWorkflows": "true",
	}}})["private-network"].Outputs
	if outputs["VpcSubnetIds"] != joined || !strings.HasPrefix(outputs["VpcSecurityGroupIds"], "sg-") {
		t.Errorf("outputs %v", outputs)
	}

	var names []string
	describe("describe-vpc-endpoints", "VpcEndpoints[?PrivateDnsEnabled].ServiceName", &names)
	slices.Sort(names)
	var want []string
	for _, service := range []string{"events", "secretsmanager", "sqs", "states"} {
		want = append(want, "com.amazonaws."+region+"."+service)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

// The commands as they stand in the document, with what a file may have in it.
func TestTheDocumentedSecretHoldsTheFilesAndLeavesNone(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, commands, _ := strings.Cut(string(text), "```sh\n(umask 077")
	commands, _, found := strings.Cut(commands, "```")
	if !found {
		t.Fatal("docs/deploy.md writes no secret")
	}
	dir, files := t.TempDir(), map[string]string{
		"token": "user:pass\"word'\\", "ca.pem": "-----BEGIN CERTIFICATE-----\nAA=\n-----END CERTIFICATE-----\n", "client.pem": "a = b\n", "client-key.pem": "the key\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := startEmulator(t)
	secrets := secretsmanager.NewFromConfig(e.client())
	sh := exec.Command("sh", "-ec", "(umask 077"+strings.Replace(commands, "rm secret.json", "stat -c %a secret.json; rm secret.json", 1))
	sh.Dir, sh.Env = dir, append(e.environ(), "PATH="+awsCLI(t, e)+":"+os.Getenv("PATH"))
	if said, err := sh.CombinedOutput(); err != nil || !strings.HasSuffix(string(said), "\n600\n") {
		t.Fatalf("%v\n%s", err, said)
	}

	secret, err := secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: new("refresh-poller/token")})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(*secret.SecretString), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"token": files["token"], "caCertificate": files["ca.pem"], "clientCertificate": files["client.pem"], "clientPrivateKey": files["client-key.pem"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secret (-want +got):\n%s", diff)
	}
	// The token's file is removed too; the others are their owner's.
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != len(files)-1 {
		t.Errorf("left are %v", left)
	}
}

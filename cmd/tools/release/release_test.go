package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"refresh-poller/internal/version"
)

// checkout returns a folder with what a release is built from, in the place of this
// one, whose programs compile in no time.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                     "module example\n",
		"cmd/refresh-poller/main.go": "package main\n\nfunc main() {}\n",
		"LICENSE":                    "a license\n",
		"README.md":                  "# Read me\n",
		"template.yaml": "Resources:\n  F: # a function\n    Type: AWS::Serverless::Function\n" +
			"    Metadata: {BuildMethod: makefile}\n    Properties: {CodeUri: .}\n",
		"Makefile": "build-F:\n\tCGO_ENABLED=0 go build -o $(ARTIFACTS_DIR)/bootstrap -trimpath -buildvcs=false ./cmd/refresh-poller\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// built builds a release from a checkout, and returns its files.
func built(t *testing.T, root string) map[string][]byte {
	t.Helper()
	r := release{root: root, dist: t.TempDir(), platforms: []platform{{runtime.GOOS, runtime.GOARCH}}, log: io.Discard}
	if err := r.all(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(r.dist), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[path], err = os.ReadFile(filepath.Join(r.dist, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestAReleaseHasTheStackTheProgramsAnSBOMAndTheirSums(t *testing.T) {
	root := checkout(t)
	files := built(t, root)
	if diff := cmp.Diff(files, built(t, root)); diff != "" {
		t.Errorf("built again, it differs:\n%s", diff)
	}
	prefix := "refresh-poller_" + version.Number
	here := prefix + "_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
	archives := map[string]map[string]fs.FileMode{
		"stack/F.zip":         {"bootstrap": 0o755},
		prefix + "_stack.zip": {"template.yaml": 0o644, "LICENSE": 0o644, "README.md": 0o644, "F.zip": 0o644},
	}
	for archive, want := range archives {
		if diff := cmp.Diff(want, inZip(t, files[archive])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", archive, diff)
		}
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"refresh-poller": 0o755, "LICENSE": 0o644}, inTar(t, files[here])); diff != "" {
		t.Errorf("%s (-want +got):\n%s", here, diff)
	}
	if got, want := string(files["stack/template.yaml"]), "{Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: F.zip}}}}\n"; got != want {
		t.Errorf("the template is %s", got)
	}
	sums := ""
	for _, file := range []string{prefix + "_stack.zip", prefix + ".cdx.json", here} {
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(files[file]), file)
	}
	if diff := cmp.Diff(sums, string(files["SHA256SUMS"])); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
}

func inZip(t *testing.T, archive []byte) map[string]fs.FileMode {
	t.Helper()
	modes := map[string]fs.FileMode{}
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range r.File {
		modes[file.Name] = file.Mode()
	}
	return modes
}

func inTar(t *testing.T, archive []byte) map[string]fs.FileMode {
	t.Helper()
	modes := map[string]fs.FileMode{}
	compressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(compressed); ; {
		header, err := r.Next()
		if err == io.EOF {
			return modes
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[header.Name] = header.FileInfo().Mode()
	}
}

func TestWindowsGetsAZip(t *testing.T) {
	for p, want := range map[platform][2]string{
		{"darwin", "arm64"}:  {"refresh-poller", "refresh-poller_" + version.Number + "_darwin_arm64.tar.gz"},
		{"windows", "amd64"}: {"refresh-poller.exe", "refresh-poller_" + version.Number + "_windows_amd64.zip"},
	} {
		program, archive, _ := p.files()
		if got := [2]string{program, archive}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheSBOMNamesWhatEachBinaryWasBuiltOf(t *testing.T) {
	of := func(modules ...*debug.Module) *buildinfo.BuildInfo {
		return &buildinfo.BuildInfo{GoVersion: "go1.26.8", Deps: modules}
	}
	lambda := &debug.Module{Path: "github.com/aws/aws-lambda-go", Version: "v1.55.1"}
	ewma := &debug.Module{Path: "github.com/VividCortex/ewma", Version: "v1.2.0"}
	text, err := sbom([]binary{{name: "F", info: of(lambda)}, {name: "P", info: of(ewma, lambda)}})
	if err != nil {
		t.Fatal(err)
	}
	type reference struct {
		Ref       string
		DependsOn []string
	}
	var got struct {
		SpecVersion, SerialNumber string
		Metadata                  struct{ Timestamp string }
		Components                []struct {
			BOMRef string `json:"bom-ref"`
			PURL   string
		}
		Dependencies []reference
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	const std, ofLambda, ofEWMA = "pkg:golang/std@1.26.8", "pkg:golang/github.com/aws/aws-lambda-go@v1.55.1", "pkg:golang/github.com/vividcortex/ewma@v1.2.0"
	if diff := cmp.Diff([]reference{
		{"refresh-poller", []string{"F", "P"}}, {"F", []string{std, ofLambda}}, {"P", []string{std, ofEWMA, ofLambda}},
	}, got.Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	var components []string
	for _, c := range got.Components {
		components = append(components, c.BOMRef+" "+c.PURL)
	}
	if diff := cmp.Diff([]string{"F ", "P ", ofLambda + " " + ofLambda, ofEWMA + " " + ofEWMA, std + " " + std}, components); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if got.SpecVersion != "1.6" || got.SerialNumber != "" || got.Metadata.Timestamp != "" {
		t.Errorf("version %s, number %q, time %q", got.SpecVersion, got.SerialNumber, got.Metadata.Timestamp)
	}
}

func TestOnlyTheVersionsOwnTagIsReleased(t *testing.T) {
	for _, tag := range []string{"", "v" + version.Number} {
		if err := checkTag(tag); err != nil {
			t.Errorf("%q: %v", tag, err)
		}
	}
	for _, tag := range []string{version.Number, "v" + version.Number + "-rc.1", "v0.0.1", "main"} {
		if checkTag(tag) == nil {
			t.Errorf("%q is taken", tag)
		}
	}
}

func TestTheWorkflowReleasesTheTagThatItRunsFor(t *testing.T) {
	text, err := os.ReadFile("../../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"tags: ['v*']", `make release TAG="$GITHUB_REF_NAME"`,
		`gh release create "$GITHUB_REF_NAME" --draft --verify-tag`, "contents: write", "dist/refresh-poller_* dist/SHA256SUMS",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("release.yml lacks %s", part)
		}
	}
}

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// binary is one that the release has, as it was built.
type binary struct {
	name string
	sum  [sha256.Size]byte
	// info is what Go has written into it.
	info *buildinfo.BuildInfo
}

// platform is one that the program is built for, in Go's words.
type platform struct{ os, arch string }

var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// function builds a function and its package, a zip in the folder stack.
func (r release) function(name string) (binary, error) {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return binary{}, err
	}
	defer os.RemoveAll(dir)
	// Variables of a make that runs this one, such as GOARCH, would pass to this make.
	if err := r.run([]string{"MAKEFLAGS=", "MFLAGS="}, "make", "-s", "build-"+name, "ARTIFACTS_DIR="+dir); err != nil {
		return binary{}, err
	}
	content, err := zipped(dir, "bootstrap")
	if err != nil {
		return binary{}, err
	}
	if len(content) > maxPackage {
		return binary{}, fmt.Errorf("the package of %s has %d bytes, more than %d", name, len(content), maxPackage)
	}
	if err := r.write("stack/"+name+".zip", content); err != nil {
		return binary{}, err
	}
	return read(name, filepath.Join(dir, "bootstrap"))
}

// files returns the names of the program and of its archive, and what packs it: of
// the kind that is unpacked on the platform without another tool.
func (p platform) files() (program, archive string, pack func(dir string, names ...string) ([]byte, error)) {
	if p.os == "windows" {
		return "refresh-poller.exe", name("_" + p.os + "_" + p.arch + ".zip"), zipped
	}
	return "refresh-poller", name("_" + p.os + "_" + p.arch + ".tar.gz"), tarred
}

// program builds the program for a platform and its archive, whose name it returns too.
func (r release) program(p platform) (built binary, archive string, err error) {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return binary{}, "", err
	}
	defer os.RemoveAll(dir)
	file, archive, pack := p.files()
	path := filepath.Join(dir, file)
	// As the Makefile builds the functions.
	if err := r.run([]string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch, "GOAMD64=", "GOARM64="},
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./cmd/refresh-poller"); err != nil {
		return binary{}, "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return binary{}, "", err
	}
	if info.Size() > maxProgram {
		return binary{}, "", fmt.Errorf("the program for %s/%s has %d bytes, more than %d", p.os, p.arch, info.Size(), maxProgram)
	}
	license, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "LICENSE"), license, 0o600)
	}
	if err != nil {
		return binary{}, "", err
	}
	content, err := pack(dir, file, "LICENSE")
	if err == nil {
		err = r.write(archive, content)
	}
	if err != nil {
		return binary{}, "", err
	}
	built, err = read("refresh-poller "+p.os+"/"+p.arch, path)
	return built, archive, err
}

// run runs a command in the checkout, with these variables besides its own.
func (r release) run(environ []string, name string, args ...string) error {
	command := exec.Command(name, args...)
	command.Dir = r.root
	command.Env = append(os.Environ(), environ...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}

// read returns what is known of a binary that was built.
func read(name, path string) (binary, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return binary{}, err
	}
	info, err := buildinfo.ReadFile(path)
	return binary{name: name, sum: sha256.Sum256(content), info: info}, err
}

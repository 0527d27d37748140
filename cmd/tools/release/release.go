package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"refresh-poller/internal/version"
)

// name returns the name of a file of the release.
func name(what string) string { return "refresh-poller_" + version.Number + what }

// all builds the whole release.
func (r release) all() error {
	binaries, err := r.stackFolder()
	if err != nil {
		return err
	}
	stack, err := zipped(filepath.Join(r.dist, "stack"), stackFiles(binaries)...)
	if err != nil {
		return err
	}
	files := []string{name("_stack.zip"), name(".cdx.json")}
	if err := r.write(files[0], stack); err != nil {
		return err
	}
	for _, p := range r.platforms {
		program, archive, err := r.program(p)
		if err != nil {
			return err
		}
		binaries, files = append(binaries, program), append(files, archive)
	}
	bom, err := sbom(binaries)
	if err != nil {
		return err
	}
	if err := r.write(files[1], bom); err != nil {
		return err
	}
	return r.sums(files)
}

// stackFolder builds the folder stack, which `sam deploy` takes as it is, and returns
// the functions in it.
func (r release) stackFolder() ([]binary, error) {
	text, err := os.ReadFile(filepath.Join(r.root, "template.yaml"))
	if err != nil {
		return nil, err
	}
	template, functions, err := packaged(text)
	if err != nil {
		return nil, err
	}
	if len(template) > maxTemplate {
		return nil, fmt.Errorf("the packaged template has %d bytes, more than %d", len(template), maxTemplate)
	}
	if err := r.write("stack/template.yaml", template); err != nil {
		return nil, err
	}
	// The template's metadata names them, and sam deploy uploads them.
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join(r.root, document))
		if err == nil {
			err = r.write("stack/"+document, text)
		}
		if err != nil {
			return nil, err
		}
	}
	var binaries []binary
	for _, function := range functions {
		built, err := r.function(function)
		if err != nil {
			return nil, err
		}
		binaries = append(binaries, built)
	}
	return binaries, nil
}

var documents = []string{"LICENSE", "README.md"}

func stackFiles(functions []binary) []string {
	files := append([]string{"template.yaml"}, documents...)
	for _, f := range functions {
		files = append(files, f.name+".zip")
	}
	return files
}

// sums writes the checksums of files, as sha256sum does.
func (r release) sums(files []string) error {
	var sums strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(r.dist, file))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), file)
	}
	return r.write("SHA256SUMS", []byte(sums.String()))
}

// write writes a file of dist.
func (r release) write(file string, content []byte) error {
	path := filepath.Join(r.dist, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fmt.Fprintf(r.log, "%9d %s\n", len(content), file)
	return os.WriteFile(path, content, 0o644)
}

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// epoch is when every file in an archive was changed: the earliest that a zip can say.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// mode returns the mode of a file in an archive, whatever umask it was written with.
func mode(name string) fs.FileMode {
	switch name {
	case "bootstrap", "refresh-poller", "refresh-poller.exe":
		return 0o755
	}
	return 0o644
}

// zipped returns files of a folder as a zip.
func zipped(dir string, names ...string) ([]byte, error) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	z.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(to, flate.BestCompression)
	})
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch}
		header.SetMode(mode(name))
		file, err := z.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(content); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return archive.Bytes(), err
}

// tarred returns files of a folder as a tar, compressed by gzip.
func tarred(dir string, names ...string) ([]byte, error) {
	var archive bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&archive, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(compressed)
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		header := &tar.Header{Name: name, Size: int64(len(content)), Mode: int64(mode(name)), ModTime: epoch}
		if err := t.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := t.Write(content); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err = compressed.Close()
	return archive.Bytes(), err
}

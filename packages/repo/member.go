package repo

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // apk's format asks for it
	"encoding/hex"
	"fmt"
	"io/fs"
	"time"
)

// entry is one tar entry of a package's section.
type entry struct {
	name string
	mode fs.FileMode
	link string
	data []byte
	time time.Time
	sum  bool // carries apk's checksum of the content or of the link's target
}

// ending says how a section's tar ends. All sections of a package form a single
// tar when unpacked at once, so that only the last may hold the end mark.
type ending bool

const (
	cut    ending = false
	closed ending = true
)

// checksumRecord is where apk looks for a file's checksum, so as to know later
// whether someone changed the file.
const checksumRecord = "APK-TOOLS.checksum.SHA1"

// member returns entries as one gzip member, at the level Alpine uses: a
// package is written once and fetched often.
func member(entries []entry, end ending) ([]byte, error) {
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		if err := tw.WriteHeader(e.header()); err != nil {
			return nil, fmt.Errorf("archiving %q: %w", e.name, err)
		}
		if _, err := tw.Write(e.data); err != nil {
			return nil, fmt.Errorf("archiving %q: %w", e.name, err)
		}
	}
	finish := tw.Flush
	if end == closed {
		finish = tw.Close
	}
	if err := finish(); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (e entry) header() *tar.Header {
	h := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     e.name,
		Size:     int64(len(e.data)),
		Mode:     unixMode(e.mode),
		Uname:    "root",
		Gname:    "root",
		ModTime:  e.time,
		Format:   tar.FormatUSTAR,
	}
	content := e.data
	switch e.mode.Type() {
	case fs.ModeDir:
		h.Typeflag, h.Name = tar.TypeDir, e.name+"/"
	case fs.ModeSymlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		content = []byte(e.link)
	}
	if e.sum {
		s := sha1.Sum(content) //nolint:gosec // apk's format asks for it
		h.PAXRecords = map[string]string{checksumRecord: hex.EncodeToString(s[:])}
	}
	if e.sum || len(h.Name) > 100 {
		h.Format = tar.FormatPAX
	}
	return h
}

func unixMode(m fs.FileMode) int64 {
	bits := int64(m.Perm())
	for _, special := range []struct {
		mode fs.FileMode
		bit  int64
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&special.mode != 0 {
			bits |= special.bit
		}
	}
	return bits
}

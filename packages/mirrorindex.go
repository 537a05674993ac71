package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// of returns an index of the lock's packages of this repository alone, signed
// by key. Their paragraphs are the original's, to the byte, and so are the
// description and the date, so that it is neither older nor newer.
func (i index) of(l *Lock, key *repo.Key) ([]byte, error) {
	var listed strings.Builder
	seen := map[string]bool{}
	for paragraph := range strings.SplitSeq(i.parts[indexName], "\n\n") {
		paragraph = strings.Trim(paragraph, "\n")
		name, version := line(paragraph, "P:"), line(paragraph, "V:")
		wanted := slices.ContainsFunc(l.Packages, func(p Package) bool {
			return p.Repository == i.Repository && p.Name == name && p.Version == version
		})
		if wanted && !seen[name] {
			listed.WriteString(paragraph + "\n\n")
			seen[name] = true
		}
	}
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for _, f := range []struct{ name, data string }{{descriptionName, i.parts[descriptionName]}, {indexName, listed.String()}} {
		err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: 0o644, ModTime: i.Date, Format: tar.FormatUSTAR})
		if err == nil {
			_, err = io.WriteString(tw, f.data)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		return nil, err
	}
	return key.SignIndex(b.Bytes())
}

// line returns the value of a paragraph's line.
func line(paragraph, key string) string {
	for l := range strings.SplitSeq(paragraph, "\n") {
		if value, ok := strings.CutPrefix(l, key); ok {
			return value
		}
	}
	return ""
}

const descriptionName = "DESCRIPTION"

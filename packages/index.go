package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"chainguard.dev/apko/pkg/apk/apk"
	"github.com/klauspost/compress/gzip"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Limits of an index. Alpine 3.20's main has 0.5 MB packed and 2.5 MB unpacked.
const (
	maxIndex         = 64 << 20
	maxIndexUnpacked = 300 << 20
)

// index is a verified index.
type index struct {
	Index
	packages []*apk.Package
	by       signer
	parts    map[string]string // what the signature covers, by name
	file     []byte
}

// readIndex fetches and verifies the index of a repository. apko's own
// GetRepositoryIndexes does the same, but keeps what it verified in a cache of
// the process that knows neither the keys nor the content.
func readIndex(ctx context.Context, r repository, arch string, ring keyring) (index, error) {
	name := arch + "/" + indexFile
	file, keep, err := r.readIndexFile(ctx, name)
	if err != nil {
		return index{}, err
	}
	if len(file) > maxIndex {
		return index{}, refuseIndex(r, name, fmt.Errorf("more than %d bytes", maxIndex), ring)
	}
	by, signed, err := ring.openIndex(file)
	if err != nil {
		return index{}, refuseIndex(r, name, err, ring)
	}
	// Only what is signed is parsed.
	parts, date, err := unpackIndex(bytes.NewReader(signed))
	if err != nil {
		return index{}, refuseIndex(r, name, err, ring)
	}
	listed, err := apk.ParsePackageIndex(strings.NewReader(parts[indexName]))
	if err != nil {
		return index{}, refuseIndex(r, name, err, ring)
	}
	if err := keep(); err != nil {
		return index{}, err
	}
	of := Index{Repository: r.location, Key: by.name, SHA256: hexSum(file), Date: indexDate(date, listed)}
	return index{of, listed, by, parts, file}, nil
}

const (
	// indexFile is the index in a repository's folder of an architecture.
	indexFile = "APKINDEX.tar.gz"
	// indexName is the file in it that lists the packages.
	indexName = "APKINDEX"
)

// unpackIndex returns the files of a verified index by name, and the date of that
// which lists the packages.
func unpackIndex(signed io.Reader) (parts map[string]string, date time.Time, err error) {
	zr, err := gzip.NewReader(signed)
	if err != nil {
		return nil, date, err
	}
	parts = map[string]string{}
	for tr := tar.NewReader(&bounded{zr, maxIndexUnpacked}); ; {
		h, err := tr.Next()
		if _, ok := parts[indexName]; ok && errors.Is(err, io.EOF) {
			return parts, date, nil
		}
		if err != nil {
			return nil, date, fmt.Errorf("looking for %s: %w", indexName, err)
		}
		data, err := readEntry(tr, h, maxIndexUnpacked)
		if err != nil {
			return nil, date, fmt.Errorf("unpacking: %w", err)
		}
		if parts[h.Name] = string(data); h.Name == indexName {
			date = h.ModTime
		}
	}
}

// bounded is a reader that ends with an error where there is more than left bytes.
type bounded struct {
	from io.Reader
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, fmt.Errorf("more than %d bytes", maxIndexUnpacked)
	}
	return n, err
}

// indexDate returns when an index was made, as Index says, where its archive
// says date.
func indexDate(date time.Time, listed []*apk.Package) time.Time {
	if date.Unix() > 0 {
		return date.UTC().Truncate(time.Second)
	}
	date = time.Unix(0, 0).UTC()
	for _, p := range listed {
		if p.BuildTime.After(date) {
			date = p.BuildTime.UTC()
		}
	}
	return date
}

// openIndex returns what the signature of an index covers, and whose it is.
func (k keyring) openIndex(file []byte) (by signer, signed []byte, err error) {
	packed, section, err := cutMember(bufio.NewReader(bytes.NewReader(file)), maxSignatureSection)
	if len(section) > 0 && !bytes.HasPrefix(section, []byte(".SIGN.")) {
		return by, nil, errUnsigned // whatever else it is, and however large
	}
	if err != nil {
		return by, nil, fmt.Errorf("unpacking signature section: %w", err)
	}
	signed = file[len(packed):]
	signatures, err := parseSignatures(section)
	if err != nil {
		return by, nil, err
	}
	by, err = k.verify(signatures, signed)
	return by, signed, err
}

// refuseIndex says what is wrong with an index and how to mend it.
func refuseIndex(r repository, name string, err error, ring keyring) error {
	unknown := (*unknownKeyError)(nil)
	switch {
	case errors.As(err, &unknown):
		err = fault.Hint(fmt.Errorf("verifying index %q: %w: %q", r.path(name), err, ring.names()),
			"if you trust that repository, get its public key from whoever runs it and pass --repository-key FILE")
	case errors.Is(err, errUnsigned):
		err = fault.Hint(fmt.Errorf("verifying index %q: %w", r.path(name), err),
			"sign the index (abuild-sign) and pass the public key with --repository-key FILE")
	default:
		err = fault.Hint(fmt.Errorf("verifying index %q: %w", r.path(name), err),
			"the index was changed after it was signed, or came incomplete: don't use this mirror, try another one")
	}
	return fault.With(fault.Refused, err)
}

package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	signed   []byte // what the signature covers: a gzip'd tar
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
	parsed, err := apk.IndexFromArchive(io.NopCloser(bytes.NewReader(signed)), apk.WithDecompressedMaxSize(maxIndexUnpacked))
	if err != nil {
		return index{}, refuseIndex(r, name, err, ring)
	}
	date, err := indexDate(signed, parsed.Packages)
	if err != nil {
		return index{}, refuseIndex(r, name, err, ring)
	}
	if err := keep(); err != nil {
		return index{}, err
	}
	listed := Index{Repository: r.location, Key: by.name, SHA256: hexSum(file), Date: date}
	return index{listed, parsed.Packages, by, signed, file}, nil
}

const (
	// indexFile is the index in a repository's folder of an architecture.
	indexFile = "APKINDEX.tar.gz"
	// indexName is the file in it that lists the packages.
	indexName = "APKINDEX"
)

// indexDate returns when an index was made, as Index says.
func indexDate(signed []byte, listed []*apk.Package) (time.Time, error) {
	date := time.Unix(0, 0).UTC()
	for _, p := range listed {
		if p.BuildTime.After(date) {
			date = p.BuildTime.UTC()
		}
	}
	zr, err := gzip.NewReader(bytes.NewReader(signed))
	if err != nil {
		return date, err
	}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err != nil {
			return date, fmt.Errorf("looking for %s: %w", indexName, err)
		}
		if h.Name == indexName && h.ModTime.Unix() > 0 {
			return h.ModTime.UTC().Truncate(time.Second), nil
		}
		if h.Name == indexName {
			return date, nil
		}
	}
}

// openIndex returns what the signature of an index covers, and whose it is.
func (k keyring) openIndex(file []byte) (by signer, signed []byte, err error) {
	packed, section, err := cutMember(bufio.NewReader(bytes.NewReader(file)), maxIndexUnpacked)
	if err != nil {
		return by, nil, fmt.Errorf("unpacking: %w", err)
	}
	signed = file[len(packed):]
	if !bytes.HasPrefix(section, []byte(".SIGN.")) {
		return by, nil, errUnsigned
	}
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

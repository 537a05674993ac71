package packages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"chainguard.dev/apko/pkg/apk/apk"

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
}

// readIndex fetches and verifies the index of a repository. apko's own
// GetRepositoryIndexes does the same, but keeps what it verified in a cache of
// the process that knows neither the keys nor the content.
func readIndex(ctx context.Context, r repository, arch string, ring keyring) (index, error) {
	name := arch + "/APKINDEX.tar.gz"
	file, err := r.read(ctx, name, maxIndex)
	if err != nil {
		return index{}, err
	}
	if len(file) > maxIndex {
		return index{}, refuseIndex(r, name, fmt.Errorf("more than %d bytes", maxIndex), ring)
	}
	key, signed, err := ring.openIndex(file)
	if err != nil {
		return index{}, refuseIndex(r, name, err, ring)
	}
	// Only what is signed is parsed.
	parsed, err := apk.IndexFromArchive(io.NopCloser(bytes.NewReader(signed)), apk.WithDecompressedMaxSize(maxIndexUnpacked))
	if err != nil {
		return index{}, refuseIndex(r, name, err, ring)
	}
	sum := sha256.Sum256(file)
	return index{Index{r.location, key, hex.EncodeToString(sum[:])}, parsed.Packages}, nil
}

// openIndex returns what the signature of an index covers, and whose it is.
func (k keyring) openIndex(file []byte) (key string, signed []byte, err error) {
	section, signed, err := cutMember(file, maxIndexUnpacked)
	if err != nil {
		return "", nil, fmt.Errorf("unpacking: %w", err)
	}
	if !bytes.HasPrefix(section, []byte(".SIGN.")) {
		return "", nil, errUnsigned
	}
	signatures, err := parseSignatures(section)
	if err != nil {
		return "", nil, err
	}
	key, err = k.verify(signatures, signed)
	return key, signed, err
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

package packages

import (
	"archive/tar"
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // Alpine's packages are signed over it
	_ "crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// signature is one entry of a signature section.
type signature struct {
	key   string // name of the key's file
	hash  crypto.Hash
	value []byte
}

const (
	// maxSignature is generous: RSA with 16384 bits makes 2 KiB.
	maxSignature = 16 << 10
	// maxSignatures of one file: Alpine's have one each.
	maxSignatures = 8
)

// signatureHashes maps the kinds that apk-tools 2.14 makes or made.
var signatureHashes = map[string]crypto.Hash{
	".SIGN.RSA.":    crypto.SHA1,
	".SIGN.RSA256.": crypto.SHA256,
}

// parseSignatures reads an unpacked signature section. Kinds that apk dropped
// are passed over.
func parseSignatures(section []byte) ([]signature, error) {
	var found []signature
	for tr := tar.NewReader(bytes.NewReader(section)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading signature section: %w", err)
		}
		if !strings.HasPrefix(h.Name, ".SIGN.") {
			return nil, fmt.Errorf("reading signature section: %q is no signature", h.Name)
		}
		if h.Size > maxSignature {
			return nil, fmt.Errorf("reading signature section: %q has %d bytes", h.Name, h.Size)
		}
		value, err := io.ReadAll(tr)
		if err != nil {
			return nil, fmt.Errorf("reading signature section: %w", err)
		}
		for prefix, hash := range signatureHashes {
			key, ok := strings.CutPrefix(h.Name, prefix)
			switch {
			case !ok:
				continue
			case key == "" || !safeName(key):
				return nil, fmt.Errorf("reading signature section: %q is no name of a key", key)
			case len(found) == maxSignatures:
				return nil, fmt.Errorf("reading signature section: more than %d signatures", maxSignatures)
			}
			found = append(found, signature{key, hash, value})
		}
	}
}

// unknownKeyError is a signature by a key that isn't trusted.
type unknownKeyError struct{ names []string }

func (e *unknownKeyError) Error() string {
	return fmt.Sprintf("signed by %q, which is not among the trusted keys", e.names)
}

// errUnsigned is a file with no signature that we know how to check.
var errUnsigned = errors.New("carries no signature")

// signer is a key of the ring, and the name under which a signature knows it.
type signer struct {
	name string
	key  *rsa.PublicKey
}

// verify returns the key in ring by which one of signatures is a
// valid signature of signed. A signature that names a key of the ring and isn't
// by it is an error, whatever the others are.
func (k keyring) verify(signatures []signature, signed []byte) (signer, error) {
	if len(signatures) == 0 {
		return signer{}, errUnsigned
	}
	valid, unknown := signer{}, []string{}
	sums := map[crypto.Hash][]byte{}
	for _, s := range signatures {
		if sums[s.hash] == nil {
			h := s.hash.New()
			h.Write(signed)
			sums[s.hash] = h.Sum(nil)
		}
		candidates := k.candidates(s.key)
		at := slices.IndexFunc(candidates, func(key *rsa.PublicKey) bool {
			return rsa.VerifyPKCS1v15(key, s.hash, sums[s.hash], s.value) == nil
		})
		switch ok := at >= 0; {
		case ok && valid.key == nil:
			valid = signer{s.key, candidates[at]}
		case !ok && k[s.key] != nil:
			return signer{}, fmt.Errorf("signature by %q does not fit the content", s.key)
		case !ok:
			unknown = append(unknown, s.key)
		}
	}
	if valid.key == nil {
		return signer{}, &unknownKeyError{unknown}
	}
	return valid, nil
}

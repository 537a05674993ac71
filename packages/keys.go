package packages

import (
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// alpineKeys holds the public keys with which Alpine signs its indexes and
// packages, for every architecture, as the package alpine-keys 2.5 of Alpine 3.21
// has them in /usr/share/apk/keys. Fetching them at build time would mean to
// trust whoever answers.
//
//go:embed keys/*.rsa.pub
var alpineKeys embed.FS

// alpineKeyring returns Alpine's keys by file name. Callers must not change it.
var alpineKeyring = sync.OnceValues(func() (map[string]*rsa.PublicKey, error) {
	entries, err := alpineKeys.ReadDir("keys")
	if err != nil {
		return nil, err
	}
	ring := map[string]*rsa.PublicKey{}
	for _, e := range entries {
		data, err := alpineKeys.ReadFile("keys/" + e.Name())
		if err != nil {
			return nil, err
		}
		if ring[e.Name()], err = parsePublicKey(data); err != nil {
			return nil, fmt.Errorf("reading embedded key %q: %w", e.Name(), err)
		}
	}
	return ring, nil
})

// keyring is the trusted keys by file name.
type keyring map[string]*rsa.PublicKey

func (o Options) keyring() (keyring, error) {
	alpine, err := alpineKeyring()
	if err != nil {
		return nil, err
	}
	ring := maps.Clone(alpine)
	for name, data := range o.Keys {
		key, err := parsePublicKey(data)
		if err != nil {
			return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading repository key %q: %w", name, err),
				"give the public key that signs the repository, a PEM file named like %q", "NAME.rsa.pub"))
		}
		ring[name] = key
	}
	return ring, nil
}

// candidates returns the keys that a signature naming a key may be by. A key
// that is trusted stays so when its file was renamed: then any may fit.
func (k keyring) candidates(name string) []*rsa.PublicKey {
	if key, ok := k[name]; ok {
		return []*rsa.PublicKey{key}
	}
	return slices.Collect(maps.Values(k))
}

// add adds the key of a file that was signed.
func (k keyring) add(by signer) {
	if by.key != nil {
		k[by.name] = by.key
	}
}

func (k keyring) names() []string { return slices.Sorted(maps.Keys(k)) }

func parsePublicKey(data []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("PEM block is a %s, not a PUBLIC KEY", block.Type)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return key, nil
}

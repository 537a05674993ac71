package repo

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

// keyBits is what abuild-keygen makes since 2022.
const keyBits = 4096

// KeyFile is the user's private key, in the folder of the user's configuration.
const KeyFile = "mosqbuild.rsa"

// Key signs packages and indexes. It may be used by several goroutines at once.
type Key struct {
	// Name is the file name under which apk looks for the public key, such as
	// "mosqbuild-6f1c2a3b.rsa.pub". It carries a fingerprint of the key, so
	// that two keys never share a name.
	Name string

	private *rsa.PrivateKey
	public  []byte
}

// LoadOrCreateKey reads the private key at path (RSA, PKCS#8 PEM). Where there
// is none it makes one of 4096 bits, which takes a second or so, and keeps it
// there with mode 0600. Two processes that do so at once get the same key.
func LoadOrCreateKey(path string) (*Key, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = createKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading signing key %q: %w", path, err)
	}
	key, err := ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("reading signing key %q: %w", path, err)
	}
	return key, nil
}

func createKey(path string) (data []byte, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	err = atomicfile.Edit(path, 0o600, func(old []byte) ([]byte, error) {
		data = old // another process was faster
		if old != nil {
			return old, nil
		}
		private, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return nil, err
		}
		data = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		return data, nil
	})
	return data, err
}

// ParseKey reads an RSA private key in PKCS#8 PEM.
func ParseKey(data []byte) (*Key, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("not a single PKCS#8 PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key: apk knows no other")
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return &Key{
		Name:    "mosqbuild-" + hex.EncodeToString(sum[:4]) + ".rsa.pub",
		private: private,
		public:  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
	}, nil
}

// Public returns the public key as PEM, which belongs into /etc/apk/keys under
// Name.
func (k *Key) Public() []byte { return bytes.Clone(k.public) }

// SignIndex returns the file of an index: its signature, by RSA with SHA-256 as
// apk-tools reads since 2.12, before body, a gzip'd tar of the file APKINDEX.
func (k *Key) SignIndex(body []byte) ([]byte, error) {
	signature, err := k.sign(body, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return slices.Concat(signature, body), nil
}

// sign returns the gzip member that goes before body: a tar of one file, named
// after the hash and the key, holding the signature of body.
func (k *Key) sign(body []byte, hash crypto.Hash) ([]byte, error) {
	h := hash.New()
	h.Write(body)
	signature, err := rsa.SignPKCS1v15(nil, k.private, hash, h.Sum(nil))
	if err != nil {
		return nil, err
	}
	name := ".SIGN.RSA." + k.Name
	if hash == crypto.SHA256 {
		name = ".SIGN.RSA256." + k.Name
	}
	return member([]entry{{name: name, mode: 0o644, data: signature}}, cut)
}

package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/cloudflare/cfssl/csr"
)

// KeyType is the algorithm and size of a private key. The empty one is
// ECDSAP256.
type KeyType string

// The key types there are.
const (
	// ECDSAP256 is understood by every TLS 1.2 client and quick for the broker.
	ECDSAP256 KeyType = "ecdsa-p256"
	// RSA2048 is for old clients that lack elliptic curves.
	RSA2048 KeyType = "rsa:2048"
	// RSA3072 is RSA at about the strength of ECDSAP256.
	RSA3072 KeyType = "rsa:3072"
	// RSA4096 is the largest; making one takes seconds.
	RSA4096 KeyType = "rsa:4096"
)

// KeyTypes returns every key type, the default first.
func KeyTypes() []KeyType { return []KeyType{ECDSAP256, RSA2048, RSA3072, RSA4096} }

// ParseKeyType returns the key type called s; "" is the default. The error is
// ErrKeyType and names the choices.
func ParseKeyType(s string) (KeyType, error) {
	if s == "" {
		return ECDSAP256, nil
	}
	var names []string
	for _, k := range KeyTypes() {
		if s == string(k) {
			return k, nil
		}
		names = append(names, string(k))
	}
	return "", fmt.Errorf("%w %q: choose one of %s", ErrKeyType, s, strings.Join(names, ", "))
}

func (k KeyType) request() (*csr.KeyRequest, error) {
	k, err := ParseKeyType(string(k))
	if err != nil {
		return nil, err
	}
	if k == ECDSAP256 {
		return &csr.KeyRequest{A: "ecdsa", S: 256}, nil
	}
	var bits int
	if _, err := fmt.Sscanf(string(k), "rsa:%d", &bits); err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrKeyType, k, err)
	}
	return &csr.KeyRequest{A: "rsa", S: bits}, nil
}

// encodeKey writes key as PKCS#8: cfssl's own encodings differ by algorithm,
// this one is read by everything that reads keys.
func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// Pair is a certificate and its private key, both PEM. Cert may hold further
// certificates of the chain after the first. Keys made here are PKCS#8; keys
// read may be PKCS#1 or SEC 1 as well.
type Pair struct{ Cert, Key []byte }

// parse reads the pair and checks that the two halves belong together.
func (p Pair) parse() (chain []*x509.Certificate, key crypto.Signer, err error) {
	if chain, err = parseCerts(p.Cert); err != nil {
		return nil, nil, err
	}
	if key, err = parseKey(p.Key); err != nil {
		return nil, nil, err
	}
	// The three key types of crypto have this method; each compares with any.
	if public, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return chain, key, ErrKeyMismatch
	}
	return chain, key, nil
}

// parseCerts reads every certificate in data, at least one.
func parseCerts(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("reading certificate: %w: found %q", ErrPEM, block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificate %d: %w: %w", len(chain)+1, ErrPEM, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("reading certificate: %w", ErrPEM)
	}
	return chain, nil
}

// parseKey reads the first private key in data, in any of the three encodings
// in use. Its errors never quote the input.
func parseKey(data []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(data)
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes it first
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, fmt.Errorf("reading private key: %w", ErrPEM)
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, fmt.Errorf("reading private key: %w", ErrEncryptedKey)
	}
	key, err := decodeKey(block)
	if err != nil {
		return nil, fmt.Errorf("reading private key: %w: %w", ErrPEM, err)
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("reading private key: %w %T", ErrKeyType, key)
}

func decodeKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return nil, fmt.Errorf("found %q", block.Type)
}

package image

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// PublicKey verifies what was signed with its private half. Several goroutines
// may use one at once.
type PublicKey struct {
	verifier signature.Verifier
	hint     string // by which a bundle names the key: base64 of the SHA-256 of its DER
}

// Signer signs images with a private key. Several goroutines may use one at
// once.
type Signer struct {
	signature.Signer
	public PublicKey
}

// GenerateKey makes a pair of keys as "cosign generate-key-pair" does: ECDSA on
// P-256, in PEM, the private key encrypted with the password, which may be
// empty (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md).
func GenerateKey(password []byte) (private, public []byte, err error) {
	private, public, err = cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), passwordOf(password))
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	return private, public, nil
}

// LoadSigner reads a private key that cosign or GenerateKey made: PEM, encrypted
// with the password. Errors carry fault.Usage and a hint.
func LoadSigner(data, password []byte) (*Signer, error) {
	bad := func(err error, hint string) (*Signer, error) {
		return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the private key: %w", err), "%s", hint))
	}
	block, _ := pem.Decode(data)
	if block == nil || !strings.HasPrefix(block.Type, "ENCRYPTED ") {
		return bad(errors.New("it is no key of cosign's, which are PEM and encrypted"),
			"make one: mosqbuild image key; or have another encrypted: cosign import-key-pair --key FILE")
	}
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(data, passwordOf(password))
	if err != nil {
		return bad(err, "is the password right? It is asked for, or taken from COSIGN_PASSWORD")
	}
	// "cosign verify --key" takes no other hash, whatever the key.
	s, err := signature.LoadSigner(key, crypto.SHA256)
	if err != nil {
		return bad(err, "make one of a kind that cosign verifies: mosqbuild image key")
	}
	half, err := s.PublicKey()
	if err != nil {
		return bad(err, "make another: mosqbuild image key")
	}
	public, err := newPublicKey(half)
	if err != nil {
		return bad(err, "make another: mosqbuild image key")
	}
	return &Signer{Signer: s, public: public}, nil
}

// LoadPublicKey reads a public key in PEM, as cosign and GenerateKey write it:
// ECDSA, RSA or Ed25519. Errors carry fault.Usage and a hint.
func LoadPublicKey(data []byte) (*PublicKey, error) {
	key, err := cryptoutils.UnmarshalPEMToPublicKey(data)
	if err == nil {
		var public PublicKey
		if public, err = newPublicKey(key); err == nil {
			return &public, nil
		}
	}
	return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the public key: %w", err), "give the file cosign.pub that belongs to the key it was signed with"))
}

func newPublicKey(key crypto.PublicKey) (PublicKey, error) {
	v, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return PublicKey{}, err
	}
	der, err := cryptoutils.MarshalPublicKeyToDER(key)
	if err != nil {
		return PublicKey{}, err
	}
	sum := sha256.Sum256(der)
	return PublicKey{verifier: v, hint: base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// passwordOf gives the library the password. No slice would mean no encryption.
func passwordOf(password []byte) cryptoutils.PassFunc {
	return func(bool) ([]byte, error) { return append([]byte{}, password...), nil }
}

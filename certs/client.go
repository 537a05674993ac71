package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/cloudflare/cfssl/csr"
)

// ClientRequest says what client certificate IssueClient makes.
type ClientRequest struct {
	// Name is the common name, by which a broker with use_identity_as_username
	// knows the client; 1 to 64 bytes.
	Name string
	// KeyType is the key's type. Default: ECDSAP256.
	KeyType KeyType
	// NotBefore is when the certificate begins; it must be set.
	NotBefore time.Time
	// Lifetime is counted from NotBefore. Default, and at most: LeafLifetime.
	// The certificate never outlives its authority.
	Lifetime time.Duration
}

// IssueClient makes a new key and a client certificate for it, signed by ca.
// The errors are those of Issue, with ErrName in place of ErrHost and
// ErrNoHosts.
func IssueClient(ca Pair, r ClientRequest) (Pair, error) {
	valid, err := span(r.NotBefore, r.Lifetime, LeafLifetime, LeafLifetime)
	if r.Name == "" || len(r.Name) > nameMax {
		err = errors.Join(fmt.Errorf("name %q: %w", r.Name, ErrName), err)
	}
	var pair Pair
	if err == nil {
		pair, err = issue(ca, &csr.CertificateRequest{CN: r.Name}, leafPolicy(r.KeyType, "client auth"), r.KeyType, valid)
	}
	if err != nil {
		return Pair{}, fmt.Errorf("issuing client certificate: %w", err)
	}
	return pair, nil
}

// CheckClient tells whether a TLS client may show leaf, as name, to servers
// that trust ca, at the time now. All faults are joined: those of Check, with
// ErrName in place of ErrNoHosts.
func CheckClient(ca []byte, leaf Pair, name string, now time.Time) error {
	var faults []error
	if chain, err := parseCerts(leaf.Cert); err == nil && chain[0].Subject.CommonName != name {
		faults = append(faults, fmt.Errorf("name %q: %w %q", chain[0].Subject.CommonName, ErrName, name))
	}
	return errors.Join(append(faults, check(ca, leaf, now, x509.ExtKeyUsageClientAuth))...)
}

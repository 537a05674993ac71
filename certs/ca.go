package certs

import (
	"fmt"
	"time"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/initca"
)

// Lifetimes.
const (
	// CALifetime is how long an authority lasts: 10 years.
	CALifetime = 3650 * 24 * time.Hour
	// LeafLifetime is how long a server certificate lasts, and the most that
	// Apple's systems accept of one: 825 days.
	LeafLifetime = 825 * 24 * time.Hour
)

// nameMax is what X.520 allows a common name, in characters; counting bytes
// is stricter and safe.
const nameMax = 64

// CARequest says what authority NewCA makes.
type CARequest struct {
	// Name is the common name that people see in trust stores, at most 64
	// bytes. Default: "mosqbuild CA".
	Name string
	// KeyType is the key's type. Default: ECDSAP256.
	KeyType KeyType
	// NotBefore is when the certificate begins; it must be set. A few minutes
	// before now spare clients whose clock is a little behind.
	NotBefore time.Time
	// Lifetime is counted from NotBefore. Default: CALifetime.
	Lifetime time.Duration
}

// NewCA makes an authority: a new key and a self-signed certificate that may
// issue certificates (but no further authorities) and revocation lists.
func NewCA(r CARequest) (Pair, error) {
	pair, err := r.make()
	if err != nil {
		return Pair{}, fmt.Errorf("making authority %q: %w", r.Name, err)
	}
	return pair, nil
}

func (r CARequest) make() (Pair, error) {
	if r.Name == "" {
		r.Name = "mosqbuild CA"
	}
	if len(r.Name) > nameMax || !printable(r.Name) {
		return Pair{}, fmt.Errorf("the name must be at most %d bytes of printable text", nameMax)
	}
	span, err := span(r.NotBefore, r.Lifetime, CALifetime, 100*365*24*time.Hour)
	if err != nil {
		return Pair{}, err
	}
	request, key, err := newRequest(&csr.CertificateRequest{CN: r.Name}, r.KeyType)
	if err != nil {
		return Pair{}, err
	}
	policy := initca.CAPolicy()
	policy.Default.CAConstraint.MaxPathLenZero = true
	cert, err := sign(issuer{key: key}, policy, request, span)
	return finish(cert, key, err)
}

// period is when a certificate is valid.
type period struct{ from, to time.Time }

func span(from time.Time, lifetime, usual, longest time.Duration) (period, error) {
	if from.IsZero() {
		return period{}, ErrNotBefore
	}
	if lifetime == 0 {
		lifetime = usual
	}
	if lifetime < time.Minute || lifetime > longest {
		return period{}, fmt.Errorf("%w %s: choose between a minute and %d days", ErrLifetime, lifetime, longest/(24*time.Hour))
	}
	from = from.UTC().Truncate(time.Second) // X.509 knows no fractions
	return period{from, from.Add(lifetime)}, nil
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return false
		}
	}
	return true
}

package certs

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/csr"
)

// LeafRequest says what server certificate Issue makes.
type LeafRequest struct {
	// Hosts are the names and addresses that clients connect to, at least one;
	// see CleanHosts. The first name of at most 64 bytes is the common name
	// too, for what still shows it.
	Hosts []string
	// KeyType is the key's type. Default: ECDSAP256.
	KeyType KeyType
	// NotBefore is when the certificate begins; it must be set.
	NotBefore time.Time
	// Lifetime is counted from NotBefore. Default, and at most: LeafLifetime.
	// The certificate never outlives its authority.
	Lifetime time.Duration
}

// Issue makes a new key and a server certificate for it, signed by ca. The
// errors are ErrHost, ErrNoHosts, ErrKeyType, ErrLifetime and ErrNotBefore for
// the request; ErrPEM, ErrEncryptedKey, ErrKeyMismatch, ErrNotCA and
// ErrExpired for the authority.
func Issue(ca Pair, r LeafRequest) (Pair, error) {
	pair, err := r.issue(ca)
	if err != nil {
		return Pair{}, fmt.Errorf("issuing server certificate: %w", err)
	}
	return pair, nil
}

func (r LeafRequest) issue(ca Pair) (Pair, error) {
	hosts, err := CleanHosts(r.Hosts)
	if err != nil {
		return Pair{}, err
	}
	if len(hosts) == 0 {
		return Pair{}, ErrNoHosts
	}
	valid, err := span(r.NotBefore, r.Lifetime, LeafLifetime, LeafLifetime)
	if err != nil {
		return Pair{}, err
	}
	authority, err := readIssuer(ca)
	if err != nil {
		return Pair{}, err
	}
	if end := authority.cert.NotAfter; !end.After(valid.from) {
		return Pair{}, fmt.Errorf("authority %q: %w", authority.cert.Subject.CommonName, ErrExpired)
	} else if end.Before(valid.to) {
		valid.to = end
	}
	request, key, err := newRequest(&csr.CertificateRequest{CN: commonName(hosts), Hosts: hosts}, r.KeyType)
	if err != nil {
		return Pair{}, err
	}
	cert, err := sign(authority, serverPolicy(r.KeyType), request, valid)
	return finish(cert, key, err)
}

// serverPolicy is what a TLS server may do with its key. RSA key transport in
// TLS 1.2 enciphers with it; an ECDSA key only signs.
func serverPolicy(k KeyType) *config.Signing {
	usage := []string{"digital signature", "server auth"}
	if strings.HasPrefix(string(k), "rsa:") {
		usage = append(usage, "key encipherment")
	}
	return &config.Signing{Default: &config.SigningProfile{
		Usage:        usage,
		Expiry:       LeafLifetime,
		ExpiryString: LeafLifetime.String(),
	}}
}

func commonName(hosts []string) string {
	for _, h := range hosts {
		if len(h) <= nameMax {
			return h
		}
	}
	return ""
}

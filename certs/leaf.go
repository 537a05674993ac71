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
	// Client makes the certificate good for a TLS client, too: peers that call
	// each other need one each.
	Client bool
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
	policy := leafPolicy(r.KeyType, "server auth")
	if r.Client {
		policy.Default.Usage = append(policy.Default.Usage, "client auth")
	}
	return issue(ca, &csr.CertificateRequest{CN: commonName(hosts), Hosts: hosts}, policy, r.KeyType, valid)
}

// issue makes a key and has ca sign what the request asks for, for no longer
// than the authority lasts itself.
func issue(ca Pair, subject *csr.CertificateRequest, policy *config.Signing, key KeyType, valid period) (Pair, error) {
	authority, err := readIssuer(ca)
	if err != nil {
		return Pair{}, err
	}
	if end := authority.cert.NotAfter; !end.After(valid.from) {
		return Pair{}, fmt.Errorf("authority %q: %w", authority.cert.Subject.CommonName, ErrExpired)
	} else if end.Before(valid.to) {
		valid.to = end
	}
	request, private, err := newRequest(subject, key)
	if err != nil {
		return Pair{}, err
	}
	cert, err := sign(authority, policy, request, valid)
	return finish(cert, private, err)
}

// leafPolicy is what a TLS server or client, as purpose says, may do with its
// key. RSA key transport in TLS 1.2 enciphers with a server's; an ECDSA key
// only signs.
func leafPolicy(k KeyType, purpose string) *config.Signing {
	usage := []string{"digital signature", purpose}
	if strings.HasPrefix(string(k), "rsa:") && purpose == "server auth" {
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

package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Check tells whether a TLS server may serve leaf to clients that trust ca, at
// the time now: the key matches, the certificate names a host, is in date, is
// for servers, and an authority in ca, in date as well, issued it. ca may hold
// several certificates, and leaf.Cert further ones of the chain. All faults
// are joined: ErrPEM, ErrEncryptedKey, ErrKeyMismatch, ErrNoHosts, ErrExpired,
// ErrNotYetValid and ErrWrongCA.
func Check(ca []byte, leaf Pair, now time.Time) error {
	var faults []error
	if chain, err := parseCerts(leaf.Cert); err == nil && len(chain[0].DNSNames)+len(chain[0].IPAddresses) == 0 {
		faults = append(faults, ErrNoHosts)
	}
	return errors.Join(append(faults, check(ca, leaf, now, x509.ExtKeyUsageServerAuth))...)
}

// check is what servers and clients have in common.
func check(ca []byte, leaf Pair, now time.Time, purpose x509.ExtKeyUsage) error {
	roots, err := parseCerts(ca)
	if err != nil {
		return fmt.Errorf("reading authority: %w", err)
	}
	chain, _, err := leaf.parse()
	if chain == nil || (err != nil && !errors.Is(err, ErrKeyMismatch)) {
		return err
	}
	faults := []error{err}
	c := chain[0]
	if err := inDate(c, now); err != nil {
		faults = append(faults, err)
		now = c.NotBefore // so that the chain is judged for the rest
	}
	return errors.Join(append(faults, issued(roots, chain, now, purpose))...)
}

func issued(roots, chain []*x509.Certificate, now time.Time, purpose x509.ExtKeyUsage) error {
	o := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{purpose},
	}
	for _, c := range roots {
		o.Roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(o)
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Errorf("authority: %w", inDate(invalid.Cert, now))
	}
	return fmt.Errorf("%w: %w", ErrWrongCA, err)
}

func inDate(c *x509.Certificate, now time.Time) error {
	name := c.Subject.CommonName
	if now.Before(c.NotBefore) {
		return fmt.Errorf("certificate of %q: %w: it begins at %s", name, ErrNotYetValid, c.NotBefore.Format(time.RFC3339))
	}
	if now.After(c.NotAfter) {
		return fmt.Errorf("certificate of %q: %w: it ended at %s", name, ErrExpired, c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

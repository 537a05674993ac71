package lint

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
)

// pemFile is a file of certificates or keys that was given.
type pemFile struct {
	place
	data []byte
}

// certificates are the certificates in PEM data, the first one being whose the
// key is.
func certificates(data []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, c)
		}
	}
	return found
}

// publicKey is the public half of the first private key in PEM data, nil where
// there is none that can be read.
func publicKey(data []byte) crypto.PublicKey {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if s, ok := parseKey(block).(crypto.Signer); ok {
			return s.Public()
		}
	}
	return nil
}

func parseKey(block *pem.Block) any {
	switch block.Type {
	case "PRIVATE KEY":
		k, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
		return k
	case "RSA PRIVATE KEY":
		if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return k
		}
	case "EC PRIVATE KEY":
		if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return k
		}
	}
	return nil
}

// holdsKey tells whether text has a private key in PEM.
func holdsKey(data string) bool { return strings.Contains(data, "PRIVATE KEY-----") }

// matches tells whether a certificate was made for a key.
func matches(c *x509.Certificate, key crypto.PublicKey) bool {
	pub, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return !ok || pub.Equal(key)
}

// nameless tells whether a certificate is a server's and names no host.
func nameless(c *x509.Certificate) bool {
	client := slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	return !c.IsCA && !client && len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs)+len(c.EmailAddresses) == 0
}

package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
)

func TestCheck(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	leaf, second := issue(t, ca, "localhost"), issue(t, ca, "localhost")
	short, err := certs.NewCA(certs.CARequest{NotBefore: begin, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	outlives := handmade(t, short, func(c *x509.Certificate) { c.NotAfter = begin.Add(48 * time.Hour) })
	for name, c := range map[string]struct {
		ca   []byte
		leaf certs.Pair
		now  time.Time
		want []error
	}{
		"good":              {ca.Cert, leaf, begin.Add(time.Hour), nil},
		"good, last second": {ca.Cert, leaf, begin.Add(certs.LeafLifetime), nil},
		"good, in a bundle": {append(append([]byte(nil), other.Cert...), ca.Cert...), leaf, begin, nil},
		"early":             {ca.Cert, leaf, begin.Add(-time.Second), []error{certs.ErrNotYetValid}},
		"late":              {ca.Cert, leaf, begin.Add(certs.LeafLifetime + time.Second), []error{certs.ErrExpired}},
		"foreign CA":        {other.Cert, leaf, begin, []error{certs.ErrWrongCA}},
		"key mismatch":      {ca.Cert, certs.Pair{Cert: leaf.Cert, Key: second.Key}, begin, []error{certs.ErrKeyMismatch}},
		"all at once": {
			other.Cert, certs.Pair{Cert: leaf.Cert, Key: second.Key}, begin.Add(-time.Hour),
			[]error{certs.ErrKeyMismatch, certs.ErrNotYetValid, certs.ErrWrongCA},
		},
		"authority over": {short.Cert, outlives, begin.Add(2 * time.Hour), []error{certs.ErrExpired}},
		"no hosts":       {ca.Cert, handmade(t, ca, func(c *x509.Certificate) { c.DNSNames = nil }), begin, []error{certs.ErrNoHosts}},
		"client only": {ca.Cert, handmade(t, ca, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), begin, []error{certs.ErrWrongCA}},
		"no CA":   {nil, leaf, begin, []error{certs.ErrPEM}},
		"no key":  {ca.Cert, certs.Pair{Cert: leaf.Cert}, begin, []error{certs.ErrPEM}},
		"no cert": {ca.Cert, certs.Pair{Key: leaf.Key}, begin, []error{certs.ErrPEM}},
		"swapped": {ca.Cert, certs.Pair{Cert: leaf.Key, Key: leaf.Cert}, begin, []error{certs.ErrPEM}},
		"encrypted": {ca.Cert, certs.Pair{Cert: leaf.Cert, Key: pem.EncodeToMemory(&pem.Block{
			Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1},
		})}, begin, []error{certs.ErrEncryptedKey}},
	} {
		err := certs.Check(c.ca, c.leaf, c.now)
		if len(c.want) == 0 && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
}

// handmade issues what Issue would refuse to.
func handmade(t *testing.T, ca certs.Pair, change func(*x509.Certificate)) certs.Pair {
	t.Helper()
	parent := parse(t, ca.Cert)
	block, _ := pem.Decode(ca.Key)
	signer, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "handmade"}, DNSNames: []string{"localhost"},
		NotBefore: begin, NotAfter: begin.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key) // the encoding that openssl ecparam -genkey writes
	if err != nil {
		t.Fatal(err)
	}
	return certs.Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}),
	}
}

package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
)

func issueClient(t *testing.T, ca certs.Pair, name string) certs.Pair {
	t.Helper()
	pair, err := certs.IssueClient(ca, certs.ClientRequest{Name: name, NotBefore: begin})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestIssueClient(t *testing.T) {
	ca := newCA(t)
	pair := issueClient(t, ca, "bridge")
	block, _ := pem.Decode(pair.Cert)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject.CommonName != "bridge" || len(c.DNSNames) != 0 || c.IsCA || !c.NotAfter.Equal(begin.Add(certs.LeafLifetime)) ||
		len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("the certificate of %q is for %v and %v, with names %q", c.Subject.CommonName, c.ExtKeyUsage, c.KeyUsage, c.DNSNames)
	}
	for name, r := range map[string]certs.ClientRequest{
		"no name":   {NotBefore: begin},
		"long name": {Name: strings.Repeat("a", 65), NotBefore: begin},
	} {
		if _, err := certs.IssueClient(ca, r); !errors.Is(err, certs.ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := certs.IssueClient(ca, certs.ClientRequest{Name: "bridge"}); !errors.Is(err, certs.ErrNotBefore) {
		t.Errorf("no begin: %v", err)
	}
	if _, err := certs.IssueClient(pair, certs.ClientRequest{Name: "bridge", NotBefore: begin}); !errors.Is(err, certs.ErrNotCA) {
		t.Errorf("signed by a leaf: %v", err)
	}
}

func TestCheckClient(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	client := issueClient(t, ca, "bridge")
	for name, c := range map[string]struct {
		ca   certs.Pair
		leaf certs.Pair
		now  time.Time
		want error
	}{
		"good":         {ca, client, begin, nil},
		"foreign CA":   {other, client, begin, certs.ErrWrongCA},
		"another name": {ca, issueClient(t, ca, "admin"), begin, certs.ErrName},
		"a server's":   {ca, issue(t, ca, "bridge"), begin, certs.ErrWrongCA},
		"late":         {ca, client, begin.Add(certs.LeafLifetime + time.Second), certs.ErrExpired},
		"key mismatch": {ca, certs.Pair{Cert: client.Cert, Key: issueClient(t, ca, "bridge").Key}, begin, certs.ErrKeyMismatch},
		"no PEM":       {ca, certs.Pair{}, begin, certs.ErrPEM},
	} {
		if err := certs.CheckClient(c.ca.Cert, c.leaf, "bridge", c.now); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

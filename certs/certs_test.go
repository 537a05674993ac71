package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log"
	"strings"
	"sync"
	"testing"
	"time"

	cfssllog "github.com/cloudflare/cfssl/log"

	"github.com/mosqbuild/mosqbuild/certs"
)

// begin is the time at which everything here happens.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newCA(t testing.TB) certs.Pair {
	t.Helper()
	ca, err := certs.NewCA(certs.CARequest{Name: "Test CA", NotBefore: begin})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t testing.TB, ca certs.Pair, hosts ...string) certs.Pair {
	t.Helper()
	leaf, err := certs.Issue(ca, certs.LeafRequest{Hosts: hosts, NotBefore: begin})
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func parse(t testing.TB, data []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(data)
	if block == nil {
		t.Fatalf("no PEM block: %q", data)
		return nil
	}
	if len(rest) != 0 {
		t.Fatalf("more than one PEM block: %q", data)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewCA(t *testing.T) {
	c := parse(t, newCA(t).Cert)
	if !c.IsCA || !c.BasicConstraintsValid || c.MaxPathLen != 0 || !c.MaxPathLenZero {
		t.Errorf("basic constraints: CA %v, path length %d (zero %v)", c.IsCA, c.MaxPathLen, c.MaxPathLenZero)
	}
	if want := x509.KeyUsageCertSign | x509.KeyUsageCRLSign; c.KeyUsage != want {
		t.Errorf("key usage %b, want %b", c.KeyUsage, want)
	}
	if c.Subject.CommonName != "Test CA" || len(c.SubjectKeyId) == 0 || len(c.ExtKeyUsage) != 0 {
		t.Errorf("subject %q, key id %x, extended usage %v", c.Subject, c.SubjectKeyId, c.ExtKeyUsage)
	}
	if !c.NotBefore.Equal(begin) || c.NotAfter.Sub(c.NotBefore) != certs.CALifetime {
		t.Errorf("valid from %s to %s", c.NotBefore, c.NotAfter)
	}
	if c.SerialNumber.BitLen() < 64 || c.SerialNumber.Sign() <= 0 {
		t.Errorf("serial number %s has too little randomness", c.SerialNumber)
	}
}

func TestIssue(t *testing.T) {
	ca := newCA(t)
	c := parse(t, issue(t, ca, "Broker.Example.com.", "127.0.0.1", "::1", "*.apps.example.com", "broker.example.com").Cert)
	if got := strings.Join(c.DNSNames, " "); got != "broker.example.com *.apps.example.com" {
		t.Errorf("names %q", got)
	}
	if len(c.IPAddresses) != 2 || c.IPAddresses[0].String() != "127.0.0.1" || c.IPAddresses[1].String() != "::1" {
		t.Errorf("addresses %v", c.IPAddresses)
	}
	if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("CA %v, key usage %b", c.IsCA, c.KeyUsage)
	}
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("extended usage %v", c.ExtKeyUsage)
	}
	if !bytes.Equal(c.AuthorityKeyId, parse(t, ca.Cert).SubjectKeyId) {
		t.Errorf("authority key id %x is not the authority's", c.AuthorityKeyId)
	}
	if c.Subject.CommonName != "broker.example.com" || c.NotAfter.Sub(c.NotBefore) != certs.LeafLifetime {
		t.Errorf("common name %q, valid %s", c.Subject.CommonName, c.NotAfter.Sub(c.NotBefore))
	}
}

func TestCommonNameFits(t *testing.T) {
	long := strings.Repeat("a", 60) + ".example.com"
	ca := newCA(t)
	if cn := parse(t, issue(t, ca, long, "b.example").Cert).Subject.CommonName; cn != "b.example" {
		t.Errorf("common name %q", cn)
	}
	only := issue(t, ca, long) // no name fits: the subject is empty, the names critical
	if cn := parse(t, only.Cert).Subject.CommonName; cn != "" {
		t.Errorf("common name %q", cn)
	}
	if err := certs.Check(ca.Cert, only, begin); err != nil {
		t.Error(err)
	}
}

func TestKeyTypes(t *testing.T) {
	for _, k := range certs.KeyTypes() {
		if testing.Short() && k == certs.RSA4096 {
			continue
		}
		ca, err := certs.NewCA(certs.CARequest{KeyType: k, NotBefore: begin})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := certs.Issue(ca, certs.LeafRequest{Hosts: []string{"localhost"}, KeyType: k, NotBefore: begin})
		if err != nil {
			t.Fatal(err)
		}
		if err := certs.Check(ca.Cert, leaf, begin); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		for _, p := range []certs.Pair{ca, leaf} {
			checkKey(t, k, p.Key)
		}
		enciphers := parse(t, leaf.Cert).KeyUsage&x509.KeyUsageKeyEncipherment != 0
		if enciphers != strings.HasPrefix(string(k), "rsa") {
			t.Errorf("%s: key encipherment is %v", k, enciphers)
		}
	}
}

func checkKey(t *testing.T, k certs.KeyType, data []byte) {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		t.Fatalf("%s: the key is not PKCS#8", k)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	bits := map[certs.KeyType]int{certs.ECDSAP256: 256, certs.RSA2048: 2048, certs.RSA3072: 3072, certs.RSA4096: 4096}[k]
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve.Params().BitSize != bits {
			t.Errorf("%s: %s", k, key.Curve.Params().Name)
		}
	case *rsa.PrivateKey:
		if key.N.BitLen() != bits {
			t.Errorf("%s: %d bits", k, key.N.BitLen())
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	ca := newCA(t)
	leaf := issue(t, ca, "localhost")
	ok := certs.LeafRequest{Hosts: []string{"localhost"}, NotBefore: begin}
	with := func(change func(*certs.LeafRequest)) certs.LeafRequest {
		r := ok
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		ca   certs.Pair
		r    certs.LeafRequest
		want error
	}{
		"no host":        {ca, with(func(r *certs.LeafRequest) { r.Hosts = nil }), certs.ErrNoHosts},
		"bad host":       {ca, with(func(r *certs.LeafRequest) { r.Hosts = []string{"a b"} }), certs.ErrHost},
		"key type":       {ca, with(func(r *certs.LeafRequest) { r.KeyType = "dsa" }), certs.ErrKeyType},
		"no clock":       {ca, with(func(r *certs.LeafRequest) { r.NotBefore = time.Time{} }), certs.ErrNotBefore},
		"826 days":       {ca, with(func(r *certs.LeafRequest) { r.Lifetime = certs.LeafLifetime + time.Second }), certs.ErrLifetime},
		"negative":       {ca, with(func(r *certs.LeafRequest) { r.Lifetime = -time.Hour }), certs.ErrLifetime},
		"not CA":         {leaf, ok, certs.ErrNotCA},
		"foreign CA key": {certs.Pair{Cert: ca.Cert, Key: newCA(t).Key}, ok, certs.ErrKeyMismatch},
		"no CA":          {certs.Pair{}, ok, certs.ErrPEM},
		"CA expired":     {ca, with(func(r *certs.LeafRequest) { r.NotBefore = begin.Add(certs.CALifetime) }), certs.ErrExpired},
	} {
		if _, err := certs.Issue(c.ca, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, r := range map[string]certs.CARequest{
		"long name": {Name: strings.Repeat("x", 65), NotBefore: begin},
		"control":   {Name: "a\nb", NotBefore: begin},
		"no clock":  {Name: "a"},
		"key type":  {KeyType: "rsa:1024", NotBefore: begin},
	} {
		if _, err := certs.NewCA(r); err == nil {
			t.Errorf("%s: an authority was made", name)
		}
	}
}

func TestLeafEndsWithItsAuthority(t *testing.T) {
	ca, err := certs.NewCA(certs.CARequest{NotBefore: begin, Lifetime: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if end := parse(t, issue(t, ca, "localhost").Cert).NotAfter; !end.Equal(parse(t, ca.Cert).NotAfter) {
		t.Errorf("the certificate ends at %s", end)
	}
}

func TestSilentFromManyGoroutines(t *testing.T) {
	var out bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&out)
	ca := newCA(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := certs.Issue(ca, certs.LeafRequest{Hosts: []string{"localhost"}, NotBefore: begin}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if out.Len() > 0 {
		t.Errorf("logged %q", out.String())
	}
	if cfssllog.Level != cfssllog.LevelInfo {
		t.Errorf("cfssl's log level was left at %d", cfssllog.Level)
	}
}

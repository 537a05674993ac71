package lint_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// placeholder stands in the corpus for a certificate or key, which are made
// anew for each run: @cert NAME@, @key NAME@, or in base64 @cert64 NAME@.
var placeholder = regexp.MustCompile(`(?m)^([ ]*)(.*)@(cert|key)(64)? (\w+)@`)

// material puts certificates and keys in; each line is indented as the first.
func material(t testing.TB, data []byte) []byte {
	return placeholder.ReplaceAllFunc(data, func(match []byte) []byte {
		m := placeholder.FindSubmatch(match)
		cert, key := pair(t, string(m[5]))
		text := cert
		if string(m[3]) == "key" {
			text = key
		}
		indent, before := string(m[1]), string(m[2])
		if len(m[4]) > 0 {
			return []byte(indent + before + base64.StdEncoding.EncodeToString([]byte(text)))
		}
		return []byte(indent + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+indent))
	})
}

var pairs sync.Map // name → [2]string

// pair returns a certificate and its key by what the name says of it: "good",
// "other", "nameless", "client", "ended", "ending" (in 20 days), "lasting" (in
// 40).
func pair(t testing.TB, name string) (cert, key string) {
	t.Helper()
	if p, ok := pairs.Load(name); ok {
		return p.([2]string)[0], p.([2]string)[1]
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, DNSNames: []string{"broker"},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	days := func(n int) time.Time { return now.AddDate(0, 0, n) }
	switch name {
	case "nameless":
		c.DNSNames = nil
	case "client":
		c.DNSNames, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case "ended":
		c.NotAfter = days(-1)
	case "ending":
		c.NotAfter = days(20)
	case "lasting":
		c.NotAfter = days(40)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	made := [2]string{armour("CERTIFICATE", der), armoured(t, name, k)}
	actual, _ := pairs.LoadOrStore(name, made)
	p := actual.([2]string)
	return p[0], p[1]
}

// armoured is the key in PEM: "sec1" and "pkcs1" in those older forms, the
// latter a key of its own.
func armoured(t testing.TB, name string, k *ecdsa.PrivateKey) string {
	t.Helper()
	var der []byte
	var err error
	kind := "PRIVATE KEY"
	switch name {
	case "sec1":
		kind = "EC PRIVATE KEY"
		der, err = x509.MarshalECPrivateKey(k)
	case "pkcs1":
		var r *rsa.PrivateKey
		if r, err = rsa.GenerateKey(rand.Reader, 2048); err == nil {
			kind, der = "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r)
		}
	default:
		der, err = x509.MarshalPKCS8PrivateKey(k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return armour(kind, der)
}

func armour(kind string, der []byte) string {
	var b bytes.Buffer
	// Writing to a buffer can't fail.
	_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: der})
	return b.String()
}

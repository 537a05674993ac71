package certs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/certs"
)

func TestCleanHosts(t *testing.T) {
	for in, want := range map[string]string{
		"localhost":                          "localhost",
		"Example.COM.":                       "example.com",
		"my_service":                         "my_service",
		"*.example.com":                      "*.example.com",
		"xn--bcher-kva.example":              "xn--bcher-kva.example",
		"10.0.0.1":                           "10.0.0.1",
		"::1":                                "::1",
		"[::1]":                              "::1",
		"2001:DB8::0001":                     "2001:db8::1",
		"::ffff:10.0.0.1":                    "10.0.0.1",
		strings.Repeat("a", 63) + ".example": strings.Repeat("a", 63) + ".example",

		"": "", ".": "", "a..b": "", "-a.example": "", "a-.example": "", "*": "", "*.com": "", "a.*.example": "",
		"w*.example.com": "", "*.*.example.com": "", "user@example.com": "", "https://example.com": "", "example.com:8883": "",
		"10.0.0.256": "", "10.1": "", "fe80::1%eth0": "", "bücher.example": "", "a b": "", "a\x00b": "", "a,b": "",
		strings.Repeat("a", 64):         "",
		strings.Repeat("abcdefg.", 32):  "",
		"spiffe://example.com/workload": "",
		"Jon Doe <jon.doe@example.com>": "",
	} {
		got, err := certs.CleanHosts([]string{in})
		if want == "" {
			if !errors.Is(err, certs.ErrHost) {
				t.Errorf("%q: %q, %v, want a refusal", in, got, err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	_, err := certs.CleanHosts([]string{"a b", "localhost", "c d"})
	if err == nil || !strings.Contains(err.Error(), "a b") || !strings.Contains(err.Error(), "c d") {
		t.Errorf("not every bad host is named: %v", err)
	}
}

func TestMissingHosts(t *testing.T) {
	leaf := issue(t, newCA(t), "broker.example.com", "*.apps.example.com", "10.0.0.1", "::1")
	got, err := certs.MissingHosts(leaf.Cert, []string{
		"BROKER.example.com", "a.apps.example.com", "*.apps.example.com", "10.0.0.1", "0:0::1",
		"example.com", "a.b.apps.example.com", "*.example.com", "10.0.0.2",
	})
	if want := []string{"example.com", "a.b.apps.example.com", "*.example.com", "10.0.0.2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if _, err := certs.MissingHosts(leaf.Cert, []string{"a b"}); !errors.Is(err, certs.ErrHost) {
		t.Error(err)
	}
	if _, err := certs.MissingHosts(leaf.Key, nil); !errors.Is(err, certs.ErrPEM) {
		t.Error(err)
	}
	hosts, err := certs.Hosts(leaf.Cert)
	if want := []string{"broker.example.com", "*.apps.example.com", "10.0.0.1", "::1"}; err != nil || !slices.Equal(hosts, want) {
		t.Errorf("%q, %v", hosts, err)
	}
}

// FuzzHosts: whatever is accepted goes into a certificate that carries it, and
// cleaning is done once and for all.
func FuzzHosts(f *testing.F) {
	for _, s := range []string{"localhost", "*.example.com", "::1", "10.0.0.1", "a_b", "::ffff:1.2.3.4", "x@y", "//a", "a."} {
		f.Add(s)
	}
	ca := newCA(f)
	f.Fuzz(func(t *testing.T, host string) {
		clean, err := certs.CleanHosts([]string{host})
		if err != nil {
			return
		}
		again, err := certs.CleanHosts(clean)
		if err != nil || !slices.Equal(again, clean) {
			t.Fatalf("%q became %q, then %q: %v", host, clean, again, err)
		}
		leaf := issue(t, ca, host)
		if got, err := certs.Hosts(leaf.Cert); err != nil || !slices.Equal(got, clean) {
			t.Fatalf("%q is carried as %q: %v", host, got, err)
		}
		if missing, err := certs.MissingHosts(leaf.Cert, []string{host}); err != nil || len(missing) > 0 {
			t.Fatalf("%q is missing: %q, %v", host, missing, err)
		}
	})
}

// FuzzCheck: no input makes reading panic, and only the true pair passes.
func FuzzCheck(f *testing.F) {
	ca := newCA(f)
	leaf := issue(f, ca, "localhost")
	f.Add(ca.Cert, leaf.Cert, leaf.Key)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), leaf.Cert, []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte(nil), []byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), []byte("x"))
	f.Fuzz(func(t *testing.T, root, cert, key []byte) {
		if err := certs.Check(root, certs.Pair{Cert: cert, Key: key}, begin); err == nil {
			if _, err := certs.MissingHosts(cert, []string{"localhost"}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := certs.Issue(certs.Pair{Cert: root, Key: key}, certs.LeafRequest{Hosts: []string{"a"}, NotBefore: begin}); err == nil {
			if err := certs.Check(root, certs.Pair{Cert: root, Key: key}, begin); errors.Is(err, certs.ErrPEM) {
				t.Fatal(err)
			}
		}
	})
}

package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// TestTLS has crypto/tls serve and dial with what was made.
func TestTLS(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	for _, k := range []certs.KeyType{certs.ECDSAP256, certs.RSA2048} {
		leaf, err := certs.Issue(ca, certs.LeafRequest{Hosts: []string{"broker.example"}, KeyType: k, NotBefore: begin})
		if err != nil {
			t.Fatal(err)
		}
		if err := shake(t, leaf, ca.Cert, "broker.example"); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		var name x509.HostnameError
		if err := shake(t, leaf, ca.Cert, "other.example"); !errors.As(err, &name) {
			t.Errorf("%s: another name: %v", k, err)
		}
		var unknown x509.UnknownAuthorityError
		if err := shake(t, leaf, other.Cert, "broker.example"); !errors.As(err, &unknown) {
			t.Errorf("%s: another authority: %v", k, err)
		}
	}
}

func shake(t *testing.T, leaf certs.Pair, ca []byte, name string) error {
	t.Helper()
	pair, err := tls.X509KeyPair(leaf.Cert, leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake() // the client says what came of it
			c.Close()
		}
	}()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", l.Addr().String(), &tls.Config{
		RootCAs: pool, ServerName: name, Time: func() time.Time { return begin.Add(time.Minute) },
	})
	if err == nil {
		c.Close()
	}
	return err
}

// TestOpenSSL asks the library that the broker and its clients verify with.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		need.Unmet(t, "openssl is not installed")
	}
	dir := t.TempDir()
	ca := newCA(t)
	leaf := issue(t, ca, "broker.example", "10.0.0.1", strings.Repeat("a", 60)+".example.com")
	for name, data := range map[string][]byte{"ca": ca.Cert, "other": newCA(t).Cert, "crt": leaf.Cert, "key": leaf.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		c := exec.Command(openssl, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		return string(out), err
	}
	verify := []string{"verify", "-x509_strict", "-purpose", "sslserver", "-attime", "1772370000"} // 2026-03-01 13:00 UTC
	for _, c := range []struct {
		args string
		ok   bool
	}{
		{"-CAfile ca -verify_hostname broker.example crt", true},
		{"-CAfile ca -verify_ip 10.0.0.1 crt", true},
		{"-CAfile ca -verify_hostname other.example crt", false},
		{"-CAfile other crt", false},
	} {
		if out, err := run(append(verify, strings.Fields(c.args)...)...); (err == nil) != c.ok {
			t.Errorf("openssl verify %s: %v\n%s", c.args, err, out)
		}
	}
	if out, err := run("pkey", "-in", "key", "-check", "-noout"); err != nil {
		t.Errorf("openssl pkey: %v\n%s", err, out)
	}
	text, err := run("x509", "-in", "ca", "-noout", "-text")
	if err != nil || !strings.Contains(text, "CA:TRUE, pathlen:0") || !strings.Contains(text, "Certificate Sign, CRL Sign") {
		t.Errorf("openssl x509: %v\n%s", err, text)
	}
}

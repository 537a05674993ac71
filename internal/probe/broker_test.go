package probe_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/probe"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// broker is a real mosquitto on loopback, ended with the test.
type broker struct {
	process       *os.Process
	port, tlsPort int
	ca            []byte
}

// brokerOptions differ from the broker that should pass every check.
type brokerOptions struct {
	anonymous bool
	certName  string // default: localhost
	acl       string
}

const user, password = "admin", "correct horse"

func startBroker(t *testing.T, o brokerOptions) *broker {
	t.Helper()
	need.Program(t, "mosquitto_passwd")
	mosquitto, err := exec.LookPath("mosquitto")
	if err != nil {
		mosquitto = "/usr/sbin/mosquitto" // where a user's PATH doesn't lead
	}
	if _, err := os.Stat(mosquitto); err != nil {
		need.Unmet(t, "mosquitto is not installed")
	}
	dir := t.TempDir()
	b := &broker{port: need.Port(t), tlsPort: need.Port(t)}
	b.ca = writeCerts(t, dir, o.certName)
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", filepath.Join(dir, "passwd"), user, password).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	conf := fmt.Sprintf("user root\npassword_file %[1]s/passwd\nallow_anonymous %[2]v\nlistener %[3]d 127.0.0.1\n"+
		"listener %[4]d 127.0.0.1\ncafile %[1]s/ca.crt\ncertfile %[1]s/tls.crt\nkeyfile %[1]s/tls.key\n", dir, o.anonymous, b.port, b.tlsPort)
	if o.acl != "" {
		write(t, filepath.Join(dir, "acl"), []byte(o.acl))
		conf += "acl_file " + dir + "/acl\n"
	}
	write(t, filepath.Join(dir, "mosquitto.conf"), []byte(conf))
	cmd := exec.Command(mosquitto, "-c", filepath.Join(dir, "mosquitto.conf"))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.process = cmd.Process
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the broker's log:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); !listening(b.port) || !listening(b.tlsPort); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the broker doesn't listen:\n%s", log.String())
		}
	}
	return b
}

// options are those under which the default broker passes every check, however
// busy the machine is.
func (b *broker) options() probe.Options {
	return probe.Options{
		Host: "127.0.0.1", Port: b.port, TLSPort: b.tlsPort, CA: b.ca, ServerName: "localhost",
		Username: user, Password: []byte(password), Timeout: 30 * time.Second,
	}
}

func (b *broker) stop(t *testing.T) {
	t.Helper()
	if err := b.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func listening(port int) bool {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// writeCerts makes a CA and a certificate for name, and returns the CA's.
func writeCerts(t *testing.T, dir, name string) []byte {
	t.Helper()
	if name == "" {
		name = "localhost"
	}
	caKey, leafKey := newKey(t), newKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caPEM := sign(t, ca, ca, caKey, caKey)
	write(t, filepath.Join(dir, "ca.crt"), caPEM)
	write(t, filepath.Join(dir, "tls.crt"), sign(t, leaf, ca, leafKey, caKey))
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return caPEM
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, c, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

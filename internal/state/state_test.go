package state

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/passwd"
)

func newDir(t *testing.T) Dir {
	return Dir{Path: filepath.Join(t.TempDir(), DirName)}
}

func secrets(t *testing.T, d Dir, cfg config.Config) files.Secrets {
	t.Helper()
	s, err := d.Secrets(cfg, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsMadeIsKept(t *testing.T) {
	d := newDir(t)
	first := secrets(t, d, config.Default())
	second := secrets(t, d, config.Default())
	for what, pair := range map[string][2][]byte{
		"CA": {first.CA, second.CA}, "certificate": {first.Cert, second.Cert}, "key": {first.Key, second.Key},
		"password file": {first.Passwd, second.Passwd}, "health": {first.Health, second.Health},
	} {
		if len(pair[0]) == 0 || !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %d bytes, made anew: %t", what, len(pair[0]), !bytes.Equal(pair[0], pair[1]))
		}
	}
	err := filepath.WalkDir(d.Path, func(path string, e fs.DirEntry, err error) error {
		info, infoErr := e.Info()
		if err = errors.Join(err, infoErr); err == nil && info.Mode().Perm()&0o077 != 0 && e.Name() != ".gitignore" {
			t.Errorf("%s is %v: others can look in", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if ignore, _ := os.ReadFile(filepath.Join(d.Path, ".gitignore")); string(ignore) != "*\n" {
		t.Errorf(".gitignore holds %q", ignore)
	}
}

func TestPasswordsOpenTheFile(t *testing.T) {
	d := newDir(t)
	s := secrets(t, d, config.Default())
	f, err := passwd.Parse(s.Passwd)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := d.Login("admin")
	if err != nil || len(admin) < 20 || f.Verify("admin", admin) != nil {
		t.Errorf("admin's password, %d bytes, %v: %v", len(admin), err, f.Verify("admin", admin))
	}
	if other, err := d.Login("sensor7"); other != nil || err != nil { // who came first in mosqbuild.yaml meanwhile
		t.Errorf("sensor7 has admin's password: %v", err)
	}
	_, health, _ := strings.Cut(strings.TrimSpace(string(s.Health)), "-P ")
	if err := f.Verify(config.HealthUser, []byte(health)); err != nil || string(admin) == health {
		t.Errorf("health: %v, the same as admin's: %t", err, string(admin) == health)
	}
	for _, client := range []string{"mosquitto_pub", "mosquitto_sub"} {
		options, err := os.ReadFile(filepath.Join(d.Client(), client))
		if want := "-u admin\n-P " + string(admin) + "\n"; err != nil || string(options) != want {
			t.Errorf("%s: %v, and not what it needs", client, err)
		}
	}
}

func TestErrorsNameTheMend(t *testing.T) {
	day := func(n int) func() time.Time { return func() time.Time { return time.Unix(1e9, 0).AddDate(0, 0, n) } }
	for name, c := range map[string]struct {
		change    func(*config.Config)
		now       func() time.Time
		text, fix string
	}{
		"host":    {func(c *config.Config) { c.Deploy.Host = "mqtt.example.com" }, day(1), "lacks mqtt.example.com", "certs init --force --host mqtt.example.com"},
		"expired": {func(*config.Config) {}, day(1000), "expired", "certs init --force"},
		"user":    {func(c *config.Config) { c.Users = append(c.Users, config.User{Name: "sensor"}) }, day(1), `"sensor" has no password`, "passwd set sensor"},
	} {
		d := newDir(t)
		d.Now = day(0)
		secrets(t, d, config.Default())
		cfg := config.Default()
		c.change(&cfg)
		d.Now = c.now
		_, err := d.Secrets(cfg, "")
		if err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(fault.HintOf(err), c.fix) {
			t.Errorf("%s: %v, hint %q; want %q and %q", name, err, fault.HintOf(err), c.text, c.fix)
		}
	}
}

func TestMakeCertsKeepsTheCAClientsTrust(t *testing.T) {
	d := newDir(t)
	r := CertsRequest{Name: "mosquitto", Hosts: []string{"a.example"}, KeyType: "ecdsa-p256"}
	made, err := d.MakeCerts(r)
	if err != nil || len(made) != 4 {
		t.Fatalf("%q, %v", made, err)
	}
	before, _ := d.readCerts()
	if _, err := d.MakeCerts(r); !errors.Is(err, ErrCertsExist) {
		t.Errorf("again: %v", err)
	}
	r.Force, r.Hosts = true, []string{"b.example"}
	if made, err = d.MakeCerts(r); err != nil || len(made) != 2 {
		t.Fatalf("%q, %v", made, err)
	}
	after, _ := d.readCerts()
	if !bytes.Equal(before.ca.Cert, after.ca.Cert) || bytes.Equal(before.leaf.Cert, after.leaf.Cert) {
		t.Error("--force is to replace the server's certificate, not the CA")
	}
	if err := certs.Check(after.ca.Cert, after.leaf, time.Now()); err != nil {
		t.Error(err)
	}
	r.NewCA = true
	if _, err = d.MakeCerts(r); err != nil {
		t.Fatal(err)
	}
	if last, _ := d.readCerts(); bytes.Equal(last.ca.Cert, after.ca.Cert) {
		t.Error("the CA is still the old one")
	}
	if err := os.Remove(filepath.Join(d.Path, "certs", "ca.key")); err != nil {
		t.Fatal(err)
	}
	r.NewCA = false
	if _, err := d.MakeCerts(r); err == nil || !strings.Contains(fault.HintOf(err), "--new-ca") {
		t.Errorf("without the CA's key: %v, hint %q", err, fault.HintOf(err))
	}
}

// A CA of when the clock was ahead can't sign anything that clients would take
// today, and is said to be what is wrong.
func TestCAOfTheFuture(t *testing.T) {
	d := newDir(t)
	r := CertsRequest{Name: "mosquitto", Hosts: []string{"a.example"}, KeyType: "ecdsa-p256"}
	d.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	if _, err := d.MakeCerts(r); err != nil {
		t.Fatal(err)
	}
	before, _ := d.readCerts()
	d.Now, r.Force = time.Now, true
	if _, err := d.MakeCerts(r); !errors.Is(err, certs.ErrNotYetValid) {
		t.Errorf("under the same CA: %v", err)
	}
	if after, _ := d.readCerts(); !bytes.Equal(before.leaf.Cert, after.leaf.Cert) {
		t.Error("a certificate was written")
	}
	r.NewCA = true
	if _, err := d.MakeCerts(r); err != nil {
		t.Errorf("under a new one: %v", err)
	}
}

func TestForeignCertificates(t *testing.T) {
	own := newDir(t)
	secrets(t, own, config.Default())
	cfg := config.Default()
	cfg.TLS = config.TLS{Source: config.SourceFiles, CA: "certs/ca.crt", Cert: "certs/tls.crt", Key: "certs/tls.key", KeyType: "ecdsa-p256"}
	d := newDir(t)
	s, err := d.Secrets(cfg, own.Path)
	if err != nil || len(s.Key) == 0 {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.Path, "certs")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("certificates were made or copied all the same: %v", err)
	}
	cfg.TLS.Key = "certs/ca.key"
	if _, err := d.Secrets(cfg, own.Path); err == nil {
		t.Error("a key that isn't the certificate's was taken")
	}
	cfg.TLS.Key = "nowhere.key"
	if _, err := d.Secrets(cfg, own.Path); !errors.Is(err, fs.ErrNotExist) || fault.HintOf(err) == "" {
		t.Errorf("a missing key: %v", err)
	}
}

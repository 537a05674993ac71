package state

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mosqbuild/mosqbuild/config"
)

func TestCredentialsAreFoundInWhatHoldsThem(t *testing.T) {
	d := newDir(t)
	if list, err := d.Credentials(); err != nil || len(list) > 0 {
		t.Fatalf("of a folder that isn't there: %q, %v", list, err)
	}
	s := secrets(t, d, config.Default())
	list, err := d.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	holds := func(data []byte) bool {
		for _, c := range list {
			if bytes.Contains(data, c) {
				return true
			}
		}
		return false
	}
	caKey, err := os.ReadFile(filepath.Join(d.Path, certsDir, caKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	password, err := d.Login("admin")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"the CA's key": caKey, "the server's key": s.Key, "the password file": s.Passwd, "the probes' login": s.Health, "a password": password} {
		if !holds(data) {
			t.Errorf("%s holds none of the credentials", name)
		}
	}
	for name, data := range map[string][]byte{"the CA": s.CA, "the certificate": s.Cert, "a foreign key": []byte("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n-u administrator\n")} {
		if holds(data) {
			t.Errorf("%s is taken for a credential", name)
		}
	}
}

package repo_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
)

// FuzzParseKey asserts that a key that reads has a public key that reads.
func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Add(repotest.Key().Public())
	f.Add([]byte("no key"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := repo.ParseKey(data)
		if err != nil {
			return
		}
		block, _ := pem.Decode(key.Public())
		if block == nil {
			t.Fatal("public key is no PEM")
		}
		if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			t.Error(err)
		}
	})
}

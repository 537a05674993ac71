// Package repotest makes for tests what repositories of packages need.
package repotest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// Key returns a new key that is small, so as to be made fast. It panics where there
// is no randomness. It may be called from several goroutines.
func Key() *repo.Key {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	key, err := repo.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		panic(err)
	}
	return key
}

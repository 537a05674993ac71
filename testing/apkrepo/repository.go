package apkrepo

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// URLPath is where Handler has the repository, laid out as on Alpine's mirrors.
const URLPath = "/alpine/v3.23/main"

const arch = "x86_64"

// Keys are made once and small: making one takes time.
var (
	trusted = sync.OnceValues(newKey)
	foreign = sync.OnceValues(newKey)
)

func newKey() (*repo.Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return repo.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// packages are those that mosqbuild asks for by default, and what the broker
// depends on, with the broker as of a release.
func packages(release int) []repo.Package {
	broker := fmt.Sprintf("2.0.%d-r0", 20+release)
	one := func(name, version, file string, depends ...string) repo.Package {
		source, _, _ := strings.Cut(name, "-")
		return repo.Package{
			Name: name, Version: version, License: "MIT", Origin: source, Depends: depends,
			Files: []repo.File{{Path: file, Mode: 0o755, Data: bytes.Repeat([]byte(name), 3000)}},
		}
	}
	return []repo.Package{
		one("musl", "1.2.5-r0", "lib/ld-musl-x86_64.so.1"),
		one("mosquitto-libs", broker, "usr/lib/libmosquitto.so.1", "musl"),
		one("mosquitto", broker, "usr/sbin/mosquitto", "mosquitto-libs"),
		one("mosquitto-clients", broker, "usr/bin/mosquitto_sub", "mosquitto-libs"),
		one("ca-certificates-bundle", "20250419-r0", "etc/ssl/certs/ca-certificates.crt"),
	}
}

// Repository is a repository in a folder.
type Repository struct {
	Dir string
	Key string // file of the public key that signs it
}

// New writes the repository to dir, signed by the key that all of a process's
// repositories share.
func New(ctx context.Context, dir string) (Repository, error) { return Release(ctx, dir, 1) }

// Release is New with the broker's packages of version 2.0.20 and release. Its
// index lists no others, as Alpine's does.
func Release(ctx context.Context, dir string, release int) (Repository, error) {
	key, err := trusted()
	if err != nil {
		return Repository{}, err
	}
	return Repository{dir, filepath.Join(dir, key.Name)}, write(ctx, dir, key, packages(release))
}

func write(ctx context.Context, dir string, key *repo.Key, pkgs []repo.Package) error {
	return repo.Write(ctx, dir, arch, pkgs, key, time.Unix(0, 0))
}

// Handler serves the repository under URLPath, and nothing else.
func (r Repository) Handler() http.Handler {
	return http.StripPrefix(URLPath, http.FileServer(http.Dir(r.Dir)))
}

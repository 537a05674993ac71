package apkrepo

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// URLPath is where Handler has the repository, laid out as on Alpine's mirrors.
const URLPath = "/alpine/v3.23/main"

// Arch is apk's name of the architecture that a repository is for unless told.
const Arch = "x86_64"

// Keys are made once and small: making one takes time.
var (
	trusted = sync.OnceValues(NewKey)
	foreign = sync.OnceValues(NewKey)
)

// NewKey makes a key to sign a repository with, of 2048 bits.
func NewKey() (*repo.Key, error) {
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

// packages are those that mosqbuild asks for by default or for a shell, and what
// the broker depends on, with the broker as of a release. Each architecture has
// other programs.
func packages(release int, arch string) []repo.Package {
	broker := fmt.Sprintf("2.0.%d-r0", 20+release)
	if release >= first21 {
		broker = fmt.Sprintf("2.1.%d-r0", release-first21)
	}
	one := func(name, version, file string, depends ...string) repo.Package {
		source, _, _ := strings.Cut(name, "-")
		data := bytes.Repeat([]byte(name), 3000)
		if arch != Arch {
			data = append(data, arch...)
		}
		return repo.Package{
			Name: name, Version: version, License: "MIT", Origin: source, Depends: depends,
			Files: []repo.File{{Path: file, Mode: 0o755, Data: data}},
		}
	}
	busybox := one("busybox", "1.37.0-r0", "bin/busybox", "musl")
	busybox.Files = append(busybox.Files, repo.File{Path: "etc/busybox-paths.d/busybox", Mode: 0o644, Data: []byte("bin/cat\nbin/ls\nusr/bin/less\n")})
	shell := one("busybox-binsh", "1.37.0-r0", "bin/sh", "busybox")
	shell.Files = []repo.File{{Path: "bin/sh", Mode: fs.ModeSymlink | 0o777, Link: "/bin/busybox"}}
	return []repo.Package{
		busybox, shell,
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

// first21 is the release that is Mosquitto 2.1.0.
const first21 = 100

// Release is New with the broker's packages of version 2.0.20 and release, and from
// 100 on of 2.1, for the architectures, by apk's names, or Arch. Its indexes list no others, as
// Alpine's do.
func Release(ctx context.Context, dir string, release int, archs ...string) (Repository, error) {
	key, err := trusted()
	if err != nil {
		return Repository{}, err
	}
	if len(archs) == 0 {
		archs = []string{Arch}
	}
	for _, arch := range archs {
		if err := repo.Write(ctx, dir, arch, packages(release, arch), key, time.Unix(0, 0)); err != nil {
			return Repository{}, err
		}
	}
	return Repository{dir, filepath.Join(dir, key.Name)}, nil
}

func write(ctx context.Context, dir string, key *repo.Key, pkgs []repo.Package) error {
	return repo.Write(ctx, dir, Arch, pkgs, key, time.Unix(0, 0))
}

// Handler serves the repository under URLPath, and nothing else.
func (r Repository) Handler() http.Handler {
	return http.StripPrefix(URLPath, http.FileServer(http.Dir(r.Dir)))
}

package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
)

const testPassword = "correct horse battery staple"

// signingKey is made once: small, since nothing here depends on its strength.
var signingKey = sync.OnceValue(repotest.Key)

// tlsKey stands for the broker's key in the defaults layer.
var tlsKey = sync.OnceValue(func() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
})

// program is content that compresses about as well as a program does.
func program(seed uint64, n int) []byte {
	r := mathrand.New(mathrand.NewPCG(seed, 1))
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = make([]byte, 3+r.IntN(9))
		for j := range words[i] {
			words[i][j] = byte(r.Uint32())
		}
	}
	var b bytes.Buffer
	for b.Len() < n {
		b.Write(words[r.IntN(len(words))])
	}
	return b.Bytes()[:n]
}

func testPackages(big int) []repo.Package {
	return []repo.Package{
		{Name: "musl", Version: "1.2.5-r0", License: "MIT", Files: []repo.File{
			{Path: "lib", Mode: os.ModeDir | 0o755},
			{Path: "lib/ld-musl-x86_64.so.1", Mode: 0o755, Data: program(1, big/2)},
			{Path: "lib/libc.musl-x86_64.so.1", Mode: os.ModeSymlink | 0o777, Link: "ld-musl-x86_64.so.1"},
		}},
		{Name: "mosquitto", Version: "2.0.21-r3", License: "EPL-2.0 OR BSD-3-Clause", Depends: []string{"musl"}, Files: []repo.File{
			{Path: "usr", Mode: os.ModeDir | 0o755},
			{Path: "usr/sbin", Mode: os.ModeDir | 0o755},
			{Path: "usr/sbin/mosquitto", Mode: 0o755, Data: program(2, big)},
			{Path: "etc", Mode: os.ModeDir | 0o755},
			{Path: "etc/os-release", Mode: 0o644, Data: []byte("ID=mosqbuild\n")},
			{Path: "etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/bin/ash\nftp:x:21:21::/var/lib/ftp:/sbin/nologin\n")},
		}},
	}
}

// testRepository writes a repository of packages and returns how to read it.
func testRepository(t testing.TB, pkgs []repo.Package) packages.Options {
	t.Helper()
	dir, key := t.TempDir(), signingKey()
	if err := repo.Write(t.Context(), dir, "x86_64", pkgs, key, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	return packages.Options{Repositories: []string{dir}, Keys: map[string][]byte{key.Name: key.Public()}, Arch: "amd64"}
}

func testBundle() files.Bundle {
	conf := "listener 1883\nlistener 8883\nlistener 1884 127.0.0.1\nlistener 0 /run/m.sock\nallow_anonymous false\n"
	return files.Bundle{
		Rendered: []files.File{
			{Path: "/mosquitto/config/acl", Mode: 0o644, Data: []byte("user admin\ntopic readwrite #\n")},
			{Path: "/mosquitto/config/mosquitto.conf", Mode: 0o644, Data: []byte(conf)},
		},
		Defaults: []files.File{
			{Path: "/mosquitto/auth/mosquitto_sub", Mode: 0o640, Data: []byte("-u health\n-P " + testPassword + "\n")},
			{Path: "/mosquitto/certs/ca.crt", Mode: 0o644, Data: []byte("-----BEGIN CERTIFICATE-----\n")},
			{Path: "/mosquitto/certs/tls.key", Mode: 0o640, Data: tlsKey()},
		},
	}
}

// testSpec is an image of a small repository; loads counts calls of Spec.Tree.
func testSpec(t testing.TB, o packages.Options) (s image.Spec, loads *int) {
	t.Helper()
	lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, o)
	if err != nil {
		t.Fatal(err)
	}
	loads = new(int)
	return image.Spec{
		Lock: lock,
		Tree: func(ctx context.Context) (*packages.Tree, error) {
			*loads++
			return packages.Load(ctx, lock, o)
		},
		Bundle: testBundle(),
		Name:   "mosquitto",
	}, loads
}

// testImage is an image with three layers.
func testImage(t testing.TB) image.Image {
	t.Helper()
	s, _ := testSpec(t, testRepository(t, testPackages(64<<10)))
	return build(t, s)
}

func build(t testing.TB, s image.Spec) image.Image {
	t.Helper()
	img, err := image.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digest(t testing.TB, img image.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// tarFile is an entry of a layer.
type tarFile struct {
	tar.Header
	data []byte
}

// layerFiles returns the entries of one layer in order.
func layerFiles(t testing.TB, img image.Image, n int) []tarFile {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[n].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []tarFile
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, tarFile{*h, data})
	}
}

func find(list []tarFile, name string) (tarFile, bool) {
	for _, f := range list {
		if f.Name == name {
			return f, true
		}
	}
	return tarFile{}, false
}

// noLeftovers fails where dir holds anything but the names given.
func noLeftovers(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("left behind: %s", filepath.Join(dir, e.Name()))
		}
	}
}

// cancelling returns img with a first layer whose reading ends the context.
func cancelling(t *testing.T, img image.Image) (image.Image, context.Context) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return &cancellingImage{img, cancel}, ctx
}

type cancellingImage struct {
	image.Image
	cancel func()
}

func (i *cancellingImage) Layers() ([]v1.Layer, error) {
	layers, err := i.Image.Layers()
	if err == nil {
		layers[0] = cancellingLayer{layers[0], i.cancel}
	}
	return layers, err
}

type cancellingLayer struct {
	v1.Layer
	cancel func()
}

func (l cancellingLayer) Compressed() (io.ReadCloser, error) {
	r, err := l.Layer.Compressed()
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, 1000), cancelReader(l.cancel), r), r}, err
}

type cancelReader func()

func (c cancelReader) Read([]byte) (int, error) {
	c()
	return 0, io.EOF
}

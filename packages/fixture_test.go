package packages_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
)

var epoch = time.Unix(1760000000, 0)

// Keys are made once and small: making one takes time.
var (
	testKey    = sync.OnceValue(repotest.Key)
	foreignKey = sync.OnceValue(repotest.Key)
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fixture is a small set shaped like the real one.
func fixture() []repo.Package {
	return []repo.Package{{
		Name: "base", Version: "1-r0", Description: "folders and files of the system", License: "MIT",
		Files: []repo.File{
			{Path: "etc/os-release", Mode: 0o644, Data: []byte("ID=mosqbuild\n")},
			{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
			{Path: "var/run", Mode: fs.ModeSymlink, Link: "/run"},
			{Path: "run", Mode: fs.ModeDir | 0o755},
		},
	}, {
		Name: "musl", Version: "1.2.5-r0", License: "MIT", Provides: []string{"so:libc.musl-x86_64.so.1=1"},
		Files: []repo.File{
			{Path: "lib/ld-musl-x86_64.so.1", Mode: 0o755, Data: bytes.Repeat([]byte("musl"), 4000)},
			{Path: "lib/libc.musl-x86_64.so.1", Mode: fs.ModeSymlink, Link: "ld-musl-x86_64.so.1"},
		},
	}, {
		Name: "mosquitto-libs", Version: "2.0.21-r0", License: "EPL-2.0", Origin: "mosquitto",
		Depends: []string{"so:libc.musl-x86_64.so.1"}, Provides: []string{"so:libmosquitto.so.1=1"},
		Files: []repo.File{{Path: "usr/lib/libmosquitto.so.1", Mode: 0o755, Data: []byte("library")}},
	}, {
		Name: "mosquitto", Version: "2.0.21-r0", License: "EPL-2.0", Description: "the broker", Origin: "mosquitto",
		URL: "https://mosquitto.org", Maintainer: "A Person <a@example.org>",
		Depends: []string{"base", "so:libmosquitto.so.1", "so:libc.musl-x86_64.so.1"}, Provides: []string{"cmd:mosquitto=2.0.21-r0"},
		Files: []repo.File{
			{Path: "usr/sbin/mosquitto", Mode: 0o755, Data: bytes.Repeat([]byte("broker"), 3000)},
			{Path: "etc/mosquitto/mosquitto.conf", Mode: 0o640, Data: []byte("# none\n")},
			{Path: "var/lib/mosquitto", Mode: fs.ModeDir | 0o700},
		},
	}}
}

// closure is the names of fixture in the order in which they are installed.
var closure = []string{"base", "musl", "mosquitto-libs", "mosquitto"}

// repository is a repository that a test can change.
type repository struct {
	dir     string
	options packages.Options
}

func (r repository) path(name string) string { return filepath.Join(r.dir, "x86_64", name) }

// overFolder and overHTTP give the same repository in two ways; a server's URLs
// are laid out as Alpine's, and nothing but it can be reached.
func overFolder(t testing.TB, pkgs []repo.Package) repository {
	t.Helper()
	dir := t.TempDir()
	must(t, repo.Write(t.Context(), dir, "x86_64", pkgs, testKey(), epoch))
	return repository{dir, packages.Options{
		Repositories: []string{dir}, Cache: t.TempDir(), Transport: onlyHost(""),
		Keys: map[string][]byte{testKey().Name: testKey().Public()},
	}}
}

func overHTTP(t testing.TB, pkgs []repo.Package) repository {
	t.Helper()
	r := overFolder(t, pkgs)
	server := httptest.NewServer(http.StripPrefix("/alpine/v3.23/main", http.FileServer(http.Dir(r.dir))))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	must(t, err)
	r.options.Repositories, r.options.Transport = []string{server.URL + "/alpine/v3.23/main"}, onlyHost(u.Host)
	return r
}

var ways = map[string]func(testing.TB, []repo.Package) repository{"folder": overFolder, "http": overHTTP}

// onlyHost is a network with one machine in it.
type onlyHost string

func (h onlyHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != string(h) {
		return nil, fmt.Errorf("asked %s, which is none of the repositories", r.URL)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// build resolves and loads.
func build(t testing.TB, o packages.Options, names ...string) (*packages.Lock, *packages.Tree, error) {
	t.Helper()
	lock, err := packages.Resolve(t.Context(), names, o)
	if err != nil {
		return nil, nil, err
	}
	tree, err := packages.Load(t.Context(), lock, o)
	return lock, tree, err
}

// members cuts a file at its gzip members.
func members(t testing.TB, file []byte) [][]byte {
	t.Helper()
	var out [][]byte
	for len(file) > 0 {
		r := bytes.NewReader(file)
		zr, err := gzip.NewReader(r)
		must(t, err)
		zr.Multistream(false)
		_, err = io.Copy(io.Discard, zr)
		must(t, err)
		out = append(out, file[:len(file)-r.Len()])
		file = file[len(file)-r.Len():]
	}
	return out
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

func overwrite(t testing.TB, path string, parts ...[]byte) {
	t.Helper()
	must(t, os.WriteFile(path, slices.Concat(parts...), 0o644))
}

// content returns headers and contents of a tree by path.
func content(t testing.TB, tree *packages.Tree) (map[string]tar.Header, map[string]string) {
	t.Helper()
	headers, data := map[string]tar.Header{}, map[string]string{}
	for _, e := range tree.Entries() {
		headers[e.Header.Name] = e.Header
		if e.Open == nil {
			continue
		}
		r, err := e.Open()
		must(t, err)
		b, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		data[e.Header.Name] = string(b)
	}
	return headers, data
}

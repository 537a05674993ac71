package repo_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
)

var epoch = time.Unix(1760000000, 0)

func samples() []repo.Package {
	return []repo.Package{{
		Name: "hello", Version: "1.2.3-r4", Description: "greets; twice # really", License: "MIT",
		Origin: "greetings", URL: "https://example.org/hello", Maintainer: "A Person <a@example.org>",
		Depends: []string{"hello-libs=1.2.3-r4"}, Provides: []string{"cmd:hello=1.2.3-r4"}, ProviderPriority: 10,
		Files: []repo.File{
			{Path: "usr/bin/hello", Mode: 0o755, Data: []byte("hello\n")},
			{Path: "usr/bin-more", Mode: 0o600, Data: []byte("x")},
			{Path: "var/lib/hello", Mode: fs.ModeDir | fs.ModeSticky | 0o770},
			{Path: "usr/bin/hi", Mode: fs.ModeSymlink, Link: "hello"},
			{Path: "usr/share/" + strings.Repeat("long/", 30) + "name", Mode: 0o644, Data: []byte("deep")},
		},
	}, {
		Name: "hello-libs", Version: "1.2.3-r4",
		Files: []repo.File{{Path: "usr/lib/libhello.so.1", Mode: fs.ModeSetuid | 0o755, Data: bytes.Repeat([]byte("lib"), 5000)}},
	}}
}

func write(t testing.TB, dir string, pkgs []repo.Package, key *repo.Key) {
	t.Helper()
	if err := repo.Write(t.Context(), dir, "x86_64", pkgs, key, epoch); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWriteIsDeterministic(t *testing.T) {
	key, a, b := repotest.Key(), t.TempDir(), t.TempDir()
	write(t, a, samples(), key)
	pkgs := samples()
	slices.Reverse(pkgs)
	slices.Reverse(pkgs[1].Files)
	write(t, b, pkgs, key)
	first, second := files(t, a), files(t, b)
	if len(first) != 4 {
		t.Errorf("repository has %d files, want two packages, an index and a key", len(first))
	}
	for name, data := range first {
		if second[name] != data {
			t.Errorf("%s differs between two writes", name)
		}
	}
}

// TestWriteReadsBack reads with apko, whose index parser and signature check
// are not ours.
func TestWriteReadsBack(t *testing.T) {
	key, dir := repotest.Key(), t.TempDir()
	write(t, dir, samples(), key)
	indexes, err := apk.GetRepositoryIndexes(t.Context(), []string{dir}, map[string][]byte{key.Name: key.Public()}, "x86_64")
	if err != nil || len(indexes) != 1 {
		t.Fatalf("reading indexes: %d, %v", len(indexes), err)
	}
	got := indexes[0].Packages()
	if len(got) != 2 {
		t.Fatalf("index lists %d packages, want 2", len(got))
	}
	for i, want := range samples() {
		data, err := os.ReadFile(filepath.Join(dir, "x86_64", want.FileName()))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := apk.ParsePackage(t.Context(), bytes.NewReader(data), uint64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		p := got[i]
		if p.Name != want.Name || p.ChecksumString() != parsed.ChecksumString() || p.Size != uint64(len(data)) ||
			p.InstalledSize != parsed.InstalledSize || p.ProviderPriority != parsed.ProviderPriority ||
			p.Origin != parsed.Origin || !slices.Equal(p.Dependencies, parsed.Dependencies) ||
			!slices.Equal(p.Provides, parsed.Provides) || p.Description != want.Description {
			t.Errorf("index says %+v, the package %+v", p.Package, parsed)
		}
	}
}

func TestWriteLaysOutEntries(t *testing.T) {
	key, dir := repotest.Key(), t.TempDir()
	write(t, dir, samples()[:1], key)
	f, err := os.Open(filepath.Join(dir, "x86_64", "hello-1.2.3-r4.apk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f) // all members are one tar
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	var order []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || (h.ModTime.Unix() != epoch.Unix() && !strings.HasPrefix(h.Name, ".SIGN")) {
			t.Errorf("%s: owner %d:%d, date %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		modes[h.Name] = h.Mode
		order = append(order, h.Name)
	}
	want := []string{".SIGN.RSA." + key.Name, ".PKGINFO", "usr/", "usr/bin/", "usr/bin/hello", "usr/bin/hi", "usr/bin-more"}
	if !slices.Equal(order[:len(want)], want) {
		t.Errorf("entries are %q, want them to begin with %q", order, want)
	}
	for name, mode := range map[string]int64{"usr/": 0o755, "usr/bin/hello": 0o755, "usr/bin-more": 0o600, "var/lib/hello/": 0o1770, "var/lib/": 0o755} {
		if modes[name] != mode {
			t.Errorf("%s has mode %o, want %o", name, modes[name], mode)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	key := repotest.Key()
	tests := map[string][]repo.Package{
		"name":          {{Name: "../x", Version: "1"}},
		"version":       {{Name: "x", Version: "one"}},
		"line break":    {{Name: "x", Version: "1", Description: "a\nP:y"}},
		"blank":         {{Name: "x", Version: "1", Depends: []string{"a b"}}},
		"priority":      {{Name: "x", Version: "1", ProviderPriority: -1}},
		"twice":         {{Name: "x", Version: "1"}, {Name: "x", Version: "1"}},
		"absolute":      {{Name: "x", Version: "1", Files: []repo.File{{Path: "/etc/x"}}}},
		"dot dot":       {{Name: "x", Version: "1", Files: []repo.File{{Path: "../x"}}}},
		"hidden":        {{Name: "x", Version: "1", Files: []repo.File{{Path: ".PKGINFO"}}}},
		"device":        {{Name: "x", Version: "1", Files: []repo.File{{Path: "dev/x", Mode: fs.ModeDevice}}}},
		"no target":     {{Name: "x", Version: "1", Files: []repo.File{{Path: "x", Mode: fs.ModeSymlink}}}},
		"file twice":    {{Name: "x", Version: "1", Files: []repo.File{{Path: "x"}, {Path: "x"}}}},
		"under a file":  {{Name: "x", Version: "1", Files: []repo.File{{Path: "x"}, {Path: "x/y"}}}},
		"under a link":  {{Name: "x", Version: "1", Files: []repo.File{{Path: "x", Mode: fs.ModeSymlink, Link: "y"}, {Path: "x/y"}}}},
		"two the third": {{Name: "x", Version: "1"}, {Name: "y", Version: "1"}, {Name: "", Version: "1"}},
	}
	for name, pkgs := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := repo.Write(t.Context(), dir, "x86_64", pkgs, key, epoch); err == nil {
				t.Error("no error")
			}
			if _, err := os.Stat(filepath.Join(dir, "x86_64", "APKINDEX.tar.gz")); err == nil {
				t.Error("an index was written")
			}
		})
	}
}

func TestWriteStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if err := repo.Write(ctx, dir, "x86_64", samples(), repotest.Key(), epoch); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("files were left: %d", len(got))
	}
}

func TestLoadOrCreateKey(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a key of 4096 bits, which takes seconds; -short")
	}
	path := filepath.Join(t.TempDir(), "config", "packages.key")
	var wg sync.WaitGroup
	keys := make([]*repo.Key, 2)
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = repo.LoadOrCreateKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	again, err := repo.LoadOrCreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if keys[0].Name != again.Name || keys[1].Name != again.Name || !bytes.Equal(keys[0].Public(), again.Public()) {
		t.Errorf("keys differ: %q, %q, %q", keys[0].Name, keys[1].Name, again.Name)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("key's mode is %v (%v), want 0600", st.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.LoadOrCreateKey(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error of a broken key is %v, want one that names the file", err)
	}
}

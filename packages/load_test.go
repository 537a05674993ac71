package packages_test

import (
	"archive/tar"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

func TestTreeIsWhatThePackagesHold(t *testing.T) {
	for way, over := range ways {
		t.Run(way, func(t *testing.T) {
			r := over(t, fixture())
			lock, tree, err := build(t, r.options, "mosquitto")
			must(t, err)
			var names []string
			for _, p := range lock.Packages {
				names = append(names, p.Name)
			}
			if !slices.Equal(names, closure) {
				t.Errorf("packages are %q, want %q", names, closure)
			}
			headers, data := content(t, tree)
			for name, want := range map[string]tar.Header{
				"tmp/":                         {Typeflag: tar.TypeDir, Mode: 0o1777},
				"usr/":                         {Typeflag: tar.TypeDir, Mode: 0o755},
				"var/lib/mosquitto/":           {Typeflag: tar.TypeDir, Mode: 0o700},
				"var/run":                      {Typeflag: tar.TypeSymlink, Linkname: "/run", Mode: 0o777},
				"usr/sbin/mosquitto":           {Typeflag: tar.TypeReg, Size: 18000, Mode: 0o755},
				"etc/mosquitto/mosquitto.conf": {Typeflag: tar.TypeReg, Size: 7, Mode: 0o640},
			} {
				want.Name, want.ModTime = name, headers[name].ModTime
				if got := headers[name]; !reflect.DeepEqual(got, want) || !got.ModTime.Equal(epoch) {
					t.Errorf("header is %+v, want %+v", got, want)
				}
			}
			if data["usr/lib/libmosquitto.so.1"] != "library" {
				t.Errorf("content is %q", data["usr/lib/libmosquitto.so.1"])
			}
			if data["etc/apk/world"] != "mosquitto\n" || data["etc/apk/arch"] != "x86_64\n" {
				t.Errorf("world is %q, arch %q", data["etc/apk/world"], data["etc/apk/arch"])
			}
			want := ""
			if way == "http" {
				want = r.options.Repositories[0] + "\n"
			}
			if got := data["etc/apk/repositories"]; got != want {
				t.Errorf("repositories are %q, want %q", got, want)
			}
			for name, text := range data {
				if strings.Contains(text, r.dir) || strings.Contains(text, testKey().Name) {
					t.Errorf("%s names the folder or the key of the repository", name)
				}
			}
		})
	}
}

func TestEntriesComeAfterTheirFolders(t *testing.T) {
	_, tree, err := build(t, overFolder(t, fixture()).options, "mosquitto")
	must(t, err)
	seen := map[string]bool{"./": true}
	for _, e := range tree.Entries() {
		if dir := filepath.Dir(strings.TrimSuffix(e.Header.Name, "/")) + "/"; !seen[dir] {
			t.Errorf("%s comes before its folder", e.Header.Name)
		}
		seen[e.Header.Name] = true
	}
}

func TestSameInputSameTree(t *testing.T) {
	first := overFolder(t, fixture())
	elsewhere := overFolder(t, fixture())
	lockA, treeA, err := build(t, first.options, "mosquitto", "base")
	must(t, err)
	lockB, treeB, err := build(t, elsewhere.options, "base", "mosquitto", "base")
	must(t, err)
	if lockA.Digest() != lockB.Digest() {
		t.Error("digests of two locks differ, by the folder alone")
	}
	if a, b := flat(t, treeA), flat(t, treeB); !slices.Equal(a, b) {
		t.Error("trees differ, by the folder alone")
	}
	_, again, err := build(t, first.options, "mosquitto", "base")
	must(t, err)
	if !slices.Equal(flat(t, treeA), flat(t, again)) {
		t.Error("trees of two loads differ")
	}
}

func flat(t *testing.T, tree *packages.Tree) []string {
	_, data := content(t, tree)
	var out []string
	for _, e := range tree.Entries() {
		h := e.Header
		out = append(out, strings.Join([]string{h.Name, h.Linkname, h.FileInfo().Mode().String(), h.ModTime.UTC().String(), data[h.Name]}, "|"))
	}
	return out
}

func TestDigestTellsLocksApart(t *testing.T) {
	base := packages.Lock{
		Arch: "amd64", World: []string{"a"},
		Repositories: []packages.Index{{Repository: "https://user:secret@example.org/main", SHA256: "1"}},
		Packages:     []packages.Package{{Name: "a", Version: "1", Checksum: "Q1x", Arch: "x86_64"}, {Name: "b"}},
	}
	same := base
	same.Repositories = []packages.Index{{Repository: "https://example.org/main", SHA256: "2"}, {Repository: "/srv/repository"}}
	if base.Digest() != same.Digest() {
		t.Error("a login, a folder or the rest of an index changes the digest")
	}
	for name, change := range map[string]func(*packages.Lock){
		"arch":       func(l *packages.Lock) { l.Arch = "arm64" },
		"world":      func(l *packages.Lock) { l.World = []string{"a", "b"} },
		"repository": func(l *packages.Lock) { l.Repositories = nil },
		"version":    func(l *packages.Lock) { l.Packages[0].Version = "2" },
		"checksum":   func(l *packages.Lock) { l.Packages[0].Checksum = "Q1y" },
		"order":      func(l *packages.Lock) { slices.Reverse(l.Packages) },
		"fewer":      func(l *packages.Lock) { l.Packages = l.Packages[:1] },
	} {
		other := base
		other.Packages = slices.Clone(base.Packages)
		change(&other)
		if other.Digest() == base.Digest() {
			t.Errorf("%s does not change the digest", name)
		}
	}
}

// TestChangedRepositoryIsSeen builds twice in one process from the same URL.
func TestChangedRepositoryIsSeen(t *testing.T) {
	for way, over := range ways {
		t.Run(way, func(t *testing.T) {
			r := over(t, fixture())
			before, _, err := build(t, r.options, "mosquitto")
			must(t, err)
			index := r.path("APKINDEX.tar.gz")
			st, err := os.Stat(index)
			must(t, err)
			changed := fixture()
			changed[3].Files[0].Data = []byte("another broker, same version")
			must(t, repo.Write(t.Context(), r.dir, "x86_64", changed, testKey(), epoch))
			must(t, os.Chtimes(index, st.ModTime(), st.ModTime()))
			after, tree, err := build(t, r.options, "mosquitto")
			must(t, err)
			if _, data := content(t, tree); data["usr/sbin/mosquitto"] != "another broker, same version" {
				t.Error("the old broker was loaded")
			}
			if before.Digest() == after.Digest() {
				t.Error("digest is the old one")
			}
			r.options.Keys = nil
			if _, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options); fault.CodeOf(err) != fault.Refused {
				t.Errorf("without the key, the index that was verified before: %v", err)
			}
		})
	}
}

func TestCacheIsVerifiedAndKeyedByChecksum(t *testing.T) {
	r := overHTTP(t, fixture())
	lock, _, err := build(t, r.options, "mosquitto")
	must(t, err)
	for _, name := range closure {
		p, _ := lock.Find(name)
		must(t, os.Remove(r.path(p.Name+"-"+p.Version+".apk")))
	}
	if _, err := packages.Load(t.Context(), lock, r.options); err != nil {
		t.Errorf("loading from the cache alone: %v", err)
	}
	kept, err := filepath.Glob(filepath.Join(r.options.Cache, "*", "*"))
	must(t, err)
	if len(kept) != len(closure) {
		t.Fatalf("cache has %d files, want %d", len(kept), len(closure))
	}
	for _, path := range kept {
		overwrite(t, path, []byte("rotten"))
	}
	if _, err := packages.Load(t.Context(), lock, r.options); fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("with a rotten cache and packages gone: %v, want Unreachable", err)
	}
	must(t, repo.Write(t.Context(), r.dir, "x86_64", fixture(), testKey(), epoch))
	if _, err := packages.Load(t.Context(), lock, r.options); err != nil {
		t.Errorf("with a rotten cache: %v", err)
	}
}

// What a kill left in the cache goes, once nobody can be writing it any more.
func TestCacheIsSwept(t *testing.T) {
	r := overHTTP(t, fixture())
	dir := filepath.Join(r.options.Cache, "apk")
	left, fresh := filepath.Join(dir, ".a.apk.1"), filepath.Join(dir, ".b.apk.2")
	must(t, os.Mkdir(dir, 0o755))
	overwrite(t, left)
	overwrite(t, fresh)
	must(t, os.Chtimes(left, time.Time{}, time.Now().Add(-48*time.Hour)))
	_, _, err := build(t, r.options, "mosquitto")
	must(t, err)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	read(t, fresh)
}

func TestCancelledLoadSaysSo(t *testing.T) {
	r := overHTTP(t, fixture())
	lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := packages.Load(ctx, lock, r.options); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	if _, err := packages.Resolve(ctx, []string{"mosquitto"}, r.options); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

package packages_test

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/testing/heap"
)

// noise is what doesn't compress.
func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = mathrand.NewChaCha8([32]byte{1}).Read(data) // it never fails
	return data
}

// large is fixture with a package of several megabytes.
func large(files ...[]byte) []repo.Package {
	pkgs := fixture()
	pkgs[3].Depends = append(pkgs[3].Depends, "large")
	p := repo.Package{Name: "large", Version: "1-r0", License: "MIT"}
	for i, data := range files {
		p.Files = append(p.Files, repo.File{Path: "usr/share/large/" + string(rune('a'+i)), Mode: 0o644, Data: data})
	}
	return append(pkgs, p)
}

// TestLargePackage is streamed, beside others that aren't, by several readers at
// once, and leaves no file but in the cache.
func TestLargePackage(t *testing.T) {
	files := [][]byte{noise(3 << 20), []byte("small"), nil, bytes.Repeat([]byte("again "), 1<<18)}
	for way, over := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := over(t, large(files...))
			for _, when := range []string{"first", "from the cache"} {
				_, tree, err := build(t, r.options, "mosquitto")
				must(t, err)
				var readers sync.WaitGroup
				for range 4 {
					readers.Go(func() {
						_, data := content(t, tree)
						for i, want := range files {
							if got := data["usr/share/large/"+string(rune('a'+i))]; got != string(want) {
								t.Errorf("%s: file %d has %d bytes, want %d", when, i, len(got), len(want))
							}
						}
						if !strings.HasPrefix(data["usr/sbin/mosquitto"], "brokerbroker") {
							t.Error("the small package isn't as it was")
						}
					})
				}
				readers.Wait()
			}
			onlyKept(t, r.options.Cache)
			r.options.Cache = ""
			_, _, err := build(t, r.options, "mosquitto")
			must(t, err)
		})
	}
}

// TestLargePackageIsRefused as a small one is, when it is half unpacked: nothing
// of it is left, not even an open file.
func TestLargePackageIsRefused(t *testing.T) {
	withNoise := func(entries ...tar.Header) func([]byte) []byte {
		raw := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "f", Mode: 0o644, Size: 2 << 20})
		copy(raw[512:], noise(2<<20))
		return instead(packed(slices.Concat(raw[:512+2<<20], archive(t, entries...))))
	}
	then := func(f, g func([]byte) []byte) func([]byte) []byte {
		return func(b []byte) []byte { return g(f(b)) }
	}
	plain := withNoise()
	tests := map[string]evil{
		"wrong data hash":         {data: plain, info: "datahash = " + strings.Repeat("0", 64) + "\n", says: "hash of the data section"},
		"another name":            {data: plain, info: "pkgname = busybox\n", says: "name is busybox"},
		"flipped byte":            {data: plain, file: flip(-1 << 20), says: "hash of the data section"},
		"cut":                     {data: plain, file: cutBy(1 << 20), says: "hash of the data section"},
		"zeros at the end":        {data: plain, file: func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) }, says: "hash of the data section"},
		"signed and cut":          {data: then(plain, cutBy(1<<20)), says: "unpacking its data section: unexpected EOF"},
		"signed and of a bad sum": {data: then(plain, flip(-5)), says: "unpacking its data section: gzip: invalid checksum"},
		"bomb":                    {data: then(plain, func(b []byte) []byte { return append(b, packed(make([]byte, 32<<20))...) }), says: "unpacks to more than 16781216 bytes"},
		"bad entry at the end":    {data: withNoise(regular("../passwd")), says: "reading its data section"},
		"ends inside a file":      {data: instead(packed(archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 2 << 20})[:1<<20])), says: "reading its data section"},
	}
	for way, over := range ways {
		for name, e := range tests {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				r, lock := e.refused(t, over)
				onlyKept(t, r.options.Cache)
				noneOpen(t, r.options.Cache)
				lock.Packages[0].Size++
				_, err := packages.Load(t.Context(), lock, r.options)
				wantFault(t, err, fault.Refused, "size is ", "the signed index says")
				noneOpen(t, r.options.Cache)
			})
		}
	}
}

// TestNoRoomIsNobodysFault: a disk that takes nothing is no tampering, and no
// reason to ask another mirror.
func TestNoRoomIsNobodysFault(t *testing.T) {
	for way, over := range ways {
		r := over(t, large(noise(1<<20)))
		lock, err := packages.Resolve(t.Context(), []string{"large"}, r.options)
		must(t, err)
		r.options.Cache = filepath.Join(r.path(broker), "cache") // below a file
		_, err = packages.Load(t.Context(), lock, r.options)
		wantFault(t, err, fault.Failed, `package "large"`, r.path(broker))
		if hint := fault.HintOf(err); !strings.Contains(hint, "make room") {
			t.Errorf("%s: hint is %q", way, hint)
		}
	}
}

// onlyKept fails where the cache holds a file that isn't a package or an index.
func onlyKept(t *testing.T, cache string) {
	t.Helper()
	must(t, filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !kept.MatchString(d.Name()) && !strings.HasPrefix(d.Name(), "index-") {
			t.Errorf("%s was left", path)
		}
		return err
	}))
}

// noneOpen fails where this process has a file below dir open that has no name.
func noneOpen(t *testing.T, dir string) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("can't see what is open: %v", err)
	}
	for _, f := range open {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, dir) && strings.HasSuffix(to, "(deleted)") {
			t.Errorf("%s is open", to)
		}
	}
}

// TestMemoryIsFlatInPackageSize: a package of 64 MiB takes hardly more memory
// than one of 1 MiB, be it fetched, cached or at hand.
func TestMemoryIsFlatInPackageSize(t *testing.T) {
	if testing.Short() {
		t.Skip("makes and unpacks packages of 64 MiB")
	}
	for way, over := range ways {
		peak := func(size int) int64 {
			r := over(t, large(slices.Concat(noise(size*3/8), make([]byte, size*5/8))))
			return heap.Peak(func() {
				for range 2 { // the second time, from the cache
					_, tree, err := build(t, r.options, "mosquitto")
					must(t, err)
					for _, e := range tree.Entries() {
						if e.Open == nil {
							continue
						}
						f, err := e.Open()
						must(t, err)
						_, err = io.Copy(io.Discard, f)
						must(t, err)
					}
				}
			})
		}
		small, whole := peak(1<<20), peak(64<<20)
		t.Logf("%s: %d KiB with 1 MiB, %d KiB with 64 MiB", way, small>>10, whole>>10)
		if whole > small+8<<20 {
			t.Errorf("%s: %d bytes more with a package of 64 MiB than with one of 1 MiB", way, whole-small)
		}
	}
}

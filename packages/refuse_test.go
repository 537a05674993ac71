package packages_test

import (
	"archive/tar"
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

const (
	broker  = "mosquitto-2.0.21-r0.apk"
	library = "mosquitto-libs-2.0.21-r0.apk"
)

// tamperings are what is done to the packages of a repository, and what of it the
// error says.
var tamperings = map[string]struct {
	tamper func(t *testing.T, r repository)
	says   string
}{
	"another package under its name": {func(t *testing.T, r repository) {
		overwrite(t, r.path(broker), read(t, r.path(library)))
	}, "size"},
	"another package of its size": {func(t *testing.T, r repository) {
		overwrite(t, r.path(broker), read(t, r.path(library)))
	}, "checksum of the control section"},
	"changed data section": {func(t *testing.T, r repository) {
		m := members(t, read(t, r.path(broker)))
		m[2] = bytes.Clone(m[2])
		m[2][4] ^= 1 // the date in gzip's header: it still unpacks to the same
		overwrite(t, r.path(broker), m...)
	}, "hash of the data section"},
	"flipped byte in the control section": {func(t *testing.T, r repository) {
		m := members(t, read(t, r.path(broker)))
		m[1] = bytes.Clone(m[1])
		m[1][4] ^= 1
		overwrite(t, r.path(broker), m...)
	}, "checksum of the control section"},
	"flipped byte in the middle": {func(t *testing.T, r repository) {
		b := read(t, r.path(broker))
		b[len(b)/2] ^= 1
		overwrite(t, r.path(broker), b)
	}, ""},
	"truncated": {func(t *testing.T, r repository) {
		b := read(t, r.path(broker))
		overwrite(t, r.path(broker), b[:len(b)-1])
	}, "size"},
	"empty": {func(t *testing.T, r repository) { overwrite(t, r.path(broker)) }, "size is 0 bytes"},
	"trailing bytes": {func(t *testing.T, r repository) {
		overwrite(t, r.path(broker), read(t, r.path(broker)), []byte{0})
	}, "size is more than"},
	"foreign signature": {func(t *testing.T, r repository) {
		dir := t.TempDir()
		must(t, repo.Write(t.Context(), dir, "x86_64", fixture(), foreignKey(), epoch))
		overwrite(t, r.path(broker), read(t, filepath.Join(dir, "x86_64", broker)))
	}, foreignKey().Name},
	"broken signature": {func(t *testing.T, r repository) {
		m := members(t, read(t, r.path(broker)))
		overwrite(t, r.path(broker), members(t, read(t, r.path(library)))[0], m[1], m[2])
	}, "does not fit the content"},
	"no data section": {func(t *testing.T, r repository) {
		m := members(t, read(t, r.path(broker)))
		overwrite(t, r.path(broker), m[0], m[1], make([]byte, len(m[2])))
	}, "hash of the data section"},
	"not gzip": {func(t *testing.T, r repository) {
		overwrite(t, r.path(broker), make([]byte, len(read(t, r.path(broker)))))
	}, "unpacking first section"},
}

// TestLoadRefuses changes one package of a good repository, whose index stays
// as it was signed.
func TestLoadRefuses(t *testing.T) {
	for way, over := range ways {
		for name, test := range tamperings {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := over(t, fixture())
				lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
				must(t, err)
				good := read(t, r.path(broker))
				test.tamper(t, r)
				tampered := *lock
				if !strings.Contains(test.says, "size") { // as if the index had listed this size
					tampered.Packages = slices.Clone(lock.Packages)
					tampered.Packages[3].Size = int64(len(read(t, r.path(broker))))
				}
				tree, err := packages.Load(t.Context(), &tampered, r.options)
				if tree != nil {
					t.Error("a tree was returned")
				}
				wantFault(t, err, fault.Refused, `package "mosquitto"`, broker, test.says)
				overwrite(t, r.path(broker), good)
				tree, err = packages.Load(t.Context(), lock, r.options)
				must(t, err) // what the cache kept must be the good ones
				if _, data := content(t, tree); !strings.HasPrefix(data["usr/sbin/mosquitto"], "brokerbroker") {
					t.Error("something else was loaded from the cache")
				}
			})
		}
	}
}

// TestLoadRefusesAnotherVersion has an index that lists a package's checksum
// under another version.
func TestLoadRefusesAnotherVersion(t *testing.T) {
	r := overFolder(t, fixture())
	lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
	must(t, err)
	lock.Packages[3].Version = "9-r0"
	overwrite(t, r.path("mosquitto-9-r0.apk"), read(t, r.path(broker)))
	_, err = packages.Load(t.Context(), lock, r.options)
	wantFault(t, err, fault.Refused, "version is 2.0.21-r0, the signed index says 9-r0")
}

// TestUnsignedPackageLoads: the index vouches for a package without a signature
// of its own.
func TestUnsignedPackageLoads(t *testing.T) {
	r := overFolder(t, fixture())
	lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
	must(t, err)
	m := members(t, read(t, r.path(broker)))
	overwrite(t, r.path(broker), m[1], m[2])
	lock.Packages[3].Size = int64(len(m[1]) + len(m[2]))
	_, err = packages.Load(t.Context(), lock, r.options)
	must(t, err)
}

// TestResolveRefuses changes the index.
func TestResolveRefuses(t *testing.T) {
	tests := map[string]struct {
		tamper func(t *testing.T, r repository)
		says   string
	}{
		"signed by another key": {func(t *testing.T, r repository) {
			must(t, repo.Write(t.Context(), r.dir, "x86_64", fixture(), foreignKey(), epoch))
		}, testKey().Name},
		"unsigned": {func(t *testing.T, r repository) {
			overwrite(t, r.path("APKINDEX.tar.gz"), members(t, read(t, r.path("APKINDEX.tar.gz")))[1])
		}, "no signature"},
		"signature of another index": {func(t *testing.T, r repository) {
			m := members(t, read(t, r.path("APKINDEX.tar.gz")))
			must(t, repo.Write(t.Context(), r.dir, "x86_64", fixture()[:3], testKey(), epoch))
			overwrite(t, r.path("APKINDEX.tar.gz"), members(t, read(t, r.path("APKINDEX.tar.gz")))[0], m[1])
		}, "does not fit"},
		"flipped byte": {func(t *testing.T, r repository) {
			b := read(t, r.path("APKINDEX.tar.gz"))
			b[len(b)-40] ^= 1
			overwrite(t, r.path("APKINDEX.tar.gz"), b)
		}, "does not fit"},
		"truncated": {func(t *testing.T, r repository) {
			b := read(t, r.path("APKINDEX.tar.gz"))
			overwrite(t, r.path("APKINDEX.tar.gz"), b[:len(b)-1])
		}, "does not fit"},
		"truncated signature": {func(t *testing.T, r repository) {
			m := members(t, read(t, r.path("APKINDEX.tar.gz")))
			overwrite(t, r.path("APKINDEX.tar.gz"), cutBy(9)(m[0]), m[1])
		}, "unpacking signature section"},
		"appended": {func(t *testing.T, r repository) {
			m := members(t, read(t, r.path("APKINDEX.tar.gz")))
			overwrite(t, r.path("APKINDEX.tar.gz"), m[0], m[1], m[1])
		}, "does not fit"},
		"a second list before the signature": {func(t *testing.T, r repository) {
			m := members(t, read(t, r.path("APKINDEX.tar.gz")))
			overwrite(t, r.path("APKINDEX.tar.gz"), m[1], m[0], m[1])
		}, "no signature"},
		"a bomb": {func(t *testing.T, r repository) {
			const size = 50 << 20
			part := packed(archive(t, regular("f", func(h *tar.Header) { h.Size = size }))[:512+size])
			file, err := testKey().SignIndex(bytes.Repeat(part, 7))
			must(t, err)
			overwrite(t, r.path("APKINDEX.tar.gz"), file)
		}, "more than 314572800 bytes"},
		"empty": {func(t *testing.T, r repository) { overwrite(t, r.path("APKINDEX.tar.gz")) }, "unpacking"},
		"a web page": {func(t *testing.T, r repository) {
			overwrite(t, r.path("APKINDEX.tar.gz"), []byte("<html>log in</html>"))
		}, "unpacking"},
	}
	for way, over := range ways {
		for name, test := range tests {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := over(t, fixture())
				test.tamper(t, r)
				lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
				if lock != nil {
					t.Error("a lock was returned")
				}
				wantFault(t, err, fault.Refused, r.options.Repositories[0], "APKINDEX.tar.gz", test.says)
			})
		}
	}
}

func TestForeignIndexHintsAtTheKey(t *testing.T) {
	r := overFolder(t, fixture())
	r.options.Keys = nil
	_, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
	wantFault(t, err, fault.Refused, testKey().Name, "alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub")
	if hint := fault.HintOf(err); !strings.Contains(hint, "--repository-key FILE") {
		t.Errorf("hint is %q", hint)
	}
	r.options.Keys = map[string][]byte{"renamed.pub": testKey().Public()}
	if _, _, err := build(t, r.options, "mosquitto"); err != nil {
		t.Errorf("with the key under another name: %v", err)
	}
	r.options.Keys = map[string][]byte{"x.pub": []byte("no key")}
	_, err = packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
	wantFault(t, err, fault.Usage, "x.pub")
}

func TestUnresolvableName(t *testing.T) {
	r := overFolder(t, fixture())
	_, err := packages.Resolve(t.Context(), []string{"mosquitto", "nosuch"}, r.options)
	wantFault(t, err, fault.Failed, `"nosuch"`, r.dir)
	_, err = packages.Resolve(t.Context(), []string{"mosquitto>9"}, r.options)
	wantFault(t, err, fault.Failed, `"mosquitto>9"`, r.dir)
	_, err = packages.Resolve(t.Context(), []string{"mosquitto"}, packages.Options{Repositories: []string{"ftp://x"}})
	if fault.CodeOf(err) != fault.Usage {
		t.Errorf("error of a repository over ftp is %v", err)
	}
	_, err = packages.Resolve(t.Context(), []string{"mosquitto"}, packages.Options{})
	if fault.CodeOf(err) != fault.Usage {
		t.Errorf("error with no repository is %v", err)
	}
}

// wantFault checks code and hint of an error, and what its text holds.
func wantFault(t *testing.T, err error, code fault.Code, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if got := fault.CodeOf(err); got != code {
		t.Errorf("code is %d, want %d: %v", got, code, err)
	}
	if fault.HintOf(err) == "" {
		t.Errorf("no hint: %v", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error lacks %q: %v", p, err)
		}
	}
}

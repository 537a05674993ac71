package packages_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// apkArchs are apk's names of the architectures that Alpine has, by Go's.
var apkArchs = map[string]string{
	"386": "x86", "amd64": "x86_64", "arm/v6": "armhf", "arm/v7": "armv7", "arm64": "aarch64",
	"loong64": "loongarch64", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
}

// forArch adds fixture for another architecture to the repository, and returns
// how it is read for that one.
func (r repository) forArch(t testing.TB, arch string) packages.Options {
	t.Helper()
	pkgs := fixture()
	pkgs[3].Files[0].Data = bytes.Repeat([]byte(arch), 3000)
	must(t, repo.Write(t.Context(), r.dir, apkArchs[arch], pkgs, testKey(), epoch))
	r.options.Arch = arch
	return r.options
}

// Each architecture is read from the folder that apk would read, and its
// package database names it as apk does.
func TestEveryArchitecture(t *testing.T) {
	r := overFolder(t, fixture())
	for arch, apks := range apkArchs {
		lock, tree, err := build(t, r.forArch(t, arch), "mosquitto")
		must(t, err)
		if lock.Arch != arch || lock.Packages[0].Arch != apks {
			t.Errorf("%s: locked for %q, of packages for %q", arch, lock.Arch, lock.Packages[0].Arch)
		}
		if _, data := content(t, tree); strings.TrimSpace(data["etc/apk/arch"]) != apks || !strings.Contains(data["lib/apk/db/installed"], "\nA:"+apks+"\n") {
			t.Errorf("%s: its database is not one for %s", arch, apks)
		}
	}
}

// What isn't there for a platform is said to be missing for that one.
func TestPlatformWithoutPackages(t *testing.T) {
	for way, over := range ways {
		r := over(t, fixture())
		r.options.Arch = "s390x"
		_, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
		wantFault(t, err, fault.Unreachable, "s390x/APKINDEX.tar.gz")
		if hint := fault.HintOf(err); !strings.Contains(hint, "nothing for linux/s390x: leave that platform out") {
			t.Errorf("%s: hint %q", way, hint)
		}
	}
}

// A lock of several platforms reads back, and its mirror gives both of them
// where there is no network.
func TestLockAndMirrorOfSeveralPlatforms(t *testing.T) {
	r := overHTTP(t, fixture())
	arm := r.forArch(t, "arm64")
	one := locked(t, r)
	other := locked(t, repository{r.dir, arm})
	if one.Digest() == other.Digest() {
		t.Error("both platforms have one digest")
	}
	file := filepath.Join(t.TempDir(), "mosqbuild.lock.yaml")
	data := encode(t, filepath.Dir(file), packages.Locks(nil).With(other).With(one)...)
	back, err := packages.ReadLocks(file, data)
	must(t, err)
	if again := encode(t, filepath.Dir(file), one, other); !bytes.Equal(data, again) {
		t.Errorf("it depends on the order in which they were locked:\n%s\n%s", data, again)
	}
	to := filepath.Join(t.TempDir(), "mirror")
	done, err := back.Mirror(t.Context(), r.options, to, nil)
	must(t, err)
	if done.Packages != 8 || done.Copied != 8 {
		t.Errorf("mirrored %+v", done)
	}
	for _, apks := range []string{"x86_64", "aarch64"} {
		if _, err := os.Stat(filepath.Join(to, "main", apks, broker)); err != nil {
			t.Error(err)
		}
	}
	if found := wrong(t, to, offline(to)); found != nil {
		t.Errorf("found wrong: %q", found)
	}
	for _, was := range []*packages.Lock{one, other} {
		o := offline(to)
		o.Arch = was.Arch
		confirmed, err := back.Find(was.Arch).Confirm(t.Context(), was.World, o)
		must(t, err)
		resolved, tree, err := build(t, o, "mosquitto")
		must(t, err)
		if confirmed.Digest() != was.Digest() || resolved.Digest() != was.Digest() {
			t.Errorf("%s: digests %s and %s, locked %s", was.Arch, confirmed.Digest(), resolved.Digest(), was.Digest())
		}
		original, err := packages.Load(t.Context(), was, arm)
		must(t, err)
		_, a := content(t, tree)
		if _, b := content(t, original); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: the mirror gives other files", was.Arch)
		}
	}
}

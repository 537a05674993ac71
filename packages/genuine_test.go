package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// genuine returns a folder of Alpine's own files that apko's module ships.
func genuine(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "chainguard.dev/apko").Output()
	if err != nil {
		t.Skipf("go list finds no apko module: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "pkg/apk/apk/testdata/alpine-316")
}

// alpine316 makes a repository folder of the genuine index.
func alpine316(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x86_64"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"APKINDEX.tar.gz", "alpine-baselayout-3.2.0-r23.apk"} {
		data, err := os.ReadFile(filepath.Join(genuine(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x86_64", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestGenuineIndexResolves needs no key but the embedded ones.
func TestGenuineIndexResolves(t *testing.T) {
	o := Options{Repositories: []string{alpine316(t)}}
	for range 3 {
		lock, err := Resolve(t.Context(), []string{"mosquitto"}, o)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range lock.Packages {
			names = append(names, p.Name)
		}
		// ssl_client comes since busybox and libssl1.1 do: its install_if.
		want := []string{"musl", "busybox", "c-ares", "cjson", "libcrypto1.1", "libssl1.1", "libwebsockets", "mosquitto-libs", "mosquitto", "ssl_client"}
		if !slices.Equal(names, want) {
			t.Errorf("closure is %q, want %q", names, want)
		}
		// As tar lists it; the newest package in it was built nine minutes before.
		if date := lock.Repositories[0].Date; !date.Equal(time.Date(2022, 11, 21, 22, 4, 22, 0, time.UTC)) {
			t.Errorf("the index is of %v", date)
		}
		if p, ok := lock.Find("mosquitto"); !ok || p.Version != "2.0.14-r2" || p.Size == 0 || p.License == "" {
			t.Errorf("mosquitto is %+v", p)
		}
	}
}

// TestGenuinePackageVerifies checks a package that Alpine signed and apko's
// tests changed nothing of.
func TestGenuinePackageVerifies(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(genuine(t), "alpine-baselayout-3.2.0-r23.apk"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(genuine(t), "alpine-baselayout-3.2.0-r23.apk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	listed, err := apk.ParsePackage(t.Context(), f, uint64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := Options{}.keyring()
	if err != nil {
		t.Fatal(err)
	}
	p := Package{Name: listed.Name, Version: listed.Version, Arch: listed.Arch, Checksum: listed.ChecksumString(), Size: int64(len(file))}
	v, err := p.verify(sectionOf(file), ring, &spool{})
	if err != nil {
		t.Fatal(err)
	}
	items, err := readContents(v.section, maxUnpacked)
	if err != nil || len(items) < 50 {
		t.Errorf("it has %d entries: %v", len(items), err)
	}
	if len(v.info.scripts) != 4 {
		t.Errorf("it has %d scripts, want 4", len(v.info.scripts))
	}
	if _, err := p.verify(sectionOf(file), keyring{}, nil); err == nil || fault.CodeOf(p.refuse("f", err)) != fault.Refused {
		t.Errorf("with no key trusted: %v", err)
	}
}

func TestEveryEmbeddedKeyReads(t *testing.T) {
	ring, err := alpineKeyring()
	if err != nil {
		t.Fatal(err)
	}
	if len(ring) != 18 {
		t.Errorf("there are %d keys, want 18", len(ring))
	}
}

package image_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/image"
)

// fileSums are the SHA-256 of the packages' files, by the names that the list
// gives them; got is what it says.
func fileSums(t *testing.T, img image.Image, dir string) (got, want map[string]string) {
	t.Helper()
	got, want = map[string]string{}, map[string]string{}
	_, doc := sbom(t, img)
	for _, p := range doc.Packages[1:] {
		for _, c := range p.PackageChecksums {
			got[p.PackageFileName+" "+string(c.Algorithm)] = c.Value
		}
		data, err := os.ReadFile(filepath.Join(dir, "x86_64", p.PackageFileName))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		want[p.PackageFileName+" SHA256"] = hex.EncodeToString(sum[:])
	}
	return got, want
}

// TestSBOMHasTheSumsOfPackageFiles, the same whether the layer is made anew or
// comes from the cache, and whether a lock has the sums or not.
func TestSBOMHasTheSumsOfPackageFiles(t *testing.T) {
	o := testRepository(t, testPackages(1<<10))
	dir := o.Repositories[0]
	s, loads := testSpec(t, o)
	digests := map[string]bool{}
	check := func(what string, want int) {
		t.Helper()
		before := *loads
		img := build(t, s)
		if got, want := fileSums(t, img, dir); len(want) != 2 || !maps.Equal(got, want) {
			t.Errorf("%s: sums %v, want %v", what, got, want)
		}
		if digests[digest(t, img)] = true; *loads-before != want {
			t.Errorf("%s: %d loads, want %d", what, *loads-before, want)
		}
	}
	check("with no cache", 1)
	s.Cache = t.TempDir()
	check("to a cache", 1)
	check("from the cache", 0)
	pinned, err := s.Lock.Pin(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.Lock = pinned
	check("locked, from the cache", 0)
	if len(digests) != 1 {
		t.Errorf("%d digests of the same packages", len(digests))
	}
	// Of packages that were signed anew apk knows no difference, but a lock does.
	pinned.Packages[0].SHA256 = strings.Repeat("0", 64)
	check("locked with another sum", 1)
}

// TestSBOMListsEveryFileOfNoPackage: what apk's database says is no package's,
// and what the layers above hold.
func TestSBOMListsEveryFileOfNoPackage(t *testing.T) {
	img := testImage(t)
	owned := map[string]bool{}
	below, dir := layerFiles(t, img, 0), ""
	installed, _ := find(below, "lib/apk/db/installed")
	for line := range strings.Lines(string(installed.data)) {
		switch value := strings.TrimSpace(line[min(2, len(line)):]); line[:min(2, len(line))] {
		case "F:":
			dir = value
		case "R:":
			owned[path.Join(dir, value)] = true
		}
	}
	want := map[string]string{}
	add := func(f tarFile) {
		sum := sha256.Sum256(f.data)
		if f.Typeflag == tar.TypeReg && f.Name != sbomPath[1:] {
			want[f.Name] = hex.EncodeToString(sum[:])
		}
	}
	for _, f := range below {
		if !owned[f.Name] {
			add(f)
		}
	}
	for _, name := range []string{"etc/apk/arch", "etc/apk/repositories", "etc/apk/world", "lib/apk/db/installed", "lib/apk/db/scripts.tar", "lib/apk/db/triggers"} {
		if want[name] == "" {
			t.Errorf("%s is somebody's", name)
		}
	}
	for _, f := range layerFiles(t, img, 1) {
		add(f)
	}
	got := map[string]string{}
	_, doc := sbom(t, img)
	for _, f := range doc.Files {
		got[strings.TrimPrefix(f.FileName, "./")] = f.Checksums[1].Value
	}
	if !maps.Equal(got, want) || len(got) != len(doc.Files) || !owned["usr/sbin/mosquitto"] {
		t.Errorf("listed %v\nwant %v", got, want)
	}
}

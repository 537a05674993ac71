package image_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/testing/heap"
)

// TestMemoryIsFlatInLayerSize builds and writes an image of a package of 64 MiB,
// which takes hardly more memory than one of 1 MiB. The compressor has two blocks
// under way for each processor, so there is one of these.
func TestMemoryIsFlatInLayerSize(t *testing.T) {
	if testing.Short() {
		t.Skip("makes and packs packages of 64 MiB")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, change := range map[string]func(*image.Spec){
		"cached layer":              func(s *image.Spec) { s.Cache = t.TempDir() },
		"no cache":                  func(*image.Spec) {},
		"zstd, repacked for docker": func(s *image.Spec) { s.Compression = image.Zstd },
	} {
		peak := func(size int) int64 {
			pkgs := testPackages(64 << 10)
			pkgs[0].Files = append(pkgs[0].Files, repo.File{Path: "lib/large", Mode: 0o644, Data: append(program(3, size/2), make([]byte, size/2)...)})
			s, _ := testSpec(t, testRepository(t, pkgs))
			change(&s)
			dir := t.TempDir()
			clear(pkgs)
			return heap.Peak(func() {
				img := build(t, s)
				write(t, img, image.Output{Format: image.FormatOCIArchive, Path: filepath.Join(dir, "oci.tar")})
				write(t, img, image.Output{Format: image.FormatDockerArchive, Path: filepath.Join(dir, "docker.tar")})
			})
		}
		small, large := peak(1<<20), peak(64<<20)
		t.Logf("%s: %d KiB with 1 MiB, %d KiB with 64 MiB", name, small>>10, large>>10)
		if large > small+16<<20 {
			t.Errorf("%s: %d bytes more with a package of 64 MiB than with one of 1 MiB", name, large-small)
		}
	}
}

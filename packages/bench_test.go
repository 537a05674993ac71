package packages_test

import (
	"fmt"
	"testing"

	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// realistic is nine packages of 7.5 MB, a third of which is noise and the rest
// repeats, as programs compress.
func realistic() []repo.Package {
	sizes := []int{621, 3998, 548, 90, 240, 96, 1124, 220, 563}
	var pkgs []repo.Package
	x := uint32(1)
	for n, size := range sizes {
		data := make([]byte, size*1000)
		for i := range data {
			if x = x*1664525 + 1013904223; i < 4096 || i%12 < 4 {
				data[i] = byte(x >> 24)
			} else {
				data[i] = data[i-4096]
			}
		}
		pkgs = append(pkgs, repo.Package{
			Name: fmt.Sprintf("part%d", n), Version: "1-r0",
			Files: []repo.File{{Path: fmt.Sprintf("usr/lib/part%d", n), Mode: 0o755, Data: data}},
		})
		if n > 0 {
			pkgs[n].Depends = []string{fmt.Sprintf("part%d", n-1)}
		}
	}
	return pkgs
}

// BenchmarkLoad resolves and loads; the tree is 7.5 MB unpacked.
func BenchmarkLoad(b *testing.B) {
	for way, over := range ways {
		b.Run(way, func(b *testing.B) {
			r := over(b, realistic())
			for b.Loop() {
				if _, _, err := build(b, r.options, "part8"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResolve resolves alone, in a folder.
func BenchmarkResolve(b *testing.B) {
	r := overFolder(b, realistic())
	for b.Loop() {
		if _, err := packages.Resolve(b.Context(), []string{"part8"}, r.options); err != nil {
			b.Fatal(err)
		}
	}
}

package openshift_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// BenchmarkObjects makes and writes the objects of one broker, and of 100:
// time and memory are to be 100 times those of one.
func BenchmarkObjects(b *testing.B) {
	for _, brokers := range []int{1, 100} {
		b.Run(fmt.Sprint(brokers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range brokers {
					cfg := config.Default()
					cfg.Name = fmt.Sprintf("broker-%03d", i)
					bundle, err := files.Render(cfg, secrets)
					if err != nil {
						b.Fatal(err)
					}
					objs, err := openshift.Objects(cfg, bundle, openshift.Options{Image: image})
					if err != nil {
						b.Fatal(err)
					}
					if err := openshift.WriteYAML(io.Discard, objs); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

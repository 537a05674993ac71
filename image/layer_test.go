package image

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/packages"
)

// TestCompressorIsPinned fails when the same entries come out as other bytes,
// as after an update of the compressor: raise cacheFormat then, so that a
// cached layer and a new one can't differ, and put the new sums here.
func TestCompressorIsPinned(t *testing.T) {
	var text strings.Builder
	for i := range 200_000 {
		text.WriteString(strings.Repeat(string(rune('a'+i%23)), i%7))
		text.WriteByte(byte(i * i >> 3))
	}
	entries := []packages.Entry{
		regular("/b/file", 0o640, []byte(text.String())),
		directory("/b", 0o775),
		regular("/a", 0o755, []byte("a")),
	}
	const diffID = "sha256:1dd1a29c900437513e54f0034249be61df91b81dff389cf6868e88a68442f0e6"
	for compression, digest := range map[string]string{
		Gzip: "sha256:a0d549f0a5e967ba445e3b67aada012c0bc3ba599aa12684fcb2f74c80083115",
		Zstd: "sha256:7de3f14c3219c99393a73bfaf5f07d2c5842400081961a846298b39cc91da25f",
	} {
		for _, n := range []int{1, 2, 8} {
			old := runtime.GOMAXPROCS(n)
			var b bytes.Buffer
			l, err := packings[compression].writeLayer(t.Context(), &b, entries, time.Unix(1, 0))
			runtime.GOMAXPROCS(old)
			if err != nil {
				t.Fatal(err)
			}
			if l.digest.String() != digest || l.diffID.String() != diffID || int64(b.Len()) != l.size {
				t.Errorf("%s, %d processors: digest %s, diff ID %s, %d of %d bytes", compression, n, l.digest, l.diffID, b.Len(), l.size)
			}
		}
	}
}

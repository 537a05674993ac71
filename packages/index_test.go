package packages

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"
)

// TestIndexBombStaysPacked beyond what an index may have unpacked: the rest of it
// isn't even read.
func TestIndexBombStaysPacked(t *testing.T) {
	const size, times = 50 << 20, 40
	headed := func(claims int64) []byte {
		var b bytes.Buffer
		if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: indexName, Size: claims}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	zeros := gzipped(t, make([]byte, size))
	for name, c := range map[string]struct {
		claims   int64
		says     string
		unpacked int // at most, counted in members of size bytes
	}{
		"as many files":     {size, "more than 314572800 bytes", maxIndexUnpacked/size + 1},
		"as one large file": {size * times, `entry "APKINDEX": 2097152000 bytes`, 1},
	} {
		head := gzipped(t, headed(c.claims))
		bomb := bytes.Repeat(append(head, zeros...), times)
		r := bytes.NewReader(bomb)
		_, _, err := unpackIndex(r)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if most := c.unpacked * len(bomb) / times; len(bomb)-r.Len() > most {
			t.Errorf("%s: %d of %d bytes were unpacked, %d are enough", name, len(bomb)-r.Len(), len(bomb), most)
		}
	}
}

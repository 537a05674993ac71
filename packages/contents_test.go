package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// tarOf archives headers, each file with as much content as its header says.
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, h := range headers {
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1, 0)
		}
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contentOf is what a file holds.
func contentOf(t testing.TB, it item) string {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(it.data, 0, it.header.Size))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadContentsKeeps(t *testing.T) {
	items, err := readContents(sectionOf(tarOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeDir, Name: "./bin/", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeReg, Name: "./bin/a", Mode: 0o755, Size: 3, Uid: 7, Gid: 8,
			PAXRecords: map[string]string{"SCHILY.xattr.user.k": "v", "comment": "none"}},
		tar.Header{Typeflag: tar.TypeLink, Name: "bin/b", Linkname: "./bin/a"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/c", Linkname: "../etc/x"},
		tar.Header{Typeflag: tar.TypeDir, Name: "bin", Mode: 0o700},
	)), maxUnpacked)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, it := range items {
		names = append(names, it.header.Name)
	}
	if want := []string{"bin", "bin/a", "bin/b", "bin/c", "bin"}; !slices.Equal(names, want) {
		t.Fatalf("items are %q, want %q", names, want)
	}
	a, b := items[1], items[2]
	if a.header.Mode != 0o755 || a.header.Uid != 7 || a.header.Gid != 8 || contentOf(t, a) != "xxx" ||
		len(a.header.PAXRecords) != 1 || a.header.PAXRecords["SCHILY.xattr.user.k"] != "v" {
		t.Errorf("file is %+v", a.header)
	}
	if b.header.Typeflag != tar.TypeReg || contentOf(t, b) != "xxx" || b.sum != a.sum || !strings.HasPrefix(a.sum, "Q1") {
		t.Errorf("hard link is %+v", b.header)
	}
}

func TestUnpackingIsBounded(t *testing.T) {
	bomb := gzipped(t, make([]byte, 1<<20))
	unpack := func(limit int64) (int64, error) {
		to := &spool{dir: t.TempDir()}
		defer to.drop()
		err := unpackData(to, bufio.NewReader(bytes.NewReader(bomb)), 10, limit)
		return to.size, err
	}
	for _, size := range []int64{1 << 20, inMemory} {
		bomb = gzipped(t, make([]byte, size))
		if _, err := unpack(size - 1); err == nil {
			t.Errorf("a data section of %d bytes over its limit: no error", size)
		}
		if n, err := unpack(size); err != nil || n != size {
			t.Errorf("a data section of %d bytes at its limit: %d bytes, %v", size, n, err)
		}
	}
	for name, file := range map[string][]byte{
		"control":   slices.Concat(gzipped(t, make([]byte, maxControlSection+1)), bomb),
		"signature": slices.Concat(gzipped(t, append([]byte(".SIGN."), make([]byte, maxSignatureSection)...)), bomb),
	} {
		if _, err := split(bufio.NewReader(bytes.NewReader(file))); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("a %s section over its limit: %v", name, err)
		}
	}
}

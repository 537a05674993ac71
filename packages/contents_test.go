package packages

import (
	"archive/tar"
	"bytes"
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

func TestReadContentsRefuses(t *testing.T) {
	file := tar.Header{Typeflag: tar.TypeReg, Name: "etc/f", Mode: 0o644, Size: 3}
	tests := map[string][]tar.Header{
		"absolute path":         {{Typeflag: tar.TypeReg, Name: "/etc/passwd"}},
		"dot dot":               {{Typeflag: tar.TypeReg, Name: "../etc/passwd"}},
		"dot dot inside":        {{Typeflag: tar.TypeReg, Name: "etc/../../passwd"}},
		"dot dot after dot":     {{Typeflag: tar.TypeReg, Name: "./../passwd"}},
		"doubled slash":         {{Typeflag: tar.TypeReg, Name: "etc//passwd"}},
		"folder outside":        {{Typeflag: tar.TypeDir, Name: "../x/"}},
		"root as a path":        {{Typeflag: tar.TypeDir, Name: "/"}},
		"line break":            {{Typeflag: tar.TypeReg, Name: "etc/x\nP:forged"}},
		"line break in a link":  {{Typeflag: tar.TypeSymlink, Name: "etc/x", Linkname: "a\nb"}},
		"character device":      {{Typeflag: tar.TypeChar, Name: "dev/null"}},
		"block device":          {{Typeflag: tar.TypeBlock, Name: "dev/sda"}},
		"pipe":                  {{Typeflag: tar.TypeFifo, Name: "run/pipe"}},
		"hard link outside":     {{Typeflag: tar.TypeLink, Name: "etc/x", Linkname: "/etc/passwd"}},
		"hard link up":          {{Typeflag: tar.TypeLink, Name: "etc/x", Linkname: "../etc/passwd"}},
		"hard link to nothing":  {{Typeflag: tar.TypeLink, Name: "etc/x", Linkname: "etc/passwd"}},
		"hard link to a later":  {{Typeflag: tar.TypeLink, Name: "etc/x", Linkname: "etc/f"}, file},
		"hard link to a folder": {{Typeflag: tar.TypeDir, Name: "etc/"}, {Typeflag: tar.TypeLink, Name: "x", Linkname: "etc"}},
		"twice":                 {file, file},
		"file over folder":      {{Typeflag: tar.TypeDir, Name: "etc/"}, {Typeflag: tar.TypeReg, Name: "etc"}},
		"control file":          {{Typeflag: tar.TypeReg, Name: ".post-install"}},
		"wrong checksum":        {{Typeflag: tar.TypeReg, Name: "f", PAXRecords: map[string]string{checksumRecord: "12"}}},
	}
	for name, headers := range tests {
		t.Run(name, func(t *testing.T) {
			if items, err := readContents(tarOf(t, headers...)); err == nil {
				t.Errorf("no error; items are %+v", items)
			}
		})
	}
	if _, err := readContents(tarOf(t, file)[:514]); err == nil {
		t.Error("a tar that ends inside a file: no error")
	}
}

func TestReadContentsKeeps(t *testing.T) {
	items, err := readContents(tarOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeDir, Name: "./bin/", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeReg, Name: "./bin/a", Mode: 0o4755, Size: 3, Uid: 7, Gid: 8,
			PAXRecords: map[string]string{"SCHILY.xattr.user.k": "v", "comment": "none"}},
		tar.Header{Typeflag: tar.TypeLink, Name: "bin/b", Linkname: "./bin/a"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/c", Linkname: "../../../etc/x"},
		tar.Header{Typeflag: tar.TypeDir, Name: "bin", Mode: 0o700},
	))
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
	if a.header.Mode != 0o4755 || a.header.Uid != 7 || a.header.Gid != 8 || string(a.data) != "xxx" ||
		len(a.header.PAXRecords) != 1 || a.header.PAXRecords["SCHILY.xattr.user.k"] != "v" {
		t.Errorf("file is %+v", a.header)
	}
	if b.header.Typeflag != tar.TypeReg || string(b.data) != "xxx" || b.sum != a.sum || !strings.HasPrefix(a.sum, "Q1") {
		t.Errorf("hard link is %+v", b.header)
	}
}

func TestUnpackingIsBounded(t *testing.T) {
	bomb := gzipped(t, make([]byte, 1<<20))
	if _, err := unpackData(bomb, 10, 1<<20-1); err == nil {
		t.Error("a data section over its limit: no error")
	}
	if b, err := unpackData(bomb, 10, 1<<20); err != nil || len(b) != 1<<20 {
		t.Errorf("a data section at its limit: %d bytes, %v", len(b), err)
	}
	for name, file := range map[string][]byte{
		"control":   slices.Concat(gzipped(t, make([]byte, maxControlSection+1)), bomb),
		"signature": slices.Concat(gzipped(t, append([]byte(".SIGN."), make([]byte, maxSignatureSection)...)), bomb),
	} {
		if _, err := split(file); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("a %s section over its limit: %v", name, err)
		}
	}
}

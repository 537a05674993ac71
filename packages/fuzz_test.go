package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
)

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := zw.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzParseInfo asserts that nothing gets out of .PKGINFO that would forge a
// line of the database.
func FuzzParseInfo(f *testing.F) {
	f.Add([]byte("# made by abuild\npkgname = a\npkgver = 1-r0\ndepend = b>1 c\nprovider_priority = 10\ndatahash = 00\n"))
	f.Add([]byte("pkgdesc = a = b # c; \"d\"\nsize = -1\ntriggers = /bin /usr/bin\n"))
	f.Add([]byte("pkgname=a\n = b\npkgname = a\rP:b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := parseInfo(data)
		if err != nil {
			return
		}
		texts := slices.Concat([]string{i.name, i.version, i.arch, i.description, i.url, i.license, i.origin, i.maintainer, i.commit},
			i.depends, i.provides, i.replaces, i.installIf, i.triggers)
		for _, s := range texts {
			if strings.ContainsAny(s, "\n\r\x00") {
				t.Errorf("value %q", s)
			}
		}
	})
}

// FuzzSplit asserts that the sections are the file, and that what a package is
// read from never panics.
func FuzzSplit(f *testing.F) {
	control := tarOf(f, tar.Header{Typeflag: tar.TypeReg, Name: ".PKGINFO", Size: 5})
	signature := tarOf(f, tar.Header{Typeflag: tar.TypeReg, Name: ".SIGN.RSA.a.rsa.pub", Size: 5})
	f.Add(slices.Concat(gzipped(f, signature), gzipped(f, control), gzipped(f, control)))
	f.Add(slices.Concat(gzipped(f, control), gzipped(f, control)))
	f.Add(gzipped(f, control))
	f.Fuzz(func(t *testing.T, file []byte) {
		r := bufio.NewReader(bytes.NewReader(file))
		s, err := split(r)
		if err != nil {
			return
		}
		data, err := io.ReadAll(r)
		if err != nil || len(data) == 0 || !bytes.HasSuffix(file, slices.Concat(s.control, data)) {
			t.Error("sections are not the file's")
		}
		_, _ = parseSignatures(s.signature)
		_, _ = parseControl(s.info)
	})
}

// FuzzReadContents asserts that whatever is accepted lies inside the tree, and
// stays there once laid out.
func FuzzReadContents(f *testing.F) {
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeDir, Name: "etc/"}, tar.Header{Typeflag: tar.TypeReg, Name: "etc/f", Size: 600}))
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/../../b"}, tar.Header{Typeflag: tar.TypeReg, Name: "a/f"}))
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "."}, tar.Header{Typeflag: tar.TypeDir, Name: "a/a/"}))
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 3, PAXRecords: map[string]string{checksumRecord: strings.Repeat("0", 40)}},
		tar.Header{Typeflag: tar.TypeLink, Name: "g", Linkname: "f"}))
	f.Fuzz(func(t *testing.T, section []byte) {
		items, err := readContents(sectionOf(section), maxUnpacked)
		if err != nil {
			return
		}
		l := &layout{nodes: map[string]*node{}}
		if l.add(&loaded{info: &info{}, items: items}) != nil {
			return
		}
		for name := range l.nodes {
			if !fs.ValidPath(name) || name == "." || strings.Contains(name, "\n") {
				t.Errorf("path %q", name)
			}
			if dir := path.Dir(name); dir != "." && l.nodes[dir].header.Typeflag != tar.TypeDir {
				t.Errorf("%q lies in what is no folder", name)
			}
		}
	})
}

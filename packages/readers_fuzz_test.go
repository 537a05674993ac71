package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"chainguard.dev/apko/pkg/apk/apk"
)

// gunzipped returns nil for what is not whole.
func gunzipped(packed []byte) []byte {
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		return nil
	}
	return data
}

// FuzzIndex asserts that whatever a signed index lists, packed or not yet, what
// is locked of it is a file in its repository, of a size that is bounded, and
// comes out of a lock file as it went in.
func FuzzIndex(f *testing.F) {
	_, index, _ := signedIndex(f)
	f.Add(index)
	f.Add(gunzipped(index))
	f.Add(bytes.Replace(gunzipped(index), []byte("P:a"), []byte("P:/"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, signed := range [][]byte{data, gzipped(t, data)} {
			parts, date, err := unpackIndex(bytes.NewReader(signed))
			if err != nil {
				continue
			}
			listed, err := apk.ParsePackageIndex(strings.NewReader(parts[indexName]))
			if err != nil {
				continue
			}
			l := &Lock{Arch: "amd64", World: []string{"a"}, Repositories: []Index{{
				Repository: "http://a.test", Key: "a.rsa.pub", SHA256: hexSum(signed), Date: indexDate(date, listed),
			}}}
			for _, p := range listed {
				one, err := lockPackage(p, "http://a.test", "x86_64")
				if err != nil {
					continue
				}
				if name := one.fileName(); path.Base(name) != name || one.Size <= 0 || one.Size > maxPackage || one.InstalledSize < 0 || one.InstalledSize > maxUnpacked {
					t.Errorf("locked is %+v", one)
				}
				one.SHA256 = strings.Repeat("0", 64)
				l.Packages = append(l.Packages, one)
			}
			comesBack(t, l)
		}
	})
}

// comesBack writes a lock file of the lock, which may be refused: a repository
// lists what it likes.
func comesBack(t *testing.T, l *Lock) {
	t.Helper()
	data, err := Locks{l}.Encode(".")
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadLocks("mosqbuild.lock", data)
	if err != nil {
		return
	}
	if !slices.EqualFunc(l.Packages, back[0].Packages, func(a, b Package) bool {
		return a.Name == b.Name && a.Version == b.Version && a.Checksum == b.Checksum && a.Size == b.Size
	}) {
		t.Errorf("%+v came back as %+v", l.Packages, back[0].Packages)
	}
}

// FuzzUnpackData asserts that a data section unpacks to what Go's own library
// reads of it, and not beyond its limit, wherever that is kept and whatever it claims to be.
func FuzzUnpackData(f *testing.F) {
	const limit = 3 * inMemory
	section := tarOf(f, tar.Header{Typeflag: tar.TypeDir, Name: "etc/"}, tar.Header{Typeflag: tar.TypeReg, Name: "etc/f", Size: 600})
	f.Add(gzipped(f, section), int64(len(section)))
	f.Add(slices.Concat(gzipped(f, section[:512]), gzipped(f, section[512:])), int64(2*inMemory))
	f.Add(gzipped(f, make([]byte, limit+1)), int64(-1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, packed []byte, size int64) {
		to := &spool{dir: dir}
		defer to.drop()
		err := unpackData(to, bufio.NewReader(bytes.NewReader(packed)), size, limit)
		if to.size > limit+1 || len(to.memory) > inMemory {
			t.Errorf("%d bytes are kept, %d of them in memory", to.size, len(to.memory))
		}
		if err != nil {
			return
		}
		got, err := io.ReadAll(to.section())
		// Go's own library refuses more, of what comes after the last member.
		if want := gunzipped(packed); err != nil || want != nil && !bytes.Equal(got, want) {
			t.Errorf("unpacked are %d bytes, %v, want %d", len(got), err, len(want))
		}
		_, _ = readContents(to.section(), limit)
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%d files are left behind, %v", len(left), err)
		}
	})
}

// FuzzApplets asserts that busybox's list makes links to it and the folders they
// are in, never too many, and changes nothing that packages brought.
func FuzzApplets(f *testing.F) {
	for _, names := range []string{"bin/ls\nusr/bin/less\n", "sbin/ip\nup/etc/x\n", "bin/busybox\nbin\n../x\n", "loop/x\n", strings.Repeat("a\n", maxApplets+1)} {
		f.Add(names)
	}
	f.Fuzz(func(t *testing.T, names string) {
		l, err := lay(t, toolbox(names), pkg("a", "a", nil, link("sbin", "usr/bin"), link("up", "../../.."), link("loop", "loop")))
		if err != nil {
			t.Fatal(err)
		}
		before := maps.Clone(l.nodes)
		err = l.addApplets([]string{busyboxPackage})
		links := 0
		for name, n := range l.nodes {
			switch was := before[name]; {
			case was != nil:
				if was != n {
					t.Errorf("%q was replaced", name)
				}
				continue
			case !fs.ValidPath(name) || name == ".":
				t.Errorf("path %q", name)
			case n.header.Typeflag == tar.TypeSymlink:
				links++
			case n.header.Typeflag != tar.TypeDir:
				t.Errorf("%q is of kind %q", name, n.header.Typeflag)
			}
			if n.header.Typeflag == tar.TypeSymlink && n.header.Linkname != "/"+busyboxPath {
				t.Errorf("%q leads to %q", name, n.header.Linkname)
			}
			if dir := path.Dir(name); dir != "." && l.nodes[dir].header.Typeflag != tar.TypeDir {
				t.Errorf("%q lies in what is no folder", name)
			}
		}
		if lines := strings.Count(strings.TrimSuffix(names, "\n"), "\n") + 1; links > min(lines, maxApplets) || err == nil && lines > maxApplets {
			t.Errorf("%d links of %d lines, %v", links, lines, err)
		}
	})
}

// FuzzReadKept asserts that nothing in the cache passes for an index but what
// was put there, and that this comes back.
func FuzzReadKept(f *testing.F) {
	file, _, _ := signedIndex(f)
	whole := filepath.Join(f.TempDir(), "index")
	if err := writeKept(whole, answer{data: file, tag: `"1"`}); err != nil {
		f.Fatal(err)
	}
	kept, err := os.ReadFile(whole)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kept, `"1"`)
	f.Add(kept[:len(kept)-1], `W/"x"`)
	f.Add([]byte(`{"etag":"1","sha256":"`+hexSum(nil)+`"}`), "1")
	f.Fuzz(func(t *testing.T, data []byte, tag string) {
		path := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if a := readKept(path); a != nil && (a.tag == "" || !bytes.Contains(data, []byte(hexSum(a.data))) || !bytes.HasSuffix(data, a.data)) {
			t.Errorf("%q gave %q of %d bytes", data, a.tag, len(a.data))
		}
		if tag == "" || !utf8.ValidString(tag) { // JSON has no other strings, and no server sends them
			return
		}
		if err := writeKept(path, answer{data: data, tag: tag}); err != nil {
			t.Fatal(err)
		}
		if a := readKept(path); a == nil || a.tag != tag || !bytes.Equal(a.data, data) {
			t.Errorf("tag %q, %d bytes: read back %+v", tag, len(data), a)
		}
	})
}

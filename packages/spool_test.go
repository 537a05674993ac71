package packages

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// TestBothWaysGiveTheSame reads one data section from memory, from a file, and
// from one that was begun in memory.
func TestBothWaysGiveTheSame(t *testing.T) {
	section := tarOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeReg, Name: "bin/a", Mode: 0o755, Size: 100_000, PAXRecords: map[string]string{"SCHILY.xattr.user.k": "v"}},
		tar.Header{Typeflag: tar.TypeReg, Name: "bin/b", Size: 3, PAXRecords: map[string]string{checksumRecord: strings.Repeat("0", 40)}},
		tar.Header{Typeflag: tar.TypeReg, Name: "bin/empty"},
		tar.Header{Typeflag: tar.TypeLink, Name: "bin/c", Linkname: "bin/a"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/d", Linkname: "a"},
		tar.Header{Typeflag: tar.TypeReg, Name: "bin/large", Size: inMemory, Uid: 7},
	)
	read := func(s *io.SectionReader) (headers []tar.Header, rest []string) {
		items, err := readContents(s, maxUnpacked)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			headers, rest = append(headers, it.header), append(rest, it.sum)
			if it.header.Typeflag == tar.TypeReg {
				rest = append(rest, contentOf(t, it))
			}
		}
		return headers, rest
	}
	headers, rest := read(sectionOf(section))
	for name, size := range map[string]int64{"file": int64(len(section)), "begun in memory": 0, "from the start of a lie": 1 << 40} {
		to := &spool{dir: t.TempDir()}
		if err := to.fill(bytes.NewReader(section), size, int64(len(section))); err != nil {
			t.Fatal(err)
		}
		if to.file == nil || to.memory != nil || to.size != int64(len(section)) {
			t.Errorf("%s: %d bytes, of which %d in memory", name, to.size, len(to.memory))
		}
		if h, r := read(to.section()); !reflect.DeepEqual(h, headers) || !reflect.DeepEqual(r, rest) {
			t.Errorf("%s: another tree", name)
		}
		to.drop()
	}
}

func TestSpoolHoldsNoMoreThanItMay(t *testing.T) {
	to := &spool{dir: t.TempDir()}
	for _, size := range []int64{-1, 0, 10, inMemory, 1 << 40} {
		for _, limit := range []int64{5, inMemory - 1, inMemory, 3 * inMemory} {
			if err := to.fill(bytes.NewReader(make([]byte, 4*inMemory)), size, limit); err != nil {
				t.Fatal(err)
			}
			if to.size != limit+1 || to.section().Size() != limit+1 {
				t.Errorf("of %d bytes at most it keeps %d", limit, to.size)
			}
			if len(to.memory) > inMemory || size <= inMemory && to.size <= inMemory && to.file != nil {
				t.Errorf("of %d bytes %d are in memory", to.size, len(to.memory))
			}
		}
	}
	boom := errors.New("boom")
	err := to.fill(io.MultiReader(bytes.NewReader(make([]byte, inMemory)), failing{boom}), -1, 4*inMemory)
	if !errors.Is(err, boom) {
		t.Errorf("of a reader that fails: %v", err)
	}
	to.drop()
	(*spool)(nil).drop()
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := openFile(pipe); done <- err }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("a pipe: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for a writer")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestSameContent compares files that differ in one byte, wherever that is.
func TestSameContent(t *testing.T) {
	const size = 100_000
	a := make([]byte, size)
	same := func(b []byte, size int64) bool { return sameContent(bytes.NewReader(a), bytes.NewReader(b), size) }
	if !same(bytes.Clone(a), size) || !same(nil, 0) {
		t.Error("files that are the same are not")
	}
	for _, at := range []int{0, 32<<10 - 1, 32 << 10, size - 1} {
		b := bytes.Clone(a)
		if b[at] = 1; same(b, size) {
			t.Errorf("byte %d makes no difference", at)
		}
	}
	if same(a[:size-1], size) {
		t.Error("a file that can't be read to its end is the same")
	}
}

// TestCopyIsOfWhatWasVerified: a repository's folder is others' to write to.
func TestCopyIsOfWhatWasVerified(t *testing.T) {
	f := fetched{Package: Package{Name: "a", Size: 5}, verified: verified{sum: hexSum([]byte("hello"))}, path: "a.apk"}
	var b bytes.Buffer
	f.file = sectionOf([]byte("hello"))
	if err := f.copyTo(&b); err != nil || b.String() != "hello" {
		t.Errorf("copied %q, %v", b.String(), err)
	}
	f.file = sectionOf([]byte("HELLO"))
	if err := f.copyTo(io.Discard); fault.CodeOf(err) != fault.Refused {
		t.Errorf("a file that has changed: %v", err)
	}
}

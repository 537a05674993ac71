package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestWriteSetsTheModeWhateverTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	path := filepath.Join(t.TempDir(), "f")
	for _, mode := range []os.FileMode{0o644, 0o600} {
		if err := Write(path, []byte(mode.String()), mode); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil || st.Mode() != mode {
			t.Errorf("mode %v, %v, want %v", st.Mode(), err, mode)
		}
	}
	if data, _ := os.ReadFile(path); string(data) != os.FileMode(0o600).String() {
		t.Errorf("holds %q", data)
	}
}

func TestFailureLeavesTheOldFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := Stream(path, 0o600, func(f *os.File) error {
		_, _ = f.WriteString("half")
		return boom
	})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want %v with the path", err, boom)
	}
	if err := Edit(path, 0o600, func([]byte) ([]byte, error) { return nil, boom }); !errors.Is(err, boom) {
		t.Errorf("Edit: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("holds %q", data)
	}
	// A folder at the target's place makes the rename fail, after everything else.
	if err := os.MkdirAll(filepath.Join(dir, "d", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "d"), nil, 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOnlyFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), os.Symlink("file", link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(file); string(data) != "new" {
		t.Errorf("the link's file holds %q", data)
	}
	if to, err := os.Readlink(link); err != nil || to != "file" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if err := Write(pipe, nil, 0o600); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a pipe: %v", err)
	}
	if st, err := os.Lstat(pipe); err != nil || st.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe is now %v, %v", st.Mode(), err)
	}
	err := Write(filepath.Join(dir, "none", "f"), nil, 0o600)
	if !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), ".f.") {
		t.Errorf("no such folder: %v", err)
	}
}

func TestEditsAtOnceAllTakeEffect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var wait sync.WaitGroup
	for i := range 50 {
		wait.Go(func() {
			err := Edit(path, 0o600, func(old []byte) ([]byte, error) { return fmt.Appendf(old, "%d\n", i), nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	data, _ := os.ReadFile(path)
	if n := strings.Count(string(data), "\n"); n != 50 {
		t.Errorf("%d of 50 edits are in the file", n)
	}
}

func TestEditKeepsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to others")
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := errors.Join(os.WriteFile(path, []byte("old"), 0o640), os.Chown(path, 12345, 23456)); err != nil {
		t.Fatal(err)
	}
	if err := Edit(path, 0o640, func([]byte) ([]byte, error) { return []byte("new"), nil }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 23456 || info.Mode() != 0o640 {
		t.Errorf("it is %d:%d's, with mode %v", st.Uid, st.Gid, info.Mode())
	}
}

// Package atomicfile writes files so that a reader sees the old content or the
// new, never a part, and so that a failure leaves nothing behind.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Write replaces the file at path by data, with the permission bits of mode
// whatever the umask: a temporary file in the same folder is written, synced
// and renamed, then the folder is synced. Where path is a symbolic link, the
// file it leads to is replaced; a device or a pipe is an error.
func Write(path string, data []byte, mode fs.FileMode) error {
	return Stream(path, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// Stream is Write for content that fill writes to the temporary file itself.
func Stream(path string, mode fs.FileMode, fill func(*os.File) error) (err error) {
	file, err := target(path)
	if err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, Temporary(filepath.Base(file)))
	if err != nil {
		if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
			err = inner.Err // the temporary file's name says nothing
		}
		return fmt.Errorf("writing %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %q: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	if err := errors.Join(fill(f), f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(dir)
}

// target is the file to replace for path. Root's rename would do away with
// /dev/null or /dev/stdout as with anything else.
func target(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("it is there and is no regular file")
	}
	return filepath.EvalSymlinks(path)
}

// Unnamed makes a file in dir, "" being the system's folder for temporary
// files, that has no name and is gone once it is closed, or the process is
// killed.
func Unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".unnamed-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Edit replaces the file at path, whose owner and group stay, by what change makes
// of its content (nil where there is no such file), holding an exclusive lock on the folder
// meanwhile, so that two edits at once both take effect. An error of change
// leaves the file as it was.
func Edit(path string, mode fs.FileMode, change func(old []byte) ([]byte, error)) error {
	lock, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("locking %q: %w", path, err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %q: %w", path, err)
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	data, err := change(old)
	if err != nil || old != nil && bytes.Equal(old, data) {
		return err
	}
	return Stream(path, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return errors.Join(err, giveTo(f, path))
	})
}

// giveTo gives f the owner and the group of the file at path, if there is one.
func giveTo(f *os.File, path string) error {
	old, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	from, ok1 := old.Sys().(*syscall.Stat_t)
	to, ok2 := info.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || from.Uid == to.Uid && from.Gid == to.Gid {
		return nil
	}
	if err := f.Chown(int(from.Uid), int(from.Gid)); err != nil {
		return fmt.Errorf("keeping its owner %d:%d, as root may: %w", from.Uid, from.Gid, errors.Unwrap(err))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

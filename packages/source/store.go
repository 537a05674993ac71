package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// store is the part of the cache folder that is this package's:
//
//	lock           held by the process that builds
//	sources.json   the source packages last resolved
//	apt/           apt's private state
//	archives/      the source packages' files
//	steps/         results, NAME-KEY
//	repositories/  finished repositories, by key
//	repository     symbolic link to the present one
//	logs/          what the last run of each step printed
//	work/          what is being made; emptied by the next build
type store struct{ root string }

func storeIn(cache string) store { return store{filepath.Join(cache, "source")} }

func (s store) path(elem ...string) string {
	return filepath.Join(append([]string{s.root}, elem...)...)
}

// repository is the path of the present repository, whatever it holds.
func (s store) repository() string { return s.path("repository") }

// lock makes the caller the only process that builds here; waiting is called
// once where another has to end first. The lock ends with the returned file.
func (s store) lock(ctx context.Context, waiting func()) (*os.File, error) {
	if err := os.MkdirAll(s.root, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("locking %q: %w", f.Name(), err), f.Close())
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sweep removes what interrupted builds left. The lock must be held.
func (s store) sweep() error {
	if err := removeAll(s.path("work")); err != nil {
		return err
	}
	for _, dir := range []string{"work", "logs"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// removeAll is os.RemoveAll for a folder in which killed processes may just be
// ending: one that still writes makes the first try fail.
func removeAll(path string) (err error) {
	for try := range 5 {
		if err = os.RemoveAll(path); err == nil {
			return nil
		}
		time.Sleep(time.Duration(try+1) * 20 * time.Millisecond)
	}
	return err
}

// point makes the repository in dir the present one. A reader of the old one
// isn't disturbed: it stays where it is.
func (s store) point(dir string) error {
	target, err := filepath.Rel(s.root, dir)
	if err != nil {
		return err
	}
	if now, err := os.Readlink(s.repository()); err == nil && now == target {
		return nil
	}
	link := s.path("work", "repository")
	if err := os.Symlink(target, link); err != nil {
		return err
	}
	return os.Rename(link, s.repository())
}

// Repository returns the absolute paths of the folder and of the public key of
// the repository that the last Build in this cache made. Where there is none,
// the error wraps fs.ErrNotExist and its hint names the command to make it.
func Repository(cache string) (dir, key string, err error) {
	if cache, err = filepath.Abs(cache); err != nil {
		return "", "", fmt.Errorf("opening the local package repository: %w", err)
	}
	dir = storeIn(cache).repository()
	found, err := filepath.Glob(filepath.Join(dir, "*.rsa.pub"))
	if err == nil && len(found) == 1 {
		return dir, found[0], nil
	}
	err = fmt.Errorf("opening the local package repository %q: %w", dir, fs.ErrNotExist)
	return "", "", fault.Hint(err, "run: mosqbuild packages build")
}

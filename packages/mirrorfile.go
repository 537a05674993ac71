package packages

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/shell"
)

// mirrorName is the lock in a mirror's folder, which says where in it the
// repositories are and what it has of them. It is written last.
const mirrorName = "mosqbuild.mirror.yaml"

// maxLock bounds a lock that somebody else may have written: one of three
// packages has 2 KB.
const maxLock = 16 << 20

// mirror is a mirror's folder.
type mirror struct {
	dir   string
	locks Locks
}

// readMirror returns what the folder mirrors, and nil where it is no mirror.
func readMirror(dir string) (*mirror, error) {
	if isURL(dir) {
		return nil, nil
	}
	path := filepath.Join(dir, mirrorName)
	data, err := readFile(path, maxLock)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err == nil && len(data) > maxLock {
		err = fmt.Errorf("more than %d bytes", maxLock)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	again := "it was changed or damaged; mirror it again: " + mirrorTo(dir)
	locks, err := ReadLocks(path, data)
	if err != nil {
		return nil, fault.Hint(err, "%s", again)
	}
	for _, l := range locks {
		for _, r := range l.Repositories {
			rel, err := filepath.Rel(dir, r.Repository)
			if err != nil || !filepath.IsLocal(rel) {
				return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading %q: repository %q is not in this folder", path, r.called()), "%s", again))
			}
		}
	}
	return &mirror{dir, locks}, nil
}

// mirrorTo is the command that makes the mirror in dir, or mends it.
func mirrorTo(dir string) string { return "mosqbuild packages mirror --to " + shell.Quote(dir) }

// places are the copies of a mirror for one architecture.
func (m *mirror) places(arch string) ([]place, error) {
	l := m.locks.Find(arch)
	if l == nil {
		return nil, fault.With(fault.Unreachable, fault.Hint(fmt.Errorf("it is a mirror that lacks platform %q", platformPrefix+arch),
			"make it where there is a network: %s", mirrorTo(m.dir)))
	}
	var places []place
	for _, r := range l.Repositories {
		places = append(places, place{r.Repository, r.Origin})
	}
	return places, nil
}

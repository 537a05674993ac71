package packages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// FileCheck is the outcome of CheckMirror for one file.
type FileCheck struct {
	File   string `json:"file"` // relative to the mirror
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what is wrong
}

// CheckMirror reads every file of a mirror and verifies it as a build would,
// and against the SHA-256 that the mirror's lock has of it. Only the keys of o
// count, which has nothing else to say. A folder that is no mirror, or one that
// was never finished, is an error (fault.CheckFailed).
func CheckMirror(ctx context.Context, dir string, o Options) ([]FileCheck, error) {
	m, err := readMirror(dir)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fault.With(fault.CheckFailed, fault.Hint(
			fmt.Errorf("checking mirror %q: it has no %s, which is written last", dir, mirrorName),
			"it was never finished, or is none; go on with it: mosqbuild packages mirror --to DIR"))
	}
	ring, err := o.keyring()
	if err != nil {
		return nil, err
	}
	var checks []FileCheck
	for _, l := range m.locks {
		for _, r := range l.Repositories {
			checks = append(checks, m.checkIndex(ctx, l, r, o, ring))
		}
		found := make([]FileCheck, len(l.Packages))
		err := l.each(ctx, func(_ context.Context, i int) error {
			p := l.Packages[i]
			found[i] = m.outcome(filepath.Join(p.Repository, l.fileOf(p)), p.check(filepath.Join(p.Repository, l.fileOf(p)), apkArch(l.Arch), ring))
			return nil
		})
		if err != nil {
			return nil, err
		}
		checks = append(checks, found...)
	}
	return checks, nil
}

func (m *mirror) outcome(path string, err error) FileCheck {
	rel, relErr := filepath.Rel(m.dir, path)
	if relErr != nil {
		rel = path
	}
	if err != nil {
		return FileCheck{File: rel, Detail: err.Error()}
	}
	return FileCheck{File: rel, OK: true}
}

// checkIndex verifies an index, and that it lists what the lock has of it.
func (m *mirror) checkIndex(ctx context.Context, l *Lock, r Index, o Options, ring keyring) FileCheck {
	arch := apkArch(l.Arch)
	path := filepath.Join(r.Repository, arch, indexFile)
	from, err := o.repository(r.Repository)
	if err != nil {
		return m.outcome(path, err)
	}
	i, err := readIndex(ctx, from, arch, ring)
	if err != nil {
		return m.outcome(path, err)
	}
	var wrong []error
	if i.SHA256 != r.SHA256 {
		wrong = append(wrong, &mismatchError{"SHA-256", i.SHA256, r.SHA256, "the mirror's lock"})
	}
	if _, err := os.Stat(filepath.Join(m.dir, KeysFolder, r.Key)); err != nil {
		wrong = append(wrong, fmt.Errorf("its key is missing: %w", err))
	}
	for _, p := range l.Packages {
		if p.Repository != r.Repository {
			continue
		}
		if _, err := p.in(i); err != nil {
			wrong = append(wrong, err)
		}
	}
	return m.outcome(path, errors.Join(wrong...))
}

// check verifies a package's file as far as no index is needed.
func (p Package) check(path, arch string, ring keyring) error {
	file, err := openFile(path)
	if err != nil {
		return err
	}
	defer closeFile(file)
	p.Arch = arch
	_, err = p.verify(file, ring, nil)
	return err
}

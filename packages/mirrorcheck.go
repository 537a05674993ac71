package packages

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// FileCheck is the outcome of CheckMirror for one file.
type FileCheck struct {
	File   string `json:"file"` // relative to the mirror
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what is wrong
	// Untrusted names the keys that it is signed by, where that is what is wrong.
	Untrusted []string `json:"untrusted,omitempty"`
}

// CheckMirror reads every file that a mirror lists and verifies it as a build would,
// and against the SHA-256 that the mirror's lock has of it. Only the keys of o
// count, which has nothing else to say; those in the mirror must be the ones that
// its files are signed by. A folder that is no mirror, one that was never
// finished, or whose lock is damaged, is an error (fault.CheckFailed).
func CheckMirror(ctx context.Context, dir string, o Options) ([]FileCheck, error) {
	m, err := readMirror(dir)
	if fault.CodeOf(err) == fault.Usage {
		err = fault.With(fault.CheckFailed, err)
	}
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fault.With(fault.CheckFailed, fault.Hint(
			fmt.Errorf("checking mirror %q: it has no %s, which is written last", dir, mirrorName),
			"it was never finished, or is none; go on with it: %s", mirrorTo(dir)))
	}
	ring, err := o.keyring()
	if err != nil {
		return nil, err
	}
	var checks []FileCheck
	signed := keyring{} // by which keys
	for _, l := range m.locks {
		found, err := m.check(ctx, l, o, ring, signed)
		if err != nil {
			return nil, err
		}
		checks = append(checks, found...)
	}
	for _, c := range checks {
		for _, name := range c.Untrusted {
			if signed[name] == nil {
				signed[name] = nil // it is needed all the same
			}
		}
	}
	keys, err := m.checkKeys(signed, ring)
	return append(checks, keys...), err
}

// check reads what the mirror has of one platform, and adds the keys by which that
// is signed to signed.
func (m *mirror) check(ctx context.Context, l *Lock, o Options, ring, signed keyring) ([]FileCheck, error) {
	var checks []FileCheck
	for _, r := range l.Repositories {
		path := filepath.Join(r.Repository, apkArch(l.Arch), indexFile)
		by, err := checkIndex(ctx, l, r, o, ring)
		checks = append(checks, m.outcome(path, err))
		signed.add(by)
	}
	found, by := make([]FileCheck, len(l.Packages)), make([]signer, len(l.Packages))
	err := l.each(ctx, func(_ context.Context, i int) error {
		p := l.Packages[i]
		path := filepath.Join(p.Repository, l.fileOf(p))
		var err error
		by[i], err = p.check(path, apkArch(l.Arch), ring)
		found[i] = m.outcome(path, err)
		return nil
	})
	for _, b := range by {
		signed.add(b)
	}
	return append(checks, found...), err
}

func (m *mirror) outcome(path string, err error) FileCheck {
	rel, relErr := filepath.Rel(m.dir, path)
	if relErr != nil {
		rel = path
	}
	if err == nil {
		return FileCheck{File: rel, OK: true}
	}
	c := FileCheck{File: rel, Detail: err.Error()}
	if unknown := (*unknownKeyError)(nil); errors.As(err, &unknown) {
		c.Untrusted = unknown.names
	}
	return c
}

// checkIndex verifies an index, and that it lists what the lock has of it.
func checkIndex(ctx context.Context, l *Lock, r Index, o Options, ring keyring) (signer, error) {
	from, err := o.repository(r.Repository)
	if err != nil {
		return signer{}, err
	}
	i, err := readIndex(ctx, from, apkArch(l.Arch), ring)
	if err != nil {
		return signer{}, err
	}
	var wrong []error
	if i.SHA256 != r.SHA256 {
		wrong = append(wrong, &mismatchError{"SHA-256", i.SHA256, r.SHA256, "the mirror's lock"})
	}
	for _, p := range l.Packages {
		if p.Repository != r.Repository {
			continue
		}
		if _, err := p.in(i); err != nil {
			wrong = append(wrong, err)
		}
	}
	return i.by, errors.Join(wrong...)
}

// check verifies a package's file as far as no index is needed.
func (p Package) check(path, arch string, ring keyring) (signer, error) {
	file, err := openFile(path)
	if err != nil {
		return signer{}, err
	}
	defer closeFile(file)
	p.Arch = arch
	v, err := p.verify(file, ring, nil)
	return v.by, err
}

// checkKeys compares the mirror's keys, which apk takes for trusted, with those
// by which its files are signed, and what there is beside with the trusted ones.
func (m *mirror) checkKeys(signed, ring keyring) ([]FileCheck, error) {
	dir := filepath.Join(m.dir, KeysFolder)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names := signed.names()
	for _, e := range entries {
		// What a kill has left there is nobody's key, and goes with the next mirror.
		if cut, _ := filepath.Match(atomicfile.Temporary("*.rsa.pub"), e.Name()); !cut {
			names = append(names, e.Name())
		}
	}
	var checks []FileCheck
	for _, name := range sortedSet(names) {
		path := filepath.Join(dir, name)
		want := cmp.Or(signed[name], ring[name])
		if _, used := signed[name]; used && want == nil {
			c := m.outcome(path, errors.New("files here are signed by it, and it is not among the trusted keys"))
			c.Untrusted = []string{name}
			checks = append(checks, c)
			continue
		}
		checks = append(checks, m.outcome(path, checkKey(path, want)))
	}
	return checks, nil
}

// maxKey is generous: RSA with 16384 bits has 3 KB.
const maxKey = 64 << 10

func checkKey(path string, want *rsa.PublicKey) error {
	data, err := readFile(path, maxKey)
	if err != nil {
		return err
	}
	key, err := parsePublicKey(data)
	switch {
	case err != nil:
		return err
	case want == nil:
		return errors.New("nothing here is signed by it, and it is not among the trusted keys: remove it")
	case !want.Equal(key):
		return errors.New("it is not the key of that name by which files here are signed")
	}
	return nil
}

package cmd

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/packages"
)

// lockFile is the configuration's path with .lock before its ending: several
// configurations in a folder have a lock each.
func (a *app) lockFile() string {
	file := cmp.Or(a.Config, configFile)
	ext := filepath.Ext(file)
	return strings.TrimSuffix(file, ext) + ".lock" + ext
}

// locks reads the lock file, if there is one.
func (a *app) locks() (packages.Locks, error) {
	data, err := os.ReadFile(a.lockFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return packages.ReadLocks(a.lockFile(), data)
}

// resolve says which packages the image is made of: those locked, or where
// there is no lock, what the repositories have today.
func (a *app) resolve(ctx context.Context, cfg config.Config, from packages.Options, o buildOptions) (*packages.Lock, error) {
	locks, err := a.locks()
	if err != nil {
		return nil, err
	}
	switch {
	case o.UpdateLock:
		return a.relock(ctx, cfg, from, locks, o.Only)
	case locks != nil:
		a.progress("using the lock %s", a.lockFile())
		return locks.Find(from.Architecture()).Confirm(ctx, cfg.Image.Packages, from)
	}
	a.progress("resolving %d packages", len(cfg.Image.Packages))
	return packages.Resolve(ctx, cfg.Image.Packages, from)
}

// relock renews the lock, or that of the packages in only alone, and writes it.
func (a *app) relock(ctx context.Context, cfg config.Config, from packages.Options, locks packages.Locks, only []string) (*packages.Lock, error) {
	a.progress("locking %d packages and what they depend on", len(cfg.Image.Packages))
	was := locks.Find(from.Architecture())
	renewed, err := was.Renew(ctx, cfg.Image.Packages, only, from)
	if err != nil {
		return nil, err
	}
	if renewed, err = renewed.Pin(ctx, from); err != nil {
		return nil, err
	}
	data, err := locks.With(renewed).Encode(filepath.Dir(a.lockFile()))
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(a.lockFile(), data, 0o644); err != nil {
		return nil, err
	}
	a.lockNotes(was, renewed)
	return renewed, nil
}

// lockNotes says what a renewed lock changes.
func (a *app) lockNotes(was, is *packages.Lock) {
	if was == nil {
		a.progress("locked %d packages", len(is.Packages))
		return
	}
	changed := 0
	for _, p := range is.Packages {
		old, ok := was.Find(p.Name)
		switch {
		case !ok:
			a.progress("new: %s %s", p.Name, p.Version)
		case old.Version != p.Version:
			a.progress("%s: %s is now %s", p.Name, old.Version, p.Version)
		case old.Checksum != p.Checksum:
			a.progress("%s: %s was made anew", p.Name, p.Version)
		default:
			continue
		}
		changed++
	}
	gone := slices.DeleteFunc(slices.Clone(was.Packages), func(p packages.Package) bool {
		_, ok := is.Find(p.Name)
		return ok
	})
	for _, p := range gone {
		a.progress("gone: %s %s", p.Name, p.Version)
	}
	a.progress("locked %d packages, %d of them changed", len(is.Packages), changed+len(gone))
}

// closures returns the locks of the lock file, confirmed, or without one that of
// what the repositories have today.
func (a *app) closures(ctx context.Context, o buildOptions) (packages.Locks, packages.Options, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, packages.Options{}, err
	}
	from, err := a.sources(cfg, o)
	if err != nil {
		return nil, from, err
	}
	locks, err := a.locks()
	if err != nil {
		return nil, from, err
	}
	if locks == nil {
		l, err := packages.Resolve(ctx, cfg.Image.Packages, from)
		return packages.Locks{l}, from, err
	}
	var confirmed packages.Locks
	for _, l := range locks {
		from := from
		from.Arch = l.Arch
		l, err := l.Confirm(ctx, cfg.Image.Packages, from)
		if err != nil {
			return nil, from, err
		}
		confirmed = append(confirmed, l)
	}
	return confirmed, from, nil
}

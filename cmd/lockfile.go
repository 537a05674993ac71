package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
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

// resolve says which packages the image is made of, for each platform: those
// locked, or where there is no lock, what the repositories have today.
func (a *app) resolve(ctx context.Context, cfg config.Config, from packages.Options, o buildOptions, archs []string) (packages.Locks, error) {
	locks, err := a.locks()
	if err != nil {
		return nil, err
	}
	if o.UpdateLock {
		if locks, err = a.relock(ctx, cfg, from, locks, o, archs); err != nil {
			return nil, err
		}
		return each(ctx, archs, func(_ context.Context, _ int, arch string) (*packages.Lock, error) { return locks.Find(arch), nil })
	}
	if locks != nil {
		a.progress("using the lock %s", a.lockFile())
	} else {
		a.progress("resolving %d packages", len(o.packages(cfg)))
	}
	return each(ctx, archs, func(ctx context.Context, _ int, arch string) (*packages.Lock, error) {
		from := from
		from.Arch = arch
		if locks != nil {
			return locks.Find(arch).Confirm(ctx, o.packages(cfg), from)
		}
		return packages.Resolve(ctx, o.packages(cfg), from)
	})
}

// relock renews the locks, or those of the packages in o.Only alone, and writes
// them. It returns all of them, those for build among them.
func (a *app) relock(ctx context.Context, cfg config.Config, from packages.Options, locks packages.Locks, o buildOptions, build []string) (packages.Locks, error) {
	anew, written, err := o.toLock(cfg, locks, build)
	if err != nil {
		return nil, err
	}
	a.progress("locking %d packages and what they depend on", len(o.packages(cfg)))
	renewed, err := each(ctx, anew, func(ctx context.Context, _ int, arch string) (*packages.Lock, error) {
		from := from
		from.Arch = arch
		l, err := locks.Find(arch).Renew(ctx, o.packages(cfg), o.Only, from)
		if err != nil {
			return nil, err
		}
		return l.Pin(ctx, from)
	})
	if err != nil {
		return nil, err
	}
	if err := a.checkSeries(cfg, renewed); err != nil {
		return nil, err
	}
	others := written
	for _, l := range renewed {
		written = written.With(l)
	}
	for _, l := range others {
		if written.Find(l.Arch) == nil {
			err := fmt.Errorf("locking %s alone: other packages are asked for than are locked, and the lock of %s would be lost",
				config.Platforms(anew), config.Platforms([]string{l.Arch}))
			return nil, fault.With(fault.Usage, fault.Hint(err, "renew all: mosqbuild image lock"))
		}
	}
	data, err := written.Encode(filepath.Dir(a.lockFile()))
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(a.lockFile(), data, 0o644); err != nil {
		return nil, err
	}
	for _, l := range renewed {
		a.lockNotes(locks.Find(l.Arch), l, len(written) > 1)
	}
	return written, nil
}

// lockNotes says what a renewed lock changes, and for which platform where there
// are several.
func (a *app) lockNotes(was, is *packages.Lock, several bool) {
	note := a.progress
	if several {
		note = func(format string, args ...any) { a.progress(config.PlatformPrefix+is.Arch+": "+format, args...) }
	}
	if was == nil {
		note("locked %d packages", len(is.Packages))
		return
	}
	changed := 0
	for _, p := range is.Packages {
		old, ok := was.Find(p.Name)
		switch {
		case !ok:
			note("new: %s %s", p.Name, p.Version)
		case old.Version != p.Version:
			note("%s: %s is now %s", p.Name, old.Version, p.Version)
		case old.Checksum != p.Checksum:
			note("%s: %s was made anew", p.Name, p.Version)
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
		note("gone: %s %s", p.Name, p.Version)
	}
	note("locked %d packages, %d of them changed", len(is.Packages), changed+len(gone))
}

// closures returns the locks of the lock file, confirmed, or without one those
// of what the repositories have today: of the platforms that are named alone
// where some are.
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
	archs, err := o.archs(cfg)
	if err != nil {
		return nil, from, err
	}
	if locks != nil && o.Platforms == nil {
		archs = nil
		for _, l := range locks {
			archs = append(archs, l.Arch)
		}
	}
	found, err := each(ctx, archs, func(ctx context.Context, _ int, arch string) (*packages.Lock, error) {
		from := from
		from.Arch = arch
		if locks == nil {
			return packages.Resolve(ctx, o.packages(cfg), from)
		}
		return locks.Find(arch).Confirm(ctx, o.packages(cfg), from)
	})
	return found, from, err
}

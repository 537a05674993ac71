package packages

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Renew resolves names as Resolve does, in place of the lock, which may be nil.
// Where only names packages, all others of the lock stay at their version but
// those of the same source package: a broker goes with its library. Of a version
// that several repositories list, the locked file stays while one of them has it.
// An index that is older than the locked one is refused (fault.Refused), as is a package
// that went back, or that is to stay and is no longer listed.
func (l *Lock) Renew(ctx context.Context, names, only []string, o Options) (*Lock, error) {
	if l == nil {
		l = &Lock{}
	}
	indexes, err := readIndexes(ctx, o)
	if err != nil {
		return nil, err
	}
	free := func(*apk.Package) bool { return true }
	if len(only) > 0 {
		free = sameSource(only, indexes)
	}
	stay, err := l.staying(indexes, free)
	if err != nil {
		return nil, err
	}
	settled := l.settled(indexes)
	renewed, err := resolve(ctx, names, indexes, o, func(p *apk.Package) bool {
		was, ok := stay[p.Name]
		sum, same := settled[p.Filename()]
		return (!ok || p.Version == was.Version && p.ChecksumString() == was.Checksum) && (!same || p.ChecksumString() == sum)
	})
	if err != nil && len(stay) > 0 {
		return nil, fault.Hint(err, "what stays may not go with it; renew all: mosqbuild image build --update-lock")
	}
	if err != nil {
		return nil, err
	}
	for _, name := range only {
		_, was := l.Find(name)
		if _, is := renewed.Find(name); !was && !is {
			return nil, fault.With(fault.Usage, fmt.Errorf("renewing package %q: it is neither locked nor needed", name))
		}
	}
	return renewed, nil
}

// sameSource returns what says whether a package is made of the same source as
// one of those named.
func sameSource(names []string, indexes []index) func(*apk.Package) bool {
	origins := map[string]bool{}
	for _, i := range indexes {
		for _, p := range i.packages {
			if slices.Contains(names, p.Name) && p.Origin != "" {
				origins[p.Origin] = true
			}
		}
	}
	return func(p *apk.Package) bool { return slices.Contains(names, p.Name) || origins[p.Origin] }
}

// staying returns the locked packages that aren't free, by name, and refuses
// indexes that went back.
func (l *Lock) staying(indexes []index, free func(*apk.Package) bool) (map[string]Package, error) {
	stay := map[string]Package{}
	var older, d differences
	now := l.stillNamed(indexes)
	for _, was := range l.Repositories {
		if i, ok := now[was.Repository]; ok {
			older.addOlder(was, i)
		}
	}
	for _, p := range l.Packages {
		stays := !free(&apk.Package{Name: p.Name, Origin: origin(p.Name, indexes)})
		if stays {
			stay[p.Name] = p
		}
		i, ok := now[p.Repository]
		if !ok {
			continue // no longer asked for; what stays of it may be listed elsewhere
		}
		_, err := p.in(i)
		if back := (*wentBackError)(nil); errors.As(err, &back) {
			older.add("%w", err)
		} else if err != nil && stays {
			d.add("%w", err)
		}
	}
	if len(older) > 0 {
		return nil, older.refuse(hintOlder)
	}
	return stay, d.refuse("renew these as well, or all: mosqbuild image build --update-lock")
}

// settled returns the checksums of the locked files that are still listed, by name.
func (l *Lock) settled(indexes []index) map[string]string {
	sums := map[string]string{}
	for _, i := range indexes {
		for _, p := range i.packages {
			if was, ok := l.Find(p.Name); ok && p.Version == was.Version && p.ChecksumString() == was.Checksum {
				sums[p.Filename()] = was.Checksum
			}
		}
	}
	return sums
}

// origin is the source package of a listed package, or "".
func origin(name string, indexes []index) string {
	for _, i := range indexes {
		at := slices.IndexFunc(i.packages, func(p *apk.Package) bool { return p.Name == name })
		if at >= 0 {
			return i.packages[at].Origin
		}
	}
	return ""
}

// stillNamed returns, by the locked name, today's index of each repository that is
// still asked for. A folder may have moved: those that aren't where one was are
// taken in their order, as a build takes all.
func (l *Lock) stillNamed(indexes []index) map[string]index {
	now := map[string]index{}
	rest := slices.Clone(indexes)
	for _, same := range []func(was, is Index) bool{
		func(was, is Index) bool { return was.place() == is.place() },
		func(was, is Index) bool { return was.called() == is.called() },
	} {
		for _, was := range l.Repositories {
			at := slices.IndexFunc(rest, func(i index) bool { return same(was, i.Index) })
			if _, found := now[was.Repository]; at >= 0 && !found {
				now[was.Repository] = rest[at]
				rest = slices.Delete(rest, at, at+1)
			}
		}
	}
	return now
}

// place is the URL of the repository or the absolute path of its folder.
func (i Index) place() string {
	if u := i.URL(); u != "" {
		return u
	}
	if path, err := filepath.Abs(i.Repository); err == nil {
		return path
	}
	return filepath.Clean(i.Repository) // there is no working directory
}

// Pin fetches and verifies every package of the lock, and returns the lock with
// the SHA-256 of each file. It may be called by several goroutines at once.
func (l *Lock) Pin(ctx context.Context, o Options) (*Lock, error) {
	pinned := *l
	pinned.Packages = slices.Clone(l.Packages)
	ring, err := o.keyring()
	if err != nil {
		return nil, err
	}
	err = l.each(ctx, func(ctx context.Context, i int) error {
		f, err := l.fetch(ctx, i, o, ring, nil)
		if err != nil {
			return err
		}
		closeFile(f.file)
		pinned.Packages[i].SHA256 = f.sum
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &pinned, nil
}

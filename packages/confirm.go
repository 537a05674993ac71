package packages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Confirm compares the lock, which is nil where the file has none for the
// platform, with the names asked for and with what the
// repositories of o list today, and returns it with what the indexes say of the
// packages beside. A repository may list newer versions besides the locked one.
// What isn't as it was locked is refused (fault.Refused), and each difference
// named: a name or a repository that came or went, a package that is no longer
// listed, or with another checksum, and an index that is older than the locked
// one. It may be called by several goroutines at once.
func (l *Lock) Confirm(ctx context.Context, names []string, o Options) (*Lock, error) {
	confirmed, _, err := l.compare(ctx, names, o)
	return confirmed, err
}

// compare is Confirm with the indexes that it read, in the order of the lock's
// repositories.
func (l *Lock) compare(ctx context.Context, names []string, o Options) (*Lock, []index, error) {
	if l == nil {
		var d differences
		p := platformPrefix + o.Architecture()
		d.add("platform %q isn't locked", p)
		return nil, nil, d.refuse("lock it beside the others: mosqbuild image lock --platform " + p)
	}
	places, err := o.places()
	if err != nil {
		return nil, nil, err
	}
	if err := l.configured(names, places); err != nil {
		return nil, nil, err
	}
	indexes, err := readIndexes(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	confirmed, err := l.confirm(indexes, o)
	return confirmed, indexes, err
}

// Hints of the three ways in which a lock doesn't fit.
const (
	hintConfigured = "if that is meant, renew the lock: mosqbuild image build --update-lock"
	hintListed     = "take what the repository has today: mosqbuild image build --update-lock; " +
		"or build from a mirror made while it had what is locked: --repository DIR"
	hintOlder = "the mirror lags behind, or somebody serves an old state with known holes: use another one; " +
		"if the repository really went back, remove the lock and make it anew: mosqbuild image lock"
)

// differences is what doesn't fit.
type differences []error

func (d *differences) add(format string, args ...any) {
	*d = append(*d, fmt.Errorf("comparing with the lock: "+format, args...))
}

// refuse returns the differences as one error, nil where there is none.
func (d differences) refuse(hint string) error {
	return fault.With(fault.Refused, fault.Hint(errors.Join(d...), "%s", hint))
}

// configured compares the lock with what is asked for.
func (l *Lock) configured(names []string, places []place) error {
	var d differences
	world := sortedSet(names)
	for _, n := range without(world, l.World) {
		d.add("package %q is asked for and isn't locked", n)
	}
	for _, n := range without(l.World, world) {
		d.add("package %q is locked and no longer asked for", n)
	}
	var had, have []string
	for _, r := range l.Repositories {
		had = append(had, r.called())
	}
	for _, p := range places {
		have = append(have, Index{Repository: p.location, Origin: p.origin}.called())
	}
	for _, r := range without(have, had) {
		d.add("repository %q is named and isn't locked", r)
	}
	for _, r := range without(had, have) {
		d.add("repository %q is locked and no longer named", r)
	}
	if len(d) == 0 && !slices.Equal(had, have) {
		d.add("repositories %q are named, %q are locked", have, had)
	}
	return d.refuse(hintConfigured)
}

// called is what tells one repository from another: where a folder is doesn't
// count.
func (i Index) called() string {
	if u := i.URL(); u != "" {
		return u
	}
	return "a folder"
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// confirm is the part of compare that looks at the indexes.
func (l *Lock) confirm(indexes []index, o Options) (*Lock, error) {
	out := &Lock{Arch: l.Arch, World: l.World}
	at := map[string]index{}
	var older, d differences
	for i, was := range l.Repositories {
		at[was.Repository] = indexes[i]
		out.Repositories = append(out.Repositories, indexes[i].Index)
		older.addOlder(was, indexes[i])
	}
	for _, p := range l.Packages {
		listed, err := p.in(at[p.Repository])
		if back := (*wentBackError)(nil); errors.As(err, &back) {
			older.add("%w", err)
		} else if err != nil {
			d.add("%w", err)
		} else if confirmed, err := lockPackage(listed, at[p.Repository].Repository, o.apkArch()); err != nil {
			return nil, err
		} else {
			confirmed.SHA256 = p.SHA256
			out.Packages = append(out.Packages, confirmed)
		}
	}
	if len(older) > 0 {
		return nil, append(older, d...).refuse(hintOlder)
	}
	return out, d.refuse(hintListed)
}

// addOlder adds an index that is older than it was.
func (d *differences) addOlder(was Index, now index) {
	if now.SHA256 != was.SHA256 && now.Date.Before(was.Date) {
		d.add("the index of repository %q is of %s, older than the locked one of %s",
			public(now.Repository), now.Date.Format(time.RFC3339), was.Date.Format(time.RFC3339))
	}
}

// wentBackError is a package of which only older versions are listed.
type wentBackError struct{ name, locked, listed, repository string }

func (e *wentBackError) Error() string {
	return fmt.Sprintf("package %q went back from %q to %q in repository %q", e.name, e.locked, e.listed, e.repository)
}

// in returns what the index says of the package, or how it differs.
func (p Package) in(i index) (*apk.Package, error) {
	where, newest := public(i.Repository), ""
	for _, listed := range i.packages {
		switch {
		case listed.Name != p.Name:
		case listed.Version != p.Version:
			if newest == "" || compareVersions(newest, listed.Version) < 0 {
				newest = listed.Version
			}
		case listed.ChecksumString() != p.Checksum:
			return nil, fmt.Errorf("package %q, version %q, has checksum %s in repository %q, not %s", p.Name, p.Version, listed.ChecksumString(), where, p.Checksum)
		case int64(listed.Size) != p.Size:
			return nil, fmt.Errorf("package %q, version %q, has %d bytes in repository %q, not %d", p.Name, p.Version, listed.Size, where, p.Size)
		default:
			return listed, nil
		}
	}
	switch {
	case newest == "":
		return nil, fmt.Errorf("package %q is no longer in repository %q", p.Name, where)
	case compareVersions(newest, p.Version) < 0:
		return nil, &wentBackError{p.Name, p.Version, newest, where}
	}
	return nil, fmt.Errorf("package %q is no longer in repository %q in version %q, but in %q", p.Name, where, p.Version, newest)
}

// compareVersions compares as apk does; what it can't read is equal to all.
func compareVersions(a, b string) int {
	x, err := apk.ParseVersion(a)
	y, err2 := apk.ParseVersion(b)
	if err != nil || err2 != nil {
		return 0
	}
	return apk.CompareVersions(x, y)
}

package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"chainguard.dev/apko/pkg/apk/apk"
	"golang.org/x/sync/errgroup"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Resolve returns the closure of names, which may carry a version as in
// /etc/apk/world ("mosquitto=2.0.22-r0", "mosquitto>2"), from the indexes of the
// repositories. Only the indexes are fetched, where they changed. Errors have the
// codes fault.Unreachable, fault.Refused for an index that does not verify and for
// a package that indexes list with different checksums in the version that is
// needed, and fault.Usage for what no repository could mend. It may be called by
// several goroutines at once.
func Resolve(ctx context.Context, names []string, o Options) (*Lock, error) {
	indexes, err := readIndexes(ctx, o)
	if err != nil {
		return nil, err
	}
	return resolve(ctx, names, indexes, o, func(*apk.Package) bool { return true })
}

// resolve is Resolve among the listed packages that may be taken.
func resolve(ctx context.Context, names []string, indexes []index, o Options, may func(*apk.Package) bool) (*Lock, error) {
	world := sortedSet(names)
	listed := named(indexes, o.apkArch(), may)
	resolver := apk.NewPkgResolver(ctx, listed)
	closure, _, err := resolver.GetPackagesWithDependencies(ctx, world, map[string][]apk.NamedIndex{o.apkArch(): listed})
	if err != nil {
		return nil, unresolvable(world, indexes, err)
	}
	byName := providers(closure)
	if err := conflicts(closure, byName); err != nil {
		return nil, unresolvable(world, indexes, err)
	}
	if err := claims(closure, indexes, o.apkArch(), may); err != nil {
		return nil, err
	}
	lock := &Lock{Arch: o.Architecture(), World: world}
	for _, i := range indexes {
		lock.Repositories = append(lock.Repositories, i.Index)
	}
	for _, p := range inOrder(closure, byName) {
		locked, err := lockPackage(p.Package, repositoryOf(p, o.apkArch()), o.apkArch())
		if err != nil {
			return nil, err
		}
		lock.Packages = append(lock.Packages, locked)
	}
	return lock, nil
}

func sortedSet(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

func readIndexes(ctx context.Context, o Options) ([]index, error) {
	places, err := o.places()
	if err != nil {
		return nil, err
	}
	ring, err := o.keyring()
	if err != nil {
		return nil, err
	}
	indexes := make([]index, len(places))
	g, ctx := errgroup.WithContext(ctx)
	for i, at := range places {
		r, err := o.repository(at.location)
		if err != nil {
			return nil, err
		}
		g.Go(func() (err error) {
			indexes[i], err = readIndex(ctx, r, o.apkArch(), ring)
			indexes[i].Origin = at.origin
			if errors.Is(err, fs.ErrNotExist) && o.Architecture() != config.DefaultArch {
				err = fault.Hint(err, "the repository may have nothing for %s: leave that platform out, or name one that has it: --repository URL|FOLDER", platformPrefix+o.Architecture())
			}
			return err
		})
	}
	return indexes, g.Wait()
}

// repositoryOf is the repository that named gave a package.
func repositoryOf(p *apk.RepositoryPackage, arch string) string {
	return strings.TrimSuffix(p.Repository().URI, "/"+arch)
}

// claims refuses a package of the closure of which the indexes list another file
// that may be taken, under the same name and version: which of the two is meant,
// nobody has said.
func claims(closure []*apk.RepositoryPackage, indexes []index, arch string, may func(*apk.Package) bool) error {
	taken := map[string]*apk.RepositoryPackage{}
	for _, p := range closure {
		taken[p.Filename()] = p
	}
	var all []error
	for _, i := range indexes {
		for _, p := range i.packages {
			is := taken[p.Filename()]
			if is == nil || bytes.Equal(p.Checksum, is.Checksum) || !may(p) {
				continue
			}
			all = append(all, fmt.Errorf("resolving package %q: version %q has checksum %s in repository %q and %s in %q", p.Name, p.Version,
				is.ChecksumString(), public(repositoryOf(is, arch)), p.ChecksumString(), public(i.Repository)))
		}
	}
	return fault.With(fault.Refused, fault.Hint(errors.Join(all...),
		"leave one of the repositories out, give packages of your own a version of their own, "+
			"or lock with the one that is meant before both are named (mosqbuild image lock --repository URL|FOLDER): what is locked stays"))
}

// named makes indexes ready for apko's resolver. Of a version that several list
// only the first that may be taken is kept: the resolver would take any, now this,
// now that. claims refuses those that differ.
func named(indexes []index, arch string, may func(*apk.Package) bool) []apk.NamedIndex {
	seen := map[string]bool{}
	var out []apk.NamedIndex
	for _, i := range indexes {
		var kept []*apk.Package
		for _, p := range i.packages {
			if !seen[p.Filename()] && may(p) {
				kept = append(kept, p)
				seen[p.Filename()] = true
			}
		}
		r := apk.Repository{URI: i.Repository + "/" + arch}
		out = append(out, apk.NewNamedRepositoryWithIndex("", r.WithIndex(&apk.APKIndex{Packages: kept})))
	}
	return out
}

func unresolvable(world []string, indexes []index, err error) error {
	var from []string
	for _, i := range indexes {
		from = append(from, public(i.Repository))
	}
	return fault.Hint(fmt.Errorf("resolving packages %q from repositories %q: %w", world, from, err),
		"check the names, or add the repository that has what is missing: --repository URL|FOLDER")
}

// providers returns the packages by every name they go by, in the order of
// their own names.
func providers(closure []*apk.RepositoryPackage) map[string][]*apk.RepositoryPackage {
	slices.SortFunc(closure, func(a, b *apk.RepositoryPackage) int { return strings.Compare(a.Name, b.Name) })
	byName := map[string][]*apk.RepositoryPackage{}
	for _, p := range closure {
		byName[p.Name] = append(byName[p.Name], p)
		for _, provided := range p.Provides {
			name := apk.ResolvePackageNameVersionPin(provided).Name
			byName[name] = append(byName[name], p)
		}
	}
	return byName
}

// conflicts reports a package whose "!name" dependency another one violates,
// which apko's resolver misses when it has chosen that one before.
func conflicts(closure []*apk.RepositoryPackage, byName map[string][]*apk.RepositoryPackage) error {
	for _, p := range closure {
		for _, dependency := range p.Dependencies {
			unwanted, ok := strings.CutPrefix(dependency, "!")
			if !ok {
				continue
			}
			c := apk.ResolvePackageNameVersionPin(unwanted)
			for _, other := range byName[c.Name] {
				version, err := apk.ParseVersion(other.Version)
				if err != nil {
					return fmt.Errorf("reading version of package %q: %w", other.Name, err)
				}
				if hit, err := c.SatisfiedBy(version); other != p && (hit || err != nil) {
					return fmt.Errorf("package %q conflicts with package %q", p.Name, other.Name)
				}
			}
		}
	}
	return nil
}

// inOrder sorts packages so that each comes after what it depends on. apko's
// order is such an order too, but depends on that of a map.
func inOrder(closure []*apk.RepositoryPackage, byName map[string][]*apk.RepositoryPackage) []*apk.RepositoryPackage {
	var order []*apk.RepositoryPackage
	seen := map[*apk.RepositoryPackage]bool{}
	var visit func(*apk.RepositoryPackage)
	visit = func(p *apk.RepositoryPackage) {
		if seen[p] {
			return
		}
		seen[p] = true
		for _, dependency := range p.Dependencies {
			for _, provider := range byName[apk.ResolvePackageNameVersionPin(dependency).Name] {
				visit(provider)
			}
		}
		order = append(order, p)
	}
	for _, p := range closure {
		visit(p)
	}
	return order
}

// lockPackage copies what the index says, refusing what can't be verified later.
func lockPackage(p *apk.Package, repository, arch string) (Package, error) {
	refuse := func(format string, args ...any) (Package, error) {
		err := fmt.Errorf(format, args...)
		return Package{}, fault.With(fault.Refused, fault.Hint(
			fmt.Errorf("checking package %q in the index of %q: %w", p.Name, public(repository), err),
			"make the index anew with apk index, and sign it"))
	}
	switch {
	case !safeName(p.Filename()):
		return refuse("%q is no file name", p.Filename())
	case len(p.Checksum) != 20:
		return refuse("it lists no SHA-1 checksum (C:Q1…)")
	case p.Arch != arch && p.Arch != "noarch":
		return refuse("architecture %q, not %q", p.Arch, arch)
	case p.Size == 0 || p.Size > maxPackage:
		return refuse("size of %d bytes is not between 1 and %d", p.Size, maxPackage)
	case p.InstalledSize > maxUnpacked:
		return refuse("installed size of %d bytes is more than %d", p.InstalledSize, maxUnpacked)
	}
	return Package{
		Name: p.Name, Version: p.Version, Repository: repository, Checksum: p.ChecksumString(),
		License: p.License, Origin: p.Origin, Description: p.Description, Arch: p.Arch,
		Size: int64(p.Size), InstalledSize: int64(p.InstalledSize),
	}, nil
}

package packages

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// fetches is how many packages are under way at least: fetching is waiting.
const fetches = 4

// Load fetches what the lock lists, verifies every package, and lays them out
// in the lock's order. It returns nothing when a package can't be fetched
// (fault.Unreachable), fails verification (fault.Refused; the error names the
// package and its file), or doesn't go together with another one. The same lock
// gives the same Tree. It may be called by several goroutines at once.
func Load(ctx context.Context, l *Lock, o Options) (*Tree, error) {
	ring, err := o.keyring()
	if err != nil {
		return nil, err
	}
	all := make([]*loaded, len(l.Packages))
	err = l.each(ctx, func(ctx context.Context, i int) error {
		f, err := l.fetch(ctx, i, o, ring)
		if err != nil {
			return err
		}
		all[i], err = f.load()
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &layout{nodes: map[string]*node{}}
	for _, p := range all {
		if err := out.add(p); err != nil {
			return nil, err
		}
	}
	if err := out.addDatabase(l, apkArch(l.Arch), all); err != nil {
		return nil, err
	}
	return out.tree(), nil
}

// largestFirst returns the indexes of pkgs so that the one that takes longest
// doesn't start last.
func largestFirst(pkgs []Package) []int {
	order := make([]int, len(pkgs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(pkgs[b].Size, pkgs[a].Size) })
	return order
}

// fetched is a package's verified file.
type fetched struct {
	Package
	verified
	path string // in messages
	file []byte
}

// each calls do for every package of the lock, the largest first, several at
// once.
func (l *Lock) each(ctx context.Context, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(runtime.GOMAXPROCS(0), fetches))
	for _, i := range largestFirst(l.Packages) {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, i)
		})
	}
	return g.Wait()
}

// fetch obtains and verifies one package of the lock.
func (l *Lock) fetch(ctx context.Context, i int, o Options, ring keyring) (fetched, error) {
	p := l.Packages[i]
	r, err := o.repository(p.Repository)
	if err != nil {
		return fetched{}, err
	}
	name := l.fileOf(p)
	file, v, err := p.obtain(ctx, r, name, o.Cache, ring)
	return fetched{p, v, r.path(name), file}, err
}

// fileOf is the package's file in its repository.
func (l *Lock) fileOf(p Package) string { return apkArch(l.Arch) + "/" + p.fileName() }

// load unpacks the package.
func (f fetched) load() (*loaded, error) {
	p := f.Package
	// Installed size as Alpine counts it is rounded up to blocks; a tar may
	// still be larger by its headers.
	section, err := unpackData(f.data, p.InstalledSize*5/4, min(4*p.InstalledSize+unpackSlack, maxUnpacked))
	if err != nil {
		return nil, p.refuse(f.path, fmt.Errorf("unpacking its data section: %w", err))
	}
	items, err := readContents(section)
	if err != nil {
		return nil, p.refuse(f.path, fmt.Errorf("reading its data section: %w", err))
	}
	return &loaded{Package: p, info: f.info, items: items}, nil
}

// unpackSlack is what a package of many small files may unpack to beyond its
// installed size.
const unpackSlack = 16 << 20

package packages

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
		f, err := l.fetch(ctx, i, o, ring, o.spool())
		if err != nil {
			return err
		}
		defer closeFile(f.file)
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
	if err := out.addApplets(l.World); err != nil {
		return nil, err
	}
	if err := out.addDatabase(l, apkArch(l.Arch), all); err != nil {
		return nil, err
	}
	return out.tree(all), nil
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
	file *io.SectionReader
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

// fetch obtains and verifies one package of the lock, whose file is to be closed
// by closeFile. Its data section is unpacked to the spool, unless that is nil.
func (l *Lock) fetch(ctx context.Context, i int, o Options, ring keyring, to *spool) (fetched, error) {
	p := l.Packages[i]
	r, err := o.repository(p.Repository)
	if err != nil {
		return fetched{}, err
	}
	name := l.fileOf(p)
	file, v, err := p.obtain(ctx, r, name, o, ring, to)
	return fetched{p, v, r.path(name), file}, err
}

// fileOf is the package's file in its repository.
func (l *Lock) fileOf(p Package) string { return apkArch(l.Arch) + "/" + p.fileName() }

// load reads the package's data section.
func (f fetched) load() (*loaded, error) {
	items, err := readContents(f.section, f.maxUnpacked())
	if err != nil {
		closeFile(f.section)
		return nil, f.refuse(f.path, fmt.Errorf("reading its data section: %w", err))
	}
	p := &loaded{Package: f.Package, info: f.info, items: items}
	p.SHA256 = f.sum
	return p, nil
}

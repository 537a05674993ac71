package repo

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha1" //nolint:gosec // apk's format asks for it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"chainguard.dev/apko/pkg/apk/apk"
	"golang.org/x/sync/errgroup"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

// Write makes dir a repository of pkgs for arch, which is apk's name of it
// ("x86_64"): dir/arch/NAME-VERSION.apk each, dir/arch/APKINDEX.tar.gz, and the
// public key as dir/NAME.rsa.pub. Every date in them is epoch. Each file is
// replaced atomically and the index comes last, so that a reader meets the old
// repository or the new one. What else is in dir stays.
//
// Packages are signed by RSA with SHA-1, the only kind Alpine's tools make; the
// index by RSA with SHA-256, which apk-tools reads since 2.12.
func Write(ctx context.Context, dir, arch string, pkgs []Package, key *Key, epoch time.Time) error {
	folder := filepath.Join(dir, arch)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making repository %q: %w", dir, err)
	}
	if err := unique(pkgs); err != nil {
		return err
	}
	listed := make([]*apk.Package, len(pkgs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range pkgs {
		g.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				listed[i], err = writePackage(folder, arch, p, key, epoch)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, key.Name), key.public, 0o644); err != nil {
		return err
	}
	return writeIndex(filepath.Join(folder, "APKINDEX.tar.gz"), listed, key)
}

func unique(pkgs []Package) error {
	seen := map[string]bool{}
	for _, p := range pkgs {
		if err := p.check(); err != nil {
			return err
		}
		if seen[p.FileName()] {
			return fmt.Errorf("listing package %q: version %s is there twice", p.Name, p.Version)
		}
		seen[p.FileName()] = true
	}
	return nil
}

func writePackage(folder, arch string, p Package, key *Key, epoch time.Time) (*apk.Package, error) {
	data, listed, err := encode(p, arch, key, epoch)
	if err != nil {
		return nil, fmt.Errorf("making package %q: %w", p.Name, err)
	}
	return listed, atomicfile.Write(filepath.Join(folder, p.FileName()), data, 0o644)
}

// encode returns the package's file and its entry in the index.
func encode(p Package, arch string, key *Key, epoch time.Time) ([]byte, *apk.Package, error) {
	entries, err := p.tree()
	if err != nil {
		return nil, nil, err
	}
	installed := 0
	for i := range entries {
		entries[i].time = epoch
		installed += len(entries[i].data)
	}
	data, err := member(entries, closed)
	if err != nil {
		return nil, nil, err
	}
	info := p.info(arch, installed, sha256.Sum256(data), epoch)
	control, err := member([]entry{{name: ".PKGINFO", mode: 0o644, data: info, time: epoch}}, cut)
	if err != nil {
		return nil, nil, err
	}
	signature, err := key.sign(control, crypto.SHA1)
	if err != nil {
		return nil, nil, err
	}
	file := slices.Concat(signature, control, data)
	sum := sha1.Sum(control) //nolint:gosec // apk's format asks for it
	return file, &apk.Package{
		Name: p.Name, Version: p.Version, Arch: arch, Description: p.Description,
		License: p.License, Origin: p.origin(), Maintainer: p.Maintainer, URL: p.URL,
		Checksum: sum[:], Dependencies: p.Depends, Provides: p.Provides,
		Size: uint64(len(file)), InstalledSize: uint64(installed),
		ProviderPriority: uint64(p.ProviderPriority), BuildTime: epoch.UTC(),
	}, nil
}

// info returns the content of .PKGINFO.
func (p Package) info(arch string, installed int, data [sha256.Size]byte, epoch time.Time) []byte {
	var b strings.Builder
	line := func(key string, values ...string) {
		for _, v := range values {
			if v != "" {
				fmt.Fprintf(&b, "%s = %s\n", key, v)
			}
		}
	}
	line("pkgname", p.Name)
	line("pkgver", p.Version)
	line("pkgdesc", p.Description)
	line("url", p.URL)
	line("builddate", fmt.Sprint(epoch.Unix()))
	line("packager", p.Maintainer)
	line("maintainer", p.Maintainer)
	line("size", fmt.Sprint(installed))
	line("arch", arch)
	line("origin", p.origin())
	line("license", p.License)
	line("depend", p.Depends...)
	line("provides", p.Provides...)
	if p.ProviderPriority > 0 {
		line("provider_priority", fmt.Sprint(p.ProviderPriority))
	}
	line("datahash", hex.EncodeToString(data[:]))
	return []byte(b.String())
}

// origin is the package's source package, itself unless told.
func (p Package) origin() string {
	if p.Origin == "" {
		return p.Name
	}
	return p.Origin
}

func writeIndex(path string, listed []*apk.Package, key *Key) error {
	slices.SortFunc(listed, func(a, b *apk.Package) int {
		return strings.Compare(a.Filename(), b.Filename())
	})
	archive, err := apk.ArchiveFromIndex(&apk.APKIndex{Description: "mosqbuild", Packages: listed})
	if err != nil {
		return fmt.Errorf("making index %q: %w", path, err)
	}
	var body bytes.Buffer
	if _, err := io.Copy(&body, archive); err != nil {
		return fmt.Errorf("making index %q: %w", path, err)
	}
	file, err := key.SignIndex(body.Bytes())
	if err != nil {
		return fmt.Errorf("signing index %q: %w", path, err)
	}
	return atomicfile.Write(path, file, 0o644)
}

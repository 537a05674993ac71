package packages

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

// obtain returns the verified package, from the cache where that has it. What
// the cache holds is verified like what a server sends; where it fails, the
// package is fetched anew. Folders are not cached. The file is to be closed by
// closeFile; the data section is in to, unless that is nil.
func (p Package) obtain(ctx context.Context, r repository, name string, o Options, ring keyring, to *spool) (*io.SectionReader, verified, error) {
	kept, err := p.cachePath(o.Cache, r)
	if err != nil {
		return nil, verified{}, err
	}
	if kept != "" {
		if file, err := openFile(kept); err == nil {
			v, err := p.verify(file, ring, to)
			if err == nil {
				return file, v, nil
			}
			closeFile(file)
		}
	}
	file, err := r.open(ctx, name, p.Size, o.spool())
	if err != nil {
		return nil, verified{}, fmt.Errorf("fetching package %q: %w", p.Name, err)
	}
	v, err := p.verify(file, ring, to)
	if err != nil {
		closeFile(file)
		return nil, verified{}, p.refuse(r.path(name), err)
	}
	if kept == "" {
		return file, v, nil
	}
	if err := keep(kept, file); err != nil {
		closeFile(file)
		to.drop()
		return nil, verified{}, hintLocal(fmt.Errorf("caching package %q: %w", p.Name, err))
	}
	return file, v, nil
}

// keep writes a verified package to path.
func keep(path string, file *io.SectionReader) error {
	if err := openCache(filepath.Dir(path)); err != nil {
		return err
	}
	return atomicfile.Stream(path, 0o644, func(f *os.File) error {
		_, err := io.Copy(f, file)
		return err
	})
}

// openCache makes the folder of packages and indexes in the cache, and removes
// what a kill left in it.
func openCache(dir string) error {
	atomicfile.Sweep(dir, ".*", atomicfile.Abandoned)
	return os.MkdirAll(dir, 0o755)
}

// cachePath returns where the cache keeps the package, "" where it doesn't. The
// name has nothing of the URL: a repository may change under the same one.
func (p Package) cachePath(cache string, r repository) (string, error) {
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Checksum, "Q1"))
	if err != nil {
		return "", fmt.Errorf("reading checksum %q of package %q: %w", p.Checksum, p.Name, err)
	}
	if cache == "" || !isURL(r.location) {
		return "", nil
	}
	return filepath.Join(cache, "apk", hex.EncodeToString(sum)+".apk"), nil
}

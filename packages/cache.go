package packages

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

// obtain returns the verified package, from the cache where that has it. What
// the cache holds is verified like what a server sends; where it fails, the
// package is fetched anew. Folders are not cached.
func (p Package) obtain(ctx context.Context, r repository, name, cache string, ring keyring) ([]byte, verified, error) {
	kept, err := p.cachePath(cache, r)
	if err != nil {
		return nil, verified{}, err
	}
	if kept != "" {
		if file, err := readFile(kept, p.Size); err == nil {
			if v, err := p.verify(file, ring); err == nil {
				return file, v, nil
			}
		}
	}
	file, err := r.read(ctx, name, p.Size)
	if err != nil {
		return nil, verified{}, fmt.Errorf("fetching package %q: %w", p.Name, err)
	}
	v, err := p.verify(file, ring)
	if err != nil {
		return nil, verified{}, p.refuse(r.path(name), err)
	}
	if kept == "" {
		return file, v, nil
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return nil, verified{}, fmt.Errorf("caching package %q: %w", p.Name, err)
	}
	if err := atomicfile.Write(kept, file, 0o644); err != nil {
		return nil, verified{}, fmt.Errorf("caching package %q: %w", p.Name, err)
	}
	return file, v, nil
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

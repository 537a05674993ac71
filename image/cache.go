package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/packages"
)

// cacheFormat is part of every cache key. Raise it when the same lock would
// give other bytes, or another base: a change to writeTar, or a compressor that
// packs otherwise (TestCompressorIsPinned notices).
const cacheFormat = 3

const (
	// cacheKeep is how many packages layers stay in the cache, besides those of the
	// last cacheUse: another build may read one of those.
	cacheKeep = 12
	cacheUse  = 10 * time.Minute
)

// cached describes a packages layer in the cache; it is only ever read
// together with its own checksum.
type cached struct {
	Digest, DiffID v1.Hash
	Size           int64
	Base           base
	Seal           seal
}

// packagesLayer returns the layer of the packages and what the other layers
// need of it.
func packagesLayer(ctx context.Context, s Spec, p packing) (*layer, base, error) {
	if s.Cache == "" {
		entries, of, err := load(ctx, s)
		if err != nil {
			return nil, of, err
		}
		l, err := p.fileLayer(func(w io.Writer) error { return writeTar(ctx, w, entries, s.Created) })
		return l, of, err
	}
	c := layerCache{filepath.Join(s.Cache, "layers"), cacheKey(s, p), p}
	if l, of, err := c.read(); err == nil && of.fits(s.Lock) {
		return l, of, nil
	}
	// Whatever was wrong with the cached layer, making it anew mends it.
	entries, of, err := load(ctx, s)
	if err != nil {
		return nil, of, err
	}
	l, err := c.write(ctx, entries, of, s.Created)
	if err != nil {
		return nil, of, fmt.Errorf("caching the packages layer in %q: %w", c.dir, err)
	}
	return l, of, nil
}

func load(ctx context.Context, s Spec) ([]packages.Entry, base, error) {
	tree, err := s.Tree(ctx)
	if err != nil {
		return nil, base{}, err
	}
	of, err := baseOf(tree)
	return tree.Entries(), of, err
}

func cacheKey(s Spec, p packing) string {
	h := sha256.New()
	fmt.Fprintf(h, "format %d %s created %d lock %s", cacheFormat, p, s.Created.Unix(), s.Lock.Digest())
	return hex.EncodeToString(h.Sum(nil))
}

// layerCache is one entry of the cache: KEY.tar.gz, or KEY.tar.zst, and, written
// after it and with its checksum, KEY.json. Two builds at once write the same
// bytes.
type layerCache struct {
	dir, key string
	packing  packing
}

func (c layerCache) blob() string { return filepath.Join(c.dir, c.key+c.packing.extension()) }
func (c layerCache) info() string { return filepath.Join(c.dir, c.key+".json") }

// read returns the cached layer: a file cut short or overwritten is an error, as
// is one that isn't there. One that isn't sealed is read once, and sealed.
func (c layerCache) read() (*layer, base, error) {
	data, err := os.ReadFile(c.info())
	if err != nil {
		return nil, base{}, err
	}
	if len(data) < 65 || string(data[:64]) != hexSum(data[65:]) {
		return nil, base{}, fmt.Errorf("reading %q: checksum differs", c.info())
	}
	var meta cached
	if err := json.Unmarshal(data[65:], &meta); err != nil {
		return nil, base{}, fmt.Errorf("reading %q: %w", c.info(), err)
	}
	l := &layer{digest: meta.Digest, diffID: meta.DiffID, size: meta.Size, mediaType: c.packing.mediaType(), open: c.open, file: c.blob()}
	if meta.Seal.holds(c.blob(), meta.Size) {
		now := time.Now()
		_ = os.Chtimes(c.info(), now, now) // so that no other build removes it meanwhile
		return l, meta.Base, nil
	}
	meta.Seal = sealed(c.blob()) // first, so that it doesn't hold where somebody writes meanwhile
	if err := c.check(meta); err != nil {
		return nil, base{}, err
	}
	_ = c.describe(meta) // else it is read the next time, too
	return l, meta.Base, nil
}

// check reads all of the blob.
func (c layerCache) check(meta cached) error {
	f, err := c.open()
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if n != meta.Size || sum(h) != meta.Digest {
		return fmt.Errorf("reading %q: checksum differs", c.blob())
	}
	return nil
}

// describe writes what is known of the blob.
func (c layerCache) describe(meta cached) error {
	data, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	return replace(c.info(), publicMode, func(w io.Writer) error {
		_, err := io.WriteString(w, hexSum(data)+"\n"+string(data))
		return err
	})
}

func (c layerCache) open() (io.ReadCloser, error) { return os.Open(c.blob()) }

func (c layerCache) write(ctx context.Context, entries []packages.Entry, of base, created time.Time) (*layer, error) {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	atomicfile.Sweep(c.dir, temporary, atomicfile.Abandoned) // what killed builds left
	var l *layer
	err := replace(c.blob(), publicMode, func(w io.Writer) (err error) {
		l, err = c.packing.writeLayer(ctx, w, entries, created)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.open, l.file = c.open, c.blob()
	if err := c.describe(cached{Digest: l.digest, DiffID: l.diffID, Size: l.size, Base: of, Seal: sealed(c.blob())}); err != nil {
		return nil, err
	}
	return l, c.prune()
}

// prune removes all but the layers used last.
func (c layerCache) prune() error {
	infos, err := filepath.Glob(filepath.Join(c.dir, "*.json"))
	if err != nil || len(infos) <= cacheKeep {
		return err
	}
	used := map[string]time.Time{}
	for _, p := range infos {
		if st, err := os.Stat(p); err == nil {
			used[p] = st.ModTime()
		}
	}
	for _, p := range oldest(used, len(infos)-cacheKeep) {
		if time.Since(used[p]) < cacheUse {
			break
		}
		errs := []error{removeIfThere(p)}
		for _, packing := range packings {
			errs = append(errs, removeIfThere(strings.TrimSuffix(p, ".json")+packing.extension()))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// temporary is what replace calls a file that isn't whole.
const temporary = ".new-*"

// replace is atomicfile.Stream without the syncs, for what is checked by digest
// when the machine has started anew since, and can be made anew: a cache or a layout
// after a power cut.
func replace(path string, mode fs.FileMode, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), temporary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(fill(f), f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// oldest returns the n paths that were used the longest ago.
func oldest(used map[string]time.Time, n int) []string {
	paths := slices.SortedFunc(maps.Keys(used), func(a, b string) int {
		return cmp.Or(used[a].Compare(used[b]), cmp.Compare(a, b))
	})
	return paths[:min(n, len(paths))]
}

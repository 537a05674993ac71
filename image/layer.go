package image

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/pgzip"

	"github.com/mosqbuild/mosqbuild/packages"
)

// Level 6 is the last whose cost buys much: of 5.1 MB of packages built from
// source it leaves 2.43 MB in 103 ms of CPU; level 4 2.47 MB in 93, 7 2.38 MB
// in 175, 9 2.38 MB in 843. Blocks are compressed side by side; where they end
// decides the output, so their size is fixed and only their number follows the
// machine.
const (
	gzipLevel = 6
	gzipBlock = 256 << 10
)

// layer is a layer compressed already: nothing is compressed twice, and the
// sums are known from the pass that wrote it.
type layer struct {
	digest, diffID v1.Hash
	size           int64
	open           func() (io.ReadCloser, error)
	file           string // that open opens, if it does
}

var _ v1.Layer = (*layer)(nil)

// Digest returns the sum of the compressed bytes.
func (l *layer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID returns the sum of the tar stream.
func (l *layer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Size returns the compressed size in bytes.
func (l *layer) Size() (int64, error) { return l.size, nil }

// MediaType returns that of a gzipped OCI layer.
func (l *layer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// Compressed opens the gzipped tar stream.
func (l *layer) Compressed() (io.ReadCloser, error) { return l.open() }

// Uncompressed opens the tar stream.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	r, err := l.open()
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z, r}, nil
}

// writeLayer writes entries to w as a gzipped tar and returns the layer's sums
// and size; the caller adds open.
func writeLayer(ctx context.Context, w io.Writer, entries []packages.Entry, created time.Time) (*layer, error) {
	return packing{gzipLevel, gzipBlock}.writeLayer(ctx, w, entries, created)
}

// packing is how a layer is compressed.
type packing struct{ level, block int }

func (p packing) writeLayer(ctx context.Context, w io.Writer, entries []packages.Entry, created time.Time) (*layer, error) {
	digest, diffID := sha256.New(), sha256.New()
	count := &counter{}
	z, err := pgzip.NewWriterLevel(io.MultiWriter(w, digest, count), p.level)
	if err != nil {
		return nil, err
	}
	if err := z.SetConcurrency(p.block, 2*runtime.GOMAXPROCS(0)); err != nil {
		return nil, err
	}
	err = writeTar(ctx, io.MultiWriter(z, diffID), entries, created)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return &layer{digest: sum(digest), diffID: sum(diffID), size: count.n}, nil
}

// memoryLayer is a layer kept in memory: right for small ones, and for all
// where there is no cache.
func memoryLayer(ctx context.Context, entries []packages.Entry, created time.Time) (*layer, error) {
	return packing{gzipLevel, gzipBlock}.memoryLayer(ctx, entries, created)
}

func (p packing) memoryLayer(ctx context.Context, entries []packages.Entry, created time.Time) (*layer, error) {
	var buf bytes.Buffer
	l, err := p.writeLayer(ctx, &buf, entries, created)
	if err != nil {
		return nil, err
	}
	l.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return l, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func sum(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/packages"
)

// layer is a layer compressed already: nothing is compressed twice, and the
// sums are known from the pass that wrote it.
type layer struct {
	digest, diffID v1.Hash
	size           int64
	mediaType      types.MediaType
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

// MediaType returns that of an OCI layer, compressed as it is.
func (l *layer) MediaType() (types.MediaType, error) { return l.mediaType, nil }

// Compressed opens the compressed tar stream.
func (l *layer) Compressed() (io.ReadCloser, error) { return l.open() }

// Uncompressed opens the tar stream.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	r, err := l.open()
	if err != nil {
		return nil, err
	}
	z, err := reader(r, l.mediaType)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return unpacked{z, r}, nil
}

// unpacked closes what it reads from as well.
type unpacked struct {
	io.ReadCloser
	packed io.Closer
}

// Close implements io.Closer.
func (u unpacked) Close() error { return errors.Join(u.ReadCloser.Close(), u.packed.Close()) }

// writeLayer writes entries to w as a compressed tar and returns the layer's
// sums and size; the caller adds open.
func (p packing) writeLayer(ctx context.Context, w io.Writer, entries []packages.Entry, created time.Time) (*layer, error) {
	return p.pack(w, func(w io.Writer) error { return writeTar(ctx, w, entries, created) })
}

// pack is writeLayer of the tar that fill writes.
func (p packing) pack(w io.Writer, fill func(io.Writer) error) (*layer, error) {
	digest, diffID := sha256.New(), sha256.New()
	count := &counter{}
	z, err := p.writer(io.MultiWriter(w, digest, count))
	if err != nil {
		return nil, err
	}
	err = fill(io.MultiWriter(z, diffID))
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return &layer{digest: sum(digest), diffID: sum(diffID), size: count.n, mediaType: p.mediaType()}, nil
}

// memoryLayer is a layer kept in memory: right for small ones.
func (p packing) memoryLayer(ctx context.Context, entries []packages.Entry, created time.Time) (*layer, error) {
	var buf bytes.Buffer
	l, err := p.writeLayer(ctx, &buf, entries, created)
	if err != nil {
		return nil, err
	}
	l.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return l, nil
}

// fileLayer is a layer of any size, kept where the system has temporary files,
// in one without a name that is gone once nothing refers to the layer.
func (p packing) fileLayer(fill func(io.Writer) error) (*layer, error) {
	f, err := atomicfile.Unnamed("")
	if err != nil {
		return nil, err
	}
	l, err := p.pack(f, fill)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.open = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(f, 0, l.size)), nil }
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

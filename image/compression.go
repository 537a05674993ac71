package image

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// The values of Spec.Compression. Whatever reads images reads gzip; zstd is
// unpacked several times as fast, and is for podman, skopeo, containerd and
// CRI-O of today: https://github.com/opencontainers/image-spec/blob/main/layer.md#zstd-media-types.
const (
	Gzip = "gzip"
	Zstd = "zstd"
)

// CheckCompression reports a compression that is neither Gzip nor Zstd, with
// fault.Usage.
func CheckCompression(name string) error {
	if name == Gzip || name == Zstd {
		return nil
	}
	return fault.With(fault.Usage, fmt.Errorf("compression %q is neither %s nor %s", name, Gzip, Zstd))
}

// packing is how a layer is compressed.
type packing struct {
	compression string // Gzip or Zstd
	level       int    // gzip's, or a zstd.EncoderLevel
	block       int    // gzip's
}

// Gzip's level 6 is the last whose cost buys much: of 5.1 MB of packages built
// from source it leaves 2.43 MB in 103 ms of CPU; level 4 2.47 MB in 93, 7 2.38 MB
// in 175, 9 2.38 MB in 843. Blocks are compressed side by side; where they end
// decides the output, so their size is fixed and only their number follows the
// machine. Zstd's default leaves 2.36 MB in 109 ms, the next level 2.34 MB in 224,
// the best 2.22 MB in 1217.
var packings = map[string]packing{
	Gzip: {Gzip, 6, 256 << 10},
	Zstd: {Zstd, int(zstd.SpeedDefault), 0},
}

// packingOf returns that of a compression; "" is gzip.
func packingOf(compression string) (packing, error) {
	if compression == "" {
		compression = Gzip
	}
	return packings[compression], CheckCompression(compression)
}

// String is different where the bytes may be.
func (p packing) String() string {
	if p.compression == Zstd {
		return fmt.Sprintf("zstd %d", p.level)
	}
	return fmt.Sprintf("gzip %d/%d", p.level, p.block)
}

func (p packing) mediaType() types.MediaType {
	if p.compression == Zstd {
		return types.OCILayerZStd
	}
	return types.OCILayer
}

// extension is that of a compressed tar.
func (p packing) extension() string {
	if p.compression == Zstd {
		return ".tar.zst"
	}
	return ".tar.gz"
}

// writer compresses what is written to it, to the same bytes on any machine.
func (p packing) writer(w io.Writer) (io.WriteCloser, error) {
	if p.compression == Zstd {
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.EncoderLevel(p.level)), zstd.WithEncoderConcurrency(1))
	}
	z, err := pgzip.NewWriterLevel(w, p.level)
	if err != nil {
		return nil, err
	}
	return z, z.SetConcurrency(p.block, 2*runtime.GOMAXPROCS(0))
}

// maxWindow is how far back zstd may refer, in bytes, which a decoder allocates
// before it has read any content: what the program zstd takes unless it is told
// to take more.
const maxWindow = 128 << 20

// reader unpacks what writer has written.
func reader(r io.Reader, m types.MediaType) (io.ReadCloser, error) {
	if m != types.OCILayerZStd {
		return gzip.NewReader(r)
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// IsZstd says whether a layer of img is compressed with zstd.
func IsZstd(img Image) (bool, error) {
	m, err := img.Manifest()
	if err != nil {
		return false, fmt.Errorf("reading the manifest: %w", err)
	}
	return slices.ContainsFunc(m.Layers, func(d v1.Descriptor) bool { return d.MediaType == types.OCILayerZStd }), nil
}

// gzipped returns img with gzip in place of zstd: the same files and the same
// config under another digest.
func gzipped(ctx context.Context, img Image) (Image, error) {
	has, err := IsZstd(img)
	if err != nil || !has {
		return img, err
	}
	cf, m, parts, err := partsOf(img)
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		if m.Layers[i].MediaType != types.OCILayerZStd {
			continue
		}
		if parts[i].Layer, err = packings[Gzip].repack(ctx, p); err != nil {
			return nil, fmt.Errorf("packing layer %s with gzip: %w", m.Layers[i].Digest, err)
		}
	}
	return assemble(cf, m.Annotations, parts)
}

// repack compresses the content of a layer anew.
func (p packing) repack(ctx context.Context, l v1.Layer) (_ *layer, err error) {
	r, err := Unpack(l)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return p.fileLayer(func(w io.Writer) error {
		_, err := io.Copy(contextWriter{ctx, w}, r)
		return err
	})
}

// A layer may unpack to what gzip could have packed at its very best, which is
// 1032 to 1 (https://zlib.net/zlib_tech.html), and unpackSlack beyond. Zstd packs
// a file of zeros 30,000 to 1.
const (
	unpackRatio = 1032
	unpackSlack = 1 << 30
)

// Unpack opens the tar stream of a layer, however it is compressed. Reading more
// of it than honest bytes unpack to is an error, so that a small layer can't keep
// its reader busy for ever. Those that were read count, and not the size in the
// manifest, which may be any. It isn't l.Uncompressed, by which a layer of ten bytes
// could have the library allocate a window of 512 MiB.
func Unpack(l v1.Layer) (io.ReadCloser, error) {
	r, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	packed := &counter{}
	in, kind := bufio.NewReader(io.TeeReader(r, packed)), types.OCILayer
	head, _ := in.Peek(4) // of an empty layer less
	switch {
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		kind = types.OCILayerZStd
	case !bytes.HasPrefix(head, []byte("\x1f\x8b")):
		if err := r.Close(); err != nil {
			return nil, err
		}
		return l.Uncompressed()
	}
	z, err := reader(in, kind)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &bounded{unpacked{z, r}, packed, 0}, nil
}

type bounded struct {
	io.ReadCloser
	packed *counter // what was read for it
	n      int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if most := unpackRatio*b.packed.n + unpackSlack; b.n > most {
		return 0, fmt.Errorf("%d bytes of it unpack to more than %d", b.packed.n, most)
	}
	return n, err
}

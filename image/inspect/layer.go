package inspect

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/image"
)

// maxEntries and maxText, which is in bytes, bound what one image may make us
// remember: the largest images in use have half as many files.
const (
	maxEntries = 1 << 20
	maxText    = 128 * maxEntries
)

// xattrPrefix marks extended attributes, such as capabilities, in a tar.
const xattrPrefix = "SCHILY.xattr."

// read streams layer number n into the tree and fills in the rest of r.
func (r *Layer) read(ctx context.Context, l v1.Layer, n int, t *tree) error {
	digest, err := l.Digest()
	if err != nil {
		return err
	}
	r.Digest = digest.String()
	if r.Size, err = l.Size(); err != nil {
		return err
	}
	mediaType, err := l.MediaType()
	if err != nil {
		return err
	}
	r.MediaType = string(mediaType)
	stream, err := image.Unpack(l)
	if err != nil {
		return err
	}
	h := sha256.New()
	in := &contextReader{ctx: ctx, r: io.TeeReader(stream, h)}
	err = r.readTar(in, n, t)
	if err == nil {
		_, err = io.Copy(io.Discard, in) // what stands behind the last entry
	}
	if err := errors.Join(err, stream.Close()); err != nil {
		return err
	}
	r.Unpacked = in.n
	if got := "sha256:" + hex.EncodeToString(h.Sum(nil)); got != r.DiffID {
		return fmt.Errorf("its content is %s, not %s", got, r.DiffID)
	}
	return nil
}

func (r *Layer) readTar(in io.Reader, n int, t *tree) error {
	for tr := tar.NewReader(in); ; {
		h, err := image.NextEntry(tr)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t.nodes > maxEntries {
			return fmt.Errorf("the image has more than %d files", maxEntries)
		}
		r.Entries++
		if err := t.apply(n, h, tr); err != nil {
			return fmt.Errorf("reading %.100q: %w", h.Name, err)
		}
	}
}

// fileOf describes an entry; content is read where it is a file.
func fileOf(h *tar.Header, content io.Reader) (File, error) {
	f := File{Type: typeOf(h), Mode: fmt.Sprintf("%04o", h.Mode&0o7777), UID: h.Uid, GID: h.Gid}
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, xattrPrefix); ok {
			if f.Attributes == nil {
				f.Attributes = map[string][]byte{}
			}
			f.Attributes[name] = []byte(v)
		}
	}
	switch f.Type {
	case typeFile:
		sum := sha256.New()
		size, err := io.Copy(sum, content)
		f.Size, f.SHA256 = size, hex.EncodeToString(sum.Sum(nil))
		return f, err
	case typeLink:
		f.Target = h.Linkname
	case typeDevice:
		f.Target = fmt.Sprintf("%d:%d", h.Devmajor, h.Devminor)
	}
	return f, nil
}

func typeOf(h *tar.Header) string {
	switch h.Typeflag {
	case tar.TypeReg:
		return typeFile
	case tar.TypeDir:
		return typeFolder
	case tar.TypeSymlink:
		return typeLink
	case tar.TypeChar, tar.TypeBlock:
		return typeDevice
	case tar.TypeFifo:
		return typePipe
	}
	return fmt.Sprintf("type %q", h.Typeflag)
}

// contextReader stops reading when its context ends, and counts.
type contextReader struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

// Read implements io.Reader.
func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	r.n += int64(n)
	return n, err
}

package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxDocument is the most that an index, manifest or config may have, in bytes:
// what registries accept, see
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests.
const maxDocument = 4 << 20

// archive is a tar of an OCI layout. The library reads such layouts in folders
// alone, and unpacking one would write a copy of it.
type archive struct {
	path    string
	entries map[string]extent // by name
}

// archived is an image in an archive.
type archived struct {
	*archive
	desc     v1.Descriptor
	manifest *v1.Manifest
	raw      []byte
}

// extent is where a file is in an archive.
type extent struct{ offset, size int64 }

var _ partial.CompressedImageCore = (*archived)(nil)

// openArchive is open for an OCI archive.
func openArchive(file string) (Artifact, error) {
	a := &archive{path: file}
	if err := a.scan(); err != nil {
		return nil, err
	}
	data, err := a.document(indexFile)
	if err != nil {
		return nil, err
	}
	var top v1.IndexManifest
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, fmt.Errorf("reading %q: %w", indexFile, err)
	}
	if len(top.Manifests) != 1 {
		return nil, fmt.Errorf("the archive holds %d images, not one", len(top.Manifests))
	}
	found := top.Manifests[0]
	switch {
	case found.MediaType.IsImage():
		return a.image(found)
	case !found.MediaType.IsIndex():
		return nil, fmt.Errorf("the archive holds %q, and no image", found.MediaType)
	}
	raw, err := a.blob(found.Digest)
	if err != nil {
		return nil, err
	}
	return checked(&index{raw, found.MediaType, a.image})
}

// image opens an image of the archive.
func (a *archive) image(desc v1.Descriptor) (Image, error) {
	i := &archived{archive: a, desc: desc}
	var err error
	if i.raw, err = a.blob(desc.Digest); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(i.raw, &i.manifest); err != nil || i.manifest == nil {
		return nil, fmt.Errorf("reading the manifest: %w", errors.Join(err, errors.New("it is none")))
	}
	return partial.CompressedToImage(i)
}

// scan notes where each file is. A later file of the same name wins, as it
// would when unpacked.
func (a *archive) scan() error {
	a.entries = map[string]extent{}
	return eachHeader(a.path, func(h *tar.Header, at int64) {
		if h.Typeflag == tar.TypeReg {
			a.entries[strings.TrimPrefix(path.Clean("/"+h.Name), "/")] = extent{at, h.Size}
		}
	})
}

// eachHeader calls f for the header of every entry of a tar, all of which is there,
// and says where its content begins.
func eachHeader(file string, f func(h *tar.Header, at int64)) error {
	r, err := os.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	for tr := tar.NewReader(r); ; { // it seeks past contents
		h, err := NextEntry(tr)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		at, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		f(h, at)
	}
}

func (a *archive) open(name string) (io.ReadCloser, extent, error) {
	e, ok := a.entries[name]
	if !ok {
		return nil, e, fmt.Errorf("the archive holds no %q", name)
	}
	f, err := os.Open(a.path)
	if err != nil {
		return nil, e, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, e.offset, e.size), f}, e, nil
}

// document reads a small file.
func (a *archive) document(name string) ([]byte, error) {
	r, e, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if e.size > maxDocument {
		return nil, fmt.Errorf("reading %q: it has %d bytes, more than %d", name, e.size, maxDocument)
	}
	return io.ReadAll(r)
}

// blob reads a small blob and checks it.
func (a *archive) blob(h v1.Hash) ([]byte, error) {
	data, err := a.document(blobName(h))
	if err != nil {
		return nil, err
	}
	return data, verify(h, data)
}

func blobName(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// RawManifest returns the manifest's bytes.
func (a *archived) RawManifest() ([]byte, error) { return a.raw, nil }

// RawConfigFile returns the config's bytes.
func (a *archived) RawConfigFile() ([]byte, error) { return a.blob(a.manifest.Config.Digest) }

// MediaType returns that of the manifest.
func (a *archived) MediaType() (types.MediaType, error) { return a.desc.MediaType, nil }

// LayerByDigest returns the layer with that digest of compressed bytes.
func (a *archived) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range append([]v1.Descriptor{a.manifest.Config}, a.manifest.Layers...) {
		if d.Digest == h {
			return archivedLayer{a, d}, nil
		}
	}
	return nil, fmt.Errorf("finding layer %s: not in this image", h)
}

type archivedLayer struct {
	a    *archived
	desc v1.Descriptor
}

// Digest returns the sum of the compressed bytes.
func (l archivedLayer) Digest() (v1.Hash, error) { return l.desc.Digest, nil }

// Size returns the compressed size in bytes.
func (l archivedLayer) Size() (int64, error) { return l.desc.Size, nil }

// MediaType returns that of the layer.
func (l archivedLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }

// Compressed opens the compressed bytes.
func (l archivedLayer) Compressed() (io.ReadCloser, error) {
	r, _, err := l.a.open(blobName(l.desc.Digest))
	return r, err
}

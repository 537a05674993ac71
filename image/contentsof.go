package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	layoutFile    = "oci-layout"
	layoutContent = `{"imageLayoutVersion":"1.0.0"}`
	indexFile     = "index.json"
	refAnnotation = ociPrefix + "ref.name"
	// ownAnnotation marks a layout's entry as one that Write may replace.
	ownAnnotation = "dev.mosqbuild.image"
)

// contents is an image or an index as an OCI layout holds it, in a folder or in a tar:
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
type contents struct {
	index []byte
	blobs []blob
	mode  fs.FileMode // of files
}

type blob struct {
	digest v1.Hash
	size   int64
	open   func() (io.ReadCloser, error)
	file   string // in the cache, checked by this process; else ""
}

func contentsOf(a Artifact, ref string) (contents, error) {
	manifest, err := a.RawManifest()
	if err != nil {
		return contents{}, fmt.Errorf("reading the manifest: %w", err)
	}
	mediaType, err := a.MediaType()
	if err != nil {
		return contents{}, fmt.Errorf("reading the manifest: %w", err)
	}
	digest, size, err := v1.SHA256(bytes.NewReader(manifest))
	if err != nil {
		return contents{}, err
	}
	c := contents{mode: publicMode}
	c.add(memoryBlob(digest, manifest))
	images, err := imagesOf(a)
	if err != nil {
		return contents{}, err
	}
	for _, img := range images {
		if err := c.addImage(img); err != nil {
			return contents{}, err
		}
	}
	c.index, err = json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{{
		MediaType: mediaType, Digest: digest, Size: size,
		Annotations: map[string]string{refAnnotation: ref, ownAnnotation: "true"},
	}}})
	return c, err
}

// add adds a blob that isn't there yet: images of an index may share some.
func (c *contents) add(b blob) {
	if !slices.ContainsFunc(c.blobs, func(o blob) bool { return o.digest == b.digest }) {
		c.blobs = append(c.blobs, b)
	}
}

func (c *contents) addImage(img Image) error {
	manifest, err := img.RawManifest()
	if err != nil {
		return fmt.Errorf("reading the manifest: %w", err)
	}
	m, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("reading the manifest: %w", err)
	}
	cf, err := img.RawConfigFile()
	if err != nil {
		return fmt.Errorf("reading the config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("reading the layers: %w", err)
	}
	digest, _, err := v1.SHA256(bytes.NewReader(manifest))
	if err != nil {
		return err
	}
	c.add(memoryBlob(digest, manifest))
	c.add(memoryBlob(m.Config.Digest, cf))
	for i, l := range layers {
		b := blob{digest: m.Layers[i].Digest, size: m.Layers[i].Size, open: l.Compressed}
		if own, ok := l.(*layer); ok {
			b.file = own.file
		}
		c.add(b)
		if isDefaults(m.Layers[i]) {
			c.mode = secretMode
		}
	}
	return nil
}

func memoryBlob(digest v1.Hash, data []byte) blob {
	return blob{digest: digest, size: int64(len(data)), open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// copyTo writes the blob to w and checks on the way that it is what its digest
// says: it may come from a file that something else has written to.
func (b blob) copyTo(ctx context.Context, w io.Writer) error {
	r, err := b.open()
	if err != nil {
		return fmt.Errorf("reading blob %s: %w", b.digest, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(contextWriter{ctx, w}, h), r)
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("copying blob %s: %w", b.digest, err)
	}
	if n != b.size || sum(h) != b.digest {
		return fmt.Errorf("reading blob %s: its content has changed", b.digest)
	}
	return nil
}

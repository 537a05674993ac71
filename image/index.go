package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Index is an image for several platforms: an alias, as Image is.
type Index = v1.ImageIndex

// index is an index whose manifest is settled bytes.
type index struct {
	raw       []byte
	mediaType types.MediaType
	image     func(v1.Descriptor) (Image, error)
}

var _ Index = (*index)(nil)

// MediaType returns that of the manifest.
func (i *index) MediaType() (types.MediaType, error) { return i.mediaType, nil }

// Digest returns the manifest's digest.
func (i *index) Digest() (v1.Hash, error) { return partial.Digest(i) }

// Size returns the manifest's size in bytes.
func (i *index) Size() (int64, error) { return int64(len(i.raw)), nil }

// RawManifest returns the manifest's bytes.
func (i *index) RawManifest() ([]byte, error) { return i.raw, nil }

// IndexManifest returns the manifest, decoded.
func (i *index) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(bytes.NewReader(i.raw))
}

// Image returns the image with that digest.
func (i *index) Image(h v1.Hash) (Image, error) {
	m, err := i.IndexManifest()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(m.Manifests, func(d v1.Descriptor) bool { return d.Digest == h })
	if at < 0 || !m.Manifests[at].MediaType.IsImage() {
		return nil, fmt.Errorf("finding image %s: not in this index", h)
	}
	return i.image(m.Manifests[at])
}

// ImageIndex returns an error: an index in an index isn't read.
func (i *index) ImageIndex(h v1.Hash) (Index, error) {
	return nil, fmt.Errorf("finding index %s: an index in an index isn't read", h)
}

// Join makes one of images for different platforms: of one image that, so that
// it stays a plain image, and of several an index. They are sorted by platform,
// so that their order makes no difference; the index has those of their
// annotations in which all agree.
func Join(images ...Image) (Artifact, error) {
	if len(images) == 1 {
		return images[0], nil
	}
	m := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	byDigest := map[v1.Hash]Image{}
	for _, img := range images {
		d, annotations, err := describe(img)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(m.Manifests, func(o v1.Descriptor) bool { return platformName(o.Platform) == platformName(d.Platform) }) {
			return nil, fmt.Errorf("making an index: there are two images for %q", platformName(d.Platform))
		}
		if len(m.Manifests) == 0 {
			m.Annotations = maps.Clone(annotations)
		}
		maps.DeleteFunc(m.Annotations, func(k, v string) bool { return annotations[k] != v })
		m.Manifests = append(m.Manifests, d)
		byDigest[d.Digest] = img
	}
	if len(m.Manifests) == 0 {
		return nil, errors.New("making an index: of no images")
	}
	slices.SortFunc(m.Manifests, func(a, b v1.Descriptor) int {
		return strings.Compare(platformName(a.Platform), platformName(b.Platform))
	})
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding the index: %w", err)
	}
	return &index{raw, m.MediaType, func(d v1.Descriptor) (Image, error) { return byDigest[d.Digest], nil }}, nil
}

// describe returns what an index says of an image, and the image's annotations.
func describe(img Image) (v1.Descriptor, map[string]string, error) {
	cf, err := img.ConfigFile()
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("reading the config: %w", err)
	}
	m, err := img.Manifest()
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("reading the manifest: %w", err)
	}
	d, err := partial.Descriptor(img)
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("describing an image: %w", err)
	}
	return v1.Descriptor{MediaType: d.MediaType, Size: d.Size, Digest: d.Digest, Platform: cf.Platform()}, m.Annotations, nil
}

// StripDefaults is WithoutDefaults for every image of a.
func StripDefaults(a Artifact) (Artifact, error) {
	if img, ok := a.(Image); ok {
		return WithoutDefaults(img)
	}
	images, err := imagesOf(a)
	if err != nil {
		return nil, err
	}
	changed := false
	for i, img := range images {
		has, err := HasDefaults(img)
		if err != nil {
			return nil, err
		}
		changed = changed || has
		if images[i], err = WithoutDefaults(img); err != nil {
			return nil, err
		}
	}
	if !changed {
		return a, nil
	}
	return Join(images...)
}

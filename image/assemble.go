package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The kinds of layers, as history and the layer annotation name them.
const (
	kindPackages = "packages"
	kindRendered = "rendered files"
	kindDefaults = "defaults"
)

// historyPrefix comes before the kind in a layer's history.
const historyPrefix = "mosqbuild: "

// layerAnnotation marks the descriptor of the defaults layer.
const layerAnnotation = "dev.mosqbuild.layer"

// part is a layer with what the manifest and the history say of it.
type part struct {
	v1.Layer
	diffID      v1.Hash
	annotations map[string]string
	history     v1.History
}

func newPart(kind string, l *layer, created time.Time) part {
	p := part{Layer: l, diffID: l.diffID, history: v1.History{Created: v1.Time{Time: created}, CreatedBy: historyPrefix + kind}}
	if kind == kindDefaults {
		p.annotations = map[string]string{layerAnnotation: kindDefaults}
	}
	return p
}

// assembled is an image whose config and manifest are settled bytes.
type assembled struct {
	config, manifest []byte
	layers           []v1.Layer
}

var _ v1.Image = (*assembled)(nil)

// assemble makes the image of cf, which brings all but layers and history.
func assemble(cf *v1.ConfigFile, annotations map[string]string, parts []part) (Image, error) {
	cf = cf.DeepCopy()
	cf.RootFS = v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}
	cf.History = nil
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: maps.Clone(annotations), Layers: []v1.Descriptor{}}
	img := &assembled{}
	for _, p := range parts {
		desc, err := partial.Descriptor(p.Layer)
		if err != nil {
			return nil, fmt.Errorf("describing a layer: %w", err)
		}
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: desc.MediaType, Size: desc.Size, Digest: desc.Digest, Annotations: p.annotations})
		cf.RootFS.DiffIDs = append(cf.RootFS.DiffIDs, p.diffID)
		cf.History = append(cf.History, p.history)
		img.layers = append(img.layers, p.Layer)
	}
	var err error
	if img.config, err = json.Marshal(cf); err != nil {
		return nil, fmt.Errorf("encoding the config: %w", err)
	}
	m.Config.MediaType = types.OCIConfigJSON
	if m.Config.Digest, m.Config.Size, err = v1.SHA256(bytes.NewReader(img.config)); err != nil {
		return nil, err
	}
	if img.manifest, err = json.Marshal(m); err != nil {
		return nil, fmt.Errorf("encoding the manifest: %w", err)
	}
	return img, nil
}

// Layers returns the layers, lowest first.
func (i *assembled) Layers() ([]v1.Layer, error) { return slices.Clone(i.layers), nil }

// MediaType returns that of an OCI manifest.
func (i *assembled) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// Size returns the manifest's size in bytes.
func (i *assembled) Size() (int64, error) { return int64(len(i.manifest)), nil }

// ConfigName returns the config's digest.
func (i *assembled) ConfigName() (v1.Hash, error) { return partial.ConfigName(i) }

// ConfigFile returns the config, decoded.
func (i *assembled) ConfigFile() (*v1.ConfigFile, error) { return partial.ConfigFile(i) }

// RawConfigFile returns the config's bytes.
func (i *assembled) RawConfigFile() ([]byte, error) { return i.config, nil }

// Digest returns the manifest's digest.
func (i *assembled) Digest() (v1.Hash, error) { return partial.Digest(i) }

// Manifest returns the manifest, decoded.
func (i *assembled) Manifest() (*v1.Manifest, error) { return partial.Manifest(i) }

// RawManifest returns the manifest's bytes.
func (i *assembled) RawManifest() ([]byte, error) { return i.manifest, nil }

// LayerByDigest returns the layer with that digest of compressed bytes, or the
// config as one, as registries know no difference.
func (i *assembled) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	if name, err := i.ConfigName(); err != nil || name == h {
		return partial.ConfigLayer(i)
	}
	return i.find(h, v1.Layer.Digest)
}

// LayerByDiffID returns the layer with that digest of uncompressed bytes.
func (i *assembled) LayerByDiffID(h v1.Hash) (v1.Layer, error) { return i.find(h, v1.Layer.DiffID) }

func (i *assembled) find(h v1.Hash, by func(v1.Layer) (v1.Hash, error)) (v1.Layer, error) {
	for _, l := range i.layers {
		if got, err := by(l); err == nil && got == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("finding layer %s: not in this image", h)
}

// WithoutDefaults returns img without its layer of test credentials: what
// Build makes of the same Spec with no Bundle.Defaults, to the digest. An
// image that has no such layer is returned as it is.
func WithoutDefaults(img Image) (Image, error) {
	has, err := HasDefaults(img)
	if err != nil || !has {
		return img, err
	}
	cf, m, all, err := partsOf(img)
	if err != nil {
		return nil, err
	}
	var parts []part
	for i, p := range all {
		if !isDefaults(m.Layers[i]) {
			parts = append(parts, p)
		}
	}
	return assemble(cf, m.Annotations, parts)
}

// partsOf takes img apart into what assemble makes one of. Of its history it
// keeps what made a layer.
func partsOf(img Image) (*v1.ConfigFile, *v1.Manifest, []part, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading the manifest: %w", err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading the config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading the layers: %w", err)
	}
	history := slices.DeleteFunc(slices.Clone(cf.History), func(h v1.History) bool { return h.EmptyLayer })
	if n := len(layers); len(m.Layers) != n || len(history) != n || len(cf.RootFS.DiffIDs) != n {
		return nil, nil, nil, errors.New("taking an image apart: layers and history don't match")
	}
	var parts []part
	for i, l := range layers {
		parts = append(parts, part{l, cf.RootFS.DiffIDs[i], m.Layers[i].Annotations, history[i]})
	}
	return cf, m, parts, nil
}

// HasDefaults says whether img has a layer of test credentials.
func HasDefaults(img Image) (bool, error) {
	m, err := img.Manifest()
	if err != nil {
		return false, fmt.Errorf("reading the manifest: %w", err)
	}
	return slices.ContainsFunc(m.Layers, isDefaults), nil
}

func isDefaults(d v1.Descriptor) bool { return d.Annotations[layerAnnotation] == kindDefaults }

// Size returns what a takes in a registry, in bytes: layers, configs and
// manifests, what images share counted once.
func Size(a Artifact) (int64, error) {
	sizes := map[v1.Hash]int64{}
	if _, several := a.(Index); several {
		n, err := a.Size()
		if err != nil {
			return 0, fmt.Errorf("reading the index: %w", err)
		}
		sizes[v1.Hash{}] = n
	}
	images, err := imagesOf(a)
	if err != nil {
		return 0, err
	}
	for _, img := range images {
		m, err := img.Manifest()
		if err != nil {
			return 0, fmt.Errorf("reading the manifest: %w", err)
		}
		own, err := partial.Descriptor(img)
		if err != nil {
			return 0, fmt.Errorf("reading the manifest: %w", err)
		}
		for _, d := range append([]v1.Descriptor{*own, m.Config}, m.Layers...) {
			sizes[d.Digest] = d.Size
		}
	}
	total := int64(0)
	for _, n := range sizes {
		total += n
	}
	return total, nil
}

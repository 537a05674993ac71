package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/config"
)

// sbomType is SPDX's registered media type for JSON.
const sbomType = "application/spdx+json"

// maxSBOM bounds a list of contents: that of 10,000 packages is smaller.
const maxSBOM = 16 << 20

// attach pushes the list of contents of every image in a, and that of an index
// itself, as artifacts that refer to them, and returns the digest of a's own.
// An image without such a list, and a registry that takes no artifacts, give "".
func attach(to name.Repository, a Artifact, opts []remote.Option) (string, error) {
	images, err := imagesOf(a)
	if err != nil {
		return "", err
	}
	lists := make([][]byte, len(images))
	attached := ""
	for i, img := range images {
		if lists[i], err = sbomOf(img); err != nil || lists[i] == nil {
			return "", err
		}
		if attached, err = attachTo(to, img, lists[i], opts); err != nil || attached == "" {
			return "", err
		}
	}
	index, several := a.(Index)
	if !several {
		return attached, nil
	}
	list, err := indexSBOM(index, images, lists)
	if err != nil {
		return "", err
	}
	return attachTo(to, index, list, opts)
}

// attachTo pushes a list of contents as an artifact that refers to a. Where the
// registry has no list of referrers, the library keeps one under the tag
// sha256-DIGEST:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema.
func attachTo(to name.Repository, subject Artifact, data []byte, opts []remote.Option) (string, error) {
	a, err := artifact(data, subject)
	if err != nil {
		return "", err
	}
	digest, err := a.Digest()
	if err != nil {
		return "", err
	}
	err = remote.Write(to.Digest(digest.String()), a, opts...)
	if refusesArtifacts(err) {
		return "", nil
	}
	return digest.String(), err
}

// artifact is a manifest of the one blob data whose subject is of. Its config
// has the artifact's type too: what knows no artifactType takes it from there.
func artifact(data []byte, of Artifact) (Image, error) {
	subject, err := partial.Descriptor(of)
	if err != nil {
		return nil, fmt.Errorf("describing the image: %w", err)
	}
	blob, err := partial.Descriptor(static.NewLayer(data, sbomType))
	if err != nil {
		return nil, fmt.Errorf("describing the SBOM: %w", err)
	}
	a := &assembled{config: []byte("{}"), layers: []v1.Layer{static.NewLayer(data, sbomType)}}
	settings := v1.Descriptor{MediaType: sbomType}
	if settings.Digest, settings.Size, err = v1.SHA256(bytes.NewReader(a.config)); err != nil {
		return nil, err
	}
	a.manifest, err = json.Marshal(struct {
		v1.Manifest
		ArtifactType string `json:"artifactType"`
	}{v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: settings, Layers: []v1.Descriptor{*blob},
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	}, sbomType})
	return a, err
}

// refusesArtifacts says whether err is the answer of a registry that knows
// images alone.
func refusesArtifacts(err error) bool {
	answer := (*transport.Error)(nil)
	return errors.As(err, &answer) &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType}, answer.StatusCode)
}

// sbomOf reads the list of contents out of img, from the highest layer that has
// one; nil where none has.
func sbomOf(img Image) ([]byte, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading the layers: %w", err)
	}
	for _, l := range slices.Backward(layers) {
		data, err := fileIn(l, config.SBOMPath)
		if err != nil {
			return nil, fmt.Errorf("looking for %q: %w", config.SBOMPath, err)
		}
		if data != nil {
			return data, nil
		}
	}
	return nil, nil
}

// fileIn reads a file of one layer; nil where it has none of that path.
func fileIn(l v1.Layer, path string) (data []byte, err error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if name, err := cleanName(h.Name); err != nil || "/"+name != path || h.Typeflag != tar.TypeReg {
			continue
		}
		if h.Size > maxSBOM {
			return nil, fmt.Errorf("it has %d bytes, more than %d", h.Size, maxSBOM)
		}
		return io.ReadAll(tr)
	}
}

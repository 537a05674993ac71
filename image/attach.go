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
	"strings"

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

// listed is an image or an index with the list of its contents, nil where it has
// none.
type listed struct {
	Artifact
	list []byte
}

// listsOf returns every image of a and last, where a is an index, that itself.
func listsOf(a Artifact) ([]listed, error) {
	images, err := imagesOf(a)
	if err != nil {
		return nil, err
	}
	lists := make([][]byte, len(images))
	complete := true
	var all []listed
	for i, img := range images {
		if lists[i], err = sbomOf(img); err != nil {
			return nil, err
		}
		complete = complete && lists[i] != nil
		all = append(all, listed{img, lists[i]})
	}
	index, several := a.(Index)
	if !several {
		return all, nil
	}
	own := listed{Artifact: index}
	if complete {
		if own.list, err = indexSBOM(index, images, lists); err != nil {
			return nil, err
		}
	}
	return append(all, own), nil
}

// attach pushes the lists of contents as artifacts that refer to what they list,
// and returns the digest of the last one's: "" where it has none, or the registry
// takes no artifacts.
func attach(to name.Repository, all []listed, opts []remote.Option) (attached string, err error) {
	for _, one := range all {
		if attached = ""; one.list == nil {
			continue
		}
		if attached, err = attachTo(to, one.Artifact, one.list, opts); err != nil || attached == "" {
			return "", err
		}
	}
	return attached, nil
}

// attachTo pushes a list of contents as an artifact that refers to a. Where the
// registry has no list of referrers, the library keeps one under the tag
// sha256-DIGEST:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema.
func attachTo(to name.Repository, subject Artifact, data []byte, opts []remote.Option) (string, error) {
	a, err := artifact(data, sbomType, nil, subject)
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

// artifact is a manifest of the one blob data, of that type, whose subject is
// what. Its config has the artifact's type too: what knows no artifactType takes
// it from there.
func artifact(data []byte, kind types.MediaType, notes map[string]string, what partial.Describable) (Image, error) {
	subject, err := partial.Descriptor(what)
	if err != nil {
		return nil, fmt.Errorf("describing the image: %w", err)
	}
	blob, err := partial.Descriptor(static.NewLayer(data, kind))
	if err != nil {
		return nil, fmt.Errorf("describing what is attached: %w", err)
	}
	a := &assembled{config: []byte("{}"), layers: []v1.Layer{static.NewLayer(data, kind)}}
	settings := v1.Descriptor{MediaType: kind}
	if settings.Digest, settings.Size, err = v1.SHA256(bytes.NewReader(a.config)); err != nil {
		return nil, err
	}
	a.manifest, err = json.Marshal(struct {
		v1.Manifest
		ArtifactType types.MediaType `json:"artifactType"`
	}{v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: settings, Layers: []v1.Descriptor{*blob},
		Subject:     &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: notes,
	}, kind})
	return a, err
}

// refusesArtifacts says whether err is the answer of a registry that knows
// images alone: to a manifest or a list of referrers, for any takes blobs.
func refusesArtifacts(err error) bool {
	answer := (*transport.Error)(nil)
	return errors.As(err, &answer) && answer.Request != nil && !strings.Contains(answer.Request.URL.Path, "/blobs/") &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType}, answer.StatusCode)
}

// sbomOf reads the list of contents out of img, from the highest layer that has
// one; nil where none has, or where a layer above that, but for the defaults, holds
// more than folders: of these the list knows nothing.
func sbomOf(img Image) ([]byte, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading the layers: %w", err)
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	for i, l := range slices.Backward(layers) {
		data, others, err := fileIn(l, config.SBOMPath)
		if err != nil {
			return nil, fmt.Errorf("looking for %q: %w", config.SBOMPath, err)
		}
		if data != nil || others && !isDefaults(m.Layers[i]) {
			return data, nil
		}
	}
	return nil, nil
}

// fileIn reads a file of one layer; nil where it has none of that path. others
// says whether it has come upon anything else but folders.
func fileIn(l v1.Layer, path string) (data []byte, others bool, err error) {
	r, err := Unpack(l)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil, others, nil
		}
		if err != nil {
			return nil, others, err
		}
		if name, err := cleanName(h.Name); err != nil || "/"+name != path || h.Typeflag != tar.TypeReg {
			others = others || h.Typeflag != tar.TypeDir
			continue
		}
		if h.Size > maxSBOM {
			return nil, others, fmt.Errorf("it has %d bytes, more than %d", h.Size, maxSBOM)
		}
		data, err = io.ReadAll(tr)
		return data, others, err
	}
}

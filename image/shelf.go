package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Bounds on what a registry may have us read.
const (
	maxAttached    = 100     // signatures, attestations or referrers of one image
	maxPayload     = 1 << 20 // bytes of one payload; cosign's own are of 250
	maxAttestation = 2 * maxSBOM
)

// The ends of cosign's tags.
const (
	signatureSuffix   = ".sig"
	attestationSuffix = ".att"
)

// shelf is where the signatures and attestations of one image or index are
// kept: in its repository, under tags made of its digest, and as referrers.
type shelf struct {
	image   name.Digest
	opts    []remote.Option
	bundles func() ([]attached, error) // envelopes; the registry is asked once
}

// attached is one signature or attestation.
type attached struct {
	data      []byte
	signature string // in base64; "" where it is inside data
}

func newShelf(image name.Digest, opts []remote.Option) shelf {
	s := shelf{image: image, opts: opts}
	s.bundles = sync.OnceValues(s.referrers)
	return s
}

func (s shelf) tag(suffix string) name.Tag {
	return s.image.Tag(strings.Replace(s.image.DigestStr(), ":", "-", 1) + suffix)
}

// tagged returns what is under the tag with that suffix, an image whose layers
// are signatures; one without layers where there is nothing.
func (s shelf) tagged(suffix string) (v1.Image, error) {
	img, err := remote.Image(s.tag(suffix), s.opts...)
	if notFound(err) {
		return noLayers(), nil
	}
	return sized(img, err)
}

func notFound(err error) bool {
	answer := (*transport.Error)(nil)
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// list reads what is under the tag with that suffix and of that type.
func (s shelf) list(suffix string, of types.MediaType, limit int64) ([]attached, error) {
	img, err := s.tagged(suffix)
	if err != nil {
		return nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	if len(m.Layers) > maxAttached {
		return nil, s.full(suffix, len(m.Layers))
	}
	var list []attached
	for _, d := range m.Layers {
		if d.MediaType != of {
			continue
		}
		data, err := layerData(img, d, limit)
		if err != nil {
			return nil, fmt.Errorf("reading the tag %q: %w", s.tag(suffix).TagStr(), err)
		}
		list = append(list, attached{data, d.Annotations[payloadSignature]})
	}
	return list, nil
}

// referrers reads the envelopes of the bundles that refer to the image. The
// types in the registry's list can't be relied on: in the tag of a registry
// with no list they are those of the configs.
func (s shelf) referrers() ([]attached, error) {
	index, err := remote.Referrers(s.image, s.opts...)
	if refusesArtifacts(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the referrers: %w", err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("listing the referrers: %w", err)
	}
	if len(m.Manifests) > maxAttached {
		return nil, tooMuch("the image has %d referrers, more than %d", len(m.Manifests), maxAttached)
	}
	var list []attached
	for _, d := range m.Manifests {
		if d.ArtifactType == sbomType || !d.MediaType.IsImage() {
			continue
		}
		data, err := s.bundle(d.Digest)
		if notFound(err) { // it was removed, but is listed still
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the referrer %s: %w", d.Digest, err)
		}
		if envelope, err := envelopeOf(data); err == nil {
			list = append(list, attached{data: envelope})
		}
	}
	return list, nil
}

// bundle reads the bundle in the artifact of that digest; nil where it holds
// something else.
func (s shelf) bundle(digest v1.Hash) ([]byte, error) {
	img, err := remote.Image(s.image.Digest(digest.String()), s.opts...)
	if err != nil {
		return nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	if len(m.Layers) != 1 || m.Layers[0].MediaType != bundleType {
		return nil, nil
	}
	return layerData(img, m.Layers[0], maxAttestation)
}

// layerData reads a layer as it is in the registry, which is held to its digest.
func layerData(img v1.Image, d v1.Descriptor, limit int64) (data []byte, err error) {
	if d.Size < 0 || d.Size > limit { // below 0 the library knows no bound
		return nil, tooMuch("%s has %d bytes, more than %d", d.Digest, d.Size, limit)
	}
	if len(d.URLs) > 0 {
		return nil, tooMuch("%s is said to be elsewhere: %q", d.Digest, d.URLs)
	}
	l, err := img.LayerByDigest(d.Digest)
	if err != nil {
		return nil, err
	}
	r, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

// full is a tag with more under it than is read.
func (s shelf) full(suffix string, layers int) error {
	return fault.Hint(tooMuch("the tag %q has %d layers, and no more than %d are read", s.tag(suffix).TagStr(), layers, maxAttached),
		"have who may remove tags there remove that one, and sign again: mosqbuild image push --sign KEY")
}

// add puts one more layer under the tag with that suffix, in place of the first of
// the signatures in spare where there is no more room.
func (s shelf) add(suffix string, a attached, of types.MediaType, notes map[string]string, spare []string) error {
	img, err := s.tagged(suffix)
	if err != nil {
		return err
	}
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	if n := len(m.Layers); n >= maxAttached {
		if len(spare) == 0 {
			return s.full(suffix, n)
		}
		if img, err = withoutSignature(img, spare[0]); err != nil {
			return err
		}
	}
	notes[payloadSignature] = a.signature
	img, err = mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(a.data, of), Annotations: notes, MediaType: of})
	if err != nil {
		return err
	}
	return remote.Write(s.tag(suffix), img, s.opts...)
}

// withoutSignature is the image without the layers with that signature.
func withoutSignature(img v1.Image, signature string) (v1.Image, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	var keep []mutate.Addendum
	for _, d := range m.Layers {
		if d.Annotations[payloadSignature] == signature {
			continue
		}
		l, err := img.LayerByDigest(d.Digest)
		if err != nil {
			return nil, err
		}
		keep = append(keep, mutate.Addendum{Layer: l, Annotations: d.Annotations, MediaType: d.MediaType})
	}
	return mutate.Append(noLayers(), keep...)
}

// noLayers is what a tag for signatures begins with.
func noLayers() v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
}

// refer puts a bundle beside the image, as an artifact that refers to it.
func (s shelf) refer(data []byte, predicate string, to partial.Describable) error {
	a, err := artifact(data, bundleType, map[string]string{
		"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate,
	}, to)
	if err != nil {
		return err
	}
	digest, err := a.Digest()
	if err != nil {
		return err
	}
	if err := remote.Write(s.image.Digest(digest.String()), a, s.opts...); !refusesArtifacts(err) {
		return err
	}
	return nil
}

// tooMuch is what won't be read, whoever wrote it.
func tooMuch(format string, args ...any) error {
	return fault.With(fault.Refused, fmt.Errorf(format, args...))
}

// has says whether the list has one that says just what raw says, by a key.
func has(list []attached, raw []byte, read func(attached) (claim, error)) bool {
	for _, a := range list {
		if c, err := read(a); err == nil && bytes.Equal(c.raw, raw) {
			return true
		}
	}
	return false
}

package image

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Artifact is what is built, kept, written and pushed under one name: an Image,
// or an Index of one for each of several platforms.
type Artifact interface {
	MediaType() (types.MediaType, error)
	Digest() (v1.Hash, error)
	Size() (int64, error) // of the manifest, in bytes
	RawManifest() ([]byte, error)
}

var (
	_ Artifact = Image(nil)
	_ Artifact = Index(nil)
)

// Variant names one of the images of an Artifact.
type Variant struct {
	// Platform is such as "linux/arm/v7"; "" where nothing says.
	Platform string
	// Digest is the image's, such as "sha256:...".
	Digest string

	digest v1.Hash
}

// Variants returns the images of an index in its order, and of an image that
// alone. What an index holds beside images, such as attestations, is left out.
func Variants(a Artifact) ([]Variant, error) {
	switch a := a.(type) {
	case Image:
		cf, err := a.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("reading the config: %w", err)
		}
		digest, err := a.Digest()
		return []Variant{{platformName(cf.Platform()), digest.String(), digest}}, err
	case Index:
		m, err := a.IndexManifest()
		if err != nil {
			return nil, fmt.Errorf("reading the index: %w", err)
		}
		var list []Variant
		for _, d := range m.Manifests {
			// Docker's buildx puts attestations under this platform.
			if name := platformName(d.Platform); d.MediaType.IsImage() && !strings.HasPrefix(name, "unknown/") {
				list = append(list, Variant{name, d.Digest.String(), d.Digest})
			}
		}
		return list, nil
	}
	return nil, errors.New("reading the image: it is neither an image nor an index")
}

// platformName is a platform's name; those that mean the same have the same.
func platformName(p *v1.Platform) string {
	if p == nil || p.OS == "" && p.Architecture == "" {
		return ""
	}
	name := strings.TrimSuffix(v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}.String(), "/")
	if arch, err := config.ParsePlatform(name); err == nil {
		return config.PlatformPrefix + arch
	}
	return name
}

// platformOf is the opposite: what an image's config says of Go's name of an
// architecture.
func platformOf(arch string) v1.Platform {
	p := v1.Platform{OS: "linux"}
	p.Architecture, p.Variant, _ = strings.Cut(arch, "/")
	return p
}

// imagesOf opens every image of a.
func imagesOf(a Artifact) ([]Image, error) {
	if img, ok := a.(Image); ok {
		return []Image{img}, nil
	}
	variants, err := Variants(a)
	if err != nil {
		return nil, err
	}
	images := make([]Image, len(variants))
	for i, v := range variants {
		if images[i], err = v.open(a); err != nil {
			return nil, err
		}
	}
	return images, nil
}

func (v Variant) open(a Artifact) (Image, error) {
	index, ok := a.(Index)
	if !ok {
		img, _ := a.(Image) // Variants knows no third kind
		return img, nil
	}
	img, err := index.Image(v.digest)
	if err != nil {
		return nil, fmt.Errorf("reading the image for %s: %w", v.Platform, err)
	}
	return img, nil
}

// Choose returns the image for a platform, such as "linux/arm64". Where that is
// "" it is an image itself, and of an index that for linux/amd64, or where there
// is none the first one. The error for a platform that a hasn't got names those
// that it has, and carries fault.Usage.
func Choose(a Artifact, platform string) (Image, error) {
	if img, ok := a.(Image); ok && platform == "" {
		return img, nil
	}
	variants, err := Variants(a)
	if err != nil {
		return nil, err
	}
	if len(variants) == 0 {
		return nil, errors.New("reading the index: it holds no image")
	}
	wanted := cmp.Or(platform, config.PlatformPrefix+config.DefaultArch)
	if arch, err := config.ParsePlatform(wanted); err == nil {
		wanted = config.PlatformPrefix + arch
	}
	at := slices.IndexFunc(variants, func(v Variant) bool { return v.Platform == wanted })
	if at < 0 && platform == "" {
		at = 0
	}
	if at < 0 {
		err := fmt.Errorf("choosing the image for %q: there is one for %s", platform, strings.Join(platformsOf(variants), ", "))
		return nil, fault.With(fault.Usage, fault.Hint(err, "name one that is there: --platform %s", variants[0].Platform))
	}
	return variants[at].open(a)
}

func platformsOf(variants []Variant) []string {
	var list []string
	for _, v := range variants {
		list = append(list, cmp.Or(v.Platform, "an unknown platform"))
	}
	return list
}

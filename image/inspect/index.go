package inspect

import (
	"context"
	"fmt"
	"slices"

	"github.com/mosqbuild/mosqbuild/image"
)

// Index is an image for several platforms.
type Index struct {
	// Digest is that of the index, such as "sha256:...".
	Digest string `json:"digest"`
	// Platforms are in the index's order.
	Platforms []Platform `json:"platforms"`
}

// Platform is one of the images of an index.
type Platform struct {
	Platform string `json:"platform"` // such as "linux/arm/v7"; "" where nothing says
	Digest   string `json:"digest"`   // the image's
}

// DescribeOne is Describe for the image of a that image.Choose gives, and says of
// an index which images it has.
func DescribeOne(ctx context.Context, a image.Artifact, platform string) (Description, error) {
	img, err := image.Choose(a, platform)
	if err != nil {
		return Description{}, err
	}
	d, err := Describe(ctx, img)
	if err != nil {
		return d, err
	}
	if _, several := a.(image.Index); several {
		d.Index, err = describeIndex(a)
	}
	return d, err
}

func describeIndex(a image.Artifact) (*Index, error) {
	variants, err := image.Variants(a)
	if err != nil {
		return nil, err
	}
	digest, err := a.Digest()
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	i := &Index{Digest: digest.String()}
	for _, v := range variants {
		i.Platforms = append(i.Platforms, Platform{v.Platform, v.Digest})
	}
	return i, nil
}

// Difference is the outcome of CompareAll.
type Difference struct {
	Changes []Change
	// Before and After are the digests of what was compared, images or indexes:
	// without changes, images whose digests differ are packed otherwise.
	Before, After string
}

// CompareAll returns how b differs from a: two images, an image and that of an
// index for its platform, or two indexes platform by platform, with those that
// only one of them has. Where a platform is named, its images alone count. It
// reads all of them.
func CompareAll(ctx context.Context, a, b image.Artifact, platform string) (Difference, error) {
	_, first := a.(image.Index)
	_, second := b.(image.Index)
	var err error
	switch {
	case platform != "" || !first && !second:
	case first && second:
		return comparePlatforms(ctx, a, b)
	case first:
		platform, err = ownPlatform(b)
	default:
		platform, err = ownPlatform(a)
	}
	if err != nil {
		return Difference{}, err
	}
	return compareOne(ctx, a, b, platform)
}

// ownPlatform is what a single image is for.
func ownPlatform(a image.Artifact) (string, error) {
	variants, err := image.Variants(a)
	if err != nil {
		return "", err
	}
	return variants[0].Platform, nil
}

func compareOne(ctx context.Context, a, b image.Artifact, platform string) (Difference, error) {
	before, err := DescribeOne(ctx, a, platform)
	if err != nil {
		return Difference{}, err
	}
	after, err := DescribeOne(ctx, b, platform)
	if err != nil {
		return Difference{}, err
	}
	return Difference{Compare(before, after), before.Digest, after.Digest}, nil
}

func comparePlatforms(ctx context.Context, a, b image.Artifact) (Difference, error) {
	before, err := describeIndex(a)
	if err != nil {
		return Difference{}, err
	}
	after, err := describeIndex(b)
	if err != nil {
		return Difference{}, err
	}
	d := Difference{Before: before.Digest, After: after.Digest}
	for _, p := range before.Platforms {
		other, ok := after.find(p.Platform)
		if !ok {
			d.Changes = append(d.Changes, Change{Op: Removed, Kind: "platform", Name: p.Platform, Before: p.Digest})
			continue
		}
		if other == p {
			continue
		}
		one, err := compareOne(ctx, a, b, p.Platform)
		if err != nil {
			return d, err
		}
		for _, c := range one.Changes {
			c.Platform = p.Platform
			d.Changes = append(d.Changes, c)
		}
	}
	for _, p := range after.Platforms {
		if _, ok := before.find(p.Platform); !ok {
			d.Changes = append(d.Changes, Change{Op: Added, Kind: "platform", Name: p.Platform, After: p.Digest})
		}
	}
	return d, nil
}

func (i *Index) find(platform string) (Platform, bool) {
	at := slices.IndexFunc(i.Platforms, func(p Platform) bool { return p.Platform == platform })
	if at < 0 {
		return Platform{}, false
	}
	return i.Platforms[at], true
}

package inspect_test

import (
	"fmt"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/inspect"
)

// imageFor is an image of one file for a platform of Linux.
func imageFor(t testing.TB, arch, data string) image.Image {
	t.Helper()
	img := imageOf(t, []entry{file("a", data)})
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "linux", arch
	if img, err = mutate.ConfigFile(img, cf); err != nil {
		t.Fatal(err)
	}
	return img
}

func indexOf(t testing.TB, images ...image.Image) image.Artifact {
	t.Helper()
	a, err := image.Join(images...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDescribeOne(t *testing.T) {
	amd, arm := imageFor(t, "amd64", "1"), imageFor(t, "arm64", "2")
	index := indexOf(t, amd, arm)
	for platform, want := range map[string]image.Image{"": amd, "linux/amd64": amd, "linux/arm64": arm} {
		d, err := inspect.DescribeOne(t.Context(), index, platform)
		if err != nil {
			t.Fatal(err)
		}
		if alone := describe(t, want); d.Digest != alone.Digest || alone.Index != nil {
			t.Errorf("%q: %s, want %s", platform, d.Digest, alone.Digest)
		}
		digest, err := index.Digest()
		if err != nil || d.Index == nil || d.Index.Digest != digest.String() || fmt.Sprint(d.Index.Platforms) != fmt.Sprintf("[{linux/amd64 %s} {linux/arm64 %s}]", describe(t, amd).Digest, describe(t, arm).Digest) {
			t.Errorf("%q: index %+v, %v", platform, d.Index, err)
		}
	}
	if _, err := inspect.DescribeOne(t.Context(), index, "linux/386"); err == nil {
		t.Error("a platform that isn't there was described")
	}
}

func TestCompareAll(t *testing.T) {
	amd, arm, changed, s390 := imageFor(t, "amd64", "1"), imageFor(t, "arm64", "2"), imageFor(t, "arm64", "22"), imageFor(t, "s390x", "3")
	for name, c := range map[string]struct {
		a, b     image.Artifact
		platform string
		want     string
	}{
		"the same":                      {indexOf(t, amd, arm), indexOf(t, arm, amd), "", ""},
		"one platform changed":          {indexOf(t, amd, arm), indexOf(t, amd, changed), "", "changed file /a content linux/arm64;"},
		"another platform is chosen":    {indexOf(t, amd, arm), indexOf(t, amd, changed), "linux/amd64", ""},
		"that one is chosen":            {indexOf(t, amd, arm), indexOf(t, amd, changed), "linux/arm64", "changed file /a content ;"},
		"a platform came, one went":     {indexOf(t, amd, arm), indexOf(t, amd, s390), "", "removed platform linux/arm64  ;added platform linux/s390x  ;"},
		"an image and an index":         {arm, indexOf(t, amd, changed), "", "changed file /a content ;"},
		"an index and an image":         {indexOf(t, amd, arm), arm, "", ""},
		"two images for two platforms":  {amd, s390, "", "changed config platform value ;changed file /a content ;"},
		"an index without the image's":  {s390, indexOf(t, amd, arm), "", "error"},
		"a platform that neither has":   {indexOf(t, amd, arm), indexOf(t, amd, arm), "linux/386", "error"},
		"an image for another platform": {indexOf(t, amd, arm), amd, "linux/arm64", "error"},
	} {
		d, err := inspect.CompareAll(t.Context(), c.a, c.b, c.platform)
		got := ""
		for _, ch := range d.Changes {
			got += fmt.Sprintf("%s %s %s %s %s;", ch.Op, ch.Kind, ch.Name, ch.What, ch.Platform)
		}
		if err != nil {
			got = "error"
		}
		if c.want != "error" && (d.Before == d.After) != (c.want == "") {
			t.Errorf("%s: digests %s and %s", name, d.Before, d.After)
		}
		if got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

package image_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// testArchs are apk's names of the architectures of testImages, by Go's.
var testArchs = map[string]string{"amd64": "x86_64", "arm64": "aarch64", "arm/v7": "armv7"}

// testImages builds the same packages for each architecture, all at once or one
// after the other.
func testImages(t testing.TB, atOnce bool, archs ...string) []image.Image {
	t.Helper()
	o := testRepository(t, testPackages(64<<10))
	o.Cache = t.TempDir()
	images := make([]image.Image, len(archs))
	var all sync.WaitGroup
	for i, arch := range archs {
		o := o
		o.Arch = arch
		if err := repo.Write(t.Context(), o.Repositories[0], testArchs[arch], testPackages(64<<10), signingKey(), time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		s, _ := testSpec(t, o)
		s.Cache, s.Revision = o.Cache, s.Lock.Digest()
		all.Go(func() {
			var err error
			if images[i], err = image.Build(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
		if !atOnce {
			all.Wait()
		}
	}
	all.Wait()
	return images
}

func join(t testing.TB, images ...image.Image) image.Index {
	t.Helper()
	a, err := image.Join(images...)
	if err != nil {
		t.Fatal(err)
	}
	index, ok := a.(image.Index)
	if !ok {
		t.Fatalf("%d images make %T", len(images), a)
	}
	return index
}

func testIndex(t testing.TB) image.Index {
	return join(t, testImages(t, true, "amd64", "arm64")...)
}

func digestOf(t testing.TB, a image.Artifact) string {
	t.Helper()
	d, err := a.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func writeIndex(t testing.TB, a image.Artifact, format string) image.Output {
	t.Helper()
	o := image.Output{Format: format, Path: filepath.Join(t.TempDir(), "out")}
	if err := image.Write(t.Context(), a, o, testName); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestIndexNamesItsPlatforms(t *testing.T) {
	images := testImages(t, false, "amd64", "arm/v7", "arm64")
	index := join(t, images...)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	again := testImages(t, true, "arm64", "amd64", "arm/v7")
	if got, want := digestOf(t, join(t, again...)), digestOf(t, index); got != want {
		t.Errorf("built at once and in another order it is %s, want %s", got, want)
	}
	m, err := index.IndexManifest()
	if err != nil || m.MediaType != "application/vnd.oci.image.index.v1+json" || len(m.Manifests) != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
	for i, want := range []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm", Variant: "v7"}, {OS: "linux", Architecture: "arm64"}} {
		d := m.Manifests[i]
		if d.Platform == nil || !d.Platform.Equals(want) || d.Digest.String() != digest(t, images[i]) || d.MediaType != "application/vnd.oci.image.manifest.v1+json" {
			t.Errorf("manifest %d = %+v, want that of %s", i, d, want)
		}
		cf, err := images[i].ConfigFile()
		if err != nil || !cf.Platform().Equals(want) {
			t.Errorf("config %d is for %s, %v", i, cf.Platform(), err)
		}
	}
	if a := m.Annotations; a["org.opencontainers.image.version"] != "2.0.21" || a["org.opencontainers.image.title"] != "mosquitto" || a["org.opencontainers.image.revision"] != "" {
		t.Errorf("annotations = %v, want those that all images have", a)
	}
	if one, err := image.Join(images[1]); err != nil || digestOf(t, one) != digest(t, images[1]) {
		t.Errorf("of one image: %v, want that image", err)
	}
	if _, err := image.Join(images[0], images[0]); err == nil {
		t.Error("two images for one platform were joined")
	}
	if _, err := image.Join(); err == nil {
		t.Error("no images were joined")
	}
}

func TestIndexIsWrittenAndRead(t *testing.T) {
	index := testIndex(t)
	for _, format := range []string{image.FormatOCI, image.FormatOCIArchive} {
		o := writeIndex(t, index, format)
		back, err := image.ReadArtifact(t.Context(), o.String(), image.ReadOptions{})
		if err != nil || digestOf(t, back) != digestOf(t, index) {
			t.Fatalf("%s: %v", format, err)
		}
		if err := validate.Index(back.(image.Index)); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		size, err1 := image.Size(back)
		if want, err2 := image.Size(index); size != want || err1 != nil || err2 != nil {
			t.Errorf("%s: size %d, want %d: %v, %v", format, size, want, err1, err2)
		}
		for platform, arch := range map[string]string{"": "amd64", "linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm64/v8": "arm64"} {
			img, err := image.Read(t.Context(), o.String(), image.ReadOptions{Platform: platform})
			if err != nil || validate.Image(img) != nil {
				t.Fatalf("%s: %q: %v", format, platform, err)
			}
			if cf, err := img.ConfigFile(); err != nil || cf.Architecture != arch {
				t.Errorf("%s: %q: for %s, %v", format, platform, cf.Architecture, err)
			}
		}
		_, err = image.Read(t.Context(), o.String(), image.ReadOptions{Platform: "linux/s390x"})
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "there is one for linux/amd64, linux/arm64") {
			t.Errorf("%s: a platform that isn't there: %v", format, err)
		}
	}
	for _, o := range []image.Output{{Format: image.FormatDockerArchive, Path: filepath.Join(t.TempDir(), "a.tar")}, {Format: image.FormatPodman}} {
		err := image.Write(t.Context(), index, o, testName)
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "--platform linux/amd64") {
			t.Errorf("%s: %v, hint %q", o, err, fault.HintOf(err))
		}
	}
}

// One that is replaced by another leaves nothing of it, and what was spoiled is
// noticed.
func TestIndexIsReplacedAndChecked(t *testing.T) {
	index := testIndex(t)
	o := writeIndex(t, index, image.FormatOCI)
	one, err := image.Choose(index, "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	blobs := func() int {
		list, err := filepath.Glob(filepath.Join(o.Path, "blobs/sha256/*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	// The index; of each image the manifest, the config and two layers; and one
	// of defaults, which both have.
	if n := blobs(); n != 1+2*4+1 {
		t.Errorf("%d blobs", n)
	}
	write(t, one, o)
	if n := blobs(); n != 5 {
		t.Errorf("%d blobs of one image", n)
	}
	if back, err := image.OpenArtifact(o.Path); err != nil || digestOf(t, back) != digest(t, one) {
		t.Errorf("one in place of the index: %v", err)
	}
	for _, spoiled := range []string{digestOf(t, index), digest(t, one)} {
		o := writeIndex(t, index, image.FormatOCI)
		if err := flip(filepath.Join(o.Path, "blobs/sha256", strings.TrimPrefix(spoiled, "sha256:")), -2); err != nil {
			t.Fatal(err)
		}
		if _, err := image.OpenArtifact(o.Path); err == nil {
			t.Errorf("opened with %s changed", spoiled)
		}
	}
}

func TestStripDefaultsOfAnIndex(t *testing.T) {
	images := testImages(t, true, "amd64", "arm64")
	var bare []image.Image
	for _, img := range images {
		b, err := image.WithoutDefaults(img)
		if err != nil {
			t.Fatal(err)
		}
		bare = append(bare, b)
	}
	got, err := image.StripDefaults(join(t, images...))
	if err != nil || digestOf(t, got) != digestOf(t, join(t, bare...)) || digestOf(t, got) == digestOf(t, join(t, images...)) {
		t.Errorf("%v, want what images without defaults make", err)
	}
	if again, err := image.StripDefaults(got); err != nil || digestOf(t, again) != digestOf(t, got) {
		t.Errorf("stripped twice: %v", err)
	}
}

// attested is an index as buildx makes it, with a manifest that is no image's.
func TestChooseKeepsToImages(t *testing.T) {
	images := testImages(t, true, "arm64", "arm/v7")
	d := v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}
	attested := mutate.AppendManifests(join(t, images...), mutate.IndexAddendum{Add: testImage(t), Descriptor: d})
	variants, err := image.Variants(attested)
	if err != nil || len(variants) != 2 || variants[0].Platform != "linux/arm/v7" || variants[1].Digest != digest(t, images[0]) {
		t.Errorf("variants = %+v, %v", variants, err)
	}
	// There is none for linux/amd64: the first.
	if img, err := image.Choose(attested, ""); err != nil || digest(t, img) != digest(t, images[1]) {
		t.Errorf("the first: %v", err)
	}
	if _, err := image.Choose(images[0], "linux/amd64"); fault.CodeOf(err) != fault.Usage {
		t.Errorf("another platform than an image's: %v", err)
	}
	if img, err := image.Choose(images[0], "linux/arm64/v8"); err != nil || digest(t, img) != digest(t, images[0]) {
		t.Errorf("an image's own platform: %v", err)
	}
}

func TestSkopeoReadsAnIndex(t *testing.T) {
	need.Program(t, "skopeo")
	index := testIndex(t)
	raw, err := index.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{image.FormatOCI, image.FormatOCIArchive} {
		o := writeIndex(t, index, format)
		if got := skopeo(t, "inspect", "--raw", o.String()); !bytes.Equal(got, raw) {
			t.Errorf("%s: skopeo sees %s, want %s", format, got, raw)
		}
		for _, arch := range []string{"amd64", "arm64"} {
			if got := architecture(t, "--override-arch", arch, "inspect", o.String()); got != arch {
				t.Errorf("%s: for %s skopeo finds an image for %q", format, arch, got)
			}
		}
		copied := filepath.Join(t.TempDir(), "copy")
		skopeo(t, "copy", "--all", "-q", o.String(), "oci:"+copied)
		back, err := image.OpenArtifact(copied)
		if err != nil || digestOf(t, back) != digestOf(t, index) || validate.Index(back.(image.Index)) != nil {
			t.Errorf("%s: what skopeo copied: %v", format, err)
		}
	}
}

func skopeo(t testing.TB, args ...string) []byte {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command("skopeo", args...)
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("skopeo %s: %v: %s", strings.Join(args, " "), err, said.String())
	}
	return out
}

func architecture(t testing.TB, args ...string) string {
	t.Helper()
	var got struct{ Architecture string }
	if err := json.Unmarshal(skopeo(t, args...), &got); err != nil {
		t.Fatal(err)
	}
	return got.Architecture
}

func TestPushIndexToDockerRegistry(t *testing.T) {
	need.Program(t, "docker-registry", "skopeo")
	host, certDir, logins := dockerRegistry(t)
	index := testIndex(t)
	o := pushTo(host)
	o.Trust.Dir, o.Logins = certDir, []string{logins}
	// Two manifests' configs, two layers each and the defaults once; and a list
	// of contents for each, and for the index, of one empty config.
	for i, uploaded := range []int{2 + 2*2 + 1 + 3 + 1, 0} {
		got, err := image.Push(t.Context(), index, o)
		if err != nil || got.Digest != digestOf(t, index) || got.SBOM == "" || got.Uploaded != uploaded {
			t.Errorf("push %d: %+v, %v, want %d blobs uploaded", i+1, got, err, uploaded)
		}
	}
	access := []string{"--cert-dir", certDir, "--authfile", logins}
	raw, err := index.RawManifest()
	if got := skopeo(t, append([]string{"inspect", "--raw", "docker://" + o.Reference}, access...)...); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("skopeo sees %s, %v, want %s", got, err, raw)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if got := architecture(t, append([]string{"--override-arch", arch, "inspect", "docker://" + o.Reference}, access...)...); got != arch {
			t.Errorf("for %s skopeo pulls an image for %q", arch, got)
		}
	}
	copied := filepath.Join(t.TempDir(), "copy")
	skopeo(t, "copy", "--all", "-q", "--src-cert-dir", certDir, "--src-authfile", logins, "docker://"+o.Reference, "oci:"+copied)
	if back, err := image.OpenArtifact(copied); err != nil || digestOf(t, back) != digestOf(t, index) {
		t.Errorf("what skopeo copied: %v", err)
	}
	from := image.ReadOptions{Logins: o.Logins, Trust: o.Trust, Platform: "linux/arm64"}
	img, err := image.Read(t.Context(), o.Reference, from)
	if err != nil || validate.Image(img) != nil {
		t.Fatalf("reading it back: %v", err)
	}
	if cf, err := img.ConfigFile(); err != nil || cf.Architecture != "arm64" {
		t.Errorf("read for arm64: %v, %v", cf, err)
	}
	// Every image is there under its digest too, and the lists of contents under
	// the tags by which this registry, which has no API for them, shows them.
	var tags struct{ Tags []string }
	if err := json.Unmarshal(skopeo(t, append([]string{"list-tags", "docker://" + strings.TrimSuffix(o.Reference, ":1")}, access...)...), &tags); err != nil {
		t.Fatal(err)
	}
	variants, err := image.Variants(index)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{digestOf(t, index), variants[0].Digest, variants[1].Digest} {
		if tag := strings.ReplaceAll(d, ":", "-"); !slices.Contains(tags.Tags, tag) {
			t.Errorf("no list of contents of %s: tags %v", d, tags.Tags)
		}
	}
}

// Beyond loopback no image of an index has test credentials.
func TestPushIndexBeyondLoopback(t *testing.T) {
	f := newFakeRegistry()
	proxied.Store(serve(t, f))
	index := testIndex(t)
	bare, err := image.StripDefaults(index)
	if err != nil {
		t.Fatal(err)
	}
	o := pushTo("registry.example.com")
	o.Trust.Insecure = true
	got, err := image.Push(t.Context(), index, o)
	if err != nil || !got.DefaultsLeftOut || got.Digest != digestOf(t, bare) || got.Built != digestOf(t, index) {
		t.Errorf("pushed %+v, %v, want %s", got, err, digestOf(t, bare))
	}
}

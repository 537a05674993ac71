package image_test

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // SPDX asks for it
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/mosqbuild/mosqbuild/image"
)

// attachedTo is the one list of contents that refers to a digest.
func attachedTo(t *testing.T, host, digest string) []byte {
	t.Helper()
	ref, err := name.NewDigest(host + "/test/mosquitto@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	referrers, err := remote.Referrers(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := referrers.IndexManifest()
	if err != nil || len(m.Manifests) != 1 || m.Manifests[0].ArtifactType != "application/spdx+json" {
		t.Fatalf("referrers of %s: %+v, %v", digest, m, err)
	}
	img, err := remote.Image(ref.Context().Digest(m.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPushAttachesTheSBOMs: each image has its own, and the index one that names
// the images by digest, and their lists by name and sum.
func TestPushAttachesTheSBOMs(t *testing.T) {
	images := testImages(t, true, "amd64", "arm64")
	index := join(t, images...)
	for _, lists := range []bool{true, false} {
		t.Run(fmt.Sprint(lists), func(t *testing.T) {
			f := &fakeRegistry{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(lists))}
			host := serve(t, f)
			for range 2 { // the second push changes nothing
				if pushed, err := image.Push(t.Context(), index, pushTo(host)); err != nil || pushed.SBOM == "" {
					t.Fatalf("%+v, %v", pushed, err)
				}
			}
			data := attachedTo(t, host, digestOf(t, index))
			doc, err := spdxjson.Read(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if err := spdxlib.ValidateDocument(doc); err != nil {
				t.Error(err)
			}
			if len(doc.Packages) != 3 || doc.Packages[0].PackageChecksums[0].Value != strings.TrimPrefix(digestOf(t, index), "sha256:") || doc.Packages[0].PackageVersion != "2.0.21" {
				t.Fatalf("packages = %+v", doc.Packages)
			}
			if described, err := spdxlib.GetDescribedPackageIDs(doc); err != nil || len(described) != 1 || described[0] != doc.Packages[0].PackageSPDXIdentifier {
				t.Errorf("it describes %v, %v", described, err)
			}
			for i, arch := range []string{"amd64", "arm64"} {
				own := attachedTo(t, host, digest(t, images[i]))
				if in, _ := sbom(t, images[i]); !bytes.Equal(own, in) {
					t.Errorf("%s: attached are %d bytes, in the image %d", arch, len(own), len(in))
				}
				checkVariant(t, doc, arch, digest(t, images[i]), own)
			}
		})
	}
}

func checkVariant(t *testing.T, doc *spdx.Document, arch, digest string, list []byte) {
	t.Helper()
	id := "Image-linux-" + arch
	i := slices.IndexFunc(doc.Packages, func(p *spdx.Package) bool { return string(p.PackageSPDXIdentifier) == id })
	if i < 0 {
		t.Fatalf("no package %s", id)
	}
	p := doc.Packages[i]
	if want := "pkg:oci/mosquitto@" + digest + "?arch=" + arch; p.PackageChecksums[0].Value != digest[7:] || p.PackageExternalReferences[0].Locator != want {
		t.Errorf("%s = %+v, %s, want %s", id, p.PackageChecksums, p.PackageExternalReferences[0].Locator, want)
	}
	sum := sha1.Sum(list) //nolint:gosec // as above
	if !slices.ContainsFunc(doc.ExternalDocumentReferences, func(r spdx.ExternalDocumentRef) bool {
		return string(r.DocumentRefID) == id && r.Checksum.Value == hex.EncodeToString(sum[:]) && bytes.Contains(list, []byte(r.URI))
	}) {
		t.Errorf("%s: documents %+v", id, doc.ExternalDocumentReferences)
	}
	var found []string
	for _, r := range doc.Relationships {
		found = append(found, fmt.Sprintf("%s %s %s:%s", r.RefA.ElementRefID, r.Relationship, r.RefB.DocumentRefID, r.RefB.ElementRefID))
	}
	for _, want := range []string{"Index CONTAINS :" + id, id + " VARIANT_OF :Index", id + " DESCRIBED_BY " + id + ":DOCUMENT"} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is not among %q", want, found)
		}
	}
}

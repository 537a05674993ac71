package image

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestVerifyIndex: the signature of an index covers the images in it, and their
// lists of contents are found.
func TestVerifyIndex(t *testing.T) {
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	tag, err := parseReference(strings.TrimPrefix(server.URL, "http://") + "/test/mosquitto:1")
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := LoadSigner(private, nil)
	if err != nil {
		t.Fatal(err)
	}
	var index v1.ImageIndex = empty.Index
	unlisted := ""
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/unknown", "unknown/unknown"} {
		os, arch, _ := strings.Cut(p, "/")
		img, err := random.Image(100, 1)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: os, Architecture: arch}}})
		doc, err := json.Marshal(map[string]any{"spdxVersion": "SPDX-2.3", "name": arch, "packages": []any{1, 2}})
		if err != nil {
			t.Fatal(err)
		}
		docs := [][]byte{[]byte(`{}`), []byte(`"SPDXVersion: SPDX-2.3"`), doc} // the first two are none
		if arch == "unknown" {
			docs = docs[:2]
		}
		if p == "linux/unknown" {
			digest, _ := img.Digest()
			unlisted = digest.String()
		}
		for _, doc := range docs {
			if err := signer.sign(tag, img, doc, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	ref := tag.String()
	if _, err := Verify(t.Context(), ref, &signer.public, ReadOptions{RetryDelay: time.Millisecond}); err == nil {
		t.Error("the images' signatures are taken as the index's")
	}
	if err := signer.sign(tag, index, nil, nil); err != nil {
		t.Fatal(err)
	}
	v, err := Verify(t.Context(), ref, &signer.public, ReadOptions{RetryDelay: time.Millisecond})
	if err != nil || v.Identity != ref || !slices.Equal(v.Unlisted, []string{unlisted}) {
		t.Fatalf("%+v, %v", v, err)
	}
	var found []string
	for _, s := range v.SBOMs {
		found = append(found, s.Platform+" "+s.Name)
	}
	if want := []string{"linux/amd64 amd64", "linux/arm64 arm64"}; !slices.Equal(found, want) {
		t.Errorf("SBOMs of %q, want %q", found, want)
	}
}

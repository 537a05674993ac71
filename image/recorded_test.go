package image_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/image"
)

var update = flag.Bool("update", false, "record anew what cosign makes")

// recorded has, by form, a layout of what cosign 3.1.3 has put beside the image
// nothing, and the public key; the private one was thrown away.
const recorded = "testdata/cosign"

var nothing = mutate.MediaType(empty.Image, types.OCIManifestSchema1)

// nameNote is the annotation with the tag of what has one.
const nameNote = "org.opencontainers.image.ref.name"

// TestVerifyTakesWhatCosignMade needs no cosign, and fails with the next change that
// can't read it.
func TestVerifyTakesWhatCosignMade(t *testing.T) {
	if *update {
		record(t)
	}
	public, err := os.ReadFile(filepath.Join(recorded, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := image.LoadPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	_, other := keyPair(t)
	for form := range forms {
		host := serve(t, referring(true))
		to := repository(t, host)
		if err := remote.Write(to.Tag("1"), nothing); err != nil {
			t.Fatal(err)
		}
		for tag, img := range readRecorded(t, filepath.Join(recorded, form)) {
			if tag, ok := strings.CutPrefix(tag, "tag "); ok {
				err = remote.Write(to.Tag(tag), img)
			} else {
				err = remote.Write(to.Digest(tag), img)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		v, err := image.Verify(t.Context(), to.Tag("1").String(), key, readOnce)
		if err != nil || len(v.SBOMs) != 1 || v.SBOMs[0].Name != "nothing" {
			t.Errorf("%s: %+v, %v", form, v, err)
		}
		if v, err := image.Verify(t.Context(), to.Tag("1").String(), other, readOnce); err == nil {
			t.Errorf("%s: %+v by another key", form, v)
		}
	}
}

// readRecorded returns the images of a layout, by "tag " and their tag, or by digest.
func readRecorded(t *testing.T, dir string) map[string]v1.Image {
	t.Helper()
	found := map[string]v1.Image{}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range manifests(t, index) {
		name := d.Digest.String()
		if tag := d.Annotations[nameNote]; tag != "" {
			name = "tag " + tag
		}
		if found[name], err = index.Image(d.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func manifests(t testing.TB, index v1.ImageIndex) []v1.Descriptor {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return m.Manifests
}

// record has cosign sign and attest nothing, in both forms.
func record(t *testing.T) {
	t.Helper()
	c := newCosign(t)
	doc := `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"nothing","packages":[]}`
	if err := os.WriteFile(filepath.Join(c.home, "sbom.json"), []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(recorded); err != nil {
		t.Fatal(err)
	}
	for form, flag := range forms {
		host := serve(t, referring(true))
		to := repository(t, host)
		if err := remote.Write(to.Tag("1"), nothing); err != nil {
			t.Fatal(err)
		}
		about := digest(t, nothing)
		for _, command := range [][]string{{"sign"}, {"attest", "--type", "spdxjson", "--predicate", "sbom.json"}} {
			if _, err := c.run(t, append(command, "--yes", "--tlog-upload=false", "--use-signing-config=false", flag, "--key", "cosign.key", to.Digest(about).String())...); err != nil {
				t.Fatal(err)
			}
		}
		l, err := layout.Write(filepath.Join(recorded, form), empty.Index)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]v1.Image{}
		for _, suffix := range []string{".sig", ".att"} {
			tag := strings.Replace(about, ":", "-", 1) + suffix
			if img, err := remote.Image(to.Tag(tag)); err == nil { // bundles have none
				all[tag] = img
			}
		}
		referrers, err := remote.Referrers(to.Digest(about))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range manifests(t, referrers) {
			if all[d.Digest.String()], err = remote.Image(to.Digest(d.Digest.String())); err != nil {
				t.Fatal(err)
			}
		}
		for name, img := range all {
			notes := map[string]string{}
			if !strings.Contains(name, ":") {
				notes[nameNote] = name
			}
			if err := l.AppendImage(img, layout.WithAnnotations(notes)); err != nil {
				t.Fatal(err)
			}
		}
	}
	public, err := os.ReadFile(filepath.Join(c.home, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(recorded, "cosign.pub"), public, 0o644); err != nil {
		t.Fatal(err)
	}
}

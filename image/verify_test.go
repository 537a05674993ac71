package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

const (
	payloadType = "application/vnd.dev.cosign.simplesigning.v1+json"
	bundleType  = "application/vnd.dev.sigstore.bundle.v0.3+json"
	signature   = "dev.cosignproject.cosign/signature"
)

func repository(t testing.TB, host string) name.Repository {
	t.Helper()
	r, err := name.NewRepository(host + "/test/mosquitto")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tagOf is the tag of an image's signatures.
func tagOf(t testing.TB, host, digest string) name.Tag {
	t.Helper()
	return repository(t, host).Tag(strings.Replace(digest, ":", "-", 1) + ".sig")
}

func signatures(t testing.TB, host, digest string) v1.Image {
	t.Helper()
	img, err := remote.Image(tagOf(t, host, digest))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// layers makes an image of layers as cosign does of signatures.
func layers(t testing.TB, add ...mutate.Addendum) v1.Image {
	t.Helper()
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), add...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func layerOf(data []byte, sig string) mutate.Addendum {
	return mutate.Addendum{Layer: static.NewLayer(data, payloadType), MediaType: payloadType, Annotations: map[string]string{signature: sig}}
}

// signedPayload is what is signed, and the signature.
func signedPayload(t testing.TB, host, digest string) (data []byte, sig string) {
	t.Helper()
	img := signatures(t, host, digest)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	l, err := img.LayerByDigest(m.Layers[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return data, m.Layers[0].Annotations[signature]
}

// TestVerifyRefuses what somebody with the right to push to the registry, but
// without the key, could put there.
func TestVerifyRefuses(t *testing.T) {
	img, other := testImage(t), layers(t, layerOf([]byte("other"), ""))
	signer, key := keyPair(t)
	_, otherKey := keyPair(t)
	put := func(host string, signatures v1.Image) error {
		return remote.Write(tagOf(t, host, digest(t, img)), signatures)
	}
	many := make([]mutate.Addendum, 101)
	for i := range many {
		many[i] = layerOf([]byte("{}"), "")
	}
	for what, c := range map[string]struct {
		key  *image.PublicKey
		make func(host string) error
		want error  // or
		text string // in the error
	}{
		"another key": {otherKey, func(string) error { return nil }, image.ErrOtherKey, ""},
		"a changed payload": {key, func(host string) error {
			data, sig := signedPayload(t, host, digest(t, img))
			return put(host, layers(t, layerOf(bytes.Replace(data, []byte(":1\""), []byte(":2\""), 1), sig)))
		}, image.ErrOtherKey, ""},
		"no signature":  {key, func(host string) error { return put(host, layers(t, layerOf([]byte("{}"), ""))) }, image.ErrOtherKey, ""},
		"no base64":     {key, func(host string) error { return put(host, layers(t, layerOf([]byte("{}"), "!"))) }, image.ErrOtherKey, "reading the signature"},
		"no signatures": {key, func(host string) error { return put(host, layers(t)) }, image.ErrUnsigned, ""},
		"another type": {key, func(host string) error {
			data, sig := signedPayload(t, host, digest(t, img))
			l := layerOf(data, sig)
			l.Layer, l.MediaType = static.NewLayer(data, "text/plain"), "text/plain"
			return put(host, layers(t, l))
		}, image.ErrUnsigned, ""},
		"a huge payload":  {key, func(host string) error { return put(host, layers(t, layerOf(make([]byte, 1<<20+1), ""))) }, nil, "1048577 bytes, more than"},
		"many signatures": {key, func(host string) error { return put(host, layers(t, many...)) }, nil, "101 layers, and no more than 100 are read"},
		"elsewhere": {key, func(host string) error {
			l := layerOf([]byte("{}"), "")
			l.URLs = []string{"http://127.0.0.1:1/"}
			return put(host, layers(t, l))
		}, nil, "said to be elsewhere"},
		"another image's": {key, func(host string) error {
			if err := remote.Write(repository(t, host).Tag("other"), other); err != nil {
				return err
			}
			return remote.Write(tagOf(t, host, digest(t, other)), signatures(t, host, digest(t, img)))
		}, image.ErrOtherDigest, "sha256:"},
	} {
		t.Run(what, func(t *testing.T) {
			f := newFakeRegistry()
			host := serve(t, f)
			o := pushTo(host)
			o.Signer = signer
			if _, err := image.Push(t.Context(), img, o); err != nil {
				t.Fatal(err)
			}
			if err := c.make(host); err != nil {
				t.Fatal(err)
			}
			ref := o.Reference
			if errors.Is(c.want, image.ErrOtherDigest) {
				ref = host + "/test/mosquitto:other"
			}
			if c.key == key { // the bundles are there, but aren't looked at
				f.hide("sha256-" + strings.TrimPrefix(digest(t, img), "sha256:"))
			}
			v, err := image.Verify(t.Context(), ref, c.key, readOnce)
			if fault.CodeOf(err) != fault.Refused || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("%+v, %v (code %d), want %v %q", v, err, fault.CodeOf(err), c.want, c.text)
			}
		})
	}
}

// A bundle that is somebody else's, another image's or too large is no better.
func TestVerifyRefusesBundles(t *testing.T) {
	img, other := testImage(t), layers(t, layerOf([]byte("other"), ""))
	signer, key := keyPair(t)
	_, otherKey := keyPair(t)
	host := serve(t, referring(true))
	o := pushTo(host)
	o.Signer = signer
	if _, err := image.Push(t.Context(), img, o); err != nil {
		t.Fatal(err)
	}
	to := repository(t, host).Tag("other")
	if err := remote.Write(to, other); err != nil {
		t.Fatal(err)
	}
	if _, err := image.Verify(t.Context(), to.String(), key, readOnce); !errors.Is(err, image.ErrUnsigned) || fault.CodeOf(err) != fault.Refused {
		t.Errorf("unsigned: %v", err)
	}
	if _, err := image.Verify(t.Context(), repository(t, host).Digest(digest(t, other)).String(), otherKey, readOnce); !errors.Is(err, image.ErrUnsigned) {
		t.Errorf("unsigned, by digest: %v", err)
	}
	// What was said of img is now said of other.
	found := bundles(t, host, digest(t, img))
	subject := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hashOf(t, other), Size: 1}
	for _, a := range found {
		about, ok := mutate.Subject(a, subject).(v1.Image)
		if !ok {
			t.Fatal("the library makes no image")
		}
		if err := remote.Write(repository(t, host).Digest(digest(t, about)), about); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := image.Verify(t.Context(), to.String(), key, readOnce); !errors.Is(err, image.ErrOtherDigest) || len(found) != 2 {
		t.Errorf("%d bundles of another image: %v", len(found), err)
	}
	if _, err := image.Verify(t.Context(), to.String(), otherKey, readOnce); !errors.Is(err, image.ErrOtherKey) {
		t.Errorf("bundles by another key: %v", err)
	}
	big := mutate.Addendum{Layer: static.NewLayer(make([]byte, 33<<20), bundleType), MediaType: bundleType}
	about, _ := mutate.Subject(layers(t, big), subject).(v1.Image)
	if err := remote.Write(repository(t, host).Digest(digest(t, about)), about); err != nil {
		t.Fatal(err)
	}
	if _, err := image.Verify(t.Context(), to.String(), key, readOnce); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge bundle: %v", err)
	}
}

// bundles returns the bundles that refer to an image.
func bundles(t testing.TB, host, digest string) []v1.Image {
	t.Helper()
	index, err := remote.Referrers(repository(t, host).Digest(digest))
	if err != nil {
		t.Fatal(err)
	}
	var found []v1.Image
	for _, d := range manifests(t, index) {
		if d.ArtifactType != bundleType {
			continue
		}
		a, err := remote.Image(repository(t, host).Digest(d.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, a)
	}
	return found
}

func hashOf(t testing.TB, img v1.Image) v1.Hash {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestVerifyWithoutRegistry, or image, or reference: nothing is said of
// signatures.
func TestVerifyWithoutRegistry(t *testing.T) {
	_, key := keyPair(t)
	host := serve(t, newFakeRegistry())
	for ref, want := range map[string]struct {
		code fault.Code
		hint string
	}{
		"127.0.0.1:1/test/mosquitto:1":    {fault.Unreachable, "check the registry's name"},
		host + "/test/mosquitto:none":     {fault.Unreachable, "check the name"},
		"mosquitto":                       {fault.Usage, "write REGISTRY/NAME[:TAG][@DIGEST]"},
		"oci:folder":                      {fault.Usage, "write REGISTRY/NAME[:TAG][@DIGEST]"},
		host + "/test/mosquitto@sha256:1": {fault.Usage, "write REGISTRY/NAME[:TAG][@DIGEST]"},
	} {
		_, err := image.Verify(t.Context(), ref, key, readOnce)
		if fault.CodeOf(err) != want.code || !strings.HasPrefix(fault.HintOf(err), want.hint) {
			t.Errorf("%s: %v, code %d, hint %q", ref, err, fault.CodeOf(err), fault.HintOf(err))
		}
	}
}

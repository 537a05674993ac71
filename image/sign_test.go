package image_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// keyPair returns a signer and the key that verifies what it signs.
func keyPair(t testing.TB) (*image.Signer, *image.PublicKey) {
	t.Helper()
	private, public, err := image.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return loaded(t, private, public, nil)
}

func loaded(t testing.TB, private, public, password []byte) (*image.Signer, *image.PublicKey) {
	t.Helper()
	s, err := image.LoadSigner(private, password)
	if err != nil {
		t.Fatal(err)
	}
	k, err := image.LoadPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return s, k
}

// referring is a registry that lists referrers, or doesn't.
func referring(lists bool) *fakeRegistry {
	return &fakeRegistry{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(lists))}
}

// readOnce is how the tests read: with no pauses to speak of.
var readOnce = image.ReadOptions{RetryDelay: time.Millisecond}

// hide makes a registry answer as if nothing were at the paths with what.
func (f *fakeRegistry) hide(what ...string) {
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		for _, s := range what {
			if strings.HasSuffix(r.URL.Path, s) || strings.Contains(r.URL.Path, s+"/") {
				http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
				return true
			}
		}
		return false
	}
}

// TestSignAndVerify with and without a list of referrers: once signed, nothing
// more is sent, and either of the two forms of signatures will do.
func TestSignAndVerify(t *testing.T) {
	img := testImage(t)
	signer, key := keyPair(t)
	for _, lists := range []bool{true, false} {
		t.Run(fmt.Sprint(lists), func(t *testing.T) {
			f := referring(lists)
			host := serve(t, f)
			o := pushTo(host)
			o.Signer = signer
			if _, err := image.Push(t.Context(), img, o); err != nil {
				t.Fatal(err)
			}
			sent := f.count("")
			if pushed, err := image.Push(t.Context(), img, o); err != nil || pushed.Uploaded != 0 || f.count("") != sent {
				t.Errorf("pushed again: %+v, %v, %d requests", pushed, err, f.count("")-sent)
			}
			of := "sha256-" + strings.TrimPrefix(digest(t, img), "sha256:")
			for form, c := range map[string]struct {
				hidden   []string
				identity string
			}{
				"all":     {nil, o.Reference},
				"payload": {[]string{"/referrers", of}, o.Reference},
				"bundles": {[]string{of + ".sig", of + ".att"}, ""},
			} {
				f.hide(c.hidden...)
				for _, ref := range []string{o.Reference, host + "/test/mosquitto@" + digest(t, img)} {
					v, err := image.Verify(t.Context(), ref, key, readOnce)
					if err != nil {
						t.Fatalf("%s, %s: %v", form, ref, err)
					}
					if v.Digest != digest(t, img) || v.Reference != host+"/test/mosquitto@"+v.Digest || v.Identity != c.identity {
						t.Errorf("%s: %+v", form, v)
					}
					if _, doc := sbom(t, img); len(v.SBOMs) != 1 || v.SBOMs[0] != (image.AttestedSBOM{Digest: v.Digest, Name: doc.DocumentName, Packages: len(doc.Packages)}) {
						t.Errorf("%s: SBOMs %+v", form, v.SBOMs)
					}
				}
			}
		})
	}
}

// A second key, and a second tag, are added to what is there.
func TestSignAgain(t *testing.T) {
	img := testImage(t)
	host := serve(t, newFakeRegistry())
	var keys []*image.PublicKey
	for range 2 {
		signer, key := keyPair(t)
		keys = append(keys, key)
		for _, tag := range []string{"1", "2"} {
			o := pushTo(host)
			o.Reference, o.Signer = host+"/test/mosquitto:"+tag, signer
			if _, err := image.Push(t.Context(), img, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, key := range keys {
		for _, tag := range []string{"1", "2"} {
			as := host + "/test/mosquitto:" + tag
			if v, err := image.Verify(t.Context(), as, key, readOnce); err != nil || len(v.SBOMs) != 1 || v.Identity != as || v.Elsewhere {
				t.Errorf("of %s: %+v, %v", tag, v, err)
			}
		}
	}
	if v, err := image.Verify(t.Context(), host+"/test/mosquitto@"+digest(t, img), keys[0], readOnce); err != nil || v.Elsewhere {
		t.Errorf("by its digest: %+v, %v", v, err)
	}
	m, err := signatures(t, host, digest(t, img)).Manifest()
	if err != nil || len(m.Layers) != 4 {
		t.Errorf("%d signatures, %v, want 4", len(m.Layers), err)
	}
}

// An image that is always the same gets ever more names, and is signed under the
// newest hundred of them, beside what others have signed.
func TestSignUnderManyNames(t *testing.T) {
	img := testImage(t)
	host := serve(t, newFakeRegistry())
	push := func(signer *image.Signer, tag string) {
		t.Helper()
		o := pushTo(host)
		o.Reference, o.Signer = host+"/test/mosquitto:"+tag, signer
		if _, err := image.Push(t.Context(), img, o); err != nil {
			t.Fatal(err)
		}
	}
	other, otherKey := keyPair(t)
	push(other, "first")
	signer, key := keyPair(t)
	for i := range 101 {
		push(signer, fmt.Sprint(i))
	}
	for tag, elsewhere := range map[string]bool{"0": true, "1": true, "2": false, "100": false} {
		if v, err := image.Verify(t.Context(), host+"/test/mosquitto:"+tag, key, readOnce); err != nil || v.Elsewhere != elsewhere {
			t.Errorf("of the tag %s: %+v, %v", tag, v, err)
		}
	}
	if v, err := image.Verify(t.Context(), host+"/test/mosquitto:first", otherKey, readOnce); err != nil || v.Elsewhere {
		t.Errorf("by the other key: %+v, %v", v, err)
	}
}

// A referrer that is listed, but gone, stands in nobody's way.
func TestSignBesideWhatIsGone(t *testing.T) {
	img := testImage(t)
	f := referring(true)
	host := serve(t, f)
	o := pushTo(host)
	var key *image.PublicKey
	o.Signer, key = keyPair(t)
	if _, err := image.Push(t.Context(), img, o); err != nil {
		t.Fatal(err)
	}
	for _, b := range bundles(t, host, digest(t, img)) {
		gone := digest(t, b)
		f.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, gone) {
				return false
			}
			http.Error(w, "{}", http.StatusNotFound)
			return true
		}
		if _, err := image.Push(t.Context(), img, o); err != nil {
			t.Errorf("pushed again: %v", err)
		}
		if v, err := image.Verify(t.Context(), o.Reference, key, readOnce); err != nil || len(v.SBOMs) != 1 {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// A failure while signing leaves no tag.
func TestSignBeforeTheTag(t *testing.T) {
	f := newFakeRegistry()
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		signature := r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".sig")
		if signature {
			http.Error(w, "{}", http.StatusForbidden)
		}
		return signature
	}
	host := serve(t, f)
	o := pushTo(host)
	o.Signer, _ = keyPair(t)
	if _, err := image.Push(t.Context(), testImage(t), o); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(fault.HintOf(err), "podman login") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	if _, err := pull(t, host); err == nil {
		t.Error("there is a tag")
	}
}

// TestSignToDockerRegistry with TLS and a login, which Verify needs, too.
func TestSignToDockerRegistry(t *testing.T) {
	host, certDir, logins := dockerRegistry(t)
	img := testImage(t)
	signer, key := keyPair(t)
	o := pushTo(host)
	o.Trust.Dir, o.Logins, o.Signer = certDir, []string{logins}, signer
	for range 2 {
		if _, err := image.Push(t.Context(), img, o); err != nil {
			t.Fatal(err)
		}
	}
	read := image.ReadOptions{Trust: o.Trust, RetryDelay: time.Millisecond}
	if _, err := image.Verify(t.Context(), o.Reference, key, read); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(fault.HintOf(err), "podman login") {
		t.Errorf("without a login: %v, hint %q", err, fault.HintOf(err))
	}
	read.Logins = o.Logins
	if v, err := image.Verify(t.Context(), o.Reference, key, read); err != nil || v.Identity != o.Reference || len(v.SBOMs) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

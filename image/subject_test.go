package image_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/image"
)

// subjectOf is the digest of the subject of the manifest that r brings; "" where it
// brings none that has one.
func subjectOf(r *http.Request) string {
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
		return ""
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var m struct{ Subject struct{ Digest string } }
	if err != nil || json.Unmarshal(body, &m) != nil {
		return ""
	}
	return m.Subject.Digest
}

// wantsSubjects has the registry answer code to a manifest whose subject isn't
// there, as Docker Hub did: https://github.com/docker/hub-feedback/issues/2372.
func (f *fakeRegistry) wantsSubjects(code int) {
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		subject := subjectOf(r)
		if subject == "" {
			return false
		}
		has := httptest.NewRecorder()
		f.Handler.ServeHTTP(has, httptest.NewRequest(http.MethodHead, path.Dir(r.URL.Path)+"/"+subject, nil))
		if has.Code == http.StatusOK {
			return false
		}
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, code)
		return true
	}
}

// TestBundlesWhereTheImageMustComeFirst: an image with no list of contents is signed
// there, too.
func TestBundlesWhereTheImageMustComeFirst(t *testing.T) {
	img, err := mutate.Append(nothing, mutate.Addendum{Layer: static.NewLayer(make([]byte, 1024), types.OCIUncompressedLayer)})
	if err != nil {
		t.Fatal(err)
	}
	f := referring(true)
	f.wantsSubjects(http.StatusBadRequest)
	host := serve(t, f)
	o := pushTo(host)
	o.Signer, _ = keyPair(t)
	if _, err := image.Push(t.Context(), img, o); err != nil {
		t.Fatal(err)
	}
	if got := len(bundles(t, host, digest(t, img))); got != 1 {
		t.Errorf("%d bundles", got)
	}
}

func TestPushWhereTheImageMustComeFirst(t *testing.T) {
	index := testIndex(t)
	signer, key := keyPair(t)
	for _, code := range []int{http.StatusNotFound, http.StatusBadRequest} {
		for _, lists := range []bool{true, false} {
			f := referring(lists)
			f.wantsSubjects(code)
			o := pushTo(serve(t, f))
			o.Signer = signer
			pushed, err := image.Push(t.Context(), index, o)
			if err != nil || pushed.SBOM == "" {
				t.Errorf("%d, lists %v: %+v, %v", code, lists, pushed, err)
				continue
			}
			if v, err := image.Verify(t.Context(), o.Reference, key, readOnce); err != nil || len(v.SBOMs) != 3 {
				t.Errorf("%d, lists %v: %+v, %v", code, lists, v, err)
			}
		}
	}
}

package image_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// misbehaviours are what a registry may do, once or from then on.
var misbehaviours = []struct {
	name     string
	ever     bool
	does     func(http.ResponseWriter)
	survived bool
}{
	{"cut off once", false, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, true},
	{"500 once", false, func(w http.ResponseWriter) { http.Error(w, "{}", http.StatusInternalServerError) }, true},
	{"gone", true, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, false},
	{"500 for ever", true, func(w http.ResponseWriter) { http.Error(w, "{}", http.StatusInternalServerError) }, false},
	{"403 for ever", true, func(w http.ResponseWriter) { http.Error(w, "{}", http.StatusForbidden) }, false},
}

// points is at how many requests, spread over a push, each sets in.
const points = 6

// TestSignedIndexAtABadRegistry pushes an index with signatures to registries
// that misbehave from some request on: whatever tag there is then, those of
// signatures, attestations and referrers among them, names nothing that isn't
// there, and that of the index comes last. The next push mends it all.
func TestSignedIndexAtABadRegistry(t *testing.T) {
	index := testIndex(t)
	signer, key := keyPair(t)
	for _, lists := range []bool{true, false} {
		f := referring(lists)
		o := pushTo(serve(t, f))
		o.Signer = signer
		if _, err := image.Push(t.Context(), index, o); err != nil {
			t.Fatal(err)
		}
		all := f.requests()
		if tags := wholeTags(t, o.Reference); len(tags) < 7 {
			t.Fatalf("a push writes the tags %q alone", tags)
		}
		for _, m := range misbehaviours {
			for i := range points {
				at := 1 + i*(all-1)/(points-1)
				t.Run(fmt.Sprintf("lists %v, %s at %d of %d", lists, m.name, at, all), func(t *testing.T) {
					f := referring(lists)
					o := pushTo(serve(t, f))
					o.Signer = signer
					var seen atomic.Int64
					f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
						n := int(seen.Add(1))
						if bad := n == at || m.ever && n > at; !bad {
							return false
						}
						m.does(w)
						return true
					}
					_, err := image.Push(t.Context(), index, o)
					f.answer = nil
					reached := int(seen.Load()) >= at // what is sent at once varies a little
					if survived := m.survived || !reached; survived != (err == nil) {
						t.Errorf("%d requests: %v", seen.Load(), err)
					}
					if hint := fault.HintOf(err); strings.Contains(hint, "TLS") {
						t.Errorf("%v: hint %q, where plain http was tried", err, hint)
					}
					tags := wholeTags(t, o.Reference)
					if tagged := slices.Contains(tags, "1"); tagged != (err == nil) || err != nil && fault.CodeOf(err) != fault.Unreachable {
						t.Errorf("the tags are %q after %v", tags, err)
					}
					if _, err := image.Push(t.Context(), index, o); err != nil {
						t.Fatal(err)
					}
					wholeTags(t, o.Reference)
					if v, err := image.Verify(t.Context(), o.Reference, key, readOnce); err != nil || len(v.SBOMs) != 3 || len(v.Unlisted) != 0 {
						t.Errorf("%+v, %v", v, err)
					}
				})
			}
		}
	}
}

// wholeTags returns the tags of the repository, all of whose content is there.
func wholeTags(t *testing.T, reference string) []string {
	t.Helper()
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(tag.Repository)
	if err != nil && !strings.Contains(err.Error(), "NAME_UNKNOWN") {
		t.Fatal(err)
	}
	for _, one := range tags {
		if err := whole(tag.Tag(one)); err != nil {
			t.Errorf("the tag %q: %v", one, err)
		}
	}
	return tags
}

// whole reads what ref names and all that this names; but a subject, which may
// come later.
func whole(ref name.Reference) error {
	d, err := remote.Get(ref)
	if err != nil {
		return err
	}
	if !d.MediaType.IsIndex() {
		img, err := d.Image()
		if err != nil {
			return err
		}
		m, err := img.Manifest()
		if err != nil {
			return err
		}
		for _, blob := range append([]v1.Descriptor{m.Config}, m.Layers...) {
			if err := readBlob(ref.Context().Digest(blob.Digest.String())); err != nil {
				return err
			}
		}
		return nil
	}
	index, err := d.ImageIndex()
	if err != nil {
		return err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, one := range m.Manifests {
		if err := whole(ref.Context().Digest(one.Digest.String())); err != nil {
			return err
		}
	}
	return nil
}

// readBlob reads a blob, which the library holds to its digest.
func readBlob(ref name.Digest) error {
	l, err := remote.Layer(ref)
	if err != nil {
		return err
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/config"
)

// packedLayer is a layer as somebody else has packed it.
type packedLayer []byte

func (l packedLayer) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(l))
	return h, err
}
func (l packedLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l)), nil
}
func (l packedLayer) Size() (int64, error)                { return int64(len(l)), nil }
func (l packedLayer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

func packed(t testing.TB, compression string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := packings[compression].pack(&b, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzUnpack: a layer, whatever it is packed with, has an end, and nothing of it
// is written outside of the folder it is unpacked to.
func FuzzUnpack(f *testing.F) {
	for _, headers := range [][]tar.Header{
		{{Typeflag: tar.TypeDir, Name: "a/", Mode: 0o755}, {Typeflag: tar.TypeReg, Name: "a/f", Mode: 0o644}, {Typeflag: tar.TypeReg, Name: config.SBOMPath[1:]}},
		{{Typeflag: tar.TypeReg, Name: "../f"}, {Typeflag: tar.TypeReg, Name: "/f"}},
		{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: ".."}, {Typeflag: tar.TypeReg, Name: "a/f"}},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(packed(f, Gzip, b.Bytes()))
		f.Add(packed(f, Zstd, b.Bytes()))
	}
	for _, data := range holes(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, packed(t, Gzip, data), packed(t, Zstd, data)} {
			l, err := partial.CompressedToLayer(packedLayer(data))
			if err != nil {
				t.Fatal(err)
			}
			if sbom, _, err := fileIn(l, config.SBOMPath); err == nil && len(sbom) > maxSBOM {
				t.Errorf("a list of %d bytes", len(sbom))
			}
			unpacksInside(t, l)
			if r, err := Unpack(l); err == nil {
				if n, _ := io.Copy(io.Discard, r); n > unpackRatio*int64(len(data))+unpackSlack {
					t.Errorf("%d bytes unpack to %d", len(data), n)
				}
				_ = r.Close() // what is wrong with it was said
			}
		}
	})
}

// holes are what GNU tar makes of a file of 1 GiB of which nothing was ever written,
// by format: tar --sparse -b1 --format=FORMAT.
func holes(t testing.TB) map[string][]byte {
	t.Helper()
	made := map[string][]byte{}
	for _, format := range []string{"gnu", "posix"} {
		data, err := os.ReadFile(filepath.Join("testdata/sparse", format+".tar"))
		if err != nil {
			t.Fatal(err)
		}
		made[format] = data
	}
	return made
}

// TestSparseFilesAreRefused, which would unpack to any size out of nothing.
func TestSparseFilesAreRefused(t *testing.T) {
	for format, data := range holes(t) {
		for _, data := range [][]byte{data, packed(t, Gzip, data)} {
			l, err := partial.CompressedToLayer(packedLayer(data))
			if err != nil {
				t.Fatal(err)
			}
			read := func(string, io.Reader) error {
				t.Errorf("%s: a sparse file is read", format)
				return nil
			}
			const says = `"hole" is a sparse file`
			if err := eachFile(t.Context(), l, read); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", format, err)
			}
			dir := t.TempDir()
			if err := unpack(t.Context(), l, dir); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", format, err)
			}
		}
	}
}

func unpacksInside(t *testing.T, l v1.Layer) {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_ = unpack(t.Context(), l, dir)
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("beside the folder are %v, %v", entries, err)
	}
	// So that whoever isn't root can remove it.
	err := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Type()&^fs.ModeDir != 0:
			t.Errorf("%q is of kind %s", path, d.Type())
		case d.IsDir():
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestUnpackTakesNoLargeWindow, which a few bytes may ask for.
func TestUnpackTakesNoLargeWindow(t *testing.T) {
	// https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1: a frame of one raw
	// block of a byte, with a window of 2 to the power of 10 and the exponent.
	for exponent, want := range map[byte]bool{13: true, 19: false} {
		l, err := partial.CompressedToLayer(packedLayer{0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 9, 0, 0, 'x'})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Unpack(l)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(r); (err == nil && string(data) == "x") != want {
			t.Errorf("exponent %d: %q, %v", exponent, data, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// answers is a registry that gives the same for every question of a kind.
type answers struct{ referrers, manifest, blob []byte }

// RoundTrip implements http.RoundTripper.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch {
	case r.URL.Path == "/v2/":
	case strings.Contains(r.URL.Path, "/referrers/"):
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = w.Write(a.referrers) // a recorder takes all
	case strings.Contains(r.URL.Path, "/blobs/"):
		_, _ = w.Write(a.blob)
	default:
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		_, _ = w.Write(a.manifest)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// inProcess asks a registry that is a handler.
type inProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	p.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// signedAnswers are what a registry says of an image that is signed: the list of
// referrers with the bundle in it, and the tags for signatures and attestations.
func signedAnswers(f *testing.F, s *Signer, d name.Digest) []answers {
	f.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))
	opts := []remote.Option{remote.WithTransport(inProcess{handler})}
	if err := s.sign(d.Tag("1"), subjectOf(d), []byte(`{"name":"x"}`), opts); err != nil {
		f.Fatal(err)
	}
	get := func(path string) []byte {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/"+d.RepositoryStr()+path, nil))
		if w.Code != http.StatusOK {
			f.Fatalf("%s: %d", path, w.Code)
		}
		return w.Body.Bytes()
	}
	index := get("/referrers/" + d.DigestStr())
	var listed v1.IndexManifest
	if err := json.Unmarshal(index, &listed); err != nil || len(listed.Manifests) != 2 {
		f.Fatalf("%d referrers, %v", len(listed.Manifests), err)
	}
	shelf := newShelf(d, opts)
	var list []answers
	for _, at := range []string{listed.Manifests[0].Digest.String(), listed.Manifests[1].Digest.String(), shelf.tag(signatureSuffix).TagStr(), shelf.tag(attestationSuffix).TagStr()} {
		a := answers{referrers: index, manifest: get("/manifests/" + at)}
		var m v1.Manifest
		if err := json.Unmarshal(a.manifest, &m); err != nil || len(m.Layers) != 1 {
			f.Fatalf("%s has %d layers, %v", at, len(m.Layers), err)
		}
		a.blob = get("/blobs/" + m.Layers[0].Digest.String())
		list = append(list, a)
	}
	return list
}

// subjectOf is what has that digest.
func subjectOf(d name.Digest) partial.Describable { return described{d} }

type described struct{ name name.Digest }

func (d described) Digest() (v1.Hash, error)            { return v1.NewHash(d.name.DigestStr()) }
func (d described) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (d described) Size() (int64, error)                { return 1, nil }

// FuzzRegistry: whatever a registry says of an image's signatures, attestations
// and referrers, what is taken of it is what its digest says, within bounds, and
// nothing but what the key signed is by the key.
func FuzzRegistry(f *testing.F) {
	s, d := fuzzSigner(f)
	seeds := signedAnswers(f, s, d)
	for _, a := range seeds {
		f.Add(a.referrers, a.manifest, a.blob)
		f.Add([]byte{}, a.manifest, a.blob)
		f.Add([]byte{}, inlined(f, a), []byte{})
		if a.referrers = referrerOf(a.manifest); listAll(f, s, d, a) != 1 {
			f.Fatalf("not signed: %s", a.manifest)
		}
	}
	f.Fuzz(func(t *testing.T, referrers, manifest, blob []byte) {
		if len(referrers) == 0 { // the manifest, so that one that was changed is asked for
			referrers = referrerOf(manifest)
		}
		listAll(t, s, d, answers{referrers, manifest, blob})
	})
}

// inlined is the manifest with the blob in it.
func inlined(t testing.TB, a answers) []byte {
	t.Helper()
	var m v1.Manifest
	if err := json.Unmarshal(a.manifest, &m); err != nil {
		t.Fatal(err)
	}
	m.Layers[0].Data = a.blob
	manifest, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return manifest
}

// referrerOf is a list of that manifest alone.
func referrerOf(manifest []byte) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"mediaType":%q,"size":%d,"digest":"sha256:%s"}]}`, types.OCIManifestSchema1, len(manifest), hexSum(manifest))
}

// listAll reads all that the registry says, and returns how much of it is by the
// key.
func listAll(t testing.TB, s *Signer, d name.Digest, a answers) (signed int) {
	t.Helper()
	shelf := newShelf(d, []remote.Option{remote.WithTransport(a), remote.WithRetryBackoff(remote.Backoff{Steps: 1})})
	payloads, _ := shelf.list(signatureSuffix, payloadType, maxPayload)
	attestations, _ := shelf.list(attestationSuffix, envelopeType, maxAttestation)
	bundles, _ := shelf.bundles()
	for _, of := range []struct {
		list []attached
		read func(attached) (claim, error)
	}{{payloads, s.public.payload}, {attestations, s.public.envelope}, {bundles, s.public.envelope}} {
		if len(of.list) > maxAttached {
			t.Errorf("%d are listed", len(of.list))
		}
		for _, one := range of.list {
			if len(one.data) > maxAttestation || len(one.data) > max(len(a.blob), len(a.manifest)) { // a manifest may hold what it describes
				t.Errorf("%d bytes are attached, of a blob of %d and a manifest of %d", len(one.data), len(a.blob), len(a.manifest))
			}
			c, err := of.read(one)
			if err != nil {
				continue
			}
			if signed++; !c.about(d.DigestStr()) {
				t.Errorf("%q is taken as signed", c.raw)
			}
		}
	}
	return signed
}

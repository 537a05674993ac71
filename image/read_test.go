package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestReadFindsAnImageWhereverItIs(t *testing.T) {
	img := testImage(t)
	dir := t.TempDir()
	for _, o := range []image.Output{
		{Format: image.FormatOCI, Path: filepath.Join(dir, "layout")},
		{Format: image.FormatOCIArchive, Path: filepath.Join(dir, "oci.tar")},
		{Format: image.FormatDockerArchive, Path: filepath.Join(dir, "docker.tar")},
	} {
		write(t, img, o)
		back, err := image.Read(t.Context(), o.String(), image.ReadOptions{})
		if err != nil {
			t.Errorf("%s: %v", o, err)
			continue
		}
		if err := validate.Image(back); err != nil {
			t.Errorf("%s: %v", o, err)
		}
		if got, want := digest(t, back), digest(t, img); o.Format != image.FormatDockerArchive && got != want {
			t.Errorf("%s is %s, want %s", o, got, want)
		}
		a, err1 := img.ConfigName()
		if b, err2 := back.ConfigName(); a != b || err1 != nil || err2 != nil {
			t.Errorf("%s has config %s, want %s", o, b, a)
		}
	}
	host := serve(t, newFakeRegistry())
	if _, err := image.Push(t.Context(), img, pushTo(host)); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{host + "/test/mosquitto:1", host + "/test/mosquitto@" + digest(t, img), host + "/test/mosquitto:other@" + digest(t, img)} {
		back, err := image.Read(t.Context(), ref, image.ReadOptions{})
		if err != nil || digest(t, back) != digest(t, img) || validate.Image(back) != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, from string
		code       fault.Code
		hint       string
	}{
		{"nothing", "", fault.Usage, "write oci:DIR"},
		{"no registry", "mosquitto", fault.Usage, "write oci:DIR"},
		{"a path", "./image.tar:x:y", fault.Usage, "write oci:DIR"},
		{"half a digest", "localhost:1/a@sha256:12", fault.Usage, "write oci:DIR"},
		{"podman", "podman", fault.Usage, "podman save"},
		{"no layout", "oci:" + dir, fault.Usage, "name what was built"},
		{"no archive", "oci-archive:" + dir + "/none", fault.Usage, "name what was built"},
		{"no docker archive", "docker-archive:" + dir + "/none", fault.Usage, "name what was built"},
		{"a folder as archive", "oci-archive:" + dir, fault.Failed, ""},
		{"nobody there", "127.0.0.1:1/any", fault.Unreachable, "check the registry's name"},
		{"not there", serve(t, newFakeRegistry()) + "/any", fault.Unreachable, "check the name, and that the image was pushed"},
		{"no login", serve(t, refusing(http.StatusUnauthorized)) + "/any", fault.Unreachable, "podman login 127.0.0.1"},
		{"no right", serve(t, refusing(http.StatusForbidden)) + "/any", fault.Unreachable, "the right to pull"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := image.Read(t.Context(), c.from, image.ReadOptions{RetryDelay: time.Millisecond})
			if fault.CodeOf(err) != c.code || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%v, code %d, hint %q", err, fault.CodeOf(err), fault.HintOf(err))
			}
			if err == nil || !strings.Contains(err.Error(), "reading the image") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// refusing is a registry that answers every request for an image with status.
func refusing(status int) *fakeRegistry {
	f := newFakeRegistry()
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/" {
			http.Error(w, "{}", status)
		}
		return r.URL.Path != "/v2/"
	}
	return f
}

// TestReadRefusesUnevenLayers: a docker-archive names a file for each layer of
// its configuration, and for nothing else.
func TestReadRefusesUnevenLayers(t *testing.T) {
	for name, change := range map[string]func(layers []string) []string{
		"one too many": func(layers []string) []string { return append(layers, layers[0]) },
		"one missing":  func(layers []string) []string { return layers[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "docker.tar")
			if err := os.WriteFile(path, unevenArchive(t, change), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := image.Read(t.Context(), "docker-archive:"+path, image.ReadOptions{})
			if err == nil || !strings.Contains(err.Error(), "list of layers") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// unevenArchive is a docker-archive of which only the list of layers is changed.
func unevenArchive(t testing.TB, change func(layers []string) []string) []byte {
	t.Helper()
	return archiveOf(t, image.FormatDockerArchive, func(h *tar.Header, data []byte) []byte {
		if h.Name != "manifest.json" {
			return data
		}
		var m tarball.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		m[0].Layers = change(m[0].Layers)
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
}

// ociArchive is the bytes of an archive of a small image, made anew by change.
func ociArchive(t testing.TB, change func(h *tar.Header, data []byte) []byte) []byte {
	t.Helper()
	return archiveOf(t, image.FormatOCIArchive, change)
}

func archiveOf(t testing.TB, format string, change func(h *tar.Header, data []byte) []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	s, _ := testSpec(t, testRepository(t, testPackages(100)))
	if err := image.Write(t.Context(), build(t, s), image.Output{Format: format, Path: path}, testName); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		data, rerr := io.ReadAll(r)
		if err != nil || rerr != nil {
			t.Fatal(err, rerr)
		}
		if data = change(h, data); data == nil {
			continue
		}
		h.Size = int64(len(data))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadNoticesSpoiltArchives(t *testing.T) {
	whole := ociArchive(t, func(_ *tar.Header, data []byte) []byte { return data })
	for name, archive := range map[string][]byte{
		"whole":     whole,
		"cut short": whole[:len(whole)/2],
		"no index": ociArchive(t, func(h *tar.Header, data []byte) []byte {
			if h.Name == "index.json" {
				return nil
			}
			return data
		}),
		"a large index": ociArchive(t, func(h *tar.Header, data []byte) []byte {
			if h.Name == "index.json" {
				return append(bytes.Repeat([]byte(" "), 5<<20), data...)
			}
			return data
		}),
		"an index of nothing": ociArchive(t, func(h *tar.Header, data []byte) []byte {
			if h.Name == "index.json" {
				return []byte("{}")
			}
			return data
		}),
		"another manifest or config": ociArchive(t, func(_ *tar.Header, data []byte) []byte {
			return bytes.ReplaceAll(data, []byte("2.0.21"), []byte("2.0.22"))
		}),
		"no blobs": ociArchive(t, func(h *tar.Header, data []byte) []byte {
			if strings.HasPrefix(h.Name, "blobs/sha256/") && len(data) > 0 {
				return nil
			}
			return data
		}),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.tar")
			if err := os.WriteFile(path, archive, 0o600); err != nil {
				t.Fatal(err)
			}
			img, err := image.Read(t.Context(), "oci-archive:"+path, image.ReadOptions{})
			if err == nil {
				_, err = img.ConfigFile()
			}
			if (err == nil) != (name == "whole") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// FuzzReadArchive: an archive is read, or refused, and what is read is what its
// digests say.
func FuzzReadArchive(f *testing.F) {
	f.Add(ociArchive(f, func(_ *tar.Header, data []byte) []byte { return data }))
	f.Add(ociArchive(f, func(_ *tar.Header, data []byte) []byte { return data[:len(data)/2] }))
	f.Add([]byte("oci-layout"))
	index, err := os.ReadFile(writeIndex(f, testIndex(f), image.FormatOCIArchive).Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(index)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "a.tar")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		img, err := image.Read(t.Context(), "oci-archive:"+path, image.ReadOptions{})
		if err != nil {
			return
		}
		layers, err := img.Layers()
		if err != nil {
			return
		}
		for _, l := range layers {
			if r, err := l.Compressed(); err == nil {
				if n, err := io.Copy(io.Discard, r); err == nil && n > int64(len(data)) {
					t.Errorf("a layer of %d bytes in an archive of %d", n, len(data))
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

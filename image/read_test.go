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

// TestReadRefusesDockerArchives that the library would read without a bound, or
// that name no file for a layer of their configuration, or one for nothing.
func TestReadRefusesDockerArchives(t *testing.T) {
	large := func(of func(m *tarball.Descriptor) string) []byte {
		var name string
		changedArchive(t, func(m *tarball.Descriptor) { name = of(m) })
		return archiveOf(t, image.FormatDockerArchive, func(h *tar.Header, data []byte) []byte {
			if h.Name != name {
				return data
			}
			return append(data, bytes.Repeat([]byte(" "), 4<<20)...)
		})
	}
	whole := changedArchive(t, func(*tarball.Descriptor) {})
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"a layer too many":    {changedArchive(t, func(m *tarball.Descriptor) { m.Layers = append(m.Layers, m.Layers[0]) }), "list of layers"},
		"a layer missing":     {changedArchive(t, func(m *tarball.Descriptor) { m.Layers = m.Layers[1:] }), "list of layers"},
		"a config of a hole":  {holedArchive(t, "gnu", func(m *tarball.Descriptor) { m.Config = "hole" }), `"hole" is a sparse file`},
		"a layer of a hole":   {holedArchive(t, "posix", func(m *tarball.Descriptor) { m.Layers[0] = "hole" }), `"hole" is a sparse file`},
		"a large config":      {large(func(m *tarball.Descriptor) string { return m.Config }), "bytes, more than 4194304"},
		"a large manifest":    {large(func(*tarball.Descriptor) string { return "manifest.json" }), "bytes, more than 4194304"},
		"no such config":      {changedArchive(t, func(m *tarball.Descriptor) { m.Config = "none" }), `no file "none"`},
		"cut short in a file": {whole[:len(whole)-2000], "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "docker.tar")
			if err := os.WriteFile(path, c.archive, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := image.Read(t.Context(), "docker-archive:"+path, image.ReadOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// holedArchive is changedArchive with a sparse file more, named hole.
func holedArchive(t testing.TB, format string, change func(m *tarball.Descriptor)) []byte {
	t.Helper()
	hole, err := os.ReadFile(filepath.Join("testdata/sparse", format+".tar"))
	if err != nil {
		t.Fatal(err)
	}
	archive := changedArchive(t, change)
	return append(archive[:len(archive)-1024], hole...) // in place of the end
}

// changedArchive is a docker-archive of which only the list of files is changed.
func changedArchive(t testing.TB, change func(m *tarball.Descriptor)) []byte {
	t.Helper()
	return archiveOf(t, image.FormatDockerArchive, func(h *tar.Header, data []byte) []byte {
		if h.Name != "manifest.json" {
			return data
		}
		var m tarball.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		change(&m[0])
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

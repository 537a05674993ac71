package image_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/inspect"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// zstdImage is testImage and the same with zstd.
func zstdImage(t testing.TB) (gzip, packed image.Image) {
	t.Helper()
	s, _ := testSpec(t, testRepository(t, testPackages(256<<10)))
	gzip = build(t, s)
	s.Compression = image.Zstd
	return gzip, build(t, s)
}

func configOf(t testing.TB, img image.Image) v1.Hash {
	t.Helper()
	name, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// With zstd an image is the same but for how its layers are packed, and comes
// out of the cache as it went in, on any number of processors.
func TestZstdIsTheSameImage(t *testing.T) {
	s, loads := testSpec(t, testRepository(t, testPackages(256<<10)))
	plain := build(t, s)
	s.Compression, s.Cache = image.Zstd, t.TempDir()
	first := build(t, s)
	again := build(t, s)
	if *loads != 2 || digest(t, again) != digest(t, first) {
		t.Errorf("from the cache, after %d loads: %s, want %s", *loads, digest(t, again), digest(t, first))
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s.Cache = ""
	if alone := build(t, s); digest(t, alone) != digest(t, first) {
		t.Errorf("on one processor: %s, want %s", digest(t, alone), digest(t, first))
	}
	m, err := first.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Layers {
		if l.MediaType != types.OCILayerZStd {
			t.Errorf("a layer is %s", l.MediaType)
		}
	}
	if a, b := configOf(t, plain), configOf(t, first); a != b {
		t.Errorf("its config is %s, want %s", b, a)
	}
	s.Compression = "lzma"
	if _, err := image.Build(t.Context(), s); fault.CodeOf(err) != fault.Usage {
		t.Errorf("of an unknown compression: %v", err)
	}
}

// Our own readers take it from wherever it was written to, and find no
// difference to the image with gzip. A docker archive has gzip.
func TestZstdIsRead(t *testing.T) {
	plain, packed := zstdImage(t)
	want, err := inspect.Describe(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	host := serve(t, newFakeRegistry())
	if _, err := image.Push(t.Context(), packed, pushTo(host)); err != nil {
		t.Fatal(err)
	}
	from, dir := []string{host + "/test/mosquitto:1"}, t.TempDir()
	for _, o := range []image.Output{
		{Format: image.FormatOCI, Path: filepath.Join(dir, "layout")},
		{Format: image.FormatOCIArchive, Path: filepath.Join(dir, "oci.tar")},
		{Format: image.FormatDockerArchive, Path: filepath.Join(dir, "docker.tar")},
	} {
		write(t, packed, o)
		from = append(from, o.String())
	}
	for _, name := range from {
		back, err := image.Read(t.Context(), name, image.ReadOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if configOf(t, back) != configOf(t, packed) {
			t.Errorf("%s has another config", name)
		}
		got, err := inspect.Describe(t.Context(), back)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if changes := inspect.Compare(want, got); len(changes) > 0 || len(got.Files) == 0 {
			t.Errorf("%s: %v", name, changes)
		}
		zstd, err := image.IsZstd(back)
		if archive := strings.HasPrefix(name, image.FormatDockerArchive); err != nil || zstd == archive {
			t.Errorf("%s: zstd is %v, %v", name, zstd, err)
		}
	}
	if err := image.WriteContext(t.Context(), packed, filepath.Join(dir, "context")); err != nil {
		t.Error(err)
	}
}

// bomb is an image with a layer of n zeros, packed with zstd.
func bomb(t *testing.T, n int64) image.Image {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(z, zeros{}, n); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, described{static.NewLayer(b.Bytes(), types.OCILayerZStd)})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// described is a layer of which the library needn't unpack anything.
type described struct{ v1.Layer }

// DiffID is not that of the content.
func (d described) DiffID() (v1.Hash, error) { return d.Digest() }

// Uncompressed unpacks it as the library does with what it has read.
func (d described) Uncompressed() (io.ReadCloser, error) {
	r, err := d.Compressed()
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(r)
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// claiming is a layer of whatever size its manifest gives it.
type claiming struct {
	v1.Layer
	size int64
}

func (c claiming) Size() (int64, error) { return c.size, nil }

// A layer of a few kilobytes doesn't keep its reader busy for ever.
func TestBombIsRefused(t *testing.T) {
	img := bomb(t, 2<<30)
	size, err := image.Size(img)
	if err != nil || size > 1<<20 {
		t.Fatalf("the bomb has %d bytes, %v", size, err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []v1.Layer{layers[0], claiming{layers[0], 1 << 52}} {
		r, err := image.Unpack(l)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if err == nil || !strings.Contains(err.Error(), "unpack to more than") || n > 1<<30+1032*size {
			t.Errorf("read %d bytes, %v", n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Others read it: skopeo from every format and from Debian's docker-registry,
// podman what it loads and pulls.
func TestOthersReadZstd(t *testing.T) {
	need.Program(t, "skopeo")
	_, packed := zstdImage(t)
	dir := t.TempDir()
	for i, o := range []image.Output{
		{Format: image.FormatOCI, Path: filepath.Join(dir, "layout")},
		{Format: image.FormatOCIArchive, Path: filepath.Join(dir, "oci.tar")},
		{Format: image.FormatDockerArchive, Path: filepath.Join(dir, "docker.tar")},
	} {
		write(t, packed, o)
		out, err := exec.Command("skopeo", "copy", "-q", "--dest-decompress", o.String(), "dir:"+filepath.Join(dir, string(rune('a'+i)))).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", o, err, out)
		}
	}
	host, certDir, logins := dockerRegistry(t)
	o := pushTo(host)
	o.Trust.Dir, o.Logins = certDir, []string{logins}
	if _, err := image.Push(t.Context(), packed, o); err != nil {
		t.Fatal(err)
	}
	access := []string{"--cert-dir", certDir, "--authfile", logins}
	out, err := exec.Command("skopeo", append([]string{"inspect", "docker://" + o.Reference}, access...)...).CombinedOutput()
	var seen struct {
		Digest     string
		LayersData []struct{ MIMEType string }
	}
	if err != nil || json.Unmarshal(out, &seen) != nil || seen.Digest != digest(t, packed) ||
		len(seen.LayersData) > 0 && seen.LayersData[0].MIMEType != string(types.OCILayerZStd) {
		t.Errorf("skopeo says %s, %v", out, err)
	}
	podmanStorage(t)
	podman(t, append([]string{"pull", "-q", o.Reference}, access...)...)
	if got, want := podman(t, "image", "inspect", "--format", "{{.Id}}", o.Reference), configOf(t, packed).Hex; got != want {
		t.Errorf("podman pulled %s, want %s", got, want)
	}
	for _, archive := range []string{"oci.tar", "docker.tar"} {
		podman(t, "rmi", "-a", "-f")
		podman(t, "load", "-q", "-i", filepath.Join(dir, archive))
		if got, want := podman(t, "image", "inspect", "--format", "{{.Id}}", testName), configOf(t, packed).Hex; got != want {
			t.Errorf("podman loaded %s of %s, want %s", got, archive, want)
		}
	}
}

func podman(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "podman", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("podman %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

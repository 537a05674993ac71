package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

const testName = "localhost/mosquitto:latest"

func TestParseOutput(t *testing.T) {
	for in, want := range map[string]image.Output{
		"podman":               {Format: "podman"},
		"oci:dir":              {Format: "oci", Path: "dir"},
		"oci:dir:tag":          {Format: "oci", Path: "dir:tag"},
		"oci-archive:/a b.tar": {Format: "oci-archive", Path: "/a b.tar"},
		"docker-archive:x":     {Format: "docker-archive", Path: "x"},
	} {
		if got, err := image.ParseOutput(in); err != nil || got != want {
			t.Errorf("ParseOutput(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "oci", "oci:", "podman:", "podman:x", "tar:x", "OCI:x", ":x"} {
		if got, err := image.ParseOutput(in); fault.CodeOf(err) != fault.Usage {
			t.Errorf("ParseOutput(%q) = %+v, %v, want a usage error", in, got, err)
		}
	}
}

func FuzzParseOutput(f *testing.F) {
	for _, s := range []string{"podman", "oci:dir", "oci-archive:a:b", "docker-archive:", "oci-archive", ":", "\x00:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := image.ParseOutput(s)
		if err == nil && o.String() != s {
			t.Errorf("%q came back as %q", s, o)
		}
		if err != nil && o != (image.Output{}) {
			t.Errorf("%q: an error and %+v", s, o)
		}
	})
}

func write(t *testing.T, img image.Image, o image.Output) {
	t.Helper()
	if err := image.Write(t.Context(), img, o, testName); err != nil {
		t.Fatal(err)
	}
}

func TestLayoutIsWrittenReadAndReplaced(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "image")
	o := image.Output{Format: image.FormatOCI, Path: dir}
	full := testImage(t)
	write(t, full, o)
	back, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(back); err != nil {
		t.Error(err)
	}
	if got, want := digest(t, back), digest(t, full); got != want {
		t.Errorf("read back %s, want %s", got, want)
	}
	if st, err := os.Stat(filepath.Join(dir, "blobs/sha256", secretBlob(t, full))); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the layer with a key: %v, %v, want mode 0600", st.Mode(), err)
	}
	bare, err := image.WithoutDefaults(back)
	if err != nil {
		t.Fatal(err)
	}
	write(t, bare, o)
	if now, err := image.Open(dir); err != nil || digest(t, now) != digest(t, bare) {
		t.Errorf("replaced: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs/sha256", secretBlob(t, full))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the layer with a key is still there: %v", err)
	}
	noLeftovers(t, parent, "image")
	noLeftovers(t, dir, "blobs", "oci-layout", "index.json")
}

func TestBuildsAtOnceLeaveOneLayout(t *testing.T) {
	img := testImage(t)
	for i := range 6 {
		parent := t.TempDir()
		dir := filepath.Join(parent, "image")
		if i%2 == 1 { // an empty folder is filled where it is
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := image.Write(t.Context(), img, image.Output{Format: image.FormatOCI, Path: dir}, testName); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		back, err := image.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(back); err != nil {
			t.Error(err)
		}
		noLeftovers(t, parent, "image")
		noLeftovers(t, dir, "blobs", "oci-layout", "index.json")
	}
}

// secretBlob is the file name of the defaults layer.
func secretBlob(t *testing.T, img image.Image) string {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return m.Layers[2].Digest.Hex
}

func TestLayoutHealsAndNoticesDamage(t *testing.T) {
	img := testImage(t)
	dir := filepath.Join(t.TempDir(), "image")
	o := image.Output{Format: image.FormatOCI, Path: dir}
	write(t, img, o)
	layer := filepath.Join(dir, "blobs/sha256", secretBlob(t, img))
	if err := flip(layer, -10); err != nil {
		t.Fatal(err)
	}
	damaged, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "a.tar")
	if err := image.Write(t.Context(), damaged, image.Output{Format: image.FormatOCIArchive, Path: archive}, testName); err == nil {
		t.Error("a damaged layer was written")
	}
	noLeftovers(t, filepath.Dir(archive))
	write(t, img, o)
	if back, err := image.Open(dir); err != nil || validate.Image(back) != nil {
		t.Errorf("still damaged: %v", err)
	}
	if err := flip(filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(digest(t, img), "sha256:")), -2); err != nil {
		t.Fatal(err)
	}
	if _, err := image.Open(dir); err == nil || fault.HintOf(err) == "" {
		t.Errorf("opened with a changed manifest: %v", err)
	}
}

func TestOpenSaysWhereThereIsNone(t *testing.T) {
	_, err := image.Open(filepath.Join(t.TempDir(), "none"))
	if !errors.Is(err, fs.ErrNotExist) || fault.HintOf(err) != "run: mosqbuild image build" {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}

func TestArchives(t *testing.T) {
	img := testImage(t)
	dir := t.TempDir()
	oci := image.Output{Format: image.FormatOCIArchive, Path: filepath.Join(dir, "oci.tar")}
	docker := image.Output{Format: image.FormatDockerArchive, Path: filepath.Join(dir, "docker.tar")}
	write(t, img, oci)
	write(t, img, docker)
	noLeftovers(t, dir, "oci.tar", "docker.tar")
	first, err := os.ReadFile(oci.Path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, img, oci)
	if again, err := os.ReadFile(oci.Path); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the archive written twice differs: %v", err)
	}
	unpacked := t.TempDir()
	unpack(t, first, unpacked)
	if back, err := image.Open(unpacked); err != nil || digest(t, back) != digest(t, img) {
		t.Errorf("reading the archive: %v", err)
	}
	back, err := tarball.ImageFromPath(docker.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := img.ConfigName()
	b, err2 := back.ConfigName()
	if err := errors.Join(err1, err2); err != nil || a != b {
		t.Errorf("docker archive holds config %s, want %s: %v", b, a, err)
	}
}

func unpack(t *testing.T, archive []byte, dir string) {
	t.Helper()
	for tr := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		path := filepath.Join(dir, filepath.Clean("/"+h.Name))
		if err == nil && h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o755)
		} else if err == nil {
			var data []byte
			data, err = io.ReadAll(tr)
			err = errors.Join(err, os.WriteFile(path, data, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSkopeoReadsEveryFormat(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		need.Unmet(t, "skopeo is not installed")
	}
	img := testImage(t)
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []image.Output{
		{Format: image.FormatOCI, Path: filepath.Join(t.TempDir(), "dir")},
		{Format: image.FormatOCIArchive, Path: filepath.Join(t.TempDir(), "a.tar")},
		{Format: image.FormatDockerArchive, Path: filepath.Join(t.TempDir(), "a.tar")},
	} {
		t.Run(o.Format, func(t *testing.T) {
			write(t, img, o)
			out, err := exec.Command(skopeo, "inspect", o.String()).CombinedOutput()
			var got struct {
				Digest string
				Labels map[string]string
			}
			if err != nil || json.Unmarshal(out, &got) != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got.Labels["version"] != "2.0.21" {
				t.Errorf("labels = %v", got.Labels)
			}
			if o.Format != image.FormatDockerArchive && got.Digest != digest(t, img) {
				t.Errorf("digest %s, want %s", got.Digest, digest(t, img))
			}
			raw, err := exec.Command(skopeo, "inspect", "--raw", o.String()).CombinedOutput()
			if err != nil || !bytes.Contains(raw, []byte(config.Hex)) {
				t.Errorf("%v: the manifest names another config: %s", err, raw)
			}
		})
	}
}

func TestFailureLeavesNoOutput(t *testing.T) {
	img := testImage(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, format := range []string{image.FormatOCI, image.FormatOCIArchive, image.FormatDockerArchive, image.FormatPodman} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			o := image.Output{Format: format}
			if format != image.FormatPodman {
				o.Path = filepath.Join(dir, "out")
			}
			if err := image.Write(cancelled, img, o, testName); !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v, want that of the context", err)
			}
			noLeftovers(t, dir)
		})
	}
}

// TestWriteIntoAnEmptyFolder stays in the folder, which may be a mount, and empties
// it again where it fails.
func TestWriteIntoAnEmptyFolder(t *testing.T) {
	img := testImage(t)
	dir := t.TempDir()
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := image.Write(cancelled, img, image.Output{Format: image.FormatOCI, Path: dir}, testName); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that of the context", err)
	}
	noLeftovers(t, dir)
	write(t, img, image.Output{Format: image.FormatOCI, Path: dir + "/"})
	if after, err := os.Stat(dir); err != nil || !os.SameFile(before, after) {
		t.Errorf("it is another folder: %v", err)
	}
	if got, err := image.Open(dir); err != nil || digest(t, got) != digest(t, img) {
		t.Errorf("the layout in it: %v", err)
	}
	fresh := filepath.Join(dir, "blobs", "..", "..", filepath.Base(dir)+"-new") + "/"
	write(t, img, image.Output{Format: image.FormatOCI, Path: fresh})
	if _, err := image.Open(fresh); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(fresh); err != nil {
		t.Error(err)
	}
}

func TestWriteRefuses(t *testing.T) {
	img := testImage(t)
	file := filepath.Join(t.TempDir(), "file")
	full := t.TempDir()
	foreign := t.TempDir()
	blobs := filepath.Join(t.TempDir(), "blobs", "sha256") // of somebody's, with no index
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string]string{
		file:                                 "x",
		filepath.Join(blobs, "precious"):     "x",
		filepath.Join(full, "precious"):      "x",
		filepath.Join(foreign, "index.json"): `{"schemaVersion":2,"manifests":[{"mediaType":"x","size":1,"digest":"sha256:` + strings.Repeat("0", 64) + `"}]}`,
	} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, o := range map[string]image.Output{
		"a file as layout":      {Format: image.FormatOCI, Path: file},
		"a folder of others":    {Format: image.FormatOCI, Path: full},
		"blobs of others":       {Format: image.FormatOCI, Path: filepath.Join(blobs, "..", "..")},
		"a foreign layout":      {Format: image.FormatOCI, Path: foreign},
		"a file in a file":      {Format: image.FormatOCIArchive, Path: file + "/x"},
		"a folder as archive":   {Format: image.FormatDockerArchive, Path: full},
		"a layout below a file": {Format: image.FormatOCI, Path: file + "/x"},
		"an unknown format":     {Format: "zip", Path: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := image.Write(t.Context(), img, o, testName); err == nil {
				t.Error("written")
			}
		})
	}
	noLeftovers(t, full, "precious")
	noLeftovers(t, blobs, "precious")
	noLeftovers(t, foreign, "index.json")
	noLeftovers(t, filepath.Dir(file), "file")
}

// podmanStorage gives podman a storage of the test's own.
func podmanStorage(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("podman"); err != nil {
		need.Unmet(t, "podman is not installed")
	}
	root := t.TempDir()
	conf := filepath.Join(root, "storage.conf")
	if err := os.WriteFile(conf, []byte("[storage]\ndriver = \"vfs\"\ngraphroot = \""+root+"/graph\"\nrunroot = \""+root+"/run\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTAINERS_STORAGE_CONF", conf)
	if out, err := exec.Command("podman", "images").CombinedOutput(); err != nil {
		need.Unmet(t, "podman can't store images here: %v: %s", err, out)
	}
}

// TestPodmanLoads needs a podman that can store images.
func TestPodmanLoads(t *testing.T) {
	podmanStorage(t)
	img := testImage(t)
	write(t, img, image.Output{Format: image.FormatPodman})
	out, err := exec.Command("podman", "image", "inspect", "--format", "{{.Digest}} {{.RepoTags}}", testName).CombinedOutput()
	if want := digest(t, img) + " [" + testName + "]"; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("podman has %s, %v, want %s", out, err, want)
	}
}

// What podman has read of an image by then goes, too.
func TestInterruptedLoadLeavesNothing(t *testing.T) {
	podmanStorage(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	img := &cancellingImage{testImage(t), func() {
		for range 500 {
			own, _ := filepath.Glob(filepath.Join(tmp, "podman*"))
			ours, _ := filepath.Glob(filepath.Join(tmp, "mosqbuild-*", "podman*"))
			if len(own)+len(ours) > 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
	}}
	if err := image.Write(ctx, img, image.Output{Format: image.FormatPodman}, testName); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that of the context", err)
	}
	noLeftovers(t, tmp)
}

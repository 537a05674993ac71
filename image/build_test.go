package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

func TestBuildMakesAValidImage(t *testing.T) {
	img := testImage(t)
	if err := validate.Image(img); err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Layers) != 3 || m.Layers[2].Annotations["dev.mosqbuild.layer"] != "defaults" {
		t.Errorf("layers = %+v, want three, the last marked as defaults", m.Layers)
	}
	if got := m.Annotations["org.opencontainers.image.version"]; got != "2.0.21" {
		t.Errorf("annotated version = %q, want 2.0.21", got)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := cf.Config
	if c.User != "1883:0" || c.WorkingDir != "/" || c.StopSignal != "SIGTERM" || cf.Architecture != "amd64" {
		t.Errorf("config = %+v", c)
	}
	if got := strings.Join(append(c.Entrypoint, c.Cmd...), " "); got != "/usr/sbin/mosquitto -c /mosquitto/config/mosquitto.conf" {
		t.Errorf("command = %q", got)
	}
	if got := slices.Sorted(maps.Keys(c.ExposedPorts)); !slices.Equal(got, []string{"1883/tcp", "8883/tcp"}) {
		t.Errorf("ports = %v, want the two that others can reach", got)
	}
	for i, want := range []string{"packages", "rendered files", "defaults"} {
		if got := cf.History[i].CreatedBy; got != "mosqbuild: "+want {
			t.Errorf("history %d = %q", i, got)
		}
	}
	for _, l := range []string{"name", "vendor", "version", "release", "summary", "description", "maintainer"} {
		if c.Labels[l] == "" {
			t.Errorf("label %q is missing", l)
		}
	}
	if got, want := c.Labels["org.opencontainers.image.licenses"], "(EPL-2.0 OR BSD-3-Clause) AND MIT"; got != want {
		t.Errorf("licences = %q, want %q", got, want)
	}
}

func TestBuildLaysOutFiles(t *testing.T) {
	img := testImage(t)
	for _, want := range []struct {
		layer int
		name  string
		mode  int64
		holds string
	}{
		{0, "usr/sbin/mosquitto", 0o755, ""},
		{0, "lib/apk/db/installed", 0o644, "P:mosquitto\n"},
		{1, "etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/ash\nftp:x:21:21::/var/lib/ftp:/sbin/nologin\nmosquitto:x:1883:0:"},
		{1, "etc/group", 0o644, "root:x:0:\nmosquitto:x:1883:\nnobody:x:65534:\n"},
		{1, "mosquitto/", 0o775, ""},
		{1, "mosquitto/data/", 0o770, ""},
		{1, "mosquitto/auth/", 0o775, ""},
		{1, "mosquitto/config/mosquitto.conf", 0o644, "listener 1883"},
		{1, "licenses/EPL-2.0.txt", 0o644, "Eclipse Public License"},
		{1, "licenses/MIT.txt", 0o644, "Permission is hereby granted"},
		{2, "mosquitto/", 0o775, ""},
		{2, "mosquitto/certs/tls.key", 0o640, "PRIVATE KEY"},
	} {
		f, ok := find(layerFiles(t, img, want.layer), want.name)
		if !ok {
			t.Errorf("layer %d lacks %s", want.layer, want.name)
			continue
		}
		if f.Mode != want.mode || f.Uid != 0 || f.Gid != 0 || f.Uname != "" || f.Gname != "" || !f.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("%s = %o %d:%d %q %q %v, want mode %o, root:root without names, 1970", want.name, f.Mode, f.Uid, f.Gid, f.Uname, f.Gname, f.ModTime, want.mode)
		}
		if !strings.Contains(string(f.data), want.holds) {
			t.Errorf("%s = %q, want it to hold %q", want.name, f.data, want.holds)
		}
	}
	for n := range 3 {
		seen := map[string]bool{"./": true}
		for _, f := range layerFiles(t, img, n) {
			if parent := filepath.Dir(strings.TrimSuffix(f.Name, "/")) + "/"; !seen[parent] {
				t.Errorf("layer %d: %s comes before its folder", n, f.Name)
			}
			if f.Typeflag == tar.TypeDir {
				seen[f.Name] = true
			}
		}
	}
}

// TestBuildIsDeterministic changes what must not matter, one by one.
func TestBuildIsDeterministic(t *testing.T) {
	o := testRepository(t, testPackages(700<<10)) // more than one gzip block
	s, _ := testSpec(t, o)
	want := digest(t, build(t, s))
	t.Run("umask", func(t *testing.T) {
		for _, mask := range []int{0, 0o077} {
			old := syscall.Umask(mask)
			s.Cache = t.TempDir()
			got := digest(t, build(t, s))
			syscall.Umask(old)
			if got != want {
				t.Errorf("umask %o: %s, want %s", mask, got, want)
			}
		}
		s.Cache = "" // what follows is to compress anew
	})
	t.Run("time zone and locale", func(t *testing.T) {
		t.Setenv("TZ", "Asia/Kathmandu")
		t.Setenv("LC_ALL", "tr_TR.UTF-8")
		old := time.Local
		time.Local = time.FixedZone("elsewhere", 20700)
		defer func() { time.Local = old }()
		if got := digest(t, build(t, s)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
	t.Run("folder", func(t *testing.T) {
		t.Chdir(t.TempDir())
		moved, _ := testSpec(t, testRepository(t, testPackages(700<<10)))
		moved.Cache = "cache"
		if got := digest(t, build(t, moved)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
	t.Run("processors", func(t *testing.T) {
		for _, n := range []int{1, 4} {
			old := runtime.GOMAXPROCS(n)
			got := digest(t, build(t, s))
			runtime.GOMAXPROCS(old)
			if got != want {
				t.Errorf("GOMAXPROCS=%d: %s, want %s", n, got, want)
			}
		}
	})
	t.Run("another date is another image", func(t *testing.T) {
		s.Created = time.Unix(1_700_000_000, 0)
		if got := digest(t, build(t, s)); got == want {
			t.Errorf("still %s", got)
		}
	})
}

func TestBuildUsesTheCache(t *testing.T) {
	s, loads := testSpec(t, testRepository(t, testPackages(64<<10)))
	s.Cache = t.TempDir()
	want := digest(t, build(t, s))
	if got := digest(t, build(t, s)); got != want || *loads != 1 {
		t.Fatalf("second build: %s after %d loads, want %s after 1", got, *loads, want)
	}
	for _, pattern := range []string{"*.tar.gz", "*.json"} {
		for _, spoil := range []func(string) error{
			os.Remove,
			func(p string) error { return os.Truncate(p, 100) },
			func(p string) error { return flip(p, -2) },
		} {
			paths, err := filepath.Glob(filepath.Join(s.Cache, "layers", pattern))
			if err != nil || len(paths) != 1 {
				t.Fatalf("cache holds %v, %v", paths, err)
			}
			if err := spoil(paths[0]); err != nil {
				t.Fatal(err)
			}
			before := *loads
			if got := digest(t, build(t, s)); got != want || *loads != before+1 {
				t.Errorf("with %s spoiled: %s after %d loads, want %s after one", pattern, got, *loads-before, want)
			}
		}
	}
	s.Created = time.Unix(1, 0)
	before := *loads
	if build(t, s); *loads != before+1 {
		t.Error("a layer of another date was used")
	}
}

// flip changes one bit of the file at path, at offset from its end.
func flip(path string, offset int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[len(data)+offset] ^= 1
	return os.WriteFile(path, data, 0o600)
}

func TestCacheStaysSmall(t *testing.T) {
	s, _ := testSpec(t, testRepository(t, testPackages(1<<10)))
	s.Cache = t.TempDir()
	layers := filepath.Join(s.Cache, "layers")
	left := filepath.Join(layers, ".new-1") // by a kill, two days ago
	err := errors.Join(os.Mkdir(layers, 0o755), os.WriteFile(left, nil, 0o644), os.Chtimes(left, time.Time{}, time.Now().Add(-48*time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		s.Created = time.Unix(int64(i), 0)
		build(t, s)
		infos, err := filepath.Glob(filepath.Join(layers, "*.json"))
		for _, p := range infos { // none of them is in use any more when the next one comes
			err = errors.Join(err, os.Chtimes(p, time.Time{}, time.Now().Add(-time.Hour)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadDir(layers)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 24 {
		t.Errorf("cache holds %d files, want 12 layers with a description each", len(kept))
	}
}

func TestWithoutDefaultsIsWhatABuildWithoutThemGives(t *testing.T) {
	s, _ := testSpec(t, testRepository(t, testPackages(64<<10)))
	full := build(t, s)
	s.Bundle.Defaults = nil
	want := digest(t, build(t, s))
	bare, err := image.WithoutDefaults(full)
	if err != nil {
		t.Fatal(err)
	}
	if got := digest(t, bare); got != want {
		t.Errorf("without defaults: %s, want %s", got, want)
	}
	if err := validate.Image(bare); err != nil {
		t.Error(err)
	}
	if again, err := image.WithoutDefaults(bare); err != nil || digest(t, again) != want {
		t.Errorf("taken off twice: %v", err)
	}
}

// TestNoSecretOutsideTheDefaultsLayer looks through all that a registry would
// get of an image, uncompressed.
func TestNoSecretOutsideTheDefaultsLayer(t *testing.T) {
	img := testImage(t)
	secrets := []string{"PRIVATE KEY", testPassword}
	holds := func(data []byte) bool {
		return slices.ContainsFunc(secrets, func(s string) bool { return bytes.Contains(data, []byte(s)) })
	}
	for n := range 3 {
		found := false
		for _, f := range layerFiles(t, img, n) {
			found = found || holds(f.data) || holds([]byte(f.Name))
		}
		if found != (n == 2) {
			t.Errorf("layer %d holds a secret: %v", n, found)
		}
	}
	bare, err := image.WithoutDefaults(img)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []image.Image{img, bare} {
		manifest, err1 := i.RawManifest()
		config, err2 := i.RawConfigFile()
		if err1 != nil || err2 != nil || holds(manifest) || holds(config) {
			t.Errorf("manifest or config: %v, %v, or a secret in it", err1, err2)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	o := testRepository(t, testPackages(1<<10))
	for name, change := range map[string]func(*image.Spec){
		"a key in the rendered files": func(s *image.Spec) { s.Bundle.Rendered = s.Bundle.Defaults },
		"a relative path":             func(s *image.Spec) { s.Bundle.Rendered = []files.File{{Path: "etc/x"}} },
		"a path upwards":              func(s *image.Spec) { s.Bundle.Rendered = []files.File{{Path: "/mosquitto/../x"}} },
		"a file twice":                func(s *image.Spec) { s.Bundle.Rendered = []files.File{{Path: "/etc/passwd"}} },
		"no lock":                     func(s *image.Spec) { s.Lock = nil },
		"a cache that is a file":      func(s *image.Spec) { s.Cache = os.Args[0] },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := testSpec(t, o)
			change(&s)
			if _, err := image.Build(t.Context(), s); err == nil {
				t.Error("built")
			}
		})
	}
}

func TestUnknownLicencesDoNotFail(t *testing.T) {
	pkgs := testPackages(1 << 10)
	pkgs = append(pkgs, repo.Package{Name: "odd", Version: "1-r0", License: "custom:../../x AND GPL-2.0-or-later WITH Odd-exception"})
	pkgs[1].Depends = append(pkgs[1].Depends, "odd")
	s, _ := testSpec(t, testRepository(t, pkgs))
	var got []string
	for _, f := range layerFiles(t, build(t, s), 1) {
		if name, ok := strings.CutPrefix(f.Name, "licenses/"); ok && name != "" {
			got = append(got, name)
		}
	}
	want := []string{"BSD-3-Clause.txt", "EPL-2.0.txt", "GPL-2.0-or-later.txt", "MIT.txt"}
	if !slices.Equal(got, want) {
		t.Errorf("licences = %v, want %v", got, want)
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, c := range []struct {
		name string
		warm bool
	}{{"cold", false}, {"cached", true}} {
		b.Run(c.name, func(b *testing.B) {
			s, _ := testSpec(b, testRepository(b, testPackages(5<<20)))
			if c.warm {
				s.Cache = b.TempDir()
				build(b, s)
			}
			b.ResetTimer()
			for b.Loop() {
				build(b, s)
			}
		})
	}
}

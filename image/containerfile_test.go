package image_test

import (
	"archive/tar"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// containerfileDiffers lists every file in which the image of the Containerfile
// may differ from ours, and why; all others are equal in kind, mode, owner,
// target and content.
var containerfileDiffers = map[string]string{
	"lib/apk/db/installed": "apk writes fields of its own choice; the packages in it are compared",
}

// containerfileLabels lists labels that differ, and why.
var containerfileLabels = map[string]string{
	"io.buildah.version": "buildah adds its own version",
}

// bud runs buildah with storage of its own.
type bud struct{ storage string }

func newBud(t *testing.T) bud {
	t.Helper()
	for _, program := range []string{"buildah"} {
		if _, err := exec.LookPath(program); err != nil {
			need.Unmet(t, "%s is not installed", program)
		}
	}
	if os.Getenv("ALPINE_MINIROOTFS") == "" {
		t.Skip("ALPINE_MINIROOTFS names no Alpine root file system")
	}
	if os.Getuid() != 0 {
		need.Unmet(t, "not root: a chroot needs it")
	}
	return bud{t.TempDir()}
}

func (b bud) run(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"--root", b.storage + "/graph", "--runroot", b.storage + "/run", "--storage-driver", "vfs"}, args...)
	c := exec.Command("buildah", args...)
	var errOut strings.Builder
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		t.Fatalf("buildah %s: %v\n%s%s", strings.Join(args[6:], " "), err, out, errOut.String())
	}
	return strings.TrimSpace(string(out))
}

// alpine makes the base image of the minirootfs.
func (b bud) alpine(t *testing.T) string {
	t.Helper()
	const base = "localhost/alpine:test"
	c := b.run(t, "from", "scratch")
	b.run(t, "add", c, os.Getenv("ALPINE_MINIROOTFS"), "/")
	b.run(t, "commit", "--rm", c, base)
	return base
}

// TestContainerfileMakesTheSameImage builds the same packages both ways.
func TestContainerfileMakesTheSameImage(t *testing.T) {
	b := newBud(t)
	o := testRepository(t, testPackages(64<<10))
	s, _ := testSpec(t, o)
	ours := build(t, s)
	dir := filepath.Join(t.TempDir(), "context")
	if err := image.WriteContext(t.Context(), ours, dir); err != nil {
		t.Fatal(err)
	}
	key, layout := signingKey(), filepath.Join(t.TempDir(), "oci")
	b.run(t, "bud", "--isolation", "chroot", "--file", "../Containerfile", "--timestamp", "0",
		"--build-arg", "BASE="+b.alpine(t), "--build-arg", "REPOSITORY=/repository", "--build-arg", "PACKAGES=mosquitto",
		"--build-arg", "VERSION=2.0.21", "--build-arg", "RELEASE=3", "--build-arg", "LICENSES=(EPL-2.0 OR BSD-3-Clause) AND MIT",
		"--volume", o.Repositories[0]+":/repository:ro", "--volume", o.Repositories[0]+"/"+key.Name+":/etc/apk/keys/"+key.Name+":ro",
		"--tag", "localhost/mosquitto:test", dir)
	b.run(t, "push", "localhost/mosquitto:test", "oci:"+layout)
	theirs, err := image.Open(layout)
	if err != nil {
		t.Fatal(err)
	}
	compareFiles(t, flatten(t, ours), flatten(t, theirs))
	compareConfigs(t, config(t, ours), config(t, theirs))
}

func flatten(t *testing.T, img image.Image) map[string]tarFile {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]tarFile{}
	for n := range layers {
		for _, f := range layerFiles(t, img, n) {
			if name := strings.Trim(filepath.Clean("/"+f.Name), "/"); name != "" {
				all[name] = f
			}
		}
	}
	return all
}

func describe(f tarFile) string {
	return fmt.Sprintf("%c %04o %d:%d -> %q, %d bytes %x", f.Typeflag, f.Mode&0o7777, f.Uid, f.Gid, f.Linkname, len(f.data), f.data[:min(len(f.data), 200)])
}

func compareFiles(t *testing.T, ours, theirs map[string]tarFile) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		a, b := ours[name], theirs[name]
		if _, ok := theirs[name]; !ok {
			t.Errorf("the Containerfile's image lacks %s", name)
		} else if why := containerfileDiffers[name]; why == "" && (describe(a) != describe(b) || string(a.data) != string(b.data)) {
			t.Errorf("%s:\n ours   %s\n theirs %s", name, describe(a), describe(b))
		} else if why != "" && describe(tarFile{Header: a.Header}) != describe(tarFile{Header: b.Header}) {
			t.Errorf("%s:\n ours   %s\n theirs %s", name, describe(a), describe(b))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if _, ok := ours[name]; !ok {
			t.Errorf("only the Containerfile's image has %s: %s", name, describe(theirs[name]))
		}
	}
	if a, b := installed(ours), installed(theirs); a == "" || a != b {
		t.Errorf("installed packages:\n ours   %s\n theirs %s", a, b)
	}
}

// installed returns name, version, checksum and file names of every package in
// the database.
func installed(files map[string]tarFile) string {
	var lines []string
	for line := range strings.Lines(string(files["lib/apk/db/installed"].data)) {
		if strings.ContainsRune("CPVFRZ", rune(line[0])) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func config(t *testing.T, img image.Image) v1.Config {
	t.Helper()
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return cf.Config
}

func compareConfigs(t *testing.T, ours, theirs v1.Config) {
	t.Helper()
	for name := range containerfileLabels {
		delete(ours.Labels, name)
		delete(theirs.Labels, name)
	}
	if !maps.Equal(ours.Labels, theirs.Labels) {
		t.Errorf("labels:\n ours   %v\n theirs %v", ours.Labels, theirs.Labels)
	}
	ours.Labels, theirs.Labels = nil, nil
	if a, b := fmt.Sprintf("%+v", ours), fmt.Sprintf("%+v", theirs); a != b {
		t.Errorf("config:\n ours   %s\n theirs %s", a, b)
	}
}

func TestWriteContext(t *testing.T) {
	img := testImage(t)
	parent := t.TempDir()
	dir := filepath.Join(parent, "context")
	if err := image.WriteContext(t.Context(), img, dir); err != nil {
		t.Fatal(err)
	}
	for n, sub := range map[int]string{1: "rendered", 2: "defaults"} {
		for _, f := range layerFiles(t, img, n) {
			st, err := os.Stat(filepath.Join(dir, sub, f.Name))
			if err != nil || int64(st.Mode().Perm()) != f.Mode || st.IsDir() != (f.Typeflag == tar.TypeDir) {
				t.Errorf("%s in %s: %v, %v", f.Name, sub, st, err)
			}
		}
	}
	if err := image.WriteContext(t.Context(), img, dir); err == nil {
		t.Error("a folder that is not empty was replaced")
	}
	noLeftovers(t, parent, "context")
	bare, err := image.WithoutDefaults(img)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(parent, "other")
	if err := image.WriteContext(t.Context(), bare, other); err != nil {
		t.Fatal(err)
	}
	noLeftovers(t, filepath.Join(other, "defaults"))
}

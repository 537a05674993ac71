package packages_test

import (
	"archive/tar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// TestSameAsAlpine has Alpine's own apk install the same packages and compares.
func TestSameAsAlpine(t *testing.T) {
	tarball := os.Getenv("ALPINE_MINIROOTFS")
	if tarball == "" {
		t.Skip("ALPINE_MINIROOTFS names no Alpine root file system")
	}
	if os.Getuid() != 0 {
		need.Unmet(t, "not root: can't chroot into Alpine's root file system")
	}
	root := t.TempDir()
	run(t, "tar", "-xzf", tarball, "-C", root)
	r := overFolder(t, fixture())
	must(t, repo.Write(t.Context(), filepath.Join(root, "repository"), "x86_64", fixture(), testKey(), epoch))
	overwrite(t, filepath.Join(root, "etc/apk/keys", testKey().Name), testKey().Public())
	apk := func(args ...string) string { return run(t, "chroot", append([]string{root, "apk"}, args...)...) }
	apk("add", "--root", "/theirs", "--initdb", "--no-network", "--keys-dir", "/etc/apk/keys", "--repositories-file", "/dev/null",
		"--repository", "/repository", "mosquitto")

	_, tree, err := build(t, r.options, "mosquitto")
	must(t, err)
	unpack(t, tree, filepath.Join(root, "ours"))
	for _, name := range []string{"lib/apk/db/installed", "lib/apk/db/triggers", "etc/apk/world", "etc/apk/arch"} {
		ours, theirs := read(t, filepath.Join(root, "ours", name)), read(t, filepath.Join(root, "theirs", name))
		if a, b := paragraphs(ours), paragraphs(theirs); !slices.Equal(a, b) {
			t.Errorf("%s is\n%s\nAlpine's is\n%s", name, ours, theirs)
		}
	}
	for _, e := range tree.Entries() {
		if strings.HasPrefix(e.Header.Name, "lib/apk/") || strings.HasPrefix(e.Header.Name, "etc/apk/") {
			continue
		}
		ours, err := os.Lstat(filepath.Join(root, "ours", e.Header.Name))
		must(t, err)
		theirs, err := os.Lstat(filepath.Join(root, "theirs", e.Header.Name))
		must(t, err)
		if ours.Mode() != theirs.Mode() || ours.Mode().IsRegular() && ours.Size() != theirs.Size() {
			t.Errorf("%s has mode %v, Alpine's %v", e.Header.Name, ours.Mode(), theirs.Mode())
		}
	}
	if out := apk("info", "--root", "/ours", "-v"); strings.Count(out, "\n") != len(closure) || !strings.Contains(out, "mosquitto-2.0.21-r0") {
		t.Errorf("apk info lists %q", out)
	}
	if out := apk("info", "--root", "/ours", "--who-owns", "/usr/sbin/mosquitto"); !strings.Contains(out, "mosquitto-2.0.21-r0") {
		t.Errorf("apk info --who-owns: %q", out)
	}
	if out := apk("audit", "--root", "/ours", "--full", "--recursive"); strings.Contains(out, "mosquitto") {
		t.Errorf("apk audit finds changes:\n%s", out)
	}
}

// paragraphs sorts the packages, which apk may write in another order.
func paragraphs(database []byte) []string {
	out := strings.Split(strings.TrimSpace(string(database)), "\n\n")
	slices.Sort(out)
	return out
}

// unpack writes a tree to disk.
func unpack(t *testing.T, tree *packages.Tree, dir string) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
	_, data := content(t, tree)
	for _, e := range tree.Entries() {
		path := filepath.Join(dir, e.Header.Name)
		switch e.Header.Typeflag {
		case tar.TypeDir:
			must(t, os.Mkdir(path, 0o755))
		case tar.TypeSymlink:
			must(t, os.Symlink(e.Header.Linkname, path))
			continue
		case tar.TypeReg:
			must(t, os.WriteFile(path, []byte(data[e.Header.Name]), 0o644))
		}
		must(t, os.Chmod(path, e.Header.FileInfo().Mode()))
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

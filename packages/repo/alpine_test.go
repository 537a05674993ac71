package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// TestAlpineInstalls has Alpine's own apk install from a repository of ours and
// audit what it installed.
func TestAlpineInstalls(t *testing.T) {
	root := alpine(t)
	key, dir := repotest.Key(), filepath.Join(root, "repository")
	write(t, dir, samples(), key)
	if err := os.WriteFile(filepath.Join(root, "etc/apk/keys", key.Name), key.Public(), 0o644); err != nil {
		t.Fatal(err)
	}
	add := []string{"apk", "add", "--no-network", "--no-cache", "--repositories-file", "/dev/null", "--repository", "/repository", "hello"}
	if out, err := chroot(root, add...); err != nil {
		t.Fatalf("apk add: %v\n%s", err, out)
	}
	for _, p := range samples() {
		if out, err := chroot(root, "apk", "verify", "/repository/x86_64/"+p.FileName()); err != nil {
			t.Errorf("apk verify: %v\n%s", err, out)
		}
	}
	if out, err := chroot(root, "apk", "info", "-a", "hello"); err != nil || !strings.Contains(out, "greets; twice # really") {
		t.Errorf("apk info: %v\n%s", err, out)
	}
	if out, err := chroot(root, "apk", "audit", "--system", "--recursive", "/usr/bin", "/var/lib/hello"); err != nil || strings.Contains(out, "hello") {
		t.Errorf("apk audit: %v\n%s", err, out)
	}
	for path, mode := range map[string]os.FileMode{
		"usr/bin/hello":         0o755,
		"usr/bin-more":          0o600,
		"usr/bin/hi":            os.ModeSymlink | 0o777,
		"var/lib/hello":         os.ModeDir | os.ModeSticky | 0o770,
		"usr/lib/libhello.so.1": os.ModeSetuid | 0o755,
	} {
		st, err := os.Lstat(filepath.Join(root, path))
		if err != nil {
			t.Error(err)
		} else if st.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", path, st.Mode(), mode)
		}
	}
	if err := os.Remove(filepath.Join(root, "etc/apk/keys", key.Name)); err != nil {
		t.Fatal(err)
	}
	out, err := chroot(root, "apk", "verify", "/repository/x86_64/hello-1.2.3-r4.apk")
	if err == nil || !strings.Contains(out, "UNTRUSTED") {
		t.Errorf("apk verify without the key: %v\n%s", err, out)
	}
	if out, err := chroot(root, "apk", "update", "--no-network", "--repositories-file", "/dev/null", "--repository", "/repository"); !strings.Contains(out, "UNTRUSTED") {
		t.Errorf("apk update without the key: %v\n%s", err, out)
	}
}

// alpine unpacks the root file system that ALPINE_MINIROOTFS names.
func alpine(t *testing.T) string {
	t.Helper()
	tarball := os.Getenv("ALPINE_MINIROOTFS")
	if tarball == "" {
		t.Skip("ALPINE_MINIROOTFS names no Alpine root file system")
	}
	if os.Getuid() != 0 {
		need.Unmet(t, "not root: can't chroot into Alpine's root file system")
	}
	root := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", tarball, "-C", root).CombinedOutput(); err != nil {
		t.Fatalf("unpacking %q: %v\n%s", tarball, err, out)
	}
	return root
}

func chroot(root string, args ...string) (string, error) {
	cmd := exec.Command("chroot", append([]string{root}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

package e2e_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// Lock, mirror, and a build where there is no interface but loopback: the same
// digest, as skopeo reads it, of an image and of an index.
func TestMirrorBuildsWithoutANetwork(t *testing.T) {
	ns := namespace(t)
	need.Program(t, "skopeo")
	for _, platforms := range []string{"linux/amd64", "linux/amd64,linux/arm64"} {
		t.Run(platforms, func(t *testing.T) { mirrorsWithoutANetwork(t, ns, platforms) })
	}
}

func mirrorsWithoutANetwork(t *testing.T, ns, platforms string) {
	r, err := apkrepo.Release(t.Context(), t.TempDir(), 1, "x86_64", "aarch64")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.Handler())
	location := server.URL + apkrepo.URLPath
	online := []string{"XDG_CACHE_HOME=" + t.TempDir(), "XDG_CONFIG_HOME=" + t.TempDir()}
	dir := t.TempDir()
	from := func(location string) []string { return []string{"--repository", location, "--repository-key", r.Key} }
	succeed := func(env []string, args ...string) string {
		t.Helper()
		got := try(t, dir, env, args[0], args[1:]...)
		if got.code != 0 {
			t.Fatalf("%s: exit %d, %s", strings.Join(args, " "), got.code, got.err)
		}
		return got.out
	}
	digest := func() string {
		t.Helper()
		return "sha256:" + strings.Fields(run(t, dir, "sh", "-c", "skopeo inspect --raw oci:.mosqbuild/image | sha256sum"))[0]
	}
	unlocked := succeed(online, append([]string{program, "image", "build", "--platform", platforms}, from(location)...)...)
	succeed(online, append([]string{program, "image", "lock", "--platform", platforms}, from(location)...)...)
	succeed(online, append([]string{program, "image", "build", "--platform", platforms}, from(location)...)...)
	want := digest()
	if want != unlocked {
		t.Errorf("with the lock it is %s, without %s", want, unlocked)
	}
	for _, kind := range [][]string{nil, {"--resign"}} {
		to := "mirror" + strings.Join(kind, "")
		succeed(online, append(append([]string{program, "packages", "mirror", "--to", to}, kind...), from(location)...)...)
	}
	server.Close()

	inside := func(args ...string) []string {
		return append([]string{"ip", "netns", "exec", ns, program, "image", "build", "--platform", platforms}, args...)
	}
	if got := run(t, "", "ip", "-n", ns, "-o", "link"); strings.Count(got, "\n") != 0 || !strings.Contains(got, "LOOPBACK") {
		t.Fatalf("the namespace has %s", got)
	}
	gone := inside(from(location)...)
	if got := try(t, dir, []string{"XDG_CACHE_HOME=" + t.TempDir()}, gone[0], gone[1:]...); got.code != 4 {
		t.Errorf("from the repository that is gone: exit %d, %s", got.code, got.err)
	}
	for _, locked := range []bool{true, false} {
		for _, to := range []string{"mirror", "mirror--resign"} {
			args := from(to)
			keys, _ := filepath.Glob(filepath.Join(dir, to, "keys", "*"))
			for _, k := range keys { // of the one, the key that was given already
				args = append(args, "--repository-key", k)
			}
			if err := os.RemoveAll(filepath.Join(dir, ".mosqbuild/image")); err != nil {
				t.Fatal(err)
			}
			got := succeed([]string{"XDG_CACHE_HOME=" + t.TempDir()}, inside(args...)...)
			if found := digest(); got != want || found != want {
				t.Errorf("%s, locked %v: printed %s, skopeo sees %s, want %s", to, locked, got, found, want)
			}
		}
		if err := os.RemoveAll(filepath.Join(dir, "mosqbuild.lock.yaml")); err != nil {
			t.Fatal(err)
		}
	}
}

package e2e_test

import (
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/need"
	"github.com/mosqbuild/mosqbuild/testing/podmantest"
)

// What --shell is for: looking into a container as any uid, with nothing to
// write to, and files copied out, which kubectl cp does by tar.
func TestShell(t *testing.T) {
	need.Program(t, "podman")
	localPackages(t)
	podman := podmantest.New(t)
	podman.Setenv(t)
	dir := t.TempDir()
	inside := func(name string, args ...string) result {
		return try(t, dir, nil, "podman", append([]string{
			"run", "--rm", "--user", "1000680000:0", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges",
			"--network", "none", "--entrypoint", "/bin/sh", name,
		}, args...)...)
	}
	mosqbuild(t, dir, "image", "build", "--local", "-o", "podman")
	if r := inside("localhost/mosquitto:latest", "-c", "true"); r.code != 127 {
		t.Errorf("without --shell: exit %d\n%s%s", r.code, r.out, r.err)
	}
	mosqbuild(t, dir, "image", "build", "--local", "--shell", "-o", "podman")
	for script, want := range map[string]string{
		"id -u; ls /mosquitto/config":                           "1000680000\nacl\nmosquitto.conf",
		"tar c -C /mosquitto config | tar t | sort | head -n 1": "config/",
		"grep -c ^listener /mosquitto/config/mosquitto.conf":    "2",
		"echo x >/etc/x || echo refused":                        "refused",
		// Each name that busybox goes by is one that the shell finds.
		"for a in $(busybox --list); do command -v $a >/dev/null || echo $a; done": "",
		"find /bin /sbin /usr /lib -perm -4000":                                    "",
	} {
		r := inside("localhost/mosquitto:latest", "-c", script)
		if r.code != 0 || strings.TrimSpace(r.out) != want {
			t.Errorf("%s: exit %d, %q, want %q\n%s", script, r.code, r.out, want, r.err)
		}
	}
}

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// Alpine's own package manager is the judge of the packages' format.
func TestAlpinesApkInstallsFromTheLocalRepository(t *testing.T) {
	minirootfs := need.File(t, "ALPINE_MINIROOTFS", "an alpine-minirootfs-*.tar.gz, whose apk-tools would install the packages")
	need.Root(t)
	need.Program(t, "mosquitto_sub", "mosquitto_pub")
	repository := localPackages(t)
	root := t.TempDir()
	run(t, root, "tar", "xzf", minirootfs)
	run(t, root, "cp", "-rL", repository, "repository")
	write(t, filepath.Join(root, "none"), "")
	keys, err := filepath.Glob(filepath.Join(repository, "*.rsa.pub"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys in the repository: %v, %v", keys, err)
	}
	apk := []string{root, "/sbin/apk", "--no-network", "--no-cache", "--root", "/new", "--repositories-file", "/none", "--repository", "/repository", "add", "--initdb"}

	// The key isn't trusted yet.
	r := try(t, root, nil, "chroot", append(apk, "mosquitto")...)
	if r.code == 0 || !strings.Contains(r.out+r.err, "UNTRUSTED") {
		t.Errorf("with an unknown key apk said %d: %s%s", r.code, r.out, r.err)
	}
	if err := os.RemoveAll(filepath.Join(root, "new")); err != nil {
		t.Fatal(err)
	}
	run(t, root, "cp", keys[0], "etc/apk/keys/")
	run(t, root, "chroot", append(apk, "--keys-dir", "/etc/apk/keys", "mosquitto", "mosquitto-clients")...)

	newRoot := filepath.Join(root, "new")
	port := freePort(t)
	write(t, filepath.Join(newRoot, "mosquitto.conf"), "listener "+port+" 127.0.0.1\nallow_anonymous true\nuser root\n")
	start(t, "/", "chroot", newRoot, "/usr/sbin/mosquitto", "-c", "/mosquitto.conf")
	listening(t, port)
	run(t, "/", "mosquitto_pub", "-p", port, "-r", "-t", "a", "-m", "from Debian's client")
	if got := run(t, "/", "chroot", newRoot, "/usr/bin/mosquitto_sub", "-p", port, "-t", "a", "-C", "1", "-W", "60"); got != "from Debian's client" {
		t.Errorf("the installed client received %q", got)
	}
}

package e2e_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// The same inputs give the same digest, whoever builds, wherever and whenever;
// skopeo reads the digest, not a reader of ours.
func TestSameInputsSameDigest(t *testing.T) {
	need.Root(t)
	// A Go program reads the clock past any libfaketime; in an emulator, which
	// asks the C library for it, it can't.
	emulator := map[string]string{"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}[runtime.GOARCH]
	need.Program(t, "skopeo", "setpriv", "faketime", emulator)
	repository := localPackages(t)
	first := t.TempDir()
	mosqbuild(t, first, "image", "build", "--local")
	const nobody = 65534
	var digests []string
	for i, c := range []struct {
		name, umask string
		env         []string
		user        int
		through     string
	}{
		{"as it comes", "022", nil, 0, ""},
		{"another umask, zone and locale", "077", []string{"TZ=Asia/Tokyo", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1"}, 0, ""},
		{"another user", "002", []string{"TZ=America/Lima"}, nobody, ""},
		{"another day", "022", []string{"GODEBUG=asyncpreemptoff=1"}, 0, "faketime -f +400d " + emulator},
	} {
		// Every build has a folder, a copy of the repository and caches of its own.
		dir := filepath.Join("/tmp", fmt.Sprintf("mosqbuild-%s-%d", filepath.Base(filepath.Dir(first)), i))
		run(t, "", "mkdir", "-m", "0755", dir)
		t.Cleanup(func() { run(t, "", "rm", "-rf", dir) })
		run(t, "", "cp", "-r", filepath.Join(first, ".mosqbuild"), repository+"/.", dir)
		run(t, "", "cp", program, filepath.Join(dir, "mosqbuild"))
		run(t, "", "chown", "-R", fmt.Sprint(c.user), dir)
		keys, _ := filepath.Glob(filepath.Join(dir, "*.rsa.pub"))
		line := fmt.Sprintf("umask %s && exec setpriv --reuid %d --clear-groups %s ./mosqbuild image build --repository . --repository-key %s -o oci-archive:image.tar", c.umask, c.user, c.through, filepath.Base(keys[0]))
		env := append(c.env, "HOME="+dir, "XDG_CACHE_HOME="+dir+"/cache", "XDG_CONFIG_HOME="+dir+"/config")
		r := try(t, dir, env, "sh", "-c", line)
		if r.code != 0 {
			t.Fatalf("%s: exit %d, %s", c.name, r.code, r.err)
		}
		digest := run(t, dir, "skopeo", "inspect", "--format", "{{.Digest}}", "oci-archive:image.tar")
		if digest != r.out {
			t.Errorf("%s: printed %s, skopeo sees %s", c.name, r.out, digest)
		}
		digests = append(digests, digest)
	}
	for _, d := range digests[1:] {
		if d != digests[0] {
			t.Errorf("digests differ:\n%s", strings.Join(digests, "\n"))
			break
		}
	}
	r := try(t, first, []string{"SOURCE_DATE_EPOCH=1700000000"}, program, "image", "build", "--local")
	created := run(t, first, "skopeo", "inspect", "--format", "{{.Created}}", "oci:.mosqbuild/image")
	if r.code != 0 || r.out == digests[0] || !strings.HasPrefix(created, "2023-11-14") {
		t.Errorf("with SOURCE_DATE_EPOCH: exit %d, %s, created %s", r.code, r.out, created)
	}
}

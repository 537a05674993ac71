package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// Whatever the order in which several begin, the state is made once and every
// build ends with the same image.
func TestManyAtOnce(t *testing.T) {
	r, err := apkrepo.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		dir, env := t.TempDir(), []string{"XDG_CACHE_HOME=" + t.TempDir()}
		results := make([]result, 4)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() {
				results[i] = try(t, dir, env, program, "image", "build", "--repository", r.Dir, "--repository-key", r.Key)
			})
		}
		all.Go(func() {
			// It comes first, or finds what a build has made.
			c := try(t, dir, nil, program, "certs", "init")
			if c.code != 0 && !strings.Contains(c.err, "there is a server certificate already") {
				t.Errorf("certs init: exit %d, %s", c.code, c.err)
			}
		})
		all.Wait()
		for _, b := range results {
			if b.code != 0 || b.out != results[0].out {
				t.Errorf("exit %d, %q, want %q, %s", b.code, b.out, results[0].out, b.err)
			}
		}
		again := try(t, dir, env, program, "image", "build", "--repository", r.Dir, "--repository-key", r.Key)
		if again.out != results[0].out {
			t.Errorf("built again: %q, want %q", again.out, results[0].out)
		}
		entries, err := os.ReadDir(filepath.Join(dir, ".mosqbuild"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") && e.Name() != ".gitignore" {
				t.Errorf("left behind: %s", e.Name())
			}
		}
	}
}

func TestNoRootIsNeeded(t *testing.T) {
	need.Root(t) // to become somebody else
	need.Program(t, "setpriv")
	const nobody = 65534
	r, err := apkrepo.New(t.Context(), open(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	home := open(t, t.TempDir())
	if err := os.Chown(home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(home, "mosqbuild")
	run(t, "", "cp", program, own)
	as := func(line string) result {
		args := []string{"--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "-i", "HOME=" + home, own}
		return try(t, home, nil, "setpriv", append(args, strings.Fields(line)...)...)
	}
	for _, line := range []string{
		"init", "image build --repository " + r.Dir + " --repository-key " + r.Key + " -o oci-archive:image.tar", "certs init --force --host a.example",
		"passwd set bob --generate", "passwd list", "render --image r.example/m:1",
	} {
		if r := as(line); r.code != 0 {
			t.Errorf("%s: exit %d, %s", line, r.code, r.err)
		}
	}
	// In a folder of somebody else's.
	other := open(t, t.TempDir())
	for _, line := range []string{"render --image r.example/m:1", "certs init", "passwd set bob --generate"} {
		if r := as(line + " --state " + other + "/state"); r.code != 1 || r.out != "" || !strings.Contains(r.err, "permission denied") || !strings.Contains(r.err, "--state DIR") {
			t.Errorf("%s: exit %d, %q, %s", line, r.code, r.out, r.err)
		}
	}
}

// open lets everybody into a test's folder.
func open(t *testing.T, dir string) string {
	t.Helper()
	for d := dir; d != filepath.Clean(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A full disk leaves what was there, and no part of what was to be.
func TestFullDisk(t *testing.T) {
	need.Root(t)
	need.Program(t, "mount")
	repository := localPackages(t)
	keys, _ := filepath.Glob(filepath.Join(repository, "*.rsa.pub"))
	disk := t.TempDir()
	run(t, "", "mount", "-t", "tmpfs", "-o", "size=1m", "mosqbuild-test", disk)
	t.Cleanup(func() { run(t, "", "umount", disk) })
	write(t, filepath.Join(disk, "image.tar"), "old")
	before := tree(t, disk)
	dir := t.TempDir()
	for _, c := range []struct {
		env  []string
		args []string
	}{
		{nil, []string{"-o", "oci-archive:" + disk + "/image.tar"}},
		{nil, []string{"-o", "docker-archive:" + disk + "/image.tar"}},
		{nil, []string{"-o", "oci:" + disk + "/image"}},
		{[]string{"XDG_CACHE_HOME=" + disk + "/cache"}, nil},
	} {
		args := append([]string{"image", "build", "--repository", repository, "--repository-key", keys[0]}, c.args...)
		r := try(t, dir, c.env, program, args...)
		if r.code != 1 || r.out != "" || !strings.Contains(r.err, "no space left on device") {
			t.Errorf("%v: exit %d, %q, %s", c.args, r.code, r.out, r.err)
		}
		if after := tree(t, disk); after != before {
			t.Errorf("%v: the disk held\n%sand holds\n%s", c.args, before, after)
		}
	}
	r := try(t, disk, nil, program, "image", "build", "--repository", repository, "--repository-key", keys[0])
	if r.code != 1 || strings.Contains(tree(t, filepath.Join(disk, ".mosqbuild")), "image") {
		t.Errorf("exit %d, %s\n%s", r.code, r.err, tree(t, disk))
	}
}

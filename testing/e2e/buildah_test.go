package e2e_test

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/containerfile"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// full is the program with buildah, made once.
var full = sync.OnceValues(func() (string, error) {
	file := program + "-full"
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", containerfile.Tags, "-o", file, "github.com/mosqbuild/mosqbuild/cmd/mosqbuild")
	c.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return file, err
})

// withBuildah returns the program with buildah, a folder to work in and the
// environment: temporary files of its own, which must all be gone in the end, and
// none of podman's helpers, such as netavark, which chroot isolation has no use for.
func withBuildah(t *testing.T) (bin, dir string, env []string) {
	need.Program(t, "gcc")
	need.Root(t)
	localPackages(t)
	bin, err := full()
	if err != nil {
		t.Fatal(err)
	}
	dir, tmp := t.TempDir(), t.TempDir()
	t.Cleanup(func() {
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if mounts := read(t, "/proc/self/mounts"); strings.Contains(mounts, tmp) {
			t.Errorf("still mounted: %s", mounts)
		}
	})
	empty := t.TempDir()
	conf := filepath.Join(t.TempDir(), "containers.conf")
	write(t, conf, fmt.Sprintf("[engine]\nhelper_binaries_dir = [%q]\n", empty))
	return bin, dir, []string{"TMPDIR=" + tmp, "CONTAINERS_CONF=" + conf}
}

// files describes every path of an image: kind, mode, owner, target, content.
func files(t *testing.T, img image.Image) map[string]string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			sum := sha256.New()
			if err == nil {
				_, err = io.Copy(sum, tr)
			}
			if err != nil {
				t.Fatal(err)
			}
			name := path.Clean("/" + h.Name)
			if name == "/lib/apk/db/installed" {
				sum.Reset() // apk writes fields of its own choice; the versions are the lock's
			}
			if name != "/" { // only one of the two names it
				all[name] = fmt.Sprintf("%c %04o %d:%d %q %x", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Linkname, sum.Sum(nil))
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func opened(t *testing.T, dir string) (image.Image, map[string]string, string) {
	t.Helper()
	img, err := image.Open(filepath.Join(dir, ".mosqbuild", "image"))
	if err != nil {
		t.Fatal(err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return img, files(t, img), fmt.Sprintf("%s %s %v %+v %v", cf.Architecture, cf.OS, cf.Created, cf.Config, m.Annotations)
}

// The layers' bytes and their history may differ; nothing that a container sees
// may but what files leaves out.
func TestBothEnginesMakeTheSameImage(t *testing.T) {
	base := need.File(t, "ALPINE_MINIROOTFS", "an alpine-minirootfs-*.tar.gz, whose apk the Containerfile takes")
	for name, args := range map[string][]string{"bare": nil, "shell": {"--shell"}} {
		t.Run(name, func(t *testing.T) {
			bin, dir, env := withBuildah(t)
			build := append([]string{"image", "build", "--local"}, args...)
			run(t, dir, bin, build...)
			_, native, config := opened(t, dir)
			r := try(t, dir, env, bin, append(build, "--engine", "buildah", "--base", base)...)
			if r.code != 0 {
				t.Fatal(r.err)
			}
			img, theirs, theirConfig := opened(t, dir)
			for _, name := range slices.Sorted(maps.Keys(native)) {
				if theirs[name] != native[name] {
					t.Errorf("%s:\n native  %s\n buildah %s", name, native[name], theirs[name])
				}
			}
			for name := range theirs {
				if native[name] == "" {
					t.Errorf("only buildah's has %s", name)
				}
			}
			if len(native) < 20 || config != theirConfig {
				t.Errorf("%d files; config:\n native  %s\n buildah %s", len(native), config, theirConfig)
			}
			if _, shell := native["/bin/sh"]; shell != (args != nil) {
				t.Errorf("with %q, has a shell: %v", args, shell)
			}
			if has, err := image.HasDefaults(img); err != nil || !has {
				t.Errorf("no layer is marked as that of test credentials: %v", err)
			}
		})
	}
}

// apk takes a locked version from whichever repository lists it first, and that may
// be another file than the one that is locked.
func TestBuildahInstallsWhatIsLocked(t *testing.T) {
	base := need.File(t, "ALPINE_MINIROOTFS", "an alpine-minirootfs-*.tar.gz, whose apk the Containerfile takes")
	bin, dir, env := withBuildah(t)
	local, first, key := localPackages(t), t.TempDir(), repotest.Key()
	lists := func(more ...repo.Package) {
		pkgs := append(more, repo.Package{Name: "other", Version: "1-r0"})
		if err := repo.Write(t.Context(), first, "x86_64", pkgs, key, time.Unix(1760000000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := filepath.Glob(filepath.Join(local, "*.rsa.pub"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys in the repository: %v, %v", keys, err)
	}
	write(t, filepath.Join(dir, "mosqbuild.yaml"), fmt.Sprintf("image: {repositories: [%q, %q], keys: [%q, %q]}\n", first, local, filepath.Join(first, key.Name), keys[0]))
	lists()
	run(t, dir, bin, "image", "lock")
	_, rest, _ := strings.Cut(read(t, dir, "mosqbuild.lock.yaml"), "- name: musl\n")
	version := strings.Fields(rest)[1]
	build := func() result { return try(t, dir, env, bin, "image", "build", "--engine", "buildah", "--base", base) }
	if r := build(); r.code != 0 {
		t.Fatal(r.err)
	}
	before := read(t, dir, ".mosqbuild/image/index.json")
	lists(repo.Package{Name: "musl", Version: version, Provides: []string{"so:libc.musl-x86_64.so.1=1"}})
	r := build()
	if r.code != 3 || r.out != "" || !strings.Contains(r.err, fmt.Sprintf("package %q is locked in version %q, checksum Q1", "musl", version)) {
		t.Errorf("another musl is installed: exit %d, %q, %s", r.code, r.out, r.err)
	}
	if read(t, dir, ".mosqbuild/image/index.json") != before {
		t.Error("a refused image is kept")
	}
	run(t, dir, bin, "image", "build") // takes the locked file
}

func TestContainerfileOnTop(t *testing.T) {
	bin, dir, env := withBuildah(t)
	file := filepath.Join(dir, "Containerfile")
	text := "FROM localhost/mosquitto:latest\nCOPY . /all/\nENV SITE=here\n" +
		`RUN ["/usr/bin/mosquitto_passwd", "-b", "-c", "/mosquitto/extra", "somebody", "password"]` + "\n"
	write(t, file, text)
	args := []string{"image", "build", "--local", "--engine", "buildah", "--file", "Containerfile"}
	r := try(t, dir, env, bin, args...)
	if r.code != 0 {
		t.Fatal(r.err)
	}
	img, list, config := opened(t, dir)
	if list["/all/Containerfile"] == "" || list["/mosquitto/extra"] == "" || list["/usr/sbin/mosquitto"] == "" || !strings.Contains(config, "SITE=here") {
		t.Errorf("it lacks what is on top or below: %v, %s", list, config)
	}
	for name := range list {
		if strings.Contains(name, ".mosqbuild") {
			t.Errorf("%s of the state folder is in the image", name)
		}
	}
	bare, err := image.WithoutDefaults(img)
	if err != nil {
		t.Fatal(err)
	}
	if left := files(t, bare); left["/mosquitto/certs/tls.key"] != "" || left["/mosquitto/extra"] == "" || list["/mosquitto/certs/tls.key"] == "" {
		t.Error("without its defaults the image holds the key, or not what is on top")
	}
	before := read(t, dir, ".mosqbuild/image/index.json")
	password := strings.TrimSpace(read(t, dir, ".mosqbuild/password"))
	for _, step := range []string{"COPY --from=localhost/mosquitto:latest /mosquitto/certs/tls.key /stolen", "ENV PASSWORD=" + password} {
		write(t, file, text+step+"\n")
		r := try(t, dir, env, bin, args...)
		if r.code != 5 || r.out != "" || !strings.Contains(r.err, "looking for credentials") || strings.Contains(r.err, password) {
			t.Errorf("%s: exit %d, %q, %s", step, r.code, r.out, r.err)
		}
	}
	copied := filepath.Join(dir, "installed")
	write(t, file, text+"COPY installed /lib/apk/db/installed\n")
	for name, test := range map[string]struct {
		says string
		code int
	}{"theirs": {"", 0}, "musl": {`package "musl" is locked in version`, 3}} {
		write(t, copied, fmt.Sprintf("C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:%s\nV:1-r0\n\n", name))
		if r := try(t, dir, env, bin, args...); r.code != test.code || !strings.Contains(r.err, test.says) {
			t.Errorf("package %q is installed on top: exit %d, %s", name, r.code, r.err)
		}
		if test.code == 0 {
			before = read(t, dir, ".mosqbuild/image/index.json")
		}
	}
	if read(t, dir, ".mosqbuild/image/index.json") != before {
		t.Error("a refused image is kept")
	}
}

// topFile is what a file of the highest layer holds.
func topFile(t *testing.T, img image.Image, name string) string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[len(layers)-1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err != nil {
			t.Fatalf("looking for %s in the highest layer: %v", name, err)
		}
		if path.Clean("/"+h.Name) != name {
			continue
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

// Raising a limit takes a privilege that few containers have, so that a step gets
// those of the process that builds. The two of open files are the same here: Go
// raises the soft one of its programs.
func TestStepsHaveTheLimitsOfTheBuild(t *testing.T) {
	need.Program(t, "prlimit", "cat")
	bin, dir, env := withBuildah(t)
	write(t, filepath.Join(dir, "Containerfile"), "FROM localhost/mosquitto:latest\nRUN cat /proc/self/limits >/mosquitto/limits\n")
	limited := []string{"--nofile=611:611", "--nproc=5011:5022"}
	r := try(t, dir, env, "prlimit", append(limited, bin, "image", "build", "--local", "--shell", "--engine", "buildah", "--file", "Containerfile")...)
	if r.code != 0 {
		t.Fatal(r.err)
	}
	img, _, _ := opened(t, dir)
	got, want := topFile(t, img, "/mosquitto/limits"), run(t, dir, "prlimit", append(limited, "cat", "/proc/self/limits")...)
	if strings.TrimSpace(got) != want || !strings.Contains(want, " 611 ") {
		t.Errorf("the step had\n%s\nwant\n%s", got, want)
	}
}

func TestInterruptedStepLeavesNothing(t *testing.T) {
	bin, dir, env := withBuildah(t)
	port := freePort(t)
	write(t, filepath.Join(dir, "Containerfile"), `FROM localhost/mosquitto:latest
RUN ["/usr/sbin/mosquitto", "-p", "`+port+`"]
`)
	plain := program
	program = bin
	defer func() { program = plain }()
	ready := make(chan struct{})
	go func() {
		for exec.Command("pgrep", "-f", "mosquitto -p "+port).Run() != nil {
			time.Sleep(50 * time.Millisecond)
		}
		close(ready)
	}()
	interrupted(t, dir, env, ready, "image", "build", "--local", "--engine", "buildah", "--file", "Containerfile")
	if out, err := exec.Command("pgrep", "-fa", "mosquitto -p "+port).Output(); err == nil {
		t.Errorf("still running: %s", out)
	}
}

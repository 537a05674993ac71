package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// thisPackage is where the go command finds the sources that are built.
const thisPackage = "github.com/mosqbuild/mosqbuild/testing/cluster"

// programs are the packages, within the module kubebin, of what a cluster runs.
var programs = []string{
	"go.etcd.io/etcd/server/v3",
	"k8s.io/kubernetes/cmd/kube-apiserver",
	"k8s.io/kubernetes/cmd/kubectl",
	"k8s.io/kubernetes/cmd/kube-controller-manager",
	"k8s.io/kubernetes/cmd/kube-scheduler",
	"k8s.io/kubernetes/cmd/kubelet",
	"k8s.io/kubernetes/cmd/kube-proxy",
}

// programName is the name of a package's program; etcd's package is called v3.
func programName(pkg string) string {
	if name := path.Base(pkg); name != "v3" {
		return name
	}
	return "etcd"
}

// Binaries builds the programs of Kubernetes and etcd from the module kubebin,
// at the versions pinned there, and returns the folder they are in, one below
// cache. What is there already isn't built again; the first time takes about
// ten minutes of two processors. Calls at once, from several processes too,
// wait for one another.
func Binaries(ctx context.Context, cache string, progress Progress) (string, error) {
	source, err := moduleDir(ctx)
	if err != nil {
		return "", err
	}
	b, err := newBuild(ctx, filepath.Join(source, "kubebin"))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "cluster", b.key, "bin")
	if len(b.missing(dir)) == 0 {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of programs: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"), progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	missing := b.missing(dir)
	for i, pkg := range missing {
		progress("building %s (%d of %d)", programName(pkg), i+1, len(missing))
		began := time.Now()
		if err := b.build(ctx, pkg, dir); err != nil {
			return "", err
		}
		progress("built %s in %s", programName(pkg), time.Since(began).Round(time.Second))
	}
	return dir, nil
}

// moduleDir is the folder of this package's sources.
func moduleDir(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", thisPackage))
	return strings.TrimSpace(out), err
}

// build is how programs are built; key is a digest of all that decides them.
type build struct{ source, ldflags, key string }

func newBuild(ctx context.Context, source string) (build, error) {
	b := build{source: source}
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return b, fmt.Errorf("reading what to build: %w", err)
		}
		h.Write(data)
		if v := kubernetesVersion.FindSubmatch(data); v != nil && name == "go.mod" {
			const p = "k8s.io/component-base/version"
			b.ldflags = fmt.Sprintf("-s -w -X %[1]s.gitVersion=v%[2]s.%[3]s.%[4]s -X %[1]s.gitMajor=%[2]s -X %[1]s.gitMinor=%[3]s -X %[1]s.gitTreeState=clean", p, v[1], v[2], v[3])
		}
	}
	if b.ldflags == "" {
		return b, errors.New("reading what to build: kubebin/go.mod requires no k8s.io/kubernetes")
	}
	goVersion, err := output(b.command(ctx, "env", "GOVERSION", "GOARCH"))
	if err != nil {
		return b, err
	}
	fmt.Fprintln(h, b.ldflags, goVersion)
	b.key = hex.EncodeToString(h.Sum(nil))[:16]
	return b, nil
}

var kubernetesVersion = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)`)

// command is a go command in the module; what the caller's environment says of
// flags and workspaces must not change what is built.
func (b build) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = b.source
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	return c
}

// missing are the packages whose programs aren't in dir.
func (b build) missing(dir string) []string {
	var pkgs []string
	for _, pkg := range programs {
		if _, err := os.Stat(filepath.Join(dir, programName(pkg))); err != nil {
			pkgs = append(pkgs, pkg)
		}
	}
	return pkgs
}

func (b build) build(ctx context.Context, pkg, dir string) error {
	part := filepath.Join(dir, ".part")
	if _, err := output(b.command(ctx, "build", "-buildvcs=false", "-ldflags", b.ldflags, "-o", part, pkg)); err != nil {
		return fmt.Errorf("building %s: %w", programName(pkg), err)
	}
	return os.Rename(part, filepath.Join(dir, programName(pkg)))
}

// lock takes the lock file at path, waiting for whoever has it. The kernel
// gives it back when this process ends.
func lock(ctx context.Context, path string, progress Progress) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	for told := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("locking %q: %w", path, err)
		}
		if !told {
			progress("waiting for another process that builds the same")
			told = true
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for a lock: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// output runs c and returns what it prints; its stderr is part of the error.
func output(c *exec.Cmd) (string, error) {
	var stdout, stderr strings.Builder
	c.Stdout = &stdout
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	// What the owner's end interrupts must not outlive it.
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := c.Run(); err != nil {
		return stdout.String(), fmt.Errorf("running %s: %w: %s", path.Base(c.Path), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

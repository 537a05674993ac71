package podmantest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// Env is a podman of a test's own.
type Env struct {
	// Dir holds its configuration and storage, and goes with the test.
	Dir string
	// Vars are the environment variables, as "NAME=value", with which any
	// podman, and any program that calls podman, is this one.
	Vars []string
}

// New makes an Env for the test and undoes it when the test ends, with every
// container in it. It skips the test, saying why, where podman doesn't work.
func New(t testing.TB) *Env {
	t.Helper()
	need.Program(t, "podman")
	dir, err := os.MkdirTemp("", "pm") // t.TempDir's are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	e := &Env{Dir: dir}
	t.Cleanup(func() { e.remove(t) })
	runtime := filepath.Join(dir, "runtime")
	build := exec.Command("go", "build", "-o", runtime, "github.com/mosqbuild/mosqbuild/testing/runtime")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building podman's runtime: %v\n%s", err, out)
	}
	if e.Vars, err = Configure(dir, runtime); err != nil {
		t.Fatal(err)
	}
	if out, err := e.Command(t.Context(), "info").CombinedOutput(); err != nil {
		need.Unmet(t, "podman doesn't work on this machine: %v\n%s", err, out)
	}
	return e
}

// Command returns a podman command in the environment; nothing is run yet.
func (e *Env) Command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "podman", args...)
	c.Env = append(os.Environ(), e.Vars...)
	return c
}

// Setenv sets the variables for the rest of the test, for code that runs
// podman in this process.
func (e *Env) Setenv(t testing.TB) {
	t.Helper()
	for _, v := range e.Vars {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
}

// Podman runs podman and returns its standard output, without the last line
// break. A failure ends the test.
func (e *Env) Podman(t testing.TB, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := e.Command(t.Context(), args...)
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("podman %s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return strings.TrimSuffix(stdout.String(), "\n")
}

// remove ends the containers and deletes the folder.
func (e *Env) remove(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	commands := [][]string{{"rm", "--all", "--force", "--time", "0"}}
	if os.Geteuid() != 0 { // files of other uids: only their namespace's root can
		commands = append(commands, []string{"unshare", "rm", "-rf", filepath.Join(e.Dir, "root")})
	}
	if e.Vars == nil {
		commands = nil // it would be the user's own podman
	}
	for _, args := range commands {
		if out, err := e.Command(ctx, args...).CombinedOutput(); err != nil {
			t.Logf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	// What cleans up behind a container may still be at it: podman mounts its
	// storage over itself, and may leave that behind.
	var err error
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_ = unix.Unmount(filepath.Join(e.Dir, "root", "overlay"), unix.MNT_DETACH)
		if err = os.RemoveAll(e.Dir); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Errorf("removing podman's folder: %v", err)
	}
}

// EchoImage makes an image whose program reports who it runs as and, unless
// there are none, answers on the ports (see the command echo); it returns the
// image's name.
func (e *Env) EchoImage(t testing.TB, ports ...string) string {
	t.Helper()
	program := filepath.Join(e.Dir, "echo")
	build := exec.Command("go", "build", "-o", program, "github.com/mosqbuild/mosqbuild/testing/podmantest/echo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the image's program: %v\n%s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err = w.WriteHeader(&tar.Header{Name: "echo", Mode: 0o755, Size: int64(len(data))})
	if _, e := w.Write(data); err == nil {
		err = e
	}
	if e := w.Close(); err == nil {
		err = e
	}
	if err != nil {
		t.Fatal(err)
	}
	const name = "localhost/echo:latest"
	entrypoint, err := json.Marshal(append([]string{"/echo"}, ports...))
	if err != nil {
		t.Fatal(err)
	}
	c := e.Command(t.Context(), "import", "--change", "ENTRYPOINT "+string(entrypoint), "-", name)
	c.Stdin = &archive
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("podman import: %v\n%s", err, out)
	}
	return name
}

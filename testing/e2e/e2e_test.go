// Package e2e_test runs mosqbuild against real peers: podman, docker-registry,
// skopeo, Mosquitto's clients, Alpine's apk. Everything is on loopback, or in
// network namespaces of its own, and ends with its test.
package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// program is the mosqbuild that was built for this run.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mosqbuild-e2e")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "mosqbuild")
	build := exec.Command("go", "build", "-o", program, "github.com/mosqbuild/mosqbuild/cmd/mosqbuild")
	build.Stderr = os.Stderr
	code := 1
	if build.Run() == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// result is what a program left.
type result struct {
	out, err string
	code     int
}

// try runs a program in dir with environment variables added. Its limit only ends
// what hangs: a whole test suite or an emulator runs under it on a busy machine.
func try(t testing.TB, dir string, env []string, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // also runs in clean-ups
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("running %s: %v", name, err)
	}
	return result{strings.TrimSpace(out.String()), errOut.String(), cmd.ProcessState.ExitCode()}
}

// run is try for what must succeed; it returns stdout.
func run(t testing.TB, dir string, name string, args ...string) string {
	t.Helper()
	r := try(t, dir, nil, name, args...)
	if r.code != 0 {
		t.Fatalf("%s %s: exit %d\n%s%s", name, strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// mosqbuild runs the program under test.
func mosqbuild(t testing.TB, dir string, args ...string) string {
	t.Helper()
	return run(t, dir, program, args...)
}

// localPackages returns the repository of packages built from source.
func localPackages(t testing.TB) string {
	t.Helper()
	r := try(t, "", nil, program, "packages", "path")
	if r.code != 0 {
		need.Unmet(t, "no local packages; run: mosqbuild packages build")
	}
	return r.out
}

// freePort returns a port that nothing listened on a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	return fmt.Sprint(need.Port(t))
}

// start runs a program until the test ends; its output goes to the file
// returned.
func start(t testing.TB, dir, name string, args ...string) (log string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		f.Close()
	})
	return f.Name()
}

// eventually fails t unless ok comes true within a minute.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("still not after a minute: %s", what)
}

// listening waits for a TCP port.
func listening(t testing.TB, port string) {
	t.Helper()
	eventually(t, "listening on port "+port, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, elem ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

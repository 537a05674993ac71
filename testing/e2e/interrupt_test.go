package e2e_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// stalling is a handler that answers everything but what match picks out, which
// it lets wait; reached is closed with the first of these.
func stalling(next http.Handler, match func(*http.Request) bool) (h http.Handler, reached chan struct{}) {
	reached = make(chan struct{})
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !match(r) {
			next.ServeHTTP(w, r)
			return
		}
		once.Do(func() { close(reached) })
		_, _ = io.Copy(io.Discard, r.Body) // else the client's end isn't noticed
		<-r.Context().Done()
	}), reached
}

// interrupted starts mosqbuild, sends it SIGINT once ready is closed, and
// checks how it ends.
func interrupted(t *testing.T, dir string, env []string, ready <-chan struct{}, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, errOut bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &out, &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("it ended by itself: %s", errOut.String())
	case <-time.After(3 * time.Minute):
		_ = cmd.Process.Kill()
		<-ended
		t.Fatalf("it never got there: %s", errOut.String())
	}
	start := time.Now()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		<-ended
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v to end", took)
	}
	lines := strings.Split(strings.TrimSpace(errOut.String()), "\n")
	if cmd.ProcessState.ExitCode() != 130 || out.Len() > 0 || lines[len(lines)-1] != "mosqbuild: error: interrupted" {
		t.Errorf("exit %d, %q, stderr %s", cmd.ProcessState.ExitCode(), out.String(), errOut.String())
	}
}

func TestInterruptedBuildLeavesNothing(t *testing.T) {
	r, err := apkrepo.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	slow, reached := stalling(r.Handler(), func(q *http.Request) bool { return strings.HasSuffix(q.URL.Path, apkrepo.Broker) })
	server := httptest.NewServer(slow)
	defer server.Close()
	dir, cache := t.TempDir(), t.TempDir()
	interrupted(t, dir, []string{"XDG_CACHE_HOME=" + cache}, reached, "image", "build", "-o", "oci:out",
		"--repository", server.URL+apkrepo.URLPath, "--repository-key", r.Key)
	for _, left := range strings.Fields(tree(t, dir) + tree(t, cache)) {
		if name := filepath.Base(left); strings.HasPrefix(name, ".") && name != ".gitignore" || strings.Contains(left, "image/") || strings.Contains(left, "out/") {
			t.Errorf("left behind: %s", left)
		}
	}
}

func TestInterruptedPushLeavesNoTag(t *testing.T) {
	r, err := apkrepo.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	slow, reached := stalling(store, func(q *http.Request) bool { return q.Method == http.MethodPatch })
	server := httptest.NewServer(slow)
	defer server.Close()
	dir := t.TempDir()
	env := []string{"XDG_CACHE_HOME=" + t.TempDir()}
	host := strings.TrimPrefix(server.URL, "http://")
	interrupted(t, dir, env, reached, "image", "push", host+"/mosquitto:1", "--repository", r.Dir, "--repository-key", r.Key)
	w := httptest.NewRecorder()
	store.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/mosquitto/manifests/1", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("the registry answers %d for the tag", w.Code)
	}
}

// A build of packages that waits for another one can be ended, too.
func TestInterruptedWhileWaiting(t *testing.T) {
	cache := t.TempDir()
	if err := os.MkdirAll(filepath.Join(cache, "source"), 0o755); err != nil {
		t.Fatal(err)
	}
	other, err := os.Create(filepath.Join(cache, "source", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	tools := try(t, "", []string{"XDG_CONFIG_HOME=/dev/null"}, "timeout", "2", program, "packages", "build", "--cache", cache)
	if tools.code != 124 {
		need.Unmet(t, "packages can't be built here: %s", tools.err)
	}
	s := onTerminal(t, t.TempDir(), nil, "packages", "build", "--cache", cache)
	eventually(t, "that it waits", func() bool { return strings.Contains(s.output(), "waiting for another build") })
	s.typed("\x03")
	if code, screen := s.end(); code != 130 || !strings.HasSuffix(screen, "mosqbuild: error: interrupted\n") {
		t.Errorf("exit %d, the screen shows\n%s", code, screen)
	}
	if left := tree(t, cache); strings.Count(left, "\n") != 1 {
		t.Errorf("left behind\n%s", left)
	}
}

package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// store is a docker-registry without TLS or a login, which can be killed and
// started again over the same storage, and a proxy before it that can misbehave.
type store struct {
	dir, host string // the work folder; HOST:PORT of the proxy
	storage   string
	conf      string
	address   string // of the registry itself
	process   *os.Process
	// fault deals with a request in the registry's place, where that isn't nil;
	// true says that it has answered.
	fault func(http.ResponseWriter, *http.Request) bool
}

// newStore starts both over storage, with an image built in dir.
func newStore(t *testing.T, storage string) (s *store, digest string) {
	t.Helper()
	need.Program(t, "docker-registry", "skopeo")
	localPackages(t)
	s = &store{dir: t.TempDir(), storage: storage, address: "127.0.0.1:" + freePort(t)}
	s.conf = write(t, filepath.Join(s.dir, "registry.yml"), fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", storage, s.address))
	s.start(t)
	t.Cleanup(s.kill)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: s.address})
		r.Out.Host = r.In.Host // so that the registry says where to go on as the client knows it
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.fault == nil || !s.fault(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s, mosqbuild(t, s.dir, "image", "build", "--local")
}

func (s *store) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command("docker-registry", "serve", s.conf)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
	listening(t, s.address[strings.LastIndexByte(s.address, ':')+1:])
}

func (s *store) kill() {
	_ = s.process.Kill() // it may have ended
	_, _ = s.process.Wait()
}

// empty has the registry begin anew.
func (s *store) empty(t *testing.T) {
	t.Helper()
	s.kill() // it remembers blobs
	if err := os.RemoveAll(filepath.Join(s.storage, "docker")); err != nil {
		t.Fatal(err)
	}
	s.start(t)
}

func (s *store) push(t *testing.T) result {
	t.Helper()
	return try(t, s.dir, nil, program, "image", "push", s.host+"/mosquitto:1")
}

// whole checks that the tag is there, with all that its manifest names: skopeo
// checks each blob.
func (s *store) whole(t *testing.T, digest string) {
	t.Helper()
	if got := run(t, s.dir, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+s.address+"/mosquitto:1"); got != digest {
		t.Errorf("the registry has %s, pushed %s", got, digest)
	}
	run(t, s.dir, "skopeo", "copy", "-q", "--src-tls-verify=false", "docker://"+s.address+"/mosquitto:1", "dir:"+t.TempDir())
}

// untagged checks that there is no tag.
func (s *store) untagged(t *testing.T) {
	t.Helper()
	resp, err := http.Get("http://" + s.address + "/v2/mosquitto/manifests/1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("the registry answers %s for the tag", resp.Status)
	}
}

// failed checks how a push ends that came to nothing.
func (s *store) failed(t *testing.T, r result) {
	t.Helper()
	if r.code != 4 || r.out != "" || !strings.Contains(r.err, "mosqbuild: error: pushing ") || !strings.Contains(r.err, "mosqbuild: hint: ") {
		t.Errorf("exit %d, %q, stderr %s", r.code, r.out, r.err)
	}
	s.untagged(t)
}

// again pushes once more, which must go well.
func (s *store) again(t *testing.T, digest string) {
	t.Helper()
	s.fault = nil
	if r := s.push(t); r.code != 0 || !strings.HasSuffix(r.out, "@"+digest) {
		t.Errorf("the next push: exit %d, %q, %s", r.code, r.out, r.err)
	}
	s.whole(t, digest)
}

// part is how much of a blob arrives before something happens.
const part = 100 << 10

func TestRegistryKilledDuringAPush(t *testing.T) {
	s, digest := newStore(t, filepath.Join(t.TempDir(), "registry"))
	var killed atomic.Bool
	s.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch || killed.Load() {
			return false
		}
		var head bytes.Buffer
		if _, err := io.CopyN(&head, r.Body, part); err != nil {
			r.Body = io.NopCloser(&head) // a small blob
			return false
		}
		if killed.CompareAndSwap(false, true) {
			s.kill()
		}
		panic(http.ErrAbortHandler)
	}
	r := s.push(t)
	if !killed.Load() {
		t.Fatalf("no large blob came: exit %d, %s", r.code, r.err)
	}
	s.start(t)
	s.failed(t, r)
	s.again(t, digest)
}

func TestRegistryWithAFullDisk(t *testing.T) {
	need.Root(t)
	need.Program(t, "mount")
	disk := t.TempDir()
	run(t, "", "mount", "-t", "tmpfs", "-o", "size=1m", "mosqbuild-test", disk)
	t.Cleanup(func() { run(t, "", "umount", disk) })
	s, digest := newStore(t, disk)
	t.Cleanup(s.kill) // before the disk goes
	s.failed(t, s.push(t))
	run(t, "", "mount", "-o", "remount,size=64m", disk)
	s.empty(t) // what it wrote by halves it can't read any more
	s.again(t, digest)
}

// slowly passes a request's body on at about a megabyte a second.
type slowly struct{ io.ReadCloser }

func (s slowly) Read(b []byte) (int, error) {
	time.Sleep(8 * time.Millisecond)
	return s.ReadCloser.Read(b[:min(len(b), 8<<10)])
}

func TestRegistryMisbehaves(t *testing.T) {
	s, digest := newStore(t, filepath.Join(t.TempDir(), "registry"))
	first := func(n int32, method string, do func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		var seen atomic.Int32
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || n >= 0 && seen.Add(1) > n {
				return false
			}
			do(w, r)
			return true
		}
	}
	cut := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, part)
		panic(http.ErrAbortHandler)
	}
	answer := func(status int, header ...string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			http.Error(w, `{"errors":[]}`, status)
		}
	}
	login := []string{"WWW-Authenticate", `Basic realm="test"`}
	for _, c := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		works bool
	}{
		{"an upload cut off once", first(1, http.MethodPatch, cut), true},
		{"every upload cut off", first(-1, http.MethodPatch, cut), false},
		{"429 with a pause", first(2, http.MethodPost, answer(http.StatusTooManyRequests, "Retry-After", "1")), true},
		{"429 for ever", first(-1, http.MethodPut, answer(http.StatusTooManyRequests, "Retry-After", "1")), false},
		{"401 in between", first(1, http.MethodPut, answer(http.StatusUnauthorized, login...)), false},
		{"no manifest taken", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") || r.Method != http.MethodPut {
				return false
			}
			answer(http.StatusInternalServerError)(w, r)
			return true
		}, false},
		{"slow", func(_ http.ResponseWriter, r *http.Request) bool { r.Body = slowly{r.Body}; return false }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.empty(t)
			s.fault = c.fault
			r := s.push(t)
			if !c.works {
				s.failed(t, r)
				s.again(t, digest)
			} else if r.code != 0 || !strings.HasSuffix(r.out, "@"+digest) {
				t.Errorf("exit %d, %q, %s", r.code, r.out, r.err)
			}
			s.whole(t, digest)
		})
	}
}

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
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
	fault   func(http.ResponseWriter, *http.Request) bool
	flags   []string // of each push
	failing string   // how the error of one that fails begins
}

// newStore starts both over storage, with an image built in dir, of the local
// packages unless flags say of which.
func newStore(t *testing.T, storage string, flags ...string) (s *store, digest string) {
	t.Helper()
	need.Program(t, "docker-registry", "skopeo")
	if len(flags) == 0 {
		localPackages(t)
		flags = []string{"--local"}
	}
	s = &store{dir: t.TempDir(), storage: storage, failing: "pushing ", address: "127.0.0.1:" + freePort(t)}
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
	return s, mosqbuild(t, s.dir, append([]string{"image", "build"}, flags...)...)
}

// signedIndex is newStore with an index of small packages, pushed with
// signatures.
func signedIndex(t *testing.T) (s *store, digest string) {
	t.Helper()
	r, err := apkrepo.Release(t.Context(), t.TempDir(), 1, "x86_64", "aarch64")
	if err != nil {
		t.Fatal(err)
	}
	s, digest = newStore(t, filepath.Join(t.TempDir(), "registry"),
		"--platform", "linux/amd64,linux/arm64", "--repository", r.Dir, "--repository-key", r.Key)
	t.Setenv("COSIGN_PASSWORD", "")
	mosqbuild(t, s.dir, "image", "key")
	s.flags, s.failing = []string{"--sign", "cosign.key"}, "" // or "signing "
	return s, digest
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
	return try(t, s.dir, nil, program, append([]string{"image", "push", s.host + "/mosquitto:1"}, s.flags...)...)
}

// whole checks that the tag is there, with all that its manifest names: skopeo
// checks each blob.
func (s *store) whole(t *testing.T, digest string) {
	t.Helper()
	if got := run(t, s.dir, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+s.address+"/mosquitto:1"); got != digest {
		t.Errorf("the registry has %s, pushed %s", got, digest)
	}
	s.wholeTags(t)
}

// wholeTags checks of every tag that all is there that it names, and returns
// them.
func (s *store) wholeTags(t *testing.T) []string {
	t.Helper()
	resp, err := http.Get("http://" + s.address + "/v2/mosquitto/tags/list")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Tags []string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, tag := range list.Tags {
		run(t, s.dir, "skopeo", "copy", "-q", "--all", "--src-tls-verify=false", "docker://"+s.address+"/mosquitto:"+tag, "dir:"+t.TempDir())
	}
	return list.Tags
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
	if r.code != 4 || r.out != "" || !strings.Contains(r.err, "mosqbuild: error: "+s.failing) || !strings.Contains(r.err, "mosqbuild: hint: ") {
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

// registryKills is how often the next test kills a registry.
const registryKills = 3

// An index with signatures, whichever of a push's requests kills the registry:
// no tag is there that names what isn't, and that of the index comes last.
func TestRegistryKilledAtAnyRequest(t *testing.T) {
	s, digest := signedIndex(t)
	var seen atomic.Int64
	s.fault = func(http.ResponseWriter, *http.Request) bool { seen.Add(1); return false }
	if r := s.push(t); r.code != 0 {
		t.Fatalf("exit %d, %s", r.code, r.err)
	}
	all := seen.Load()
	if tags := s.wholeTags(t); len(tags) < 7 {
		t.Fatalf("a push writes the tags %q alone", tags)
	}
	seed, err := strconv.ParseUint(os.Getenv("REGISTRY_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("a push is %d requests; killed at some, by REGISTRY_SEED=%d", all, seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	for range registryKills {
		at := 1 + chance.Int64N(all)
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			s.empty(t)
			seen.Store(0)
			var killed sync.Once
			s.fault = func(http.ResponseWriter, *http.Request) bool {
				if seen.Add(1) < at {
					return false
				}
				killed.Do(s.kill)
				panic(http.ErrAbortHandler)
			}
			r := s.push(t)
			s.fault = nil
			if seen.Load() < at { // what is sent at once varies a little
				t.Skipf("the push was %d requests", seen.Load())
			}
			s.start(t)
			s.failed(t, r)
			s.wholeTags(t)
			s.again(t, digest)
			mosqbuild(t, s.dir, "image", "verify", s.host+"/mosquitto:1", "--key", "cosign.pub", "--require-sbom")
		})
	}
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
	t.Run("image", func(t *testing.T) {
		s, digest := newStore(t, filepath.Join(t.TempDir(), "registry"))
		misbehaves(t, s, digest)
	})
	t.Run("signed index", func(t *testing.T) {
		s, digest := signedIndex(t)
		misbehaves(t, s, digest)
	})
}

func misbehaves(t *testing.T, s *store, digest string) {
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

package testing_test

import (
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
)

// meeting opens once two have come that have different names.
type meeting struct {
	mu   sync.Mutex
	came string
	open chan struct{}
}

func (m *meeting) come(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.came {
	case "", name:
		m.came = name
	case "both":
	default:
		m.came = "both"
		close(m.open)
	}
}

// Platforms are resolved at once, and built at once: the repository answers what
// one of them asks for, indexes or packages, only once the other asks as well.
func TestPlatformsComeAtOnce(t *testing.T) {
	r, err := apkrepo.Release(t.Context(), t.TempDir(), 1, "x86_64", "aarch64")
	if err != nil {
		t.Fatal(err)
	}
	files := r.Handler()
	meetings := map[string]*meeting{".gz": {open: make(chan struct{})}, ".apk": {open: make(chan struct{})}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if m := meetings[path.Ext(req.URL.Path)]; m != nil {
			m.come(path.Base(path.Dir(req.URL.Path)))
			select {
			case <-m.open:
			case <-time.After(2 * time.Minute):
				http.Error(w, "the other platform asks for nothing", http.StatusNotFound)
				return
			}
		}
		files.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	s := newSession(t)
	line := "image build --platform linux/amd64,linux/arm64 --repository " + server.URL + apkrepo.URLPath + " --repository-key " + r.Key
	if code := s.run(line, ""); code != 0 {
		t.Errorf("exit %d, %s", code, s.err)
	}
}

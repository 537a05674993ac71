package packages_test

import (
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/packages"
)

// twoAtOnce serves a folder, but answers for a package only once another one was
// asked for as well: who asks for one after the other gets nothing.
func twoAtOnce(dir string) http.Handler {
	var mu sync.Mutex
	asked, both := map[string]bool{}, make(chan struct{})
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".apk") {
			mu.Lock()
			name := path.Base(r.URL.Path)
			if !asked[name] && len(asked) == 1 {
				close(both)
			}
			asked[name] = true
			mu.Unlock()
			select {
			case <-both:
			case <-time.After(2 * time.Minute):
				http.Error(w, "nobody asks for another package", http.StatusNotFound)
				return
			}
		}
		files.ServeHTTP(w, r)
	})
}

// TestPackagesComeAtOnce where they are loaded, pinned or mirrored.
func TestPackagesComeAtOnce(t *testing.T) {
	r := overFolder(t, fixture())
	for what, do := range map[string]func(*packages.Lock, packages.Options) error{
		"load": func(l *packages.Lock, o packages.Options) error {
			_, err := packages.Load(t.Context(), l, o)
			return err
		},
		"pin": func(l *packages.Lock, o packages.Options) error {
			_, err := l.Pin(t.Context(), o)
			return err
		},
		"mirror": func(l *packages.Lock, o packages.Options) error {
			_, err := packages.Locks{l}.Mirror(t.Context(), o, t.TempDir(), nil)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			server := httptest.NewServer(twoAtOnce(r.dir))
			t.Cleanup(server.Close)
			o := r.options
			o.Repositories, o.Transport, o.Cache = []string{server.URL}, nil, t.TempDir()
			lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, o)
			must(t, err)
			must(t, do(lock, o))
		})
	}
}

package packages_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

func TestUnreachable(t *testing.T) {
	var asked atomic.Int32
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(status)
	}))
	defer server.Close()
	location := strings.Replace(server.URL, "http://", "http://user:secret@", 1)
	for want, code := range map[int32]int{3: http.StatusServiceUnavailable, 1: http.StatusNotFound} {
		asked.Store(0)
		status = code
		_, err := packages.Resolve(t.Context(), []string{"a"}, packages.Options{Repositories: []string{location}})
		wantFault(t, err, fault.Unreachable, server.URL+"/x86_64/APKINDEX.tar.gz", http.StatusText(code))
		if strings.Contains(err.Error()+fault.HintOf(err), "secret") {
			t.Errorf("the message holds the password: %v", err)
		}
		if got := asked.Load(); got != want {
			t.Errorf("server was asked %d times for status %d, want %d", got, code, want)
		}
		if hint := fault.HintOf(err); !strings.Contains(hint, "mosqbuild packages build") || !strings.Contains(hint, "mosqbuild image build --local") {
			t.Errorf("hint is %q", hint)
		}
	}
	server.Close()
	_, err := packages.Resolve(t.Context(), []string{"a"}, packages.Options{Repositories: []string{location}})
	wantFault(t, err, fault.Unreachable, server.URL)
	missing := filepath.Join(t.TempDir(), "none")
	_, err = packages.Resolve(t.Context(), []string{"a"}, packages.Options{Repositories: []string{missing}})
	wantFault(t, err, fault.Unreachable, missing)
	r := overHTTP(t, fixture())
	must(t, os.Remove(r.path(broker)))
	_, _, err = build(t, r.options, "mosquitto")
	wantFault(t, err, fault.Unreachable, `package "mosquitto"`, broker)
}

// A login that isn't written as a URL has it is in no message either.
func TestNoLoginIsShown(t *testing.T) {
	for _, location := range []string{
		"https://user:hidden%et@example.org/main", "https://user:hidden#et@example.org/main",
		"https://user:hidden/et@example.org/main", "HTTPS://user:hidden@example.org/main", "ftp://user:hidden@example.org/main",
	} {
		o := packages.Options{Repositories: []string{location}}
		_, err := packages.Resolve(t.Context(), []string{"a"}, o)
		wantFault(t, err, fault.Usage, "example.org/main")
		_, locked := (&packages.Lock{Repositories: []packages.Index{{Repository: "https://example.org"}}}).Confirm(t.Context(), []string{"a"}, o)
		for _, err := range []error{err, locked} {
			if said := err.Error() + fault.HintOf(err); strings.Contains(said, "hidden") || strings.Contains(said, "user:") {
				t.Errorf("of %s it says %s", location, said)
			}
		}
	}
}

// A network that swallows packets, or a name that isn't there, would only cost
// the same time again.
func TestHopelessIsNotTriedAgain(t *testing.T) {
	for _, why := range []error{os.ErrDeadlineExceeded, &net.DNSError{Err: "no such host", IsNotFound: true}} {
		asked := 0
		o := packages.Options{Repositories: []string{"http://192.0.2.1"}, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			asked++
			return nil, why
		})}
		_, err := packages.Resolve(t.Context(), []string{"a"}, o)
		wantFault(t, err, fault.Unreachable, "192.0.2.1")
		if asked != 1 {
			t.Errorf("%v: tried %d times", why, asked)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTransferIsTriedAgain drops the connection once in the middle of a file.
func TestTransferIsTriedAgain(t *testing.T) {
	r := overFolder(t, fixture())
	var broken atomic.Bool
	handler := http.FileServer(http.Dir(r.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.URL.Path, broker) && broken.CompareAndSwap(false, true) {
			w.Header().Set("Content-Length", "5000")
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, q)
	}))
	defer server.Close()
	r.options.Repositories, r.options.Transport = []string{server.URL}, nil
	if _, _, err := build(t, r.options, "mosquitto"); err != nil || !broken.Load() {
		t.Errorf("after one dropped connection: %v", err)
	}
}

// TestFirstRepositoryWins among those that have the same file.
func TestFirstRepositoryWins(t *testing.T) {
	first, second := overFolder(t, fixture()), overHTTP(t, fixture())
	o := second.options
	o.Repositories = []string{first.options.Repositories[0], second.options.Repositories[0]}
	for range 5 {
		lock, _, err := build(t, o, "mosquitto")
		must(t, err)
		for _, p := range lock.Packages {
			if p.Repository != o.Repositories[0] {
				t.Fatalf("%s comes from %s", p.Name, p.Repository)
			}
		}
	}
}

// Two files that claim to be one package: which is meant, nobody has said. What
// isn't needed may differ as it likes.
func TestTwoRepositoriesClaimOnePackage(t *testing.T) {
	for name, test := range map[string]struct {
		second []repo.Package
		says   []string // none: it resolves
	}{
		"the package asked for": {fixture()[3:], []string{`package "mosquitto": version "2.0.21-r0"`}},
		"what it depends on":    {fixture()[1:2], []string{`package "musl": version "1.2.5-r0"`}},
		"two":                   {fixture()[:2], []string{`package "musl"`, `package "base"`}},
		"what nobody needs":     {[]repo.Package{{Name: "more", Version: "1-r0"}}, nil},
		"another version":       {release("2.0.20-r0")[2:], nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := overHTTP(t, append(fixture(), repo.Package{Name: "more", Version: "1-r0"})), overHTTP(t, nil)
			rewrite(t, second, test.second, epoch.Add(time.Hour)) // of another date, and so other files
			for _, o := range [][]string{
				{first.options.Repositories[0], second.options.Repositories[0]},
				{second.options.Repositories[0], first.options.Repositories[0]},
			} {
				options := first.options
				options.Repositories, options.Transport = o, nil
				_, err := packages.Resolve(t.Context(), []string{"mosquitto"}, options)
				if test.says == nil {
					must(t, err)
					continue
				}
				wantFault(t, err, fault.Refused, append(test.says, o...)...)
			}
		})
	}
}

// What a server says of how long to wait counts, within reason.
func TestRetryAfter(t *testing.T) {
	r := overFolder(t, fixture())
	handler := http.FileServer(http.Dir(r.dir))
	for after, want := range map[string]struct{ least, asked int }{"1": {1, 2}, "soon": {0, 2}, "3600": {0, 1}, "": {0, 2}} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if asked++; asked > 1 {
				handler.ServeHTTP(w, q)
				return
			}
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		o := r.options
		o.Repositories, o.Transport = []string{server.URL}, nil
		start := time.Now()
		_, err := packages.Resolve(t.Context(), []string{"mosquitto"}, o)
		server.Close()
		if took := time.Since(start); took < time.Duration(want.least)*time.Second || asked != want.asked {
			t.Errorf("Retry-After %q: asked %d times in %v", after, asked, took)
		}
		if want.asked == 1 {
			wantFault(t, err, fault.Unreachable, "429", "asks to wait for 1h0m0s")
		} else if err != nil {
			t.Errorf("Retry-After %q: %v", after, err)
		}
	}
}

// TestIndexIsTransferredOnce counts what a server sends of an index that
// changes once, is damaged in the cache once, and is bad in the end.
func TestIndexIsTransferredOnce(t *testing.T) {
	r := overFolder(t, fixture())
	for _, header := range []string{"ETag", ""} {
		rewrite(t, r, fixture(), epoch)
		sent, asked := 0, 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			asked++
			file := read(t, r.path("APKINDEX.tar.gz"))
			tag := fmt.Sprintf(`"%x"`, sha256.Sum256(file))
			if header != "" {
				w.Header().Set(header, tag)
			}
			if q.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			sent++
			_, _ = w.Write(file)
		}))
		defer server.Close()
		o := r.options
		o.Repositories, o.Transport, o.Cache = []string{server.URL}, nil, t.TempDir()
		check := func(what, version string, want int) {
			t.Helper()
			lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, o)
			must(t, err)
			if header == "" {
				want = asked
			}
			if p, _ := lock.Find("mosquitto"); p.Version != version || sent != want {
				t.Errorf("%s, %s: version %s after %d of %d answers with a body, want %s after %d", header, what, p.Version, sent, asked, version, want)
			}
		}
		check("first", "2.0.21-r0", 1)
		check("again", "2.0.21-r0", 1)
		rewrite(t, r, release("2.0.22-r0"), epoch)
		check("changed", "2.0.22-r0", 2)
		check("changed, again", "2.0.22-r0", 2)
		kept, err := filepath.Glob(filepath.Join(o.Cache, "apk", "index-*"))
		must(t, err)
		for _, k := range kept {
			overwrite(t, k, read(t, k)[1:])
		}
		check("damaged", "2.0.22-r0", 3)
		// A bad index is refused, and spoils nothing.
		good := read(t, r.path("APKINDEX.tar.gz"))
		overwrite(t, r.path("APKINDEX.tar.gz"), good[1:])
		for range 2 {
			_, err = packages.Resolve(t.Context(), []string{"mosquitto"}, o)
			wantFault(t, err, fault.Refused, "APKINDEX.tar.gz")
		}
		overwrite(t, r.path("APKINDEX.tar.gz"), good)
		check("mended", "2.0.22-r0", sent)
	}
}

// halves is a server that stops in the middle of whatever it sends.
type halves struct{ asked *int }

func (h halves) RoundTrip(r *http.Request) (*http.Response, error) {
	*h.asked++
	body, begun := io.Pipe()
	go func() {
		_, _ = begun.Write([]byte("half"))
		<-r.Context().Done()
		begun.CloseWithError(r.Context().Err())
	}()
	return &http.Response{StatusCode: http.StatusOK, ContentLength: 8, Body: body}, nil
}

func TestGivesUpOnAServerThatHangs(t *testing.T) {
	keys := map[string][]byte{testKey().Name: testKey().Public()}
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		o := packages.Options{Repositories: []string{"http://hangs"}, Keys: keys, Transport: halves{&asked}}
		_, err := packages.Resolve(t.Context(), []string{"mosquitto"}, o)
		wantFault(t, err, fault.Unreachable, "nothing came for 30s")
		if asked != 3 {
			t.Errorf("asked %d times, want 3", asked)
		}
	})
}

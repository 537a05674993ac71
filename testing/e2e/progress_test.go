package e2e_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
)

var (
	fetchBar = regexp.MustCompile(`fetching part11-1-r0\.apk +0\.[0-9] of 0\.2 MB +\[[=>-]+\] +[0-9.]+ KB/s`)
	pushBar  = regexp.MustCompile(`pushing +[0-9.]+ of [0-9.]+ MB +\[[=>-]+\] +[0-9.]+ [KM]?[Bb]/s`)
)

// newDawdler is a repository that takes about two seconds, and the arguments
// that mirror it to the folder mirror. The middle of part11 waits for seen.
func newDawdler(t *testing.T, seen <-chan struct{}) []string {
	t.Helper()
	v := newVictim(t)
	var part11 atomic.Int32
	pause := func(r *http.Request, n int) {
		time.Sleep(40 * time.Millisecond)
		if strings.HasSuffix(r.URL.Path, "/part11-1-r0.apk") && part11.Add(int32(n)) > 100_000 {
			select {
			case <-seen:
			case <-r.Context().Done():
			}
		}
	}
	server := httptest.NewServer(http.StripPrefix("/main", slow(http.FileServer(http.Dir(v.dir)), pause)))
	t.Cleanup(server.Close)
	return []string{"packages", "mirror", "--config", v.config, "--to", "mirror", "--repository", server.URL + "/main", "--repository-key", v.key}
}

// On a terminal what is fetched has bars, and in the end the screen has what
// it would have without them.
func TestBarsOnATerminal(t *testing.T) {
	seen := make(chan struct{})
	args := newDawdler(t, seen)
	s := onTerminal(t, t.TempDir(), []string{"XDG_CACHE_HOME=" + t.TempDir()}, args...)
	eventually(t, "a bar with bytes", func() bool { return fetchBar.MatchString(s.output()) })
	close(seen)
	code, screen := s.end()
	if code != 0 {
		t.Errorf("exit %d, %q", code, s.output())
	}
	if want := regexp.MustCompile(`^mosqbuild: 13 packages, 13 of them copied, [0-9.]+ MB\nmirror\n$`); !want.MatchString(screen) {
		t.Errorf("the screen shows\n%s", screen)
	}
}

// Where nobody watches there are lines, and with --quiet there is nothing.
func TestNoBarsElsewhere(t *testing.T) {
	nobody := make(chan struct{})
	close(nobody)
	args := newDawdler(t, nobody)
	plain := try(t, t.TempDir(), []string{"XDG_CACHE_HOME=" + t.TempDir(), "CI=", "TERM=xterm"}, program, args...)
	line := regexp.MustCompile(`^mosqbuild: (fetching part[0-9]+-1-r0\.apk: 0\.[0-9] of 0\.[0-9] MB|13 packages, .*)$`)
	for _, l := range strings.Split(strings.TrimSpace(plain.err), "\n") {
		if !line.MatchString(l) {
			t.Errorf("without a terminal it says %q", l)
		}
	}
	if plain.code != 0 || plain.out != "mirror" || !strings.Contains(plain.err, "fetching part") {
		t.Errorf("without a terminal: exit %d, %q, stderr %s", plain.code, plain.out, plain.err)
	}
	for name, set := range map[string][]string{"--quiet": nil, "dumb": {"TERM=dumb"}, "ci": {"CI=true"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := args
			if set == nil {
				with = append(args[:len(args):len(args)], name)
			}
			s := onTerminal(t, t.TempDir(), append(set, "XDG_CACHE_HOME="+t.TempDir()), with...)
			code, screen := s.end()
			if code != 0 || strings.ContainsAny(s.output(), "\x1b[") || set == nil && screen != "mirror\n" {
				t.Errorf("exit %d, %q", code, s.output())
			}
		})
	}
}

// Ctrl-C while packages come leaves neither bars nor files.
func TestInterruptedFetchOnATerminal(t *testing.T) {
	args := newDawdler(t, nil)
	dir, cache := t.TempDir(), t.TempDir()
	s := onTerminal(t, dir, []string{"XDG_CACHE_HOME=" + cache}, args...)
	eventually(t, "a bar with bytes", func() bool { return fetchBar.MatchString(s.output()) })
	s.typed("\x03")
	start := time.Now()
	code, screen := s.end()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v to end", took)
	}
	lines := strings.Split(strings.TrimSpace(screen), "\n")
	if code != 130 || len(lines) != 1 || strings.TrimPrefix(lines[0], "^C") != "mosqbuild: error: interrupted" {
		t.Errorf("exit %d, the screen shows\n%s", code, screen)
	}
	for _, left := range strings.Fields(tree(t, dir) + tree(t, cache)) {
		if strings.HasPrefix(filepath.Base(left), ".") || strings.HasSuffix(left, "APKINDEX.tar.gz") || strings.HasSuffix(left, ".yaml") {
			t.Errorf("left behind: %s", left)
		}
	}
}

// An upload has a bar as well, which Ctrl-C ends.
func TestPushBar(t *testing.T) {
	r, err := apkrepo.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	seen := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPatch {
			body, _ := io.ReadAll(q.Body) // else the client's end isn't noticed
			select {
			case <-seen:
			case <-q.Context().Done():
				return
			}
			q.Body = io.NopCloser(bytes.NewReader(body))
		}
		store.ServeHTTP(w, q)
	}))
	defer server.Close()
	dir, host := t.TempDir(), strings.TrimPrefix(server.URL, "http://")
	env := []string{"XDG_CACHE_HOME=" + t.TempDir(), "XDG_CONFIG_HOME=" + t.TempDir()}
	args := []string{"image", "push", host + "/mosquitto:1", "--repository", r.Dir, "--repository-key", r.Key}
	s := onTerminal(t, dir, env, args...)
	eventually(t, "a bar", func() bool { return pushBar.MatchString(s.output()) })
	s.typed("\x03")
	code, screen := s.end()
	if lines := strings.Split(strings.TrimSpace(screen), "\n"); code != 130 || strings.Contains(screen, "pushing") ||
		strings.TrimPrefix(lines[len(lines)-1], "^C") != "mosqbuild: error: interrupted" {
		t.Errorf("exit %d, the screen shows\n%s", code, screen)
	}
	s = onTerminal(t, dir, env, "image", "push", host+"/mosquitto:1")
	eventually(t, "a bar", func() bool { return pushBar.MatchString(s.output()) })
	close(seen)
	code, screen = s.end()
	if code != 0 || strings.Contains(screen, "pushing") || !strings.Contains(screen, "\n"+host+"/mosquitto@sha256:") {
		t.Errorf("exit %d, the screen shows\n%s\nof %q", code, screen, s.output())
	}
	if _, err := os.Stat(filepath.Join(dir, ".mosqbuild", "image", "index.json")); err != nil {
		t.Error(err)
	}
}

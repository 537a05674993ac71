package image_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// fakeRegistry is a registry in this process that counts what is sent to it.
type fakeRegistry struct {
	http.Handler
	answer func(w http.ResponseWriter, r *http.Request) bool // true: it has answered

	mu    sync.Mutex
	sent  []string // "METHOD kind", without reads
	tries int      // of everything
}

func newFakeRegistry() *fakeRegistry {
	return &fakeRegistry{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
}

func (f *fakeRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.tries++
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		kind := "manifest"
		if strings.Contains(r.URL.Path, "/blobs/") {
			kind = "blob"
		}
		f.sent = append(f.sent, r.Method+" "+kind)
	}
	f.mu.Unlock()
	if f.answer == nil || !f.answer(w, r) {
		f.Handler.ServeHTTP(w, r)
	}
}

func (f *fakeRegistry) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.sent {
		if strings.HasSuffix(s, what) {
			n++
		}
	}
	return n
}

func (f *fakeRegistry) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tries
}

// serve starts f over plain http on loopback and returns its HOST:PORT.
func serve(t *testing.T, f *fakeRegistry) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func pull(t *testing.T, host string) (image.Image, error) {
	t.Helper()
	ref, err := name.ParseReference(host + "/test/mosquitto:1")
	if err != nil {
		t.Fatal(err)
	}
	return remote.Image(ref)
}

func pushTo(host string) image.PushOptions {
	return image.PushOptions{Reference: host + "/test/mosquitto:1", RetryDelay: time.Millisecond}
}

func TestPushUploadsWhatIsMissing(t *testing.T) {
	f := newFakeRegistry()
	host := serve(t, f)
	img := testImage(t)
	o := pushTo(host)
	var done, total int64
	o.Progress = func(d, t int64) { done, total = d, t }
	got, err := image.Push(t.Context(), img, o)
	if err != nil {
		t.Fatal(err)
	}
	want := image.Pushed{Reference: host + "/test/mosquitto@" + digest(t, img), Digest: digest(t, img), Built: digest(t, img), SBOM: got.SBOM, Uploaded: 6}
	if got != want {
		t.Errorf("pushed %+v, want %+v", got, want)
	}
	if done == 0 || done != total {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	back, err := pull(t, host)
	if err != nil || digest(t, back) != digest(t, img) || validate.Image(back) != nil {
		t.Errorf("pulled: %v", err)
	}
	blobs, manifests := f.count("blob"), f.count("manifest")
	again, err := image.Push(t.Context(), img, o)
	if err != nil || again.Uploaded != 0 {
		t.Errorf("second push: %+v, %v", again, err)
	}
	if f.count("blob") != blobs || f.count("manifest") != manifests {
		t.Errorf("the second push sent %d blobs and %d manifests", f.count("blob")-blobs, f.count("manifest")-manifests)
	}
}

func TestPushRetriesAndGivesUp(t *testing.T) {
	img := testImage(t)
	failing := func(method string, status, times int) *fakeRegistry {
		f := newFakeRegistry()
		var mu sync.Mutex
		left := times
		f.answer = func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if r.Method != method || r.URL.Path == "/v2/" || left == 0 {
				return false
			}
			left--
			if status == 0 { // the connection breaks
				panic(http.ErrAbortHandler)
			}
			if status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "1")
			}
			http.Error(w, "{}", status)
			return true
		}
		return f
	}
	for _, c := range []struct {
		name   string
		f      *fakeRegistry
		works  bool
		hint   string
		atMost int // requests
		pauses time.Duration
	}{
		{"500 twice at a blob", failing(http.MethodPatch, 500, 2), true, "", 99, 0},
		{"503 twice at the manifest", failing(http.MethodPut, 503, 2), true, "", 99, 0},
		{"429 twice", failing(http.MethodPost, 429, 2), true, "", 99, time.Second},
		{"a connection broken twice", failing(http.MethodPatch, 0, 2), true, "", 99, 0},
		{"500 for ever", failing(http.MethodPatch, 500, -1), false, "the registry answered", 99, 0},
		{"401", failing(http.MethodPost, 401, -1), false, "podman login 127.0.0.1", 20, 0},
		{"403", failing(http.MethodPost, 403, -1), false, "podman login 127.0.0.1", 20, 0},
		{"404", failing(http.MethodPost, 404, -1), false, "create the repository", 20, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, began := serve(t, c.f), time.Now()
			_, err := image.Push(t.Context(), img, pushTo(host))
			if took := time.Since(began); took < c.pauses {
				t.Errorf("it took %s, and was asked to pause for %s", took, c.pauses)
			}
			if c.works != (err == nil) {
				t.Fatalf("error = %v, want one: %v", err, !c.works)
			}
			if hint := fault.HintOf(err); !strings.Contains(hint, c.hint) {
				t.Errorf("hint = %q, want %q", hint, c.hint)
			}
			if err != nil && fault.CodeOf(err) != fault.Unreachable {
				t.Errorf("code = %d", fault.CodeOf(err))
			}
			if n := c.f.requests(); n > c.atMost {
				t.Errorf("asked %d times, want at most %d", n, c.atMost)
			}
			if _, err := pull(t, host); c.works != (err == nil) {
				t.Errorf("there is a tag: %v, want %v", err == nil, c.works)
			}
		})
	}
}

func TestPushStopsWithItsContext(t *testing.T) {
	f := newFakeRegistry()
	ctx, cancel := context.WithCancel(t.Context())
	f.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			cancel()
		}
		return false
	}
	host := serve(t, f)
	if _, err := image.Push(ctx, testImage(t), pushTo(host)); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that of the context", err)
	}
	if _, err := pull(t, host); err == nil {
		t.Error("there is a tag")
	}
}

func TestPushSaysWhenNobodyAnswers(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := image.Push(t.Context(), testImage(t), pushTo(strings.TrimPrefix(s.URL, "http://")))
	if fault.CodeOf(err) != fault.Unreachable || !strings.Contains(fault.HintOf(err), "check the registry's name") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}

// proxied is where the proxy that TestMain starts sends requests to: a name
// that isn't on loopback can be pushed to with no network.
var proxied atomic.Value

func proxy(w http.ResponseWriter, r *http.Request) {
	target, _ := proxied.Load().(string)
	if r.Method == http.MethodConnect || target == "" {
		http.Error(w, "no TLS behind this proxy", http.StatusBadGateway)
		return
	}
	r.URL.Host, r.RequestURI = target, ""
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the pusher notices what is missing
}

func TestMain(m *testing.M) {
	s := httptest.NewServer(http.HandlerFunc(proxy))
	// Go never asks a proxy for loopback.
	err := errors.Join(os.Setenv("HTTP_PROXY", s.URL), os.Setenv("HTTPS_PROXY", s.URL), os.Unsetenv("NO_PROXY"), os.Unsetenv("no_proxy"))
	if err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	s.Close()
	os.Exit(code)
}

func TestPushLeavesDefaultsOutBeyondLoopback(t *testing.T) {
	f := newFakeRegistry()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	proxied.Store(s.Listener.Addr().String())
	img := testImage(t)
	bare, err := image.WithoutDefaults(img)
	if err != nil {
		t.Fatal(err)
	}
	o := pushTo("registry.example.com")
	o.Trust.Insecure = true
	got, err := image.Push(t.Context(), img, o)
	if err != nil {
		t.Fatal(err)
	}
	if !got.DefaultsLeftOut || got.Digest != digest(t, bare) || got.Built != digest(t, img) {
		t.Errorf("pushed %+v, want %s without defaults", got, digest(t, bare))
	}
	back, err := pull(t, strings.TrimPrefix(s.URL, "http://"))
	if err != nil || digest(t, back) != digest(t, bare) {
		t.Errorf("the registry has another image: %v", err)
	}
	o.WithTestCredentials = true
	if got, err = image.Push(t.Context(), img, o); err != nil || got.DefaultsLeftOut || got.Digest != digest(t, img) {
		t.Errorf("with test credentials: %+v, %v", got, err)
	}
	o.Trust.Insecure = false
	o.Reference = "10.1.2.3:5000/test/mosquitto:1" // go-containerregistry itself would speak http to it
	before := f.count("")
	if _, err = image.Push(t.Context(), img, o); !strings.Contains(fault.HintOf(err), "--tls-verify=false") || f.count("") != before {
		t.Errorf("plain http to a private address: %v, hint %q", err, fault.HintOf(err))
	}
}

func TestPushOverTLS(t *testing.T) {
	f := newFakeRegistry()
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	img := testImage(t)
	o := pushTo(strings.TrimPrefix(s.URL, "https://"))
	if _, err := image.Push(t.Context(), img, o); !strings.Contains(fault.HintOf(err), "--cert-dir") {
		t.Errorf("with an unknown CA: %v, hint %q", err, fault.HintOf(err))
	}
	insecure := o
	insecure.Trust.Insecure = true
	if _, err := image.Push(t.Context(), img, insecure); err != nil {
		t.Error(err)
	}
	root := t.TempDir()
	dir := filepath.Join(root, strings.TrimPrefix(s.URL, "https://"))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, trust := range []image.Trust{{Dir: dir}, {Roots: []string{"/nowhere", root}}} {
		o.Trust = trust
		if _, err := image.Push(t.Context(), img, o); err != nil {
			t.Errorf("%+v: %v", trust, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := image.Push(t.Context(), img, o); fault.CodeOf(err) != fault.Usage {
		t.Errorf("with a CA file that is none: %v", err)
	}
}

func TestPushLogsIn(t *testing.T) {
	f := newFakeRegistry()
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "me" && password == "s:cret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	host := serve(t, f)
	dir := t.TempDir()
	logins := func(file, format string, args ...any) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := base64.StdEncoding.EncodeToString([]byte("me:s:cret"))
	wrong := base64.StdEncoding.EncodeToString([]byte("me:no"))
	helper := "#!/bin/sh\nread r\n[ \"$r\" = " + host + " ] && echo '{\"Username\":\"me\",\"Secret\":\"s:cret\"}' && exit\necho credentials not found in native keychain; exit 1\n"
	late := "#!/bin/sh\necho '{\"Username\":\"me\",\"Secret\":\"s:cret\"}'\nexit 1\n"
	for name, script := range map[string]string{"test": helper, "late": late} {
		if err := os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	other := logins("other", `{"auths":{"quay.io":{"auth":%q}}}`, wrong)
	for name, c := range map[string]struct {
		files []string
		works bool
	}{
		"no file":              {nil, false},
		"a missing file":       {[]string{dir + "/none"}, false},
		"an entry":             {[]string{logins("a", `{"auths":{%q:{"auth":%q}}}`, host, right)}, true},
		"docker's way":         {[]string{logins("b", `{"auths":{"https://%s/v1/":{"username":"me","password":"s:cret"}}}`, host)}, true},
		"the second file":      {[]string{other, logins("c", `{"auths":{%q:{"auth":%q}}}`, host, right)}, true},
		"the longest name":     {[]string{logins("d", `{"auths":{%q:{"auth":%q},"%s/test":{"auth":%q}}}`, host, wrong, host, right)}, true},
		"another repository":   {[]string{logins("e", `{"auths":{"%s/tes":{"auth":%q}}}`, host, right)}, false},
		"a wrong password":     {[]string{logins("f", `{"auths":{%q:{"auth":%q}}}`, host, wrong)}, false},
		"a helper":             {[]string{logins("g", `{"credHelpers":{%q:"test"}}`, host)}, true},
		"a store":              {[]string{logins("h", `{"auths":{%q:{}},"credsStore":"test"}`, host)}, true},
		"a store without it":   {[]string{logins("i", `{"credHelpers":{"quay.io":"test"}}`)}, false},
		"a helper not there":   {[]string{logins("j", `{"credHelpers":{%q:"none"}}`, host)}, false},
		"a helper that fails":  {[]string{logins("n", `{"credHelpers":{%q:"late"}}`, host)}, false},
		"a helper with a path": {[]string{logins("k", `{"credHelpers":{%q:"../x"}}`, host)}, false},
		"an entry of no login": {[]string{logins("m", `{"auths":{%q:{"auth":"!"}}}`, host)}, false},
		"a broken file":        {[]string{logins("l", `{`)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := pushTo(host)
			o.Logins = c.files
			_, err := image.Push(t.Context(), testImage(t), o)
			if c.works != (err == nil) {
				t.Errorf("error = %v, want one: %v", err, !c.works)
			}
			broken := strings.Contains(fmt.Sprint(err), "reading logins in")
			if (fault.CodeOf(err) == fault.Usage) != broken || strings.Contains(fault.HintOf(err), "--authfile FILE") != broken {
				t.Errorf("%v: code %d, hint %q", err, fault.CodeOf(err), fault.HintOf(err))
			}
			if err != nil && strings.Contains(err.Error(), "s:cret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

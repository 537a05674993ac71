package image

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
)

func TestTransportBoundsWhatItReads(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case "none":
			w.WriteHeader(http.StatusNotFound)
		case "part":
			w.WriteHeader(http.StatusPartialContent)
		case "moved":
			http.Redirect(w, r, "/elsewhere/blobs/sha256:00", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write(make([]byte, 5<<20)) // the client may have gone
	}))
	defer s.Close()
	transport, err := newTransport(nil, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer transport.close()
	for path, want := range map[string]int64{
		"/v2/x/manifests/none": 1 << 20, "/v2/x/manifests/part": 1 << 20, "/v2/x/blobs/part": 1 << 20,
		"/v2/": 4 << 20, "/token": 4 << 20, "/x/blobs/token?service=": 4 << 20,
		"/v2/x/manifests/1": 4 << 20, "/v2/x/blobs/manifests/1": 4 << 20, "/v2/x/manifests/moved": 4 << 20, "/v2/x/referrers/sha256:00": 4 << 20,
		"/v2/x/blobs/sha256:00": 5 << 20, "/v2/x/referrers/y/blobs/sha256:00": 5 << 20, "/v2/x/blobs/moved": 5 << 20,
	} {
		resp, err := (&http.Client{Transport: transport}).Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != want {
			t.Errorf("%s: %d bytes, %v, want %d", path, n, err, want)
		}
		resp.Body.Close()
	}
}

func TestResetStreamsAreWorthRetrying(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	transport, err := newTransport(nil, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer transport.close()
	resp, err := (&http.Client{Transport: transport}).Get(s.URL)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "stream error") || !worthRetrying(err) {
		t.Errorf("%v isn't tried again", err)
	}
}

func TestCertDirs(t *testing.T) {
	trust := Trust{Roots: []string{"/a", "/b"}, Dir: "/c"}
	for host, want := range map[string]string{
		"quay.io": "/a/quay.io /b/quay.io /c", "index.docker.io": "/a/index.docker.io /a/docker.io /b/index.docker.io /b/docker.io /c",
	} {
		if got := strings.Join(certDirs(trust, host), " "); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

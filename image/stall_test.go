package image_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// hanging starts f with TLS, which is HTTP/2, or without, and returns its HOST:PORT.
// What f answers may wait for over, which comes when the test ends.
func hanging(t *testing.T, f *fakeRegistry, tls bool) (host string, over <-chan struct{}) {
	t.Helper()
	ended := make(chan struct{})
	s := httptest.NewUnstartedServer(f)
	if s.EnableHTTP2 = tls; tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		close(ended)
		s.Close()
	})
	return s.Listener.Addr().String(), ended
}

func TestPushEndsWhereTheRegistryHangs(t *testing.T) {
	img, err := random.Image(32<<20, 1) // more than sockets buffer
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tls     bool
		times   int32 // that an upload stands
		silence time.Duration
	}{"HTTP/1": {false, 99, time.Second}, "HTTP/2": {true, 99, time.Second}, "once": {false, 1, 5 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			var stood atomic.Int32
			var over <-chan struct{}
			f := newFakeRegistry()
			f.answer = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPatch || r.ContentLength < 1<<20 || stood.Add(1) > c.times {
					return false
				}
				<-over
				return true
			}
			var host string
			host, over = hanging(t, f, c.tls)
			o := pushTo(host)
			o.Trust.Insecure, o.Silence = c.tls, c.silence
			_, err := image.Push(t.Context(), img, o)
			if c.times == 1 {
				if err != nil || stood.Load() < 2 {
					t.Fatalf("%v after %d uploads, want the second to end well", err, stood.Load())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "the server took nothing of what was sent for 1s") {
				t.Errorf("error = %v", err)
			}
			if fault.CodeOf(err) != fault.Unreachable || !strings.Contains(fault.HintOf(err), "that it answers") {
				t.Errorf("code %d, hint %q", fault.CodeOf(err), fault.HintOf(err))
			}
			if n := stood.Load(); n == 0 || n > 4 {
				t.Errorf("tried %d times, want at most 4", n)
			}
			if n := f.count("PUT manifest"); n != 0 {
				t.Errorf("%d manifests were sent", n)
			}
			if _, err := image.Read(t.Context(), o.Reference, image.ReadOptions{Trust: o.Trust}); !strings.Contains(fault.HintOf(err), "was pushed there") {
				t.Errorf("there is a tag: %v", err)
			}
		})
	}
}

func TestReadEndsWhereTheRegistryHangs(t *testing.T) {
	img, err := random.Image(4<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	var over <-chan struct{}
	var at atomic.Value // part of the path of what comes by half
	at.Store("none")
	f := newFakeRegistry()
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, at.Load().(string)) {
			return false
		}
		f.half(w, r)
		<-over
		return true
	}
	var host string
	host, over = hanging(t, f, false)
	if _, err := image.Push(t.Context(), img, pushTo(host)); err != nil {
		t.Fatal(err)
	}
	read := image.ReadOptions{Silence: time.Second, RetryDelay: time.Millisecond}
	const says = "nothing came for 1s"
	from := host + "/test/mosquitto:1"
	at.Store("/manifests/")
	if _, err := image.Read(t.Context(), from, read); !strings.Contains(errorText(err), says) || fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("in the manifest: %v, code %d", err, fault.CodeOf(err))
	}
	if _, err := image.Verify(t.Context(), from, nil, read); !strings.Contains(errorText(err), says) || fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("verifying: %v, code %d", err, fault.CodeOf(err))
	}
	at.Store("none")
	var back image.Image
	for range 20 { // on a busy machine a second passes in silence where nothing hangs
		if back, err = image.Read(t.Context(), from, read); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	at.Store("/blobs/")
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	layer, err := back.LayerByDigest(sum)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := layer.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	var got bytes.Buffer
	if _, err := io.Copy(&got, blob); !strings.Contains(errorText(err), says) || got.Len() == 0 {
		t.Errorf("in the layer: %v, after %d bytes", err, got.Len())
	}
	if _, err := back.ConfigFile(); !strings.Contains(errorText(err), says) {
		t.Errorf("in the config: %v", err)
	}
}

// half gives half of the answer.
func (f *fakeRegistry) half(w http.ResponseWriter, r *http.Request) {
	whole := httptest.NewRecorder()
	f.Handler.ServeHTTP(whole, r)
	for key := range whole.Header() {
		w.Header().Set(key, whole.Header().Get(key))
	}
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2]) // the client may have gone
	_ = http.NewResponseController(w).Flush()
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

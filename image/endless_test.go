package image_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/image"
)

// endless is an answer of more than anybody may want, though it has an end, so that
// a test that fails has one.
type endless struct{ taken atomic.Bool } // all of it

func (e *endless) write(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		if _, err := w.Write(spaces); err != nil {
			return
		}
	}
	e.taken.Store(true)
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	emptyDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
	emptyConfig = `"digest":"` + emptyDigest + `"`
	goodConfig  = `{"size":2,"data":"e30=",` + emptyConfig + `}`
)

// manifestsOf are those of an image, by tag or digest: its own, and that of an index
// of it.
func manifestsOf(config, layer string) map[string]string {
	own := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`, ociManifest, config, layer)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(own)))
	return map[string]string{"image": own, digest: own, "index": fmt.Sprintf(
		`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"size":%d,"digest":%q}]}`, ociIndex, ociManifest, len(own), digest)}
}

// TestReadHasAnEnd whatever a registry answers, and never keeps all of it.
func TestReadHasAnEnd(t *testing.T) {
	for name, c := range map[string]struct {
		at     string // the pattern of the path
		status int
		config string
		layer  string
		want   string // in the error; "" is none
	}{
		"greeting":           {"/v2/", http.StatusOK, goodConfig, "", ""},
		"token":              {"/token", http.StatusOK, goodConfig, "", "unexpected end of JSON"},
		"token as a blob":    {"/v2/ab/blobs/sha256:00", http.StatusOK, goodConfig, "", "unexpected end of JSON"},
		"half a manifest":    {"/v2/ab/manifests/*", http.StatusPartialContent, goodConfig, "", "206 Partial Content"},
		"config of any size": {"/v2/ab/blobs/*", http.StatusOK, `{"size":-1,` + emptyConfig + `}`, "", "the config has -1 bytes"},
		"config of an EiB":   {"/v2/ab/blobs/*", http.StatusOK, `{"size":1152921504606846976,` + emptyConfig + `}`, "", "the config has 1152921504606846976 bytes"},
		"layer of any size":  {"/v2/ab/blobs/*", http.StatusOK, goodConfig, `{"size":-1,` + emptyConfig + `}`, emptyDigest + " has -1 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			end := &endless{}
			manifests := manifestsOf(c.config, c.layer)
			f := newFakeRegistry()
			f.answer = func(w http.ResponseWriter, r *http.Request) bool {
				data, known := manifests[path.Base(r.URL.Path)]
				switch hit, _ := path.Match(c.at, r.URL.Path); {
				case hit:
					end.write(w, c.status)
				case r.URL.Path == "/v2/" && strings.HasPrefix(name, "token"):
					w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+c.at+`"`)
					w.WriteHeader(http.StatusUnauthorized)
				case known:
					w.Header().Set("Content-Type", ociManifest)
					if strings.HasSuffix(r.URL.Path, "/index") {
						w.Header().Set("Content-Type", ociIndex)
					}
					_, _ = io.WriteString(w, data) // the client may have gone
				default:
					return false
				}
				return true
			}
			host := serve(t, f)
			for _, tag := range []string{"image", "index"} {
				err := readAll(t, host+"/ab:"+tag)
				if end.taken.Load() || (err == nil) != (c.want == "") || !strings.Contains(errorText(err), c.want) {
					t.Errorf("%s: all was taken: %v, error = %.300v", tag, end.taken.Load(), err)
				}
			}
		})
	}
}

// readAll reads an image with its config and layers.
func readAll(t *testing.T, from string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	img, err := image.Read(ctx, from, image.ReadOptions{RetryDelay: time.Millisecond})
	if err != nil {
		return err
	}
	if _, err := img.ConfigFile(); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		r, err := image.Unpack(l)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// TestPushHasAnEnd whatever a registry has under the tags for referrers and for
// signatures.
func TestPushHasAnEnd(t *testing.T) {
	img := testImage(t)
	signer, _ := keyPair(t)
	unsized := manifestsOf(`{"size":-1,`+emptyConfig+`}`, "")["image"]
	for name, answer := range map[string]func(e *endless, w http.ResponseWriter, path string) bool{
		"referrers": func(e *endless, w http.ResponseWriter, path string) bool {
			hit := strings.Contains(path, "/manifests/sha256-") && !strings.HasSuffix(path, ".sig") && !strings.HasSuffix(path, ".att")
			if hit {
				e.write(w, http.StatusOK)
			}
			return hit
		},
		"signatures": func(e *endless, w http.ResponseWriter, path string) bool {
			switch {
			case strings.HasSuffix(path, ".sig"):
				w.Header().Set("Content-Type", ociManifest)
				_, _ = io.WriteString(w, unsized) // the client may have gone
			case strings.Contains(path, "/blobs/"):
				e.write(w, http.StatusOK)
			default:
				return false
			}
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			end := &endless{}
			f := newFakeRegistry()
			f.answer = func(w http.ResponseWriter, r *http.Request) bool {
				return r.Method == http.MethodGet && answer(end, w, r.URL.Path)
			}
			o := pushTo(serve(t, f))
			o.Signer = signer
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if _, err := image.Push(ctx, img, o); err == nil || ctx.Err() != nil || end.taken.Load() {
				t.Errorf("all was taken: %v, error = %v", end.taken.Load(), err)
			}
		})
	}
}

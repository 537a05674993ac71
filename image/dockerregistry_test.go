package image_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// dockerRegistry starts Debian's docker-registry with TLS and a login, and
// returns its HOST:PORT, the folder of its CA and a login file.
func dockerRegistry(t *testing.T) (host, certDir, logins string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		need.Unmet(t, "docker-registry is not installed")
	}
	ca, err := certs.NewCA(certs.CARequest{Name: "test", NotBefore: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := certs.Issue(ca, certs.LeafRequest{Hosts: []string{"127.0.0.1"}, NotBefore: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	host, dir, certDir := fmt.Sprintf("127.0.0.1:%d", need.Port(t)), t.TempDir(), t.TempDir()
	login := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("me:secret")))
	config := fmt.Sprintf(`version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}}
http: {addr: %q, tls: {certificate: %q, key: %q}}
auth: {htpasswd: {realm: test, path: %q}}
`, dir+"/data", host, dir+"/crt", dir+"/key", dir+"/htpasswd")
	for path, data := range map[string]string{
		dir + "/crt": string(leaf.Cert), dir + "/key": string(leaf.Key), dir + "/htpasswd": "me:" + string(hash) + "\n",
		dir + "/config.yml": config, dir + "/login": login, certDir + "/ca.crt": string(ca.Cert),
	} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, "serve", dir+"/config.yml")
	said := &lockedBuilder{}
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Process.Kill(), c.Wait() })
	if !answers(host) {
		t.Fatalf("docker-registry doesn't answer at %s: %s", host, said)
	}
	return host, certDir, dir + "/login"
}

// answers waits until host takes connections.
func answers(host string) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if c, err := net.Dial("tcp", host); err == nil {
			return c.Close() == nil
		}
	}
	return false
}

// lockedBuilder is written to by a program that still runs.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestPushToDockerRegistry(t *testing.T) {
	host, certDir, logins := dockerRegistry(t)
	img := testImage(t)
	o := pushTo(host)
	o.Trust.Dir = certDir
	if _, err := image.Push(t.Context(), img, o); !strings.Contains(fault.HintOf(err), "podman login "+host) {
		t.Errorf("without a login: %v, hint %q", err, fault.HintOf(err))
	}
	o.Logins = []string{logins}
	for i, uploaded := range []int{6, 0} {
		got, err := image.Push(t.Context(), img, o)
		if err != nil || got.Digest != digest(t, img) || got.Uploaded != uploaded {
			t.Errorf("push %d: %+v, %v, want %d blobs uploaded", i+1, got, err, uploaded)
		}
	}
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		need.Unmet(t, "skopeo is not installed: the digest was not compared")
	}
	out, err := exec.Command(skopeo, "inspect", "--cert-dir", certDir, "--authfile", logins, "--format", "{{.Digest}}", "docker://"+o.Reference).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != digest(t, img) {
		t.Errorf("skopeo says %s, %v, want %s", out, err, digest(t, img))
	}
}

// TestWriteStopsMidway ends the context while the largest layer is copied.
func TestWriteStopsMidway(t *testing.T) {
	for _, format := range []string{image.FormatOCI, image.FormatOCIArchive, image.FormatDockerArchive} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			img, ctx := cancelling(t, testImage(t))
			err := image.Write(ctx, img, image.Output{Format: format, Path: filepath.Join(dir, "out")}, testName)
			if ctx.Err() == nil || err == nil {
				t.Fatalf("error = %v, context %v: the copy was not reached", err, ctx.Err())
			}
			noLeftovers(t, dir)
		})
	}
}

// TestPushWithoutRegistry: what answers isn't always a registry.
func TestPushWithoutRegistry(t *testing.T) {
	f := newFakeRegistry()
	f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		_, err := fmt.Fprintln(w, "<html>welcome</html>")
		return err == nil
	}
	_, err := image.Push(t.Context(), testImage(t), pushTo(serve(t, f)))
	if err == nil || errors.Is(err, os.ErrNotExist) || fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("error = %v", err)
	}
}

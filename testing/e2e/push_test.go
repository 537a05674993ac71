package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/need"
	"github.com/mosqbuild/mosqbuild/testing/podmantest"
)

// site is a docker-registry with TLS and a login, all made by mosqbuild.
type site struct {
	dir  string // the work folder, with mosqbuild's state
	host string // HOST:PORT
	log  string
	auth string // an authfile that podman, skopeo and mosqbuild read
	cert string // a folder with the CA, as in containers' certs.d
}

// newSite starts the registry on the address; enter is put before its command
// line and every client's, to run them in a network namespace.
func newSite(t *testing.T, address string, enter ...string) site {
	t.Helper()
	need.Program(t, "docker-registry", "skopeo")
	dir := t.TempDir()
	s := site{dir: dir, host: address + ":" + freePort(t), auth: filepath.Join(dir, "auth.json"), cert: filepath.Join(dir, "certs.d")}
	mosqbuild(t, dir, "certs", "init", "--host", address)
	password := mosqbuild(t, dir, "passwd", "set", "--generate", "--format", "htpasswd", "--file", filepath.Join(dir, "htpasswd"), "pusher")
	login, err := json.Marshal(map[string]any{"auths": map[string]any{s.host: map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("pusher:" + password))}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.auth, string(login))
	if err := os.Mkdir(s.cert, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.cert, "ca.crt"), read(t, dir, ".mosqbuild/certs/ca.crt"))
	conf := write(t, filepath.Join(dir, "registry.yml"), fmt.Sprintf(`version: 0.1
storage: {filesystem: {rootdirectory: %[1]s/registry}}
http: {addr: %[2]q, tls: {certificate: %[1]s/.mosqbuild/certs/tls.crt, key: %[1]s/.mosqbuild/certs/tls.key}}
auth: {htpasswd: {realm: test, path: %[1]s/htpasswd}}
`, dir, s.host))
	line := append(enter, "docker-registry", "serve", conf)
	s.log = start(t, dir, line[0], line[1:]...)
	eventually(t, "the registry answering", func() bool { return strings.Contains(read(t, s.log), "listening on") })
	return s
}

var uploads = regexp.MustCompile(`"(POST|PATCH|PUT) /v2/\S+/blobs/uploads/`)

func TestPushToDockerRegistry(t *testing.T) {
	localPackages(t)
	s := newSite(t, "localhost")
	digest := mosqbuild(t, s.dir, "image", "build", "--local")
	ref := s.host + "/mosquitto:1"

	// Without the login, and without the CA: refused, and told how to mend it.
	r := try(t, s.dir, nil, program, "image", "push", "--cert-dir", s.cert, "--authfile", write(t, filepath.Join(s.dir, "none.json"), "{}"), ref)
	if r.code != 4 || !strings.Contains(r.err, "podman login "+s.host) {
		t.Errorf("without a login: exit %d, %s", r.code, r.err)
	}
	r = try(t, s.dir, nil, program, "image", "push", "--authfile", s.auth, ref)
	if r.code != 4 || !strings.Contains(r.err, "--cert-dir") {
		t.Errorf("without the CA: exit %d, %s", r.code, r.err)
	}

	pushed := mosqbuild(t, s.dir, "image", "push", "--authfile", s.auth, "--cert-dir", s.cert, ref)
	// Without the tag: podman and skopeo take a tag or a digest, not both.
	if want := s.host + "/mosquitto@" + digest; pushed != want {
		t.Errorf("printed %q, want %q", pushed, want)
	}
	if got := run(t, s.dir, "skopeo", "inspect", "--authfile", s.auth, "--cert-dir", s.cert, "--format", "{{.Digest}}", "docker://"+ref); got != digest {
		t.Errorf("skopeo sees %s, pushed %s", got, digest)
	}
	podman := podmantest.New(t)
	podman.Podman(t, "pull", "-q", "--authfile", s.auth, "--cert-dir", s.cert, ref)
	if got := podman.Podman(t, "image", "inspect", "--format", "{{.Digest}}", ref); got != digest {
		t.Errorf("podman pulled %s, pushed %s", got, digest)
	}
	before := len(uploads.FindAllString(read(t, s.log), -1))
	if before == 0 {
		t.Error("the registry's log shows no upload: this test can't see any")
	}
	mosqbuild(t, s.dir, "image", "push", "--authfile", s.auth, "--cert-dir", s.cert, ref)
	if after := len(uploads.FindAllString(read(t, s.log), -1)); after != before {
		t.Errorf("the second push made %d upload requests", after-before)
	}
}

// Of an index, podman takes the image for its machine, or the one asked for.
func TestPodmanPullsOfAnIndex(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		if r := try(t, "", nil, program, "packages", "path", "--arch", arch); r.code != 0 {
			need.Unmet(t, "there are no such packages; run: mosqbuild packages build --arch %s", arch)
		}
	}
	s := newSite(t, "localhost")
	ref := s.host + "/mosquitto:1"
	index := mosqbuild(t, s.dir, "image", "build", "--local", "--platform", "linux/amd64,linux/arm64")
	mosqbuild(t, s.dir, "image", "push", "--authfile", s.auth, "--cert-dir", s.cert, ref)
	podman := podmantest.New(t)
	for _, asked := range []string{"", "amd64", "arm64"} {
		arch, args := runtime.GOARCH, []string{"pull", "-q", "--authfile", s.auth, "--cert-dir", s.cert, ref}
		if asked != "" {
			arch, args = asked, append(args, "--platform", "linux/"+asked)
		}
		podman.Podman(t, args...)
		if got := podman.Podman(t, "image", "inspect", "--format", "{{.Architecture}} {{.RepoDigests}}", ref); !strings.HasPrefix(got, arch+" ") || !strings.Contains(got, index) {
			t.Errorf("asked for %q, podman has %s, want %s of %s", asked, got, arch, index)
		}
	}
}

// Beyond loopback, an image must not carry the keys that it was tried with.
func TestPushBeyondLoopbackLeavesTheDefaultsOut(t *testing.T) {
	need.Root(t)
	need.Program(t, "ip")
	localPackages(t)
	ns := fmt.Sprintf("mosqbuild-%d", os.Getpid())
	const address = "192.0.2.10" // documentation's own network, RFC 5737
	run(t, "", "ip", "netns", "add", ns)
	t.Cleanup(func() { run(t, "", "ip", "netns", "del", ns) })
	run(t, "", "ip", "-n", ns, "link", "set", "lo", "up")
	run(t, "", "ip", "-n", ns, "addr", "add", address+"/32", "dev", "lo")
	inside := []string{"ip", "netns", "exec", ns}
	s := newSite(t, address, inside...)
	full := mosqbuild(t, s.dir, "image", "build", "--local")
	bare := mosqbuild(t, t.TempDir(), "image", "build", "--local", "--defaults=none")

	push := func(tag string, flags ...string) result {
		line := append(inside[1:], program, "image", "push", "--authfile", s.auth, "--cert-dir", s.cert, s.host+"/mosquitto:"+tag)
		r := try(t, s.dir, nil, inside[0], append(line, flags...)...)
		if r.code != 0 {
			t.Fatalf("push %s: exit %d, %s", tag, r.code, r.err)
		}
		return r
	}
	pulled := func(tag string) string {
		to := filepath.Join(t.TempDir(), tag)
		run(t, s.dir, inside[0], append(inside[1:], "skopeo", "copy", "-q", "--src-authfile", s.auth, "--src-cert-dir", s.cert, "docker://"+s.host+"/mosquitto:"+tag, "dir:"+to)...)
		return to
	}
	r := push("1")
	if !strings.HasSuffix(r.out, "@"+bare) || !strings.Contains(r.err, full) || !strings.Contains(r.err, bare) {
		t.Errorf("printed %q and %q, want the digest %s, and on stderr %s too", r.out, r.err, bare, full)
	}
	if found := secretsIn(t, pulled("1"), s.dir); len(found) > 0 {
		t.Errorf("the copy in the registry holds %v", found)
	}
	if r := push("2", "--with-test-credentials"); !strings.HasSuffix(r.out, "@"+full) {
		t.Errorf("printed %q, want the digest %s", r.out, full)
	}
	if found := secretsIn(t, pulled("2"), s.dir); len(found) == 0 {
		t.Error("nothing secret was found in the image with test credentials: this test can't see it")
	}
}

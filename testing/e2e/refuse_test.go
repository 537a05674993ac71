package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// namespace makes a network namespace that has loopback alone, and returns its
// name.
func namespace(t *testing.T) string {
	t.Helper()
	need.Root(t)
	need.Program(t, "ip")
	ns := fmt.Sprintf("mosqbuild-%d-%d", os.Getpid(), time.Now().UnixNano()%1e6)
	run(t, "", "ip", "netns", "add", ns)
	t.Cleanup(func() { run(t, "", "ip", "netns", "del", ns) })
	run(t, "", "ip", "-n", ns, "link", "set", "lo", "up")
	return ns
}

// serveIn serves on an address of a network namespace until the test ends, and
// returns HOST:PORT. A socket stays in the namespace of the thread that made it.
func serveIn(t *testing.T, ns, address string, h http.Handler) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	there, err := os.Open("/run/netns/" + ns)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address+":0")
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(back) // this thread would go on in the wrong network
	}
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// A change to a signed repository is found before anything of it is used, and
// with no other network there is nobody to ask.
func TestChangedPackagesAreRefused(t *testing.T) {
	ns := namespace(t)
	for _, kind := range apkrepo.Kinds {
		for _, way := range []string{"folder", "http"} {
			t.Run(kind+"/"+way, func(t *testing.T) { refused(t, ns, kind, way) })
		}
	}
}

func refused(t *testing.T, ns, kind, way string) {
	r, err := apkrepo.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	location := r.Dir
	if way == "http" {
		location = "http://" + serveIn(t, ns, "127.0.0.1", r.Handler()) + apkrepo.URLPath
	}
	caches := t.TempDir()
	build := func(dir, cache string, flags ...string) result {
		t.Helper()
		line := append([]string{"netns", "exec", ns, program, "image", "build", "--repository", location, "--repository-key", r.Key}, flags...)
		return try(t, dir, []string{"XDG_CACHE_HOME=" + filepath.Join(caches, cache)}, "ip", line...)
	}
	dir, fresh := t.TempDir(), t.TempDir()
	good := build(dir, "good")
	if good.code != 0 {
		t.Fatalf("before the change: exit %d, %s", good.code, good.err)
	}
	before := tree(t, dir)

	if err := r.Spoil(t.Context(), kind); err != nil {
		t.Fatal(err)
	}
	names := `verifying package "mosquitto", file "` + location
	if kind == "index" {
		names = `verifying index "` + location
	}
	for _, flags := range [][]string{nil, {"-o", "oci-archive:out.tar"}, {"-o", "docker-archive:out.tar"}, {"-o", "oci:out"}} {
		bad := build(dir, "bad", flags...)
		if bad.code != 3 || bad.out != "" || !strings.Contains(bad.err, names) || !strings.Contains(bad.err, "mosqbuild: hint: ") {
			t.Errorf("%v: exit %d, %q, stderr %s", flags, bad.code, bad.out, bad.err)
		}
	}
	if after := tree(t, dir); after != before {
		t.Errorf("the folder was\n%sand is\n%s", before, after)
	}
	if bad := build(fresh, "bad"); bad.code != 3 {
		t.Errorf("in a fresh folder: exit %d, %s", bad.code, bad.err)
	}
	if left := tree(t, fresh); strings.Contains(left, "image") {
		t.Errorf("a refused build left\n%s", left)
	}
	for _, name := range []string{".new-", "." + filepath.Base(apkrepo.Broker), ".tar.gz"} {
		if left := tree(t, filepath.Join(caches, "bad")); strings.Contains(left, name) {
			t.Errorf("the cache holds\n%s", left)
		}
	}

	// The cache of the refused builds has nothing that spoils a good one.
	if _, err := apkrepo.New(t.Context(), r.Dir); err != nil {
		t.Fatal(err)
	}
	if mended := build(dir, "bad"); mended.code != 0 || mended.out != good.out {
		t.Errorf("after it was mended: exit %d, %q, want %q, %s", mended.code, mended.out, good.out, mended.err)
	}
}

// tree lists the files below dir with their content's checksum.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&out, "%x %s\n", sha256.Sum256(data), rel)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out.String()
}

// With no network the way out is named in seconds, and nothing is made.
func TestNoNetwork(t *testing.T) {
	ns := namespace(t)
	dir := t.TempDir()
	start := time.Now()
	r := try(t, dir, []string{"XDG_CACHE_HOME=" + t.TempDir()}, "ip", "netns", "exec", ns, program, "image", "build")
	hint := r.err[max(strings.Index(r.err, "mosqbuild: hint: "), 0):]
	if r.code != 4 || r.out != "" || !strings.Contains(hint, "mosqbuild packages build") || !strings.Contains(hint, "mosqbuild image build --local") {
		t.Errorf("exit %d, %q, stderr %s", r.code, r.out, r.err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %v to say so", took)
	}
	if left := tree(t, dir); left != "" {
		t.Errorf("it left\n%s", left)
	}
}

// silence gives a network namespace a network that swallows packets, and
// returns an address in it.
func silence(t *testing.T, ns string) string {
	t.Helper()
	const address = "192.0.2.9" // documentation's own network, RFC 5737
	run(t, "", "ip", "netns", "exec", ns, "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
	for _, args := range []string{"link set v0 up", "link set v1 up", "addr add 192.0.2.1/24 dev v0", "neigh add " + address + " lladdr 02:00:00:00:00:09 dev v0"} {
		run(t, "", "ip", append([]string{"-n", ns}, strings.Fields(args)...)...)
	}
	return address
}

// A network that swallows packets costs a few seconds, not minutes.
func TestSilentNetwork(t *testing.T) {
	ns := namespace(t)
	location := "http://" + silence(t, ns) + apkrepo.URLPath
	start := time.Now()
	r := try(t, t.TempDir(), nil, "ip", "netns", "exec", ns, program, "image", "build", "--repository", location)
	if took := time.Since(start); r.code != 4 || took > time.Minute {
		t.Errorf("exit %d after %v, %s", r.code, took, r.err)
	}
}

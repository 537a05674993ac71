package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// kills is how many mirrors are interrupted: MIRROR_KILLS, or 50 in CI, or 5.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MIRROR_KILLS")
	switch {
	case text == "" && os.Getenv("CI") != "":
		return 50
	case text == "":
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MIRROR_KILLS %q is no number from 1 on", text)
	}
	return n
}

// victim is a repository whose server is slow enough to be interrupted, and
// what the mirror of it must be in the end.
type victim struct {
	t        *testing.T
	dir, key string
	location string
	config   string
	sums     string // what sha256sum -c reads
	alpine   string // a root with apk-tools, where there is one

	mu   sync.Mutex
	sent int    // bytes that its server has sent in this run of mirror
	at   int    // of which so many
	kill func() // call this, unless nil
}

// mirrored is how many files a finished mirror has in its folder of packages.
const mirrored = 14

// newVictim makes a broker and a dozen packages that don't compress, so that
// a kill falls into the middle of files.
func newVictim(t *testing.T) *victim {
	t.Helper()
	key := repotest.Key()
	broker := repo.Package{Name: "mosquitto", Version: "2.0.21-r0"}
	var pkgs []repo.Package
	for i := range mirrored - 2 {
		data := make([]byte, 20_000*(i+1))
		_, _ = rand.Read(data)
		name := fmt.Sprintf("part%d", i)
		broker.Depends = append(broker.Depends, name)
		pkgs = append(pkgs, repo.Package{Name: name, Version: "1-r0", Files: []repo.File{{Path: "usr/lib/" + name, Mode: 0o644, Data: data}}})
	}
	v := &victim{t: t, dir: t.TempDir(), config: filepath.Join(t.TempDir(), "mosqbuild.yaml")}
	if err := repo.Write(t.Context(), v.dir, "x86_64", append(pkgs, broker), key, time.Unix(1760000000, 0)); err != nil {
		t.Fatal(err)
	}
	v.key = filepath.Join(v.dir, key.Name)
	write(t, v.config, "image: {packages: [mosquitto]}\n")
	server := httptest.NewServer(http.StripPrefix("/main", slow(http.FileServer(http.Dir(v.dir)), v.piece)))
	t.Cleanup(server.Close)
	v.location = server.URL + "/main"
	sums := filepath.Join(t.TempDir(), "sums")
	write(t, sums, run(t, v.dir, "sh", "-c", "sha256sum x86_64/*")+"\n")
	v.sums = sums
	if tarball := os.Getenv("ALPINE_MINIROOTFS"); tarball != "" && os.Getuid() == 0 {
		v.alpine = t.TempDir()
		run(t, v.alpine, "tar", "xzf", tarball)
	}
	return v
}

// slow sends in pieces of at most 8 KiB, and calls sent with the length of each,
// which is to pause.
func slow(next http.Handler, sent func(r *http.Request, n int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(slowWriter{w, r, sent}, r) })
}

type slowWriter struct {
	http.ResponseWriter
	r    *http.Request
	sent func(r *http.Request, n int)
}

func (w slowWriter) Write(p []byte) (n int, err error) {
	for piece := range slices.Chunk(p, 8<<10) {
		m, err := w.ResponseWriter.Write(piece)
		if n += m; err != nil {
			return n, err
		}
		w.sent(w.r, m)
	}
	return n, nil
}

// piece counts what was sent, and kills who asked for it where that is enough.
func (v *victim) piece(_ *http.Request, n int) {
	defer time.Sleep(6 * time.Millisecond) // unlocked again
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sent += n; v.kill != nil && v.sent >= v.at {
		v.kill()
		v.kill = nil
	}
}

// never is a count of bytes that isn't reached.
const never = math.MaxInt

// mirror runs the program until it ends, or SIGKILL ends it the delay after at
// bytes were sent to it: a time from the start would be before the first or after
// the last of them on a machine that is busy now and idle then. It says whether
// it was killed, and how many bytes were sent.
func (v *victim) mirror(to, cache string, at int, delay time.Duration) (killed bool, sent int) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "packages", "mirror", "--config", v.config, "--to", to, "--repository", v.location, "--repository-key", v.key)
	var errOut bytes.Buffer
	cmd.Env, cmd.Stderr = append(os.Environ(), "XDG_CACHE_HOME="+cache), &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	v.mu.Lock() // no piece counts before the program can be killed
	v.sent, v.at, v.kill = 0, at, func() { time.AfterFunc(delay, func() { _ = cmd.Process.Kill() }) }
	err := cmd.Start()
	v.mu.Unlock()
	if err != nil {
		v.t.Fatal(err)
	}
	v.piece(nil, 0) // at 0 bytes it is the start that counts
	err = cmd.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() && status.Signal() == syscall.SIGKILL && ctx.Err() == nil {
		return true, v.sent
	}
	if err != nil {
		v.t.Fatalf("%v: %s", err, errOut.String())
	}
	return false, v.sent
}

// finished is how many files have their names. Each must be the original, and
// the index and the mirror's own lock come after what they list.
func (v *victim) finished(to string) int {
	v.t.Helper()
	names, err := filepath.Glob(filepath.Join(to, "main/x86_64/*"))
	if err != nil {
		v.t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), ".") {
			continue
		}
		if got := try(v.t, "", nil, "cmp", name, filepath.Join(v.dir, "x86_64", filepath.Base(name))); got.code != 0 {
			v.t.Errorf("after a kill: %s%s", got.out, got.err)
		}
		n++
	}
	if _, err := os.Stat(filepath.Join(to, "main/x86_64/APKINDEX.tar.gz")); err == nil && n != mirrored {
		v.t.Errorf("after a kill: the index is there, and %d of %d files", n, mirrored)
	}
	if _, err := os.Stat(filepath.Join(to, "mosqbuild.mirror.yaml")); err == nil {
		run(v.t, "", program, "packages", "verify", to, "--repository-key", v.key)
	}
	return n
}

// accept has others than the program's own reader look at a mirror.
func (v *victim) accept(to string) {
	v.t.Helper()
	if got := try(v.t, "", nil, program, "packages", "verify", to, "--repository-key", v.key); got.code != 0 {
		v.t.Errorf("packages verify: exit %d, %s%s", got.code, got.out, got.err)
	}
	if got := try(v.t, filepath.Join(to, "main"), nil, "sha256sum", "--quiet", "--strict", "-c", v.sums); got.code != 0 {
		v.t.Errorf("sha256sum: %s%s", got.out, got.err)
	}
	if left := run(v.t, to, "find", ".", "-name", ".*", "-type", "f"); left != "" {
		v.t.Errorf("left behind: %s", left)
	}
	if v.alpine == "" {
		return
	}
	run(v.t, "", "cp", "-r", to, filepath.Join(v.alpine, "mirror"))
	out := run(v.t, "", "chroot", v.alpine, "/sbin/apk", "--no-network", "--no-cache", "--root", "/new", "--repositories-file", "/dev/null",
		"--keys-dir", "/mirror/keys", "--repository", "/mirror/main", "add", "--initdb", "mosquitto")
	if strings.Count(out, "Installing") != mirrored-1 || strings.Contains(out, "UNTRUSTED") {
		v.t.Errorf("apk says %s", out)
	}
	run(v.t, v.alpine, "rm", "-r", "mirror", "new")
}

// The program is killed at random moments, one to three times a mirror, and each
// time what it left goes on to a mirror that others accept.
func TestKilledMirrorsGoOn(t *testing.T) {
	need.Program(t, "sha256sum", "cmp", "find")
	v, n := newVictim(t), kills(t)
	t.Run("for Alpine's apk", func(t *testing.T) { // accept runs it, or this says why not
		need.File(t, "ALPINE_MINIROOTFS", "an alpine-minirootfs-*.tar.gz, whose apk-tools would install from each mirror")
		need.Root(t)
	})
	_, whole := v.mirror(filepath.Join(t.TempDir(), "whole"), t.TempDir(), never, 0)
	t.Logf("uninterrupted: %d bytes", whole)
	var at []int // how many files were finished at each kill
	for range n {
		base := t.TempDir()
		to, cache := filepath.Join(base, "mirror"), filepath.Join(base, "cache")
		for range 1 + mathrand.IntN(3) {
			bytes, delay := share(whole)
			killed, _ := v.mirror(to, cache, bytes, delay)
			if found := v.finished(to); killed {
				at = append(at, found)
			}
		}
		v.mirror(to, cache, never, 0)
		v.accept(to)
		if t.Failed() {
			t.FailNow()
		}
		if err := os.RemoveAll(base); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(at)
	middle := len(slices.DeleteFunc(slices.Clone(at), func(n int) bool { return n == 0 || n == mirrored }))
	t.Logf("%d mirrors, %d kills, %d of them with some of the %d files finished; finished at a kill: %v", n, len(at), middle, mirrored, histogram(at))
	if len(at) < n/2 || n >= 50 && middle < n/10 {
		t.Errorf("of %d runs %d were killed, %d in the middle: this test shows too little", n, len(at), middle)
	}
}

// share draws when a mirror is killed: once a part of the bytes is sent, or, each
// at every tenth, up to 0.1 s after the start and after the last of them.
func share(whole int) (at int, delay time.Duration) {
	at = min(max(mathrand.IntN(whole*5/4)-whole/8, 0), whole)
	if at == 0 || at == whole {
		delay = time.Duration(mathrand.Int64N(int64(100 * time.Millisecond)))
	}
	return at, delay
}

// histogram counts equal values of a sorted list: "0:3 1:2".
func histogram(sorted []int) string {
	var parts []string
	for len(sorted) > 0 {
		n, _ := slices.BinarySearch(sorted, sorted[0]+1)
		parts = append(parts, fmt.Sprintf("%d:%d", sorted[0], n))
		sorted = sorted[n:]
	}
	return strings.Join(parts, " ")
}

package source

import (
	"context"
	"crypto/md5" //nolint:gosec // a field of Debian's index that apt reads besides
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// mirror is a Debian mirror on loopback with signed suites: the one has musl
// 1.0-1, its security updates 1.0-2, and the spare suite 0.9-1 and 2.0-1.
type mirror struct {
	dir, url, keyring string
}

func (m mirror) path(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

// lists returns the mirror's lines for sources.list.
func (m mirror) lists(keyring string) mirrors {
	line := func(folder, suite string) string {
		return fmt.Sprintf("deb-src [signed-by=%s] %s/%s %s main\n", keyring, m.url, folder, suite)
	}
	return mirrors{line("debian", suite) + line("security", suite+"-security"), line("spare", spareSuite)}
}

// lose removes a version that the mirror goes on announcing.
func (m mirror) lose(t *testing.T, folder, version string) {
	t.Helper()
	if err := os.Remove(m.path(folder, "pool", "musl_"+version+".dsc")); err != nil {
		t.Fatal(err)
	}
}

func newMirror(t *testing.T) mirror {
	t.Helper()
	for _, tool := range []string{"apt-get", "gpg"} {
		if lookup(tool) == "" {
			need.Unmet(t, "there is no %s on this machine", tool)
		}
	}
	m := mirror{dir: t.TempDir()}
	home, err := os.MkdirTemp("", "gpg") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	gpg := func(program string, args ...string) {
		t.Helper()
		c := exec.Command(program, args...)
		c.Env = []string{"PATH=" + toolPath, "GNUPGHOME=" + home}
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v: %s", program, args, err, out)
		}
	}
	t.Cleanup(func() {
		gpg("gpgconf", "--kill", "all")
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	gpg("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "mirror@example.org", "ed25519", "sign")
	gpg("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "other@example.org", "ed25519", "sign")
	m.keyring = m.path("mirror.gpg")
	gpg("gpg", "--output", m.keyring, "--export", "mirror@example.org")
	gpg("gpg", "--output", m.path("other.gpg"), "--export", "other@example.org")
	for _, s := range []struct {
		folder, suite string
		versions      []string
	}{{"debian", suite, []string{"1.0-1"}}, {"security", suite + "-security", []string{"1.0-2"}}, {"spare", spareSuite, []string{"0.9-1", "2.0-1"}}} {
		release := m.suite(t, s.folder, s.suite, s.versions)
		gpg("gpg", "--batch", "--local-user", "mirror@example.org", "--output", filepath.Join(filepath.Dir(release), "InRelease"), "--clearsign", release)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(m.dir)))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// suite writes a suite that has one package and returns its Release file.
func (m mirror) suite(t *testing.T, folder, suite string, versions []string) string {
	t.Helper()
	write := func(path, data string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(name, data string) string {
		return fmt.Sprintf(" %x %d %s\n", sha256.Sum256([]byte(data)), len(data), name)
	}
	var sources string
	for _, version := range versions {
		dsc := "a description of " + version
		write(m.path(folder, "pool", "musl_"+version+".dsc"), dsc)
		sources += "Package: musl\nFormat: 1.0\nBinary: musl\nArchitecture: any\nVersion: " + version + "\nDirectory: pool\n" +
			"Files:\n" + fmt.Sprintf(" %x %d musl_%s.dsc\n", md5.Sum([]byte(dsc)), len(dsc), version) +
			"Checksums-Sha256:\n" + entry("musl_"+version+".dsc", dsc) + "\n"
	}
	dists := m.path(folder, "dists", suite)
	write(filepath.Join(dists, "main", "source", "Sources"), sources)
	write(filepath.Join(dists, "Release"), "Origin: Debian\nSuite: "+suite+"\nCodename: "+suite+
		"\nDate: Sat, 09 Aug 2025 00:00:00 UTC\nComponents: main\nSHA256:\n"+entry("main/source/Sources", sources))
	return filepath.Join(dists, "Release")
}

// lax is a machine whose apt was told to take anything.
func lax(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "apt.conf")
	data := "Acquire::AllowInsecureRepositories \"true\";\nAPT::Get::AllowUnauthenticated \"true\";\nAcquire::http::Proxy \"DIRECT\";\n"
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"APT_CONFIG=" + path}
}

func TestMirror(t *testing.T) {
	m := newMirror(t)
	a := apt{t.TempDir(), lax(t)}
	resolve := func() Source {
		t.Helper()
		got, err := a.index(context.Background(), m.lists(m.keyring), []request{{name: "musl"}}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	s := resolve()
	if s.Version != "1.0-2" || s.Missing != "" {
		t.Errorf("resolved %+v, want the security update", s)
	}
	dir := t.TempDir()
	if err := a.download(context.Background(), s, dir, io.Discard); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, s.dsc())); err != nil || string(data) != "a description of 1.0-2" {
		t.Errorf("downloaded %q, %v", data, err)
	}
	m.lose(t, "security", "1.0-2")
	if s = resolve(); s.Version != "1.0-1" || s.Missing != "1.0-2" {
		t.Errorf("resolved %+v, want the release's version and a note", s)
	}
	if err := a.download(context.Background(), s, t.TempDir(), io.Discard); err != nil {
		t.Error(err)
	}
	// A file that isn't what the index says.
	if err := os.WriteFile(m.path("debian", "pool", "musl_1.0-1.dsc"), []byte("a description of 9.9-9"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := a.download(context.Background(), s, t.TempDir(), io.Discard); err == nil {
		t.Error("took another file for the one in the index")
	}
}

func TestMirrorWithoutTheSuitesPackages(t *testing.T) {
	m := newMirror(t)
	a := apt{t.TempDir(), lax(t)}
	m.lose(t, "debian", "1.0-1")
	m.lose(t, "security", "1.0-2")
	got, err := a.index(context.Background(), m.lists(m.keyring), []request{{name: "musl"}}, io.Discard)
	if err != nil || got[0].Version != "0.9-1" || got[0].Missing != "1.0-2" {
		t.Fatalf("resolved %+v, %v, want the spare suite's version that isn't newer", got, err)
	}
	if err := a.download(context.Background(), got[0], t.TempDir(), io.Discard); err != nil {
		t.Error(err)
	}
	m.lose(t, "spare", "0.9-1")
	got, err = a.index(context.Background(), m.lists(m.keyring), []request{{name: "musl"}}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "announces 1.0-2, 1.0-1, 0.9-1, and delivers none") || fault.HintOf(err) == "" {
		t.Errorf("resolved %+v, error %v, hint %q", got, err, fault.HintOf(err))
	}
}

func TestMirrorHasASeries(t *testing.T) {
	m := newMirror(t)
	a := apt{t.TempDir(), lax(t)}
	for series, want := range map[string]string{"1": "1.0-2", "2": "2.0-1"} { // the latter in the spare suite alone
		got, err := a.index(context.Background(), m.lists(m.keyring), []request{{"musl", series}}, io.Discard)
		if err != nil || got[0].Version != want || got[0].Missing != "" {
			t.Errorf("resolved %+v, %v, want version %s", got, err, want)
		}
	}
	got, err := a.index(context.Background(), m.lists(m.keyring), []request{{"musl", "3"}}, io.Discard)
	if fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "no version 3") {
		t.Errorf("resolved %+v, error %v", got, err)
	}
}

func TestMirrorMustBeSigned(t *testing.T) {
	for name, spoil := range map[string]func(m mirror) (keyring string, err error){
		"by a known key": func(m mirror) (string, error) { return m.path("other.gpg"), nil },
		"at all": func(m mirror) (string, error) {
			return m.keyring, os.Remove(m.path("debian", "dists", suite, "InRelease"))
		},
		"over its index": func(m mirror) (string, error) {
			path := m.path("debian", "dists", suite, "main", "source", "Sources")
			data, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			return m.keyring, os.WriteFile(path, []byte(strings.ReplaceAll(string(data), "1.0-1", "6.6-6")), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			keyring, err := spoil(m)
			if err != nil {
				t.Fatal(err)
			}
			a := apt{t.TempDir(), lax(t)}
			if got, err := a.index(context.Background(), m.lists(keyring), []request{{name: "musl"}}, io.Discard); err == nil {
				t.Errorf("resolved %+v", got)
			}
		})
	}
}

package packages_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
)

// locked resolves and pins what mosquitto needs.
func locked(t testing.TB, r repository) *packages.Lock {
	t.Helper()
	lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
	must(t, err)
	lock, err = lock.Pin(t.Context(), r.options)
	must(t, err)
	return lock
}

func encode(t testing.TB, dir string, locks ...*packages.Lock) []byte {
	t.Helper()
	data, err := packages.Locks(locks).Encode(dir)
	must(t, err)
	return data
}

func TestLockFileReadsBack(t *testing.T) {
	for way, over := range ways {
		r := over(t, fixture())
		lock := locked(t, r)
		file := filepath.Join(filepath.Dir(r.dir), "mosqbuild.lock.yaml")
		data := encode(t, filepath.Dir(file), lock)
		if again := encode(t, filepath.Dir(file), locked(t, r)); !bytes.Equal(data, again) {
			t.Errorf("%s: locked again it is\n%s\nand was\n%s", way, again, data)
		}
		back, err := packages.ReadLocks(file, data)
		must(t, err)
		confirmed, err := back.Find("amd64").Confirm(t.Context(), lock.World, r.options)
		must(t, err)
		if !reflect.DeepEqual(confirmed, lock) {
			t.Errorf("%s: read back and confirmed it is %+v, and was %+v", way, confirmed, lock)
		}
		if confirmed.Digest() != lock.Digest() {
			t.Errorf("%s: the digest differs", way)
		}
		for _, line := range []string{
			"version: 1\n", "\n  - mosquitto\n", "platform: linux/amd64\n", "name: mosquitto-libs\n", "version: 2.0.21-r0\n",
			"/x86_64/" + broker + "\n", "checksum: Q1", "key: " + testKey().Name, `date: "2025-10-09T08:53:20Z"`,
		} {
			if !strings.Contains(string(data), line) {
				t.Errorf("%s: %q isn't in\n%s", way, line, data)
			}
		}
	}
}

func TestLockFileHoldsNoLoginAndNoPathOutside(t *testing.T) {
	r := overHTTP(t, fixture())
	r.options.Repositories[0] = strings.Replace(r.options.Repositories[0], "http://", "http://user:secret@", 1)
	if data := encode(t, ".", locked(t, r)); strings.Contains(string(data), "secret") || strings.Contains(string(data), "user") {
		t.Errorf("the lock holds the login:\n%s", data)
	}
	r = overFolder(t, fixture())
	must(t, os.Mkdir(filepath.Join(r.dir, "repo"), 0o755))
	must(t, os.Rename(filepath.Join(r.dir, "x86_64"), filepath.Join(r.dir, "repo/x86_64")))
	r.options.Repositories[0] = filepath.Join(r.dir, "repo")
	data := encode(t, r.dir, locked(t, r))
	if strings.Contains(string(data), r.dir) || !strings.Contains(string(data), "folder: repo\n") {
		t.Errorf("the folder isn't relative to the lock:\n%s", data)
	}
	if _, err := packages.ReadLocks("x/lock.yaml", data); err != nil {
		t.Error(err)
	}
}

func TestNoLockIsNotWritten(t *testing.T) {
	if data, err := (packages.Locks{}).Encode("."); err == nil {
		t.Errorf("it gives %q", data)
	}
}

// Every fault is named with its line.
func TestReadLocksRefuses(t *testing.T) {
	r := overFolder(t, fixture())
	good := string(encode(t, filepath.Dir(r.dir), locked(t, r)))
	for _, c := range []struct{ old, new, want string }{
		{good, "", "version: is 0"},
		{good, "version: 1\n", "platforms: is empty"},
		{"version: 1\n", "version: 2\n", "lock.yaml:2: version: is 2; this mosqbuild reads 1"},
		{"version: 1\n", "version: 1\ncolour: red\n", "lock.yaml:3: colour: there is no such setting"},
		{"version: 1\n", "version: one\n", "lock.yaml:2: version: wants a whole number"},
		{"linux/amd64", "windows/amd64", `lock.yaml:6: platforms[0].platform: "windows/amd64" is no platform`},
		{"linux/amd64", "linux/../x", "is no platform"},
		{"- mosquitto\n", "- \"\\ta\\nb\"\n", "packages: has a control character"},
		{"    packages:\n", "      - {url: http://a/b, sha256: " + strings.Repeat("0", 64) + ", key: k, date: 2025-10-09T08:53:20Z}\n      - {url: http://a/b/, sha256: " + strings.Repeat("0", 64) + ", key: k, date: 2025-10-09T08:53:20Z}\n    packages:\n", `"http://a/b" is there twice`},
		{"    packages:\n", "      - {folder: ./001, sha256: " + strings.Repeat("0", 64) + ", key: k, date: 2025-10-09T08:53:20Z}\n    packages:\n", `"001" is there twice`},
		{"key: ", "clef: ", "platforms[0].repositories[0].clef: there is no such setting"},
		{"folder: ", "url: ", "is no http(s) URL"},
		{"folder: ", "url: http://a:b@c/\n        folder: ", "without a login"},
		{"        sha256: ", "        sha256: 0", "is no SHA-256"},
		{`date: "2025-10-09T08:53:20Z"`, "date: yesterday", `lock.yaml:11: platforms[0].repositories[0].date: "yesterday" is no date`},
		{`date: "2025-10-09T08:53:20Z"`, "date: 1066-10-14T00:00:00Z", "is no date"},
		{"name: musl\n", "name: ../musl\n", "packages[1].name: \"../musl-1.2.5-r0.apk\" is no file name"},
		{"name: musl\n", "name: base\n", "packages[1].name: \"base\" is there twice"},
		{"version: 1.2.5-r0", "version: new", `"new" is no version`},
		{"x86_64/" + broker, "aarch64/" + broker, "packages[3].url: "},
		{"checksum: Q1", "checksum: Q2", "is no checksum"},
		{"size: ", "size: -", "is not between"},
		{"version: 1\n", "version: 1\n---\nversion: 1\n", "more than one document"},
	} {
		in := strings.Replace(good, c.old, c.new, 1)
		if in == good {
			t.Fatalf("%q isn't in\n%s", c.old, good)
		}
		locks, err := packages.ReadLocks("lock.yaml", []byte(in))
		if locks != nil {
			t.Errorf("%q: locks were returned", c.new)
		}
		wantFault(t, err, fault.Usage, c.want)
	}
}

// FuzzReadLocks asserts that what is accepted reads back as the same, and that
// its files stay in their repositories.
func FuzzReadLocks(f *testing.F) {
	for _, over := range ways {
		r := over(f, fixture())
		f.Add(encode(f, filepath.Dir(r.dir), locked(f, r)))
	}
	f.Add([]byte("version: 1\npackages: [a]\nplatforms: [{platform: linux/arm/v7}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		locks, err := packages.ReadLocks("dir/lock.yaml", in)
		if err != nil {
			if locks != nil || fault.CodeOf(err) != fault.Usage {
				t.Errorf("%v with %v", err, locks)
			}
			return
		}
		for _, l := range locks {
			for _, p := range l.Packages {
				if strings.ContainsAny(p.Name+p.Version, "/\\\n\x00") || p.Size <= 0 {
					t.Errorf("package %+v", p)
				}
			}
		}
		data := encode(t, "dir", locks...)
		back, err := packages.ReadLocks("dir/lock.yaml", data)
		if err != nil {
			t.Fatalf("what was written doesn't read: %v\n%s", err, data)
		}
		if again := encode(t, "dir", back...); !bytes.Equal(again, data) {
			t.Errorf("written again it is\n%s\nand was\n%s", again, data)
		}
	})
}

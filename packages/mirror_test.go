package packages_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// offline is a mirror and nothing else: no cache and no network.
func offline(dir string, keys ...*repo.Key) packages.Options {
	o := packages.Options{Repositories: []string{dir}, Transport: onlyHost(""), Keys: map[string][]byte{}}
	for _, k := range append(keys, testKey()) {
		o.Keys[k.Name] = k.Public()
	}
	return o
}

func mirror(t testing.TB, lock *packages.Lock, o packages.Options, to string, key *repo.Key) packages.Mirrored {
	t.Helper()
	done, err := packages.Locks{lock}.Mirror(t.Context(), o, to, key)
	must(t, err)
	return done
}

// wrong is what CheckMirror finds.
func wrong(t testing.TB, dir string, o packages.Options) (found []string) {
	t.Helper()
	checks, err := packages.CheckMirror(t.Context(), dir, o)
	must(t, err)
	for _, c := range checks {
		if !c.OK {
			found = append(found, c.File+": "+c.Detail)
		}
	}
	return found
}

func TestMirrorGivesTheSameDigest(t *testing.T) {
	for way, over := range ways {
		for name, key := range map[string]*repo.Key{"as it was": nil, "signed anew": foreignKey()} {
			t.Run(way+"/"+name, func(t *testing.T) {
				r := over(t, append(fixture(), repo.Package{Name: "unrelated", Version: "1-r0"}))
				lock, dir := locked(t, r), t.TempDir()
				if done := mirror(t, lock, r.options, dir, key); done.Packages != 4 || done.Copied != 4 || done.Bytes == 0 {
					t.Errorf("it says %+v", done)
				}
				o := offline(dir, foreignKey())
				if key != nil {
					o = offline(dir, key)
				}
				if bad := wrong(t, dir, o); bad != nil {
					t.Errorf("found wrong: %q", bad)
				}
				must(t, os.RemoveAll(r.dir))
				again, tree, err := build(t, o, "mosquitto")
				must(t, err)
				if again.Digest() != lock.Digest() {
					t.Errorf("the mirror's lock is %+v, the original %+v", again, lock)
				}
				if _, data := content(t, tree); way == "http" && !strings.Contains(data["etc/apk/repositories"], "/alpine/v3.23/main\n") {
					t.Errorf("repositories are %q", data["etc/apk/repositories"])
				}
				confirmed, err := lock.Confirm(t.Context(), lock.World, o)
				must(t, err)
				if confirmed.Digest() != lock.Digest() {
					t.Error("confirmed by the mirror the lock has another digest")
				}
				// A mirror of the mirror is one of the original.
				second := t.TempDir()
				mirror(t, again, o, second, nil)
				o.Repositories = []string{second}
				twice, err := packages.Resolve(t.Context(), lock.World, o)
				must(t, err)
				if twice.Digest() != lock.Digest() {
					t.Error("the mirror's mirror has another digest")
				}
			})
		}
	}
}

// Two repositories whose URLs end alike, with other packages each.
func TestMirrorOfTwoRepositories(t *testing.T) {
	first, second := overHTTP(t, fixture()[:2]), overHTTP(t, fixture()[2:])
	o := first.options
	o.Repositories, o.Transport = append(o.Repositories, second.options.Repositories...), nil
	lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, o)
	must(t, err)
	dir := t.TempDir()
	mirror(t, lock, o, dir, nil)
	for _, file := range []string{"main/x86_64/musl-1.2.5-r0.apk", "main-2/x86_64/" + broker, "keys/" + testKey().Name} {
		read(t, filepath.Join(dir, file))
	}
	again, _, err := build(t, offline(dir), "mosquitto")
	must(t, err)
	if again.Digest() != lock.Digest() {
		t.Errorf("the mirror's lock is %+v, the original %+v", again, lock)
	}
}

func TestMirrorGoesOn(t *testing.T) {
	r := overHTTP(t, fixture())
	lock, dir := locked(t, r), t.TempDir()
	mirror(t, lock, r.options, dir, nil)
	at := func(name string) string { return filepath.Join(dir, "main/x86_64", name) }
	must(t, os.Remove(at(broker)))
	overwrite(t, at(library), read(t, at(library))[1:])
	left, mine := filepath.Join(dir, "main/x86_64", "."+broker+".123"), filepath.Join(dir, "mine/.a.apk.1")
	overwrite(t, left, []byte("half"))
	must(t, os.Mkdir(filepath.Dir(mine), 0o755))
	overwrite(t, mine, []byte("not the mirror's"))
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	if done := mirror(t, lock, r.options, link, nil); done.Packages != 4 || done.Copied != 2 {
		t.Errorf("it says %+v", done)
	}
	if bad := wrong(t, dir, offline(dir)); bad != nil {
		t.Errorf("found wrong: %q", bad)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a kill left is still there: %v", err)
	}
	read(t, mine)
}

func TestMirrorFollowsNoLinks(t *testing.T) {
	r := overHTTP(t, fixture())
	lock := locked(t, r)
	for _, name := range []string{"main", "main/x86_64", "main/x86_64/" + broker, "keys", "keys/" + testKey().Name, "mosqbuild.mirror.yaml"} {
		dir, outside := t.TempDir(), t.TempDir()
		at := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		target := outside
		if filepath.Ext(name) != "" {
			target = filepath.Join(outside, "file")
		}
		must(t, os.Symlink(target, at))
		_, err := packages.Locks{lock}.Mirror(t.Context(), r.options, dir, nil)
		wantFault(t, err, fault.Failed, at, "is a symbolic link")
		if written, err := os.ReadDir(outside); err != nil || len(written) > 0 {
			t.Errorf("%s: outside of the mirror is %v, %v", name, written, err)
		}
	}
}

func TestMirrorsTakeTurns(t *testing.T) {
	r := overHTTP(t, fixture())
	dir, waited := t.TempDir(), 0
	other, err := os.Open(dir)
	must(t, err)
	defer other.Close()
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
	r.options.Waiting = func() { waited++ }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = packages.Locks{locked(t, r)}.Mirror(ctx, r.options, dir, nil)
	if !errors.Is(err, context.DeadlineExceeded) || waited != 1 {
		t.Errorf("error %v, told %d times to wait", err, waited)
	}
}

func TestMirrorTakesNothingUnverified(t *testing.T) {
	r := overHTTP(t, fixture())
	lock, dir := locked(t, r), t.TempDir()
	overwrite(t, r.path(broker), read(t, r.path(library)))
	r.options.Cache = t.TempDir()
	_, err := packages.Locks{lock}.Mirror(t.Context(), r.options, dir, nil)
	wantFault(t, err, fault.Refused, `package "mosquitto"`)
	for _, name := range []string{"main/x86_64/" + broker, "main/x86_64/APKINDEX.tar.gz", "mosqbuild.mirror.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = packages.CheckMirror(t.Context(), dir, offline(dir))
	wantFault(t, err, fault.CheckFailed, "written last")
	_, err = packages.Resolve(t.Context(), []string{"mosquitto"}, offline(dir))
	wantFault(t, err, fault.Unreachable, "x86_64/APKINDEX.tar.gz")
	if hint := fault.HintOf(err); !strings.Contains(hint, "never finished") || !strings.Contains(hint, "mosqbuild packages mirror --to "+dir) {
		t.Errorf("hint is %q", hint)
	}

	// A lock that the repository has left behind isn't mirrored.
	rewrite(t, r, release("2.0.22-r0"), epoch)
	_, err = packages.Locks{lock}.Mirror(t.Context(), r.options, dir, nil)
	wantFault(t, err, fault.Refused, `package "mosquitto" is no longer in`)
	o := r.options
	o.Repositories = append(o.Repositories, r.dir)
	_, err = packages.Locks{lock}.Mirror(t.Context(), o, dir, nil)
	wantFault(t, err, fault.Refused, `repository "a folder" is named and isn't locked`)
}

func TestCheckMirrorFinds(t *testing.T) {
	r := overHTTP(t, fixture())
	lock, dir := locked(t, r), t.TempDir()
	const file = "main/x86_64/" + broker
	key := "keys/" + testKey().Name
	for name, c := range map[string]struct {
		spoil func(at func(string) string)
		says  string
	}{
		"missing":       {func(at func(string) string) { must(t, os.Remove(at(file))) }, file + ": no such file"},
		"another":       {func(at func(string) string) { overwrite(t, at(file), read(t, at("main/x86_64/"+library))) }, file + ": size is"},
		"changed":       {func(at func(string) string) { b := read(t, at(file)); b[4] ^= 1; overwrite(t, at(file), b) }, file + ": SHA-256 is"},
		"index missing": {func(at func(string) string) { must(t, os.Remove(at("main/x86_64/APKINDEX.tar.gz"))) }, "main/x86_64/APKINDEX.tar.gz: "},
		"another index": {func(at func(string) string) {
			must(t, repo.Write(t.Context(), at("main"), "x86_64", fixture()[:3], testKey(), epoch))
		}, `is no longer in repository`},
		"a foreign index": {func(at func(string) string) {
			must(t, repo.Write(t.Context(), at("main"), "x86_64", fixture(), foreignKey(), epoch))
		}, foreignKey().Name},
		"key missing": {func(at func(string) string) { must(t, os.RemoveAll(at("keys"))) }, key + ": no such file"},
		"another key": {func(at func(string) string) { overwrite(t, at(key), foreignKey().Public()) }, key + ": it is not the key"},
		"no key":      {func(at func(string) string) { overwrite(t, at(key), []byte("none")) }, key + ": no PEM block"},
		"a key more": {func(at func(string) string) {
			overwrite(t, at("keys/"+foreignKey().Name), foreignKey().Public())
		}, "keys/" + foreignKey().Name + ": nothing here is signed by it"},
	} {
		mirror(t, lock, r.options, dir, nil) // mends what was spoilt before
		if bad := wrong(t, dir, offline(dir)); bad != nil {
			t.Fatalf("before %s: %q", name, bad)
		}
		c.spoil(func(p string) string { return filepath.Join(dir, p) })
		if bad := wrong(t, dir, offline(dir)); !slices.ContainsFunc(bad, func(s string) bool { return strings.Contains(s, c.says) }) {
			t.Errorf("%s: found %q", name, bad)
		}
	}
}

// Keys are those that files are signed by, even where these were others before; and
// as long as a mirror isn't finished, what it was is of use.
func TestMirrorKeepsNoOldKey(t *testing.T) {
	r := overHTTP(t, fixture())
	lock, dir := locked(t, r), t.TempDir()
	names := func() (names []string) {
		entries, err := os.ReadDir(filepath.Join(dir, "keys"))
		must(t, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	both := []string{foreignKey().Name, testKey().Name}
	slices.Sort(both)
	mirror(t, lock, r.options, dir, foreignKey())
	if got := names(); !slices.Equal(got, both) {
		t.Fatalf("signed anew, it has the keys %q", got)
	}
	broken := r.options
	broken.Cache, broken.Transport = t.TempDir(), onlyIndexes{r.options.Transport}
	must(t, os.Remove(filepath.Join(dir, "main/x86_64", library)))
	if _, err := (packages.Locks{lock}).Mirror(t.Context(), broken, dir, nil); err == nil {
		t.Fatal("it mirrors packages that don't come")
	}
	if got := names(); !slices.Equal(got, both) {
		t.Errorf("before it is finished, it has the keys %q", got)
	}
	// What a kill has left unfinished goes as well.
	cut := filepath.Join(dir, ".mosqbuild.mirror.yaml.267")
	must(t, os.WriteFile(cut, nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "keys", "."+testKey().Name+".3267562260"), nil, 0o644))
	mirror(t, lock, r.options, dir, nil)
	if got := names(); !slices.Equal(got, []string{testKey().Name}) {
		t.Errorf("in the end it has the keys %q", got)
	}
	if _, err := os.Stat(cut); !os.IsNotExist(err) {
		t.Errorf("an unfinished lock of the mirror stays: %v", err)
	}
	if bad := wrong(t, dir, offline(dir)); bad != nil {
		t.Errorf("found wrong: %q", bad)
	}
	mirror(t, lock, r.options, dir, foreignKey())
	if bad := wrong(t, dir, offline(dir, foreignKey())); bad != nil {
		t.Errorf("signed anew again, found wrong: %q", bad)
	}
	must(t, os.WriteFile(filepath.Join(dir, "keys", "."+foreignKey().Name+".4087607995"), nil, 0o644))
	if bad := wrong(t, dir, offline(dir, foreignKey())); bad != nil {
		t.Errorf("after a kill, found wrong: %q", bad)
	}
}

// onlyIndexes is a network on which no package comes.
type onlyIndexes struct{ http.RoundTripper }

func (n onlyIndexes) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, ".apk") {
		return nil, fmt.Errorf("asked %s", r.URL)
	}
	return n.RoundTripper.RoundTrip(r)
}

// A mirror's own lock is not to lead anywhere else.
func TestMirrorStaysInItsFolder(t *testing.T) {
	r := overHTTP(t, fixture())
	dir := t.TempDir()
	mirror(t, locked(t, r), r.options, dir, nil)
	file := filepath.Join(dir, "mosqbuild.mirror.yaml")
	good := string(read(t, file))
	for _, folder := range []string{"../main", "/main", "main/../.."} {
		overwrite(t, file, []byte(strings.Replace(good, "folder: main", "folder: "+folder, 1)))
		_, err := packages.Resolve(t.Context(), []string{"mosquitto"}, offline(dir))
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "is not in this folder") {
			t.Errorf("%s: %v", folder, err)
		}
	}
	_, err := packages.Resolve(t.Context(), []string{"mosquitto"}, packages.Options{Repositories: []string{dir}, Arch: "arm64"})
	if fault.CodeOf(err) != fault.Usage {
		t.Errorf("spoiled: %v", err)
	}
	overwrite(t, file, []byte("spoiled"))
	_, err = packages.CheckMirror(t.Context(), dir, offline(dir))
	wantFault(t, err, fault.CheckFailed, file)
	if hint := fault.HintOf(err); !strings.Contains(hint, "mosqbuild packages mirror --to "+dir) {
		t.Errorf("hint is %q", hint)
	}
	overwrite(t, file, []byte(good))
	_, err = packages.Resolve(t.Context(), []string{"mosquitto"}, packages.Options{Repositories: []string{dir}, Arch: "arm64"})
	wantFault(t, err, fault.Unreachable, `lacks platform "linux/arm64"`)
}

// Alpine's own apk installs from mirrors of both kinds, by the keys in them.
func TestAlpineInstallsFromMirror(t *testing.T) {
	tarball := need.File(t, "ALPINE_MINIROOTFS", "an alpine-minirootfs-*.tar.gz, whose apk-tools would install the packages")
	need.Root(t)
	root := t.TempDir()
	run(t, "tar", "-xzf", tarball, "-C", root)
	r := overHTTP(t, fixture())
	lock := locked(t, r)
	for name, key := range map[string]*repo.Key{"was": nil, "anew": foreignKey()} {
		mirror(t, lock, r.options, filepath.Join(root, name), key)
		args := []string{root, "apk", "--root", "/root-" + name, "--no-network", "--no-cache", "--repositories-file", "/dev/null", "--keys-dir", "/" + name + "/keys"}
		out := run(t, "chroot", append(args, "--repository", "/"+name+"/main", "add", "--initdb", "mosquitto")...)
		if !strings.Contains(out, "Installing mosquitto (2.0.21-r0)") || strings.Contains(out, "UNTRUSTED") {
			t.Errorf("%s: apk says %s", name, out)
		}
		for _, p := range lock.Packages {
			run(t, "chroot", append(args, "verify", "/"+name+"/main/x86_64/"+p.Name+"-"+p.Version+".apk")...)
		}
		must(t, os.RemoveAll(filepath.Join(root, "root-"+name)))
		must(t, os.RemoveAll(filepath.Join(root, name, "keys")))
		must(t, os.Mkdir(filepath.Join(root, name, "keys"), 0o755))
		refused, err := exec.Command("chroot", append(args, "--repository", "/"+name+"/main", "add", "--initdb", "mosquitto")...).CombinedOutput()
		if err == nil || !strings.Contains(string(refused), "UNTRUSTED") {
			t.Errorf("%s: without the keys apk says %v, %s", name, err, refused)
		}
	}
}

package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestRepositoryWithoutABuild(t *testing.T) {
	_, _, err := Repository(t.TempDir(), Target{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(fault.HintOf(err), "mosqbuild packages build") {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
}

func TestLockMakesTurns(t *testing.T) {
	s := storeIn(t.TempDir())
	first, err := s.lock(context.Background(), func() { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	waited := 0
	if _, err := s.lock(ctx, func() { waited++ }); !errors.Is(err, context.DeadlineExceeded) || waited != 1 {
		t.Errorf("error %v, told %d times to wait", err, waited)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := s.lock(context.Background(), func() { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSweepRemovesWhatAKilledBuildLeft(t *testing.T) {
	b, _ := testBuilder(t, 1)
	if err := os.MkdirAll(b.store.path("work", "half", "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.store.sweep(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(b.store.path("work")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestPointKeepsOtherArchitectures makes repositories one after the other, each
// of one architecture and one key, and looks at what is the present one then.
func TestPointKeepsOtherArchitectures(t *testing.T) {
	b, _ := testBuilder(t, 1)
	cache := filepath.Dir(b.store.root)
	for _, c := range []struct{ dir, arch, key, want string }{
		{"1", "x86_64", "old", "old.rsa.pub x86_64=1"},
		{"2", "aarch64", "old", "aarch64=2 old.rsa.pub x86_64=1"},
		{"3", "x86_64", "old", "aarch64=2 old.rsa.pub x86_64=3"},
		{"3", "x86_64", "old", "aarch64=2 old.rsa.pub x86_64=3"},
		{"4", "x86_64", "new", "new.rsa.pub x86_64=4"}, // the other's packages would be refused
	} {
		dir := b.store.path("repositories", c.dir)
		for name, data := range map[string]string{c.key + ".rsa.pub": "", c.arch + "/APKINDEX.tar.gz": c.dir} {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.store.point(dir, ""); err != nil {
			t.Fatal(err)
		}
		found, key, err := Repository(cache, Target{})
		if err != nil || filepath.Base(key) != c.key+".rsa.pub" {
			t.Errorf("the repository's key is %q, %v", key, err)
		}
		var got []string
		entries, err := os.ReadDir(found)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			index, err := os.ReadFile(filepath.Join(found, e.Name(), "APKINDEX.tar.gz"))
			if err == nil {
				got = append(got, e.Name()+"="+string(index))
			} else {
				got = append(got, e.Name())
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("after %+v the repository holds %q", c, got)
		}
	}
	if _, _, err := Repository(cache, Target{Arch: "amd64"}); err != nil {
		t.Error(err)
	}
	if _, _, err := Repository(cache, Target{Arch: "arm64"}); !errors.Is(err, fs.ErrNotExist) || fault.HintOf(err) != "run: mosqbuild packages build --arch arm64" {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	want := "run: mosqbuild packages build --mosquitto 2.1 --arch amd64"
	if _, _, err := Repository(cache, Target{"amd64", "2.1"}); !errors.Is(err, fs.ErrNotExist) || fault.HintOf(err) != want {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	for _, target := range []Target{{Arch: "riscv64"}, {Mosquitto: "1.6"}} {
		if _, _, err := Repository(cache, target); fault.CodeOf(err) != fault.Usage {
			t.Errorf("%+v: error %v, code %d", target, err, fault.CodeOf(err))
		}
	}
}

func TestSourcesAreRemembered(t *testing.T) {
	b, _ := testBuilder(t, 1)
	names := []string{"musl", "cjson"}
	want, err := parseURIs(urisOut(), names)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.save(want, "-2.1"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.store.load(names, "-2.1"); err != nil || len(got) != 2 || got[0].digest() != want[0].digest() {
		t.Errorf("read %+v, %v", got, err)
	}
	if got, err := b.store.load([]string{"musl"}, "-2.1"); err != nil || got != nil {
		t.Errorf("for other packages: %+v, %v", got, err)
	}
	if got, err := b.store.load(names, ""); err != nil || got != nil {
		t.Errorf("of another series: %+v, %v", got, err)
	}
}

func TestVerifyRefusesAnotherFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := Source{Name: "f", Files: []SourceFile{{Name: "f", Size: 5, SHA256: sum}}}
	if err := s.verify(dir); fault.CodeOf(err) != fault.Refused {
		t.Errorf("error %v, code %d", err, fault.CodeOf(err))
	}
	s.Files[0].SHA256 = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
	if err := s.verify(dir); err != nil {
		t.Errorf("refused the right file: %v", err)
	}
}

func TestCheckToolsNamesAllThatIsMissing(t *testing.T) {
	native := machines[0]
	if machines[1].goName == runtime.GOARCH {
		native = machines[1]
	}
	if err := checkTools(native, func(string) bool { return true }); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	err := checkTools(native, func(path string) bool { return path != "gcc" && path != "strip" && path != "ld" })
	if err == nil || !strings.Contains(err.Error(), "gcc, ld, strip") || !strings.HasSuffix(fault.HintOf(err), "apt-get install --no-install-recommends gcc binutils") {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	err = checkTools(native, func(string) bool { return false })
	if err == nil || !strings.Contains(fault.HintOf(err), "--repository") {
		t.Errorf("without apt: error %v, hint %q", err, fault.HintOf(err))
	}
}

func TestCheckToolsNamesTheCrossCompiler(t *testing.T) {
	for _, m := range machines {
		if !m.foreign() {
			continue
		}
		err := checkTools(m, func(path string) bool { return !strings.Contains(path, m.triplet) })
		want := "gcc-" + m.debs + " binutils-" + m.debs + " linux-libc-dev-" + m.linux + "-cross"
		if err == nil || !strings.HasSuffix(fault.HintOf(err), "apt-get install --no-install-recommends "+want) {
			t.Errorf("error %v, hint %q", err, fault.HintOf(err))
		}
	}
}

func TestBuildNeedsItsFolders(t *testing.T) {
	for _, o := range []Options{{}, {Cache: t.TempDir()}, {Config: t.TempDir()}} {
		if _, err := Build(context.Background(), o); err == nil {
			t.Errorf("built with %+v", o)
		}
	}
}

package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestRepositoryWithoutABuild(t *testing.T) {
	_, _, err := Repository(t.TempDir())
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

func TestPointMovesTheRepository(t *testing.T) {
	b, _ := testBuilder(t, 1)
	cache := filepath.Dir(b.store.root)
	for _, name := range []string{"old", "new", "new"} {
		dir := b.store.path("repositories", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".rsa.pub"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := b.store.point(dir); err != nil {
			t.Fatal(err)
		}
		_, key, err := Repository(cache)
		if err != nil || filepath.Base(key) != name+".rsa.pub" {
			t.Errorf("the repository's key is %q, %v", key, err)
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
	if err := b.store.save(want); err != nil {
		t.Fatal(err)
	}
	if got, err := b.store.load(names); err != nil || len(got) != 2 || got[0].digest() != want[0].digest() {
		t.Errorf("read %+v, %v", got, err)
	}
	if got, err := b.store.load([]string{"musl"}); err != nil || got != nil {
		t.Errorf("for other packages: %+v, %v", got, err)
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
	if err := checkTools(func(string) bool { return true }); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	err := checkTools(func(path string) bool { return path != "gcc" && path != "strip" && path != "ld" })
	if err == nil || !strings.Contains(err.Error(), "gcc, ld, strip") || !strings.HasSuffix(fault.HintOf(err), "apt-get install --no-install-recommends gcc binutils") {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	err = checkTools(func(string) bool { return false })
	if err == nil || !strings.Contains(fault.HintOf(err), "--repository") {
		t.Errorf("without apt: error %v, hint %q", err, fault.HintOf(err))
	}
}

func TestBuildNeedsItsFolders(t *testing.T) {
	for _, o := range []Options{{}, {Cache: t.TempDir()}, {Config: t.TempDir()}} {
		if _, err := Build(context.Background(), o); err == nil {
			t.Errorf("built with %+v", o)
		}
	}
}

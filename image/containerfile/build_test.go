//go:build buildah

package containerfile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/image/containerfile"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

func TestMain(m *testing.M) {
	if containerfile.Init() {
		return
	}
	os.Exit(m.Run())
}

func TestBuildCopies(t *testing.T) {
	need.Root(t)
	dir, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	file := filepath.Join(dir, "Containerfile")
	for path, data := range map[string]string{file: "FROM scratch\nARG WHO\nCOPY . /\nLABEL who=$WHO\nUSER 1883:0\n", filepath.Join(dir, "hello"): "hello\n"} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := containerfile.Options{File: file, Context: dir, Exclude: []string{"Containerfile"}, Args: map[string]string{"WHO": "me"}, Created: time.Unix(0, 0)}
	build := func(o containerfile.Options) string {
		out := filepath.Join(t.TempDir(), "image")
		if err := containerfile.Build(t.Context(), o, out); err != nil {
			t.Fatal(err)
		}
		index, err := os.ReadFile(filepath.Join(out, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(index)
	}
	first := build(o)
	if again := build(o); again != first {
		t.Errorf("built twice: %s and %s", first, again)
	}
	other := o
	other.Exclude = nil
	if build(other) == first {
		t.Error("what was to be left out makes no difference")
	}
	o.File = filepath.Join(dir, "none")
	if err := containerfile.Build(t.Context(), o, filepath.Join(tmp, "image")); err == nil {
		t.Error("built a file that isn't there")
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

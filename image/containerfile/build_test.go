//go:build buildah

package containerfile_test

import (
	"os"
	"path/filepath"
	"testing"

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
	if os.Getuid() != 0 {
		need.Unmet(t, "not root: buildah's storage needs root or a user namespace")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "Containerfile")
	if err := os.WriteFile(file, []byte("FROM scratch\nARG WHO\nCOPY hello /hello\nLABEL who=$WHO\nUSER 1883:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hello"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := containerfile.Options{
		File: file, Context: dir, Storage: filepath.Join(t.TempDir(), "storage"),
		Args: map[string]string{"WHO": "me"}, Tag: "localhost/test:latest",
	}
	id, err := containerfile.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := containerfile.Build(t.Context(), o)
	if err != nil || again != id {
		t.Errorf("built twice: %q and %q, %v", id, again, err)
	}
	if err := os.Remove(filepath.Join(dir, "hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := containerfile.Build(t.Context(), o); err == nil {
		t.Error("built without the file to copy")
	}
}

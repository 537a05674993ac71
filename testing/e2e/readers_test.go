package e2e_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mosqbuild/mosqbuild/image/inspect"
	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// umoci unpacks the layout that a build keeps to the very files that "image
// inspect" lists, with their modes, owners and contents.
func TestUmociUnpacksWhatInspectLists(t *testing.T) {
	need.Program(t, "umoci")
	r, err := apkrepo.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mosqbuild(t, dir, "image", "build", "--repository", r.Dir, "--repository-key", r.Key)
	var listed inspect.Description
	if err := json.Unmarshal([]byte(mosqbuild(t, dir, "image", "inspect", "--format", "json")), &listed); err != nil {
		t.Fatal(err)
	}
	args := []string{"unpack", "--image", ".mosqbuild/image:localhost/mosquitto:latest", "bundle"}
	if os.Getuid() != 0 {
		args = append(args, "--rootless") // files then belong to the user
	}
	run(t, dir, "umoci", args...)
	got := unpackedFiles(t, filepath.Join(dir, "bundle", "rootfs"))
	for _, f := range listed.Files {
		want := fileLine(f.Type, f.Mode, f.UID, f.GID, f.SHA256, f.Target)
		if got[f.Path] != want {
			t.Errorf("%s: umoci has %q, inspect lists %q", f.Path, got[f.Path], want)
		}
		delete(got, f.Path)
	}
	if len(got) > 0 || len(listed.Files) < 20 {
		t.Errorf("of %d files, umoci alone has %q", len(listed.Files), got)
	}
}

func fileLine(kind, mode string, uid, gid int, sum, target string) string {
	if kind == "link" {
		mode = "" // a link has none of its own
	}
	if os.Getuid() != 0 {
		uid, gid = 0, 0
	}
	return fmt.Sprintf("%s %s %d:%d %s%s", kind, mode, uid, gid, sum, target)
}

// unpackedFiles describes every file below root by its path in the image.
func unpackedFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		st, err := os.Lstat(path)
		if err != nil {
			return err
		}
		kind, sum, target := "folder", "", ""
		switch st.Mode().Type() {
		case 0:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			kind, sum = "file", fmt.Sprintf("%x", sha256.Sum256(data))
		case fs.ModeSymlink:
			kind = "link"
			if target, err = os.Readlink(path); err != nil {
				return err
			}
		}
		raw, _ := st.Sys().(*syscall.Stat_t)
		found["/"+path[len(root)+1:]] = fileLine(kind, fmt.Sprintf("%04o", raw.Mode&0o7777), int(raw.Uid), int(raw.Gid), sum, target)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

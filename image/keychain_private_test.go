package image

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sys/unix"
)

// A login file that may not be read, as that of root's podman, has no login; one
// that was named must be read.
func TestLoginsThatMayNotBeRead(t *testing.T) {
	dir := t.TempDir()
	closed, open := filepath.Join(dir, "closed"), filepath.Join(dir, "open")
	for path, mode := range map[string]os.FileMode{closed: 0, open: 0o644} {
		if err := os.WriteFile(path, []byte(`{"auths":{"r.test":{"auth":"YTpi"}}}`), mode); err != nil {
			t.Fatal(err)
		}
	}
	repository, err := name.NewRepository("r.test/app")
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // who may read everything: have this thread be nobody
		for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		runtime.LockOSThread()
		t.Cleanup(func() {
			if err := unix.Setfsuid(0); err != nil {
				t.Error(err) // and the thread ends with the test
				return
			}
			runtime.UnlockOSThread()
		})
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
	}
	login, err := keychain{[]string{closed, open}}.Resolve(repository)
	if err != nil || login == authn.Anonymous {
		t.Errorf("the login behind it: %v, %v", login, err)
	}
	if _, err := (keychain{[]string{closed}}).Resolve(repository); err == nil {
		t.Error("the one file that was named was passed over")
	}
}

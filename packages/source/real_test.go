package source

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// realBuild builds from the network into the user's own cache, as the command
// does, and returns what came out.
func realBuild(t *testing.T) (Result, Options) {
	t.Helper()
	if os.Getenv("MOSQBUILD_TEST_PACKAGES") != "1" {
		t.Skip("MOSQBUILD_TEST_PACKAGES is not 1: a real build takes minutes and the network")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Cache: filepath.Join(cache, "mosqbuild"), Config: filepath.Join(config, "mosqbuild")}
	o.Progress = func(e Event) { t.Logf("%-24s %d %6.1f s", e.Step, e.State, e.Elapsed.Seconds()) }
	r, err := Build(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Progress = nil
	return r, o
}

func TestRealBuild(t *testing.T) {
	r, o := realBuild(t)
	again, err := Build(context.Background(), o)
	if err != nil || again.Built != 0 || again.Repository != r.Repository {
		t.Errorf("a second build made %d steps anew: %v, %v", again.Built, again, err)
	}
	if dir, key, err := Repository(o.Cache, o.Target); err != nil || dir != r.Repository || key != r.Key {
		t.Errorf("Repository() = %q, %q, %v, want those of %+v", dir, key, err, r)
	}
	t.Logf("built %d, cached %d: %s", r.Built, r.Cached, r.Repository)
}

// TestRealBinaries looks at what would be shipped: nothing of this machine is
// in it, and everything asks for Alpine's name of the C library.
func TestRealBinaries(t *testing.T) {
	_, o := realBuild(t)
	steps, programs := filepath.Join(o.Cache, "source", "steps"), 0
	err := filepath.WalkDir(steps, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(strings.TrimPrefix(path, steps), "/root/") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, trace := range []string{o.Cache, filepath.Join("source", "work"), filepath.Join("source", "steps"), "toolchain"} {
			if bytes.Contains(data, []byte(trace)) {
				t.Errorf("%s holds %q", path, trace)
			}
		}
		if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
			return nil
		}
		programs++
		soname, imports, err := dynamic(data)
		if err != nil {
			return err
		}
		libc := "libc.musl-x86_64.so.1"
		if elf.Machine(binary.LittleEndian.Uint16(data[18:])) == elf.EM_AARCH64 {
			libc = "libc.musl-aarch64.so.1"
		}
		if all := strings.Join(append(imports, soname), " "); !strings.Contains(all, libc) || strings.Contains(all, "libc.so") {
			t.Errorf("%s asks for %q and not for %s", path, all, libc)
		}
		return nil
	})
	if err != nil || programs < 10 {
		t.Errorf("looked at %d programs: %v", programs, err)
	}
}

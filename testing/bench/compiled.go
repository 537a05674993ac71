package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// module is a peer that is compiled here.
type module struct {
	name    string // of its program
	path    string
	version string
	main    string // package of its program, in the module's folder
}

// compiled finds the peer in the user's cache folder, or compiles it there.
func (w *workspace) compiled(ctx context.Context, m module) (path string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path = filepath.Join(cache, "mosqbuild", "bench", "bin", m.name+"-"+m.version)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	w.say("compiling %s %s; this takes some minutes, once", m.name, m.version)
	err = m.compile(ctx, w.dir, path)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", leftOut(fmt.Sprintf("compiling %s: %v", m.name, err))
	}
	return path, nil
}

// compile builds the peer in its own module's folder, and so of the very modules
// that its own go.sum names. "go install" asks for the list of its versions as
// well, which not every proxy has.
func (m module) compile(ctx context.Context, dir, path string) error {
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", m.path+"@"+m.version)
	download.Dir = dir
	out, err := output(download)
	if err != nil {
		return err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal([]byte(out), &downloaded); err != nil {
		return fmt.Errorf("reading what go mod download printed: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fresh := path + ".new"
	build := exec.CommandContext(ctx, "go", "build", "-C", downloaded.Dir, "-trimpath", "-o", fresh, m.main)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if _, err := output(build); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

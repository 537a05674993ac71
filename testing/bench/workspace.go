package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// workspace is what the jobs share: a folder that goes with the run, the
// program, and the repository of packages built from source.
type workspace struct {
	dir        string
	program    string
	repository string // a folder
	key        string // file of its public key
	pairs      int
	progress   io.Writer
	cleanup    []func() error
}

// newWorkspace leaves nothing behind where it fails.
func newWorkspace(ctx context.Context, pairs int, progress io.Writer) (*workspace, error) {
	w := &workspace{pairs: pairs, progress: progress}
	var err error
	if w.dir, err = os.MkdirTemp("", "mosqbuild-bench-*"); err != nil {
		return nil, err
	}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.remove())
	}
	return w, nil
}

// prepare builds the program and finds the packages.
func (w *workspace) prepare(ctx context.Context) (err error) {
	// The brokers run as another user, and must reach what is theirs.
	if err := os.Chmod(w.dir, 0o711); err != nil { //nolint:gosec // secrets in it have modes of their own
		return err
	}
	w.program = filepath.Join(w.dir, "mosqbuild")
	w.say("building mosqbuild")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", w.program, "github.com/mosqbuild/mosqbuild/cmd/mosqbuild")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile does
	if _, err := output(build); err != nil {
		return err
	}
	if w.repository, err = output(exec.CommandContext(ctx, w.program, "packages", "path")); err != nil {
		return err
	}
	keys, err := filepath.Glob(filepath.Join(w.repository, "*.rsa.pub"))
	if err != nil || len(keys) != 1 {
		return fmt.Errorf("looking for the key of the packages in %q: found %q", w.repository, keys)
	}
	w.key = keys[0]
	return nil
}

func (w *workspace) say(format string, args ...any) {
	fmt.Fprintf(w.progress, "bench: "+format+"\n", args...)
}

// remove takes away all that the run has made.
func (w *workspace) remove() error {
	var errs []error
	for _, f := range w.cleanup {
		errs = append(errs, f())
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// folder makes the folder of that name, empty.
func (w *workspace) folder(name string) (string, error) {
	dir := filepath.Join(w.dir, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o755) //nolint:gosec // the brokers' user reads in it
}

// program returns where a program is, also outside a user's PATH.
func program(name string) (string, error) {
	for _, p := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(p); err == nil {
			return path, nil
		}
	}
	return "", leftOut(name + " is not installed")
}

// output runs a command that is not timed and returns what it printed.
func output(c *exec.Cmd) (string, error) {
	var errOut strings.Builder
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("running %q: %w\n%s%s", c.Args, err, out, errOut.String())
	}
	return strings.TrimSpace(string(out)), nil
}

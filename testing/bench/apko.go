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

// apkoVersion is that of the library in go.mod.
const apkoVersion = "v1.2.0"

// apko is its command line.
type apko struct {
	w       *workspace
	program string
	config  string // apko.yaml
}

// newApko finds apko in the user's cache folder, or compiles it there.
func (w *workspace) newApko(ctx context.Context) (apko, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return apko{}, err
	}
	a := apko{w, filepath.Join(cache, "mosqbuild", "bench", "bin", "apko-"+apkoVersion), filepath.Join(w.dir, "apko.yaml")}
	if _, err := os.Stat(a.program); errors.Is(err, fs.ErrNotExist) {
		w.say("compiling apko %s; this takes some minutes, once", apkoVersion)
		err = a.compile(ctx)
		if ctx.Err() != nil {
			return a, ctx.Err()
		}
		if err != nil {
			return a, leftOut(fmt.Sprintf("compiling apko: %v", err))
		}
	}
	return a, a.configure()
}

// compile builds apko in its own module's folder, and so of the very modules
// that its own go.sum names. "go install" asks for the list of its versions as
// well, which not every proxy has.
func (a apko) compile(ctx context.Context) error {
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", "chainguard.dev/apko@"+apkoVersion)
	download.Dir = a.w.dir
	out, err := output(download)
	if err != nil {
		return err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(out), &module); err != nil {
		return fmt.Errorf("reading what go mod download printed: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(a.program), 0o755); err != nil {
		return err
	}
	fresh := a.program + ".new"
	build := exec.CommandContext(ctx, "go", "build", "-C", module.Dir, "-trimpath", "-o", fresh, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if _, err := output(build); err != nil {
		return err
	}
	return os.Rename(fresh, a.program)
}

// configure asks for an image of the packages that ours is made of by default.
func (a apko) configure() error {
	data, err := json.Marshal(map[string]any{ // which is YAML
		"contents": map[string]any{
			"repositories": []string{a.w.repository},
			"keyring":      []string{a.w.key},
			"packages":     []string{"ca-certificates-bundle", "mosquitto", "mosquitto-clients"},
		},
		"archs":      []string{"amd64"},
		"entrypoint": map[string]string{"command": "/usr/sbin/mosquitto -c /mosquitto/config/mosquitto.conf"},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(a.config, data, 0o600)
}

// build is "apko build" into an OCI layout, without the bill of materials that
// it would make on top. With cold, its cache of packages begins empty.
func (a apko) build(cold bool) contender {
	return func(ctx context.Context) (sample, error) {
		cache := filepath.Join(a.w.dir, "apko-cache")
		if cold {
			if err := os.RemoveAll(cache); err != nil {
				return sample{}, err
			}
		}
		layout, err := a.w.folder("apko-layout")
		if err != nil {
			return sample{}, err
		}
		tmp, err := a.w.folder("apko-tmp")
		if err != nil {
			return sample{}, err
		}
		c := exec.CommandContext(ctx, a.program, "build", "--arch", "amd64", "--sbom=false", "--vcs=false",
			"--cache-dir", cache, a.config, "localhost/mosquitto:latest", layout)
		c.Dir = a.w.dir
		c.Env = append(os.Environ(), "TMPDIR="+tmp, "XDG_CACHE_HOME="+cache)
		return timed(c)
	}
}

// programStart compares what every command spends before it does anything.
func programStart(ctx context.Context, w *workspace) (result, error) {
	a, err := w.newApko(ctx)
	if err != nil {
		return result{}, err
	}
	start := func(name, arg string) contender {
		return func(ctx context.Context) (sample, error) { return timed(exec.CommandContext(ctx, name, arg)) }
	}
	return w.race(ctx, 2*w.pairs, start(w.program, "--version"), start(a.program, "version"))
}

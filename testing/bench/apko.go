package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
)

// apkoModule has the version of the library in go.mod.
var apkoModule = module{name: "apko", path: "chainguard.dev/apko", version: "v1.2.0", main: "."}

// apko is its command line.
type apko struct {
	w       *workspace
	program string
	config  string // apko.yaml
	archs   string
}

func (w *workspace) newApko(ctx context.Context) (apko, error) {
	program, err := w.compiled(ctx, apkoModule)
	if err != nil {
		return apko{}, err
	}
	a := apko{w, program, filepath.Join(w.dir, "apko.yaml"), "amd64"}
	return a, a.configure()
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
		c := exec.CommandContext(ctx, a.program, "build", "--arch", a.archs, "--sbom=false", "--vcs=false",
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

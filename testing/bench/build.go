package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mosqbuild/mosqbuild/image"
)

// ourBuild is "mosqbuild image build" of the local packages into the OCI
// layout that it keeps in its state folder. Credentials were made by an earlier
// build, as in any but the first one; the layout is written anew each time.
// With cold, no cache of any kind is left from an earlier build.
func (w *workspace) ourBuild(cold bool) contender {
	return func(ctx context.Context) (sample, error) {
		dir, cache := filepath.Join(w.dir, "ours"), filepath.Join(w.dir, "ours-cache")
		stale := []string{filepath.Join(dir, ".mosqbuild", "image")}
		if cold {
			stale = append(stale, cache)
		}
		for _, path := range stale {
			if err := os.RemoveAll(path); err != nil {
				return sample{}, err
			}
		}
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // what is secret in it has a mode of its own
			return sample{}, err
		}
		return timed(w.ourBuildCommand(ctx, dir, cache))
	}
}

func (w *workspace) ourBuildCommand(ctx context.Context, dir, cache string) *exec.Cmd {
	c := exec.CommandContext(ctx, w.program, "image", "build", "--repository", w.repository, "--repository-key", w.key)
	c.Dir = dir
	c.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
	return c
}

func coldBuildAgainstApko(ctx context.Context, w *workspace) (result, error) {
	return w.buildAgainstApko(ctx, w.ourBuild(true), true)
}

func warmBuildAgainstApko(ctx context.Context, w *workspace) (result, error) {
	return w.buildAgainstApko(ctx, w.ourBuild(false), true)
}

func warmBuildAgainstWarmApko(ctx context.Context, w *workspace) (result, error) {
	return w.buildAgainstApko(ctx, w.ourBuild(false), false)
}

func (w *workspace) buildAgainstApko(ctx context.Context, ours contender, cold bool) (result, error) {
	a, err := w.newApko(ctx)
	if err != nil {
		return result{}, err
	}
	return w.race(ctx, w.pairs, ours, a.build(cold))
}

func coldBuildAgainstBuildah(ctx context.Context, w *workspace) (result, error) {
	b, err := w.newBuildah(ctx)
	if err != nil {
		return result{}, err
	}
	r, err := w.race(ctx, w.pairs, w.ourBuild(true), b.build)
	r.note = "buildah stores layers with its " + b.driver + " driver"
	return r, err
}

// officialSize is what eclipse-mosquitto:2.0.22 took in its registry for
// linux/amd64, compressed, when it was looked up in November 2026. No registry
// is asked here.
const officialSize = 4_798_168

// imageSize adds up what a registry would hold: layers, config and manifest,
// test credentials included.
func imageSize(ctx context.Context, w *workspace) (result, error) {
	if _, err := w.ourBuild(false)(ctx); err != nil {
		return result{}, err
	}
	img, err := image.Open(filepath.Join(w.dir, "ours", ".mosqbuild", "image"))
	if err != nil {
		return result{}, err
	}
	size, err := image.Size(img)
	if err != nil {
		return result{}, err
	}
	if size == 0 {
		return result{}, errors.New("the image is empty")
	}
	return result{
		ours: fmt.Sprintf("%.2f MB", float64(size)/1e6), peer: fmt.Sprintf("%.2f MB", officialSize/1e6),
		ratio: ratio(float64(size), officialSize), reached: float64(size) / 1e6,
		note: fmt.Sprintf("ours is %d bytes; eclipse-mosquitto:2.0.22 for linux/amd64 is quoted as of November 2026: %d bytes", size, officialSize),
	}, nil
}

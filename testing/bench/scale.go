package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
)

// scaled is a repository of generated packages for two platforms: 60 of 1 to
// 5 MB, 3 in the mean, and two that differ in size alone. They compress to half of
// that, as programs do.
type scaled struct {
	w        *workspace
	dir, key string
}

const (
	smallPackage = "small" // 1 MB
	largePackage = "large" // 64 MB
)

// scale writes the repository, once a run.
func (w *workspace) scale(ctx context.Context) (scaled, error) {
	s := scaled{w, filepath.Join(w.dir, "scale"), ""}
	if keys, _ := filepath.Glob(filepath.Join(s.dir, "*.rsa.pub")); len(keys) == 1 {
		s.key = keys[0]
		return s, nil
	}
	w.say("making 62 packages for two platforms")
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	if _, err := output(exec.CommandContext(ctx, self, generateArg, s.dir)); err != nil {
		return s, err
	}
	keys, err := filepath.Glob(filepath.Join(s.dir, "*.rsa.pub"))
	if err != nil || len(keys) != 1 {
		return s, fmt.Errorf("looking for the key of the packages in %q: found %q", s.dir, keys)
	}
	s.key = keys[0]
	return s, nil
}

// generateArg has this program write the packages and end, and with that the
// memory that it takes.
const generateArg = "generate-packages"

// generate writes the repository.
func generate(ctx context.Context, dir string) error {
	key, err := apkrepo.NewKey()
	if err != nil {
		return err
	}
	pkgs := []repo.Package{generated(smallPackage, 1<<20), generated(largePackage, 64<<20)}
	for i := range 60 {
		pkgs = append(pkgs, generated(partName(i), (1+i%5)*1_000_000))
	}
	for _, arch := range []string{"x86_64", "aarch64"} {
		if err := repo.Write(ctx, dir, arch, pkgs, key, time.Unix(0, 0)); err != nil {
			return err
		}
	}
	return nil
}

// partName names the broker first: an image without one isn't built.
func partName(i int) string {
	if i == 0 {
		return "mosquitto"
	}
	return fmt.Sprintf("part%d", i)
}

func partNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, partName(i))
	}
	return names
}

// generated is a package of one file, the same in every run: words of a few
// bytes, some of which come again.
func generated(name string, size int) repo.Package {
	r := mathrand.New(mathrand.NewPCG(uint64(size), uint64(len(name))<<32+uint64(name[len(name)-1])))
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = make([]byte, 2+r.IntN(8))
		for j := range words[i] {
			words[i][j] = byte(r.Uint32())
		}
	}
	data := bytes.NewBuffer(make([]byte, 0, size+16))
	for data.Len() < size {
		data.Write(words[r.IntN(len(words))])
	}
	return repo.Package{Name: name, Version: "1.0-r0", License: "MIT", Files: []repo.File{
		{Path: "usr/lib/" + name, Mode: 0o755, Data: data.Bytes()[:size]},
	}}
}

// site is a folder with a mosqbuild.yaml that asks for packages.
type site struct {
	scaled
	dir, cache string
	packages   []string
	platforms  []string // none is the default one
}

func (s scaled) site(name string, packages, platforms []string) (*site, error) {
	dir, err := s.w.folder(name)
	if err != nil {
		return nil, err
	}
	at := &site{s, dir, dir + "-cache", packages, platforms}
	return at, at.configure("")
}

// configure writes mosqbuild.yaml with more at its end.
func (s *site) configure(more string) error {
	text := fmt.Sprintf("image: {packages: [%s]}\n%s", strings.Join(s.packages, ", "), more)
	return os.WriteFile(filepath.Join(s.dir, "mosqbuild.yaml"), []byte(text), 0o600)
}

func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.w.program, args...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), "XDG_CACHE_HOME="+s.cache)
	return c
}

func (s *site) buildCommand(ctx context.Context) *exec.Cmd {
	args := []string{"image", "build", "--repository", s.scaled.dir, "--repository-key", s.key}
	for _, p := range s.platforms {
		args = append(args, "--platform", p)
	}
	return s.command(ctx, args...)
}

// build is "mosqbuild image build"; credentials stay from the warm-up. With
// cold, nothing that an earlier one has made but these is there.
func (s *site) build(cold bool) contender {
	return func(ctx context.Context) (sample, error) {
		if cold {
			for _, stale := range []string{filepath.Join(s.dir, ".mosqbuild", "image"), s.cache} {
				if err := os.RemoveAll(stale); err != nil {
					return sample{}, err
				}
			}
		}
		return timed(s.buildCommand(ctx))
	}
}

// apko is its command line for an image of the same packages.
func (s *site) apko(ctx context.Context) (apko, error) {
	a, err := s.w.newApko(ctx)
	if err != nil {
		return a, err
	}
	a.config, a.archs = filepath.Join(s.dir, "apko.yaml"), "amd64"
	archs := []string{"amd64"}
	if len(s.platforms) > 1 {
		a.archs, archs = "amd64,arm64", []string{"amd64", "arm64"}
	}
	data, err := json.Marshal(map[string]any{ // which is YAML
		"contents": map[string]any{"repositories": []string{s.scaled.dir}, "keyring": []string{s.key}, "packages": s.packages},
		"archs":    archs,
	})
	if err != nil {
		return a, err
	}
	return a, os.WriteFile(a.config, data, 0o600)
}

// scaledAgainstApko builds n packages. Without cold, both have been built
// before, and nothing has changed.
func scaledAgainstApko(n int, platforms []string, cold bool) func(context.Context, *workspace) (result, error) {
	return func(ctx context.Context, w *workspace) (result, error) {
		if len(platforms) > 1 {
			if help, err := output(exec.CommandContext(ctx, w.program, "image", "build", "--help")); err != nil || !strings.Contains(help, "--platform") {
				return result{}, leftOut("image build has no --platform")
			}
		}
		s, err := w.scale(ctx)
		if err != nil {
			return result{}, err
		}
		at, err := s.site("scale-site", partNames(n), platforms)
		if err != nil {
			return result{}, err
		}
		a, err := at.apko(ctx)
		if err != nil {
			return result{}, err
		}
		return w.race(ctx, w.pairs, at.build(cold), a.build(cold))
	}
}

var bothPlatforms = []string{"linux/amd64", "linux/arm64"}

// rebuildUnchanged is how much longer a build takes in which nothing has
// changed than a process that does nothing.
func rebuildUnchanged(ctx context.Context, w *workspace) (result, error) {
	s, err := w.scale(ctx)
	if err != nil {
		return result{}, err
	}
	at, err := s.site("scale-site", partNames(60), nil)
	if err != nil {
		return result{}, err
	}
	a, b, err := w.duel(ctx, w.pairs, at.build(false), func(ctx context.Context) (sample, error) {
		return timed(at.command(ctx, "--version"))
	})
	if err != nil {
		return result{}, err
	}
	more := float64((a.wall - b.wall).Microseconds()) / 1000
	return result{ours: a.String(), peer: b.String(), ratio: ratio(a.wall.Seconds(), b.wall.Seconds()), reached: more,
		note: fmt.Sprintf("%.1f ms more than --version", more)}, nil
}

// memoryOfLarge compares the peak memory of a build of a package of 64 MB with
// that of one of 1 MB.
func memoryOfLarge(ctx context.Context, w *workspace) (result, error) {
	s, err := w.scale(ctx)
	if err != nil {
		return result{}, err
	}
	large, err1 := s.site("scale-large", []string{partName(0), largePackage}, nil)
	small, err2 := s.site("scale-small", []string{partName(0), smallPackage}, nil)
	if err := errors.Join(err1, err2); err != nil {
		return result{}, err
	}
	a, b, err := w.duel(ctx, (w.pairs+2)/3, large.build(true), small.build(true))
	if err == nil && (a.peak == 0 || b.peak == 0) {
		err = leftOut("what starts it takes more memory")
	}
	r := ratio(float64(a.peak), float64(b.peak))
	return result{ours: a.String(), peer: b.String(), ratio: r, reached: r}, err
}

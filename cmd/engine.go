package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/containerfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
)

// Values of --engine.
const (
	engineNative  = "native"
	engineBuildah = "buildah"
)

// engine says what assembles the broker's image.
type engine struct {
	Name string
	File string // --file: a Containerfile in place of ours
	Base string // --base: what lends ours its apk
}

func (e *engine) flags(c *cobra.Command) {
	c.Flags().StringVar(&e.Name, "engine", engineNative, "what assembles the image: `native or buildah`")
	c.Flags().StringVar(&e.File, "file", "", "with --engine=buildah: the Containerfile `path` (default: the project's own)")
	c.Flags().StringVar(&e.Base, "base", "", "with --engine=buildah: the `image or root file system` (.tar.gz) that lends its apk (default: Alpine's)")
	c.MarkFlagsMutuallyExclusive("file", "base")
}

// check reports flags that don't go together, and an engine that isn't there.
func (e engine) check(c *cobra.Command, which component) error {
	switch e.Name {
	case engineNative:
		for _, name := range []string{"file", "base"} {
			if c.Flags().Changed(name) {
				return fault.With(fault.Usage, fmt.Errorf("--%s goes with --engine=buildah", name))
			}
		}
		return nil
	case engineBuildah:
		if which.Name == componentAgent {
			return fault.With(fault.Usage, errors.New("--engine=buildah goes with --component=broker: the agents' image is one program"))
		}
		if c.Flags().Changed("compression") {
			return fault.With(fault.Usage, errors.New("--compression goes with --engine=native: buildah compresses its layers itself"))
		}
	default:
		return fault.With(fault.Usage, fmt.Errorf("--engine %q is neither %s nor %s", e.Name, engineNative, engineBuildah))
	}
	if err := containerfile.Check(); err != nil {
		return err
	}
	if e.File == "" {
		return nil
	}
	st, err := os.Stat(e.File)
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err != nil {
		return fault.With(fault.Usage, fmt.Errorf("reading --file %q: %w", e.File, err))
	}
	return nil
}

// buildah builds a Containerfile on what the native engine makes and keeps the
// image where that one's goes.
func (a *app) buildah(ctx context.Context, e engine, o buildOptions) (_ built, err error) {
	start := time.Now()
	if err := a.hostOnly(o); err != nil {
		return built{}, err
	}
	native, specs, err := a.assemble(ctx, o)
	if err != nil {
		return built{}, err
	}
	spec := specs[0]
	base, err := image.Choose(native.Image, "")
	if err != nil {
		return built{}, err
	}
	work, err := os.MkdirTemp("", "mosqbuild-*")
	if err != nil {
		return built{}, fmt.Errorf("making a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	var what containerfile.Options
	if e.File != "" {
		what, err = a.usersFile(ctx, e.File, native, work)
	} else {
		what, err = a.ownFile(ctx, e.Base, base, spec.Lock, o, work)
	}
	if err != nil {
		return built{}, err
	}
	what.Created = spec.Created
	a.progress("building %s with buildah", what.File)
	result := filepath.Join(work, "image")
	if err := containerfile.Build(ctx, what, result); err != nil {
		return built{}, err
	}
	made, err := image.Open(result)
	if err != nil {
		return built{}, err
	}
	if err := asLocked(ctx, made, spec.Lock, e.File == ""); err != nil {
		return built{}, err
	}
	secrets, err := a.state().Credentials()
	if err != nil {
		return built{}, err
	}
	adopted, err := image.Adopt(ctx, made, base, secrets)
	if err != nil {
		return built{}, err
	}
	if err := a.keep(ctx, built{adopted, native.Name}, "by buildah", start); err != nil {
		return built{}, err
	}
	kept, err := image.Open(a.state().Image()) // work is about to go
	return built{kept, native.Name}, err
}

// hostOnly reports platforms other than this machine's: a Containerfile's steps
// run on it.
func (a *app) hostOnly(o buildOptions) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := o.single(cfg, "--engine=buildah"); err != nil {
		return err
	}
	archs, err := o.archs(cfg)
	if err != nil || archs[0] == runtime.GOARCH || runtime.GOARCH == "arm" {
		return err
	}
	err = fmt.Errorf("--engine=buildah runs the steps of the Containerfile on this machine, which is no %s", config.Platforms(archs))
	return fault.With(fault.Usage, fault.Hint(err, "use the native engine, which runs nothing, or name this machine's own: --platform %s", config.PlatformPrefix+runtime.GOARCH))
}

// usersFile says how to build a Containerfile that isn't ours: with its folder
// as the context, but for the state folder, and the native image at hand.
func (a *app) usersFile(ctx context.Context, file string, native built, work string) (containerfile.Options, error) {
	base := filepath.Join(work, "native")
	if err := image.Write(ctx, native.Image, image.Output{Format: image.FormatOCI, Path: base}, native.Name); err != nil {
		return containerfile.Options{}, err
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return containerfile.Options{}, err
	}
	what := containerfile.Options{File: file, Context: dir, Bases: map[string]string{native.Name: base}}
	for _, secret := range []string{a.state().Path, work} {
		if secret, err = filepath.Abs(secret); err != nil {
			return what, err
		}
		if rel, err := filepath.Rel(dir, secret); err == nil && filepath.IsLocal(rel) {
			what.Exclude = append(what.Exclude, rel)
		}
	}
	return what, nil
}

// ownFile says how to build our Containerfile, with the very packages that the
// native image has.
func (a *app) ownFile(ctx context.Context, base string, native image.Image, lock *packages.Lock, o buildOptions, work string) (containerfile.Options, error) {
	dir, file := filepath.Join(work, "context"), filepath.Join(work, "Containerfile")
	if err := image.WriteContext(ctx, native, dir); err != nil {
		return containerfile.Options{}, err
	}
	cf, err := native.ConfigFile()
	if err != nil {
		return containerfile.Options{}, err
	}
	what := containerfile.Options{File: file, Context: dir, Labels: cf.Config.Labels, Args: map[string]string{
		"PACKAGES": strings.Join(lock.World, " "),
		"LOCKED":   locked(lock),
		"PORTS":    strings.Join(slices.Sorted(maps.Keys(cf.Config.ExposedPorts)), " "),
	}}
	if err := a.repositories(&what, lock, o, work); err != nil {
		return what, err
	}
	text := containerfile.Default
	if st, err := os.Stat(base); err == nil && st.Mode().IsRegular() {
		data, err := os.ReadFile(base)
		if err != nil {
			return what, fault.With(fault.Usage, fmt.Errorf("reading --base: %w", err))
		}
		if err := os.WriteFile(filepath.Join(dir, rootfsName), data, 0o600); err != nil {
			return what, err
		}
		base, text = "rootfs", slices.Concat([]byte("ARG BASE\nFROM scratch AS rootfs\nADD "+rootfsName+" /\n"), text)
	}
	if base != "" {
		what.Args["BASE"] = base
	}
	return what, os.WriteFile(file, text, 0o600)
}

// rootfsName is a root file system's name in the build context.
const rootfsName = "rootfs.tar.gz"

// locked names every package of the lock with its version, as apk reads it.
func locked(lock *packages.Lock) string {
	var list []string
	for _, p := range lock.Packages {
		list = append(list, p.Name+"="+p.Version)
	}
	return strings.Join(list, " ")
}

// repositories lets apk reach what the lock's packages come from, and the keys
// they are signed with.
func (a *app) repositories(what *containerfile.Options, lock *packages.Lock, o buildOptions, work string) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	from, err := a.sources(cfg, o)
	if err != nil {
		return err
	}
	var list []string
	for i, r := range lock.Repositories {
		if strings.Contains(r.Repository, "://") {
			list = append(list, r.Repository)
			continue
		}
		dir, err := filepath.Abs(r.Repository)
		if err != nil {
			return err
		}
		inside := fmt.Sprintf("/repository/%d", i)
		what.Mounts = append(what.Mounts, dir+":"+inside+":ro")
		list = append(list, inside)
	}
	what.Args["REPOSITORY"] = strings.Join(list, " ")
	for name, pem := range from.Keys {
		key := filepath.Join(work, name)
		if err := os.WriteFile(key, pem, 0o644); err != nil { //nolint:gosec // public
			return err
		}
		what.Mounts = append(what.Mounts, key+":/etc/apk/keys/"+name+":ro")
	}
	return nil
}

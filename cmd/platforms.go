package cmd

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
)

// platforms adds the flag that says what to build for.
func (o *buildOptions) platforms(c *cobra.Command) {
	c.Flags().StringSliceVar(&o.Platforms, "platform", nil, "`platform`s such as linux/amd64,linux/arm64 (default: image.platforms of the configuration, or linux/amd64)")
}

// archs returns Go's names of the architectures to build for, sorted, so that
// the order in which they were given makes no difference.
func (o buildOptions) archs(cfg config.Config) ([]string, error) {
	given := o.Platforms
	if given == nil {
		given = cfg.Image.Platforms
	}
	if len(given) == 0 {
		return []string{config.DefaultArch}, nil
	}
	var archs []string
	for _, p := range given {
		arch, err := config.ParsePlatform(p)
		if err != nil {
			return nil, fault.With(fault.Usage, fmt.Errorf("reading --platform: %w", err))
		}
		archs = append(archs, arch)
	}
	slices.Sort(archs)
	return slices.Compact(archs), nil
}

// toLock returns the architectures that are locked anew, and the locks that are
// left as they are. --platform names the former. Otherwise it is all that the
// configuration has, or where that says nothing, all that were locked, with
// those that are about to be built.
func (o buildOptions) toLock(cfg config.Config, locks packages.Locks, build []string) (anew []string, others packages.Locks, err error) {
	if anew, err = o.archs(cfg); err != nil {
		return nil, nil, err
	}
	switch {
	case o.Platforms != nil:
		return anew, locks, nil
	case len(cfg.Image.Platforms) > 0 || len(locks) == 0:
		return anew, nil, nil
	}
	anew = slices.Clone(build)
	for _, l := range locks {
		anew = append(anew, l.Arch)
	}
	slices.Sort(anew)
	return slices.Compact(anew), nil, nil
}

// single returns an error unless one platform alone is to be built for; what
// says what takes no more.
func (o buildOptions) single(cfg config.Config, what string) error {
	archs, err := o.archs(cfg)
	if err != nil || len(archs) == 1 {
		return err
	}
	err = fmt.Errorf("%s is for one platform, not for %s", what, config.Platforms(archs))
	return fault.With(fault.Usage, fault.Hint(err, "name one of them: --platform %s", config.PlatformPrefix+archs[0]))
}

// checkOutput reports early what can't be written as was asked.
func (a *app) checkOutput(to image.Output, o buildOptions) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	archs, err := o.archs(cfg)
	if err != nil {
		return err
	}
	names := make([]string, len(archs))
	for i, arch := range archs {
		names[i] = config.PlatformPrefix + arch
	}
	return to.Check(names...)
}

// each calls do for every architecture, at once, and returns what it gave in
// their order. The first error ends the others; where there are several, it says
// for which platform.
func each[T any](ctx context.Context, archs []string, do func(ctx context.Context, i int, arch string) (T, error)) ([]T, error) {
	out := make([]T, len(archs))
	g, ctx := errgroup.WithContext(ctx)
	for i, arch := range archs {
		g.Go(func() (err error) {
			if out[i], err = do(ctx, i, arch); err != nil && len(archs) > 1 {
				err = &platformError{config.PlatformPrefix + arch, err}
			}
			return err
		})
	}
	return out, g.Wait()
}

// platformError says of each line of an error for which platform it is.
type platformError struct {
	platform string
	err      error
}

func (e *platformError) Error() string {
	return e.platform + ": " + strings.ReplaceAll(e.err.Error(), "\n", "\n"+e.platform+": ")
}

func (e *platformError) Unwrap() error { return e.err }

// hosts returns the image of a that this machine runs.
func hosts(a image.Artifact) (image.Image, error) {
	if img, ok := a.(image.Image); ok {
		return img, nil // it may be another machine's: there are emulators
	}
	return image.Choose(a, config.PlatformPrefix+runtime.GOARCH)
}

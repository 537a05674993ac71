package cmd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/packages/source"
)

func newPackagesBuild(a *app) *cobra.Command {
	var o source.Options
	c := &cobra.Command{
		Use:   "build",
		Short: "Build a signed package repository from source",
		Long: `Build a signed apk repository from Debian's sources with a musl toolchain, and
print its folder. It needs apt, gcc, make, perl and dpkg-dev, but no root: apt
is run beside the system's, with the mirror and the keys that the machine has.

Every step is kept in the cache, so a second run makes only what has changed.
The sources stay those of the first run until --refresh asks for newer ones. The
signing key is made on first use, in the user's configuration folder.

With --arch another architecture than the machine's own is cross-compiled, which
takes Debian's cross compiler; its packages come into the same folder. With
--mosquitto 2.1 the broker is of that series, in a folder of its own, and "image
build --local" takes it where mosqbuild.yaml says mosquitto: "2.1".`,
		Example: `  mosqbuild packages build
  mosqbuild packages build --arch arm64
  mosqbuild packages build --mosquitto 2.1
  mosqbuild image build --local`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.packagesBuild(c.Context(), o) },
	}
	c.Flags().StringVar(&o.Arch, "arch", "", "`architecture` to build for, amd64 or arm64 (default: the machine's own)")
	c.Flags().StringVar(&o.Mosquitto, "mosquitto", "", "the broker's `series`, 2.0 or 2.1 (default: 2.0)")
	c.Flags().IntVar(&o.Jobs, "jobs", 0, "`number` of processes at once (default: one a CPU)")
	c.Flags().BoolVar(&o.Refresh, "refresh", false, "look for newer sources")
	c.Flags().StringVar(&o.Cache, "cache", "", "`folder` to build in (default: the user's cache folder)")
	return c
}

func (a *app) packagesBuild(ctx context.Context, o source.Options) (err error) {
	if o.Cache, err = cacheFolder(o.Cache); err != nil {
		return err
	}
	if o.Config, err = keyDir(); err != nil {
		return err
	}
	o.AptEnv = aptEnv(os.Environ())
	lines := newStepLines(a)
	o.Progress = lines.event
	start := time.Now()
	r, err := source.Build(ctx, o)
	lines.stop()
	if err != nil {
		return err
	}
	for _, s := range r.Sources {
		if s.Missing != "" {
			a.note("%s: the mirror announces %s and lacks it, so this is %s", s.Name, s.Missing, s.Version)
		}
	}
	if r.Built == 0 {
		a.progress("nothing changed: %d steps from the cache", r.Cached)
	} else {
		a.progress("%d steps run, %d from the cache, in %.1f s", r.Built, r.Cached, time.Since(start).Seconds())
	}
	_, err = fmt.Fprintln(a.Out, r.Repository)
	return err
}

// aptEnv returns what apt reads from the environment: the way to the mirror.
func aptEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains([]string{"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy", "apt_config"}, strings.ToLower(name))
	})
}
